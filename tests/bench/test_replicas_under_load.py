"""Two servers on one PostgreSQL under many streams: what a death, a migration and a night cost.

DOCENT_BENCH_STREAMS (200) are asked at once, in turn at both; each that ends is followed by
another. Servers, PostgreSQL and readers share the machine.
"""

import asyncio
import os

import asyncpg
import numpy as np
import pytest

from tests.replicas.ordeal import judged, ordeal
from tests.web.state.conftest import postgres

pytestmark = pytest.mark.bench
__all__ = ["postgres"]

STREAMS = int(os.environ.get("DOCENT_BENCH_STREAMS", "200"))


def test_nothing_is_lost_and_nothing_is_wrong(tmp_path, postgres):
    seen = asyncio.run(_spent(tmp_path, postgres))

    judged(seen)
    whole = [one for one in seen.all if one.end == "answer"]
    cut = [one for one in whole if one.cut]
    waited = np.array([one.ended_at - one.asked_at for one in cut])
    calm = np.array([one.ended_at - one.asked_at for one in whole if not one.cut])
    print(
        f"\n{STREAMS} streams at two servers: {len(seen.all)} questions, {len(whole)} answered, "
        f"{len(seen.all) - len(whole)} not taken while their server was dead or leaving.\n"
        f"  {len(cut)} were cut by the death and came to their end: p50 {np.median(waited):.1f} s, "
        f"longest {waited.max():.1f} s; the others p50 {np.median(calm):.1f} s, "
        f"p95 {np.percentile(calm, 95):.1f} s\n"
        f"  the dead server was back after {seen.restarted_at - seen.killed_at:.1f} s"
    )


async def _spent(tmp_path, postgres):
    connection = await asyncpg.connect(postgres("postgres"))
    await connection.execute("CREATE DATABASE load")
    await connection.close()
    return await ordeal(tmp_path / "index", postgres("load"), STREAMS)

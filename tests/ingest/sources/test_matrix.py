"""Every source × every fault: nothing crashes, hangs, gets lost or doubled, and each fault is told.

Each case runs the real pipeline over the source that has the fault and a healthy one beside it.
"""

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from ingest.access import Reader
from ingest.index import EmbeddedIndex, writing
from ingest.pipeline import Pace, parts_of, sync
from ingest.spool import Spool
from tests.fakes import HashEmbedder
from tests.ingest.corpus import HerePool, ListSource, page
from tests.ingest.sources.worlds import SECRETS, START, WORLDS
from tests.servers import Fault

ALL = Reader(frozenset({"public", "staff"}))
BESIDE = [
    replace(page("", f"Healthy page {n}."), id=f"beside:{n}", source="beside") for n in range(3)
]
OTHER_TEXT = {Fault.BAD_UTF8}
"""What the server says is wrong and looks right: taken as it was said, until it changes."""
QUIET = {Fault.CHANGES, Fault.BAD_UTF8, Fault.SLOW_BODY, Fault.CUT_BODY, Fault.LONG_BODY}
"""May leave nothing to tell: an answer that nothing changed has no body to spoil."""


class Nights:
    """Runs of the source in question and of a healthy one, over one index."""

    def __init__(self, folder, world):
        self.folder, self.world = folder, world
        self.embedder = HashEmbedder()
        self.number = 0

    def run(self):
        self.number += 10
        self.world.clock.sleep(timedelta(days=10).total_seconds())
        at = START + timedelta(days=self.number)
        sources = [self.world.source(), ListSource(BESIDE, name="beside")]
        with (
            writing(self.folder, parts_of(self.embedder, 300)) as writer,
            closing(Spool(self.folder)) as spool,
        ):
            report, beside = sync(
                sources, writer, self.embedder, HerePool(), spool=spool,
                brakes={"test": 0.2}, pace=Pace(stall_s=60), now=lambda: at,
            )  # fmt: skip
        assert beside.well
        assert not beside.failed
        return report

    def texts(self):
        index = EmbeddedIndex(self.folder, embedder=self.embedder.name)
        with index.snapshot() as snapshot:
            rows = [int(row) for row in snapshot.rows]
            found = [(s.chunk.id, s.chunk.text) for s in snapshot.chunks(rows, ALL)]
        index.close()
        assert len({chunk for chunk, _ in found}) == len(found), "a chunk is there twice"
        return {chunk: text for chunk, text in found if chunk.startswith("test:")}


def told(report):
    """Whether the report has a clear line: a failure or the reason why the source stopped."""
    lines = [failure.reason for failure in report.failed] + [report.trouble] * bool(report.trouble)
    assert all(len(line) > 15 and line[-1] in ".)" and "foresaw" not in line for line in lines), (
        lines
    )
    return bool(lines)


def same(found, expected, fault):
    if fault in OTHER_TEXT:
        return {chunk.partition("@")[0] for chunk in found} == {
            chunk.partition("@")[0] for chunk in expected
        }
    return found == expected


@pytest.fixture(scope="module", autouse=True)
def _secrets():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """What an undisturbed run over each kind of source leaves; made once."""
    known = {}

    def of(kind):
        if kind not in known:
            world = WORLDS[kind]()
            with world.server:
                nights = Nights(tmp_path_factory.mktemp("calm"), world)
                report = nights.run()
                assert report.well, report
                assert not report.failed, report
                known[kind] = without_port(nights.texts(), world)
                assert known[kind]
        return known[kind]

    return of


def without_port(texts, world):
    return {chunk: text.replace(world.server.url, "") for chunk, text in texts.items()}


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("kind", WORLDS)
def test_a_fault_that_passes_loses_and_doubles_nothing(kind, fault, calm, tmp_path):
    """From the second request on three answers are wrong; the next night all is well."""
    expected = calm(kind)
    world = WORLDS[kind]()
    with world.server as server:
        nights = Nights(tmp_path, world)
        server.fault("*", fault, times=3, skip=1)
        report = nights.run()
        if not same(without_port(nights.texts(), world), expected, fault):
            assert told(report), "something is missing and nobody was told"
        server.mend()
        report = nights.run()
        assert not told(report), report
        assert same(without_port(nights.texts(), world), expected, fault)


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("kind", WORLDS)
def test_a_fault_that_lasts_takes_nothing_away(kind, fault, calm, tmp_path):
    """After a good night every answer is wrong: what is known stays, and comes back whole."""
    expected = calm(kind)
    world = WORLDS[kind]()
    with world.server as server:
        nights = Nights(tmp_path, world)
        nights.run()
        server.fault("*", fault)
        report = nights.run()
        assert told(report) or fault in QUIET, report
        assert report.removed == 0
        server.mend()
        report = nights.run()
        assert not told(report), report
        assert same(without_port(nights.texts(), world), expected, fault)

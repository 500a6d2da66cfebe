"""Settings → services: the one place that opens what the web stands on, and closes it again."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from ingest.access import ANYBODY, Reader
from ingest.errors import DocentError
from ingest.settings import Settings
from web.admin import admin_for
from web.admin.runner import Runner, command_for
from web.limits import limits_for
from web.mcp.routes import bearers_for, mcp_for
from web.relay import Beats, OwnStreams
from web.services import Assistant, Services, services_for
from web.signin.oidc import Provider
from web.signin.routes import sign_in_for
from web.start import sign_in_secret, state_url
from web.state import State, StateTrouble, url_for
from web.state.counters import Counters
from web.tracing import tracing_from
from web.who import Door, LocalDoor

FLUSH_S = 60
PURGE_S = 24 * 3600

log = logging.getLogger(__name__)


@asynccontextmanager
async def opened(
    settings: Settings,
    assistant: Assistant,
    reader: Reader = ANYBODY,
    config: Path | None = None,
    **others: Any,
) -> AsyncIterator[Services]:
    """The services of a server while it runs; at the end every answer gets its last event.

    Where nobody signs in, all questions are `reader`'s. `config` is the settings file that was
    named, for the runs that maintainers start. `others` are fields that shall not be the usual
    ones.

    Raises:
        StateTrouble: the database cannot be opened.
        SettingsError: traces are asked for and cannot be sent.
    """
    tracing = tracing_from(settings.telemetry.otlp_endpoint)
    state = await State.open(url_for(state_url(settings), settings.index.path))
    try:
        door, routers = await _way_in(state, settings, reader)
        runner = Runner(command_for(config))
        streams = OwnStreams()
        usual = {
            "tracing": tracing,
            "routers": (*routers, admin_for(runner)),
            "streams": streams,
        }
        services = services_for(assistant, state, door, settings, **{**usual, **others})
        if state.shared:
            services.limits = limits_for(settings.limits, Counters(state.database))
        served = Served()
        served.watched(services)
        keeping = [
            asyncio.create_task(_keep_up(services, served)),
            asyncio.create_task(Beats(state, streams).run()),
        ]
        try:
            yield services
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.wait(keeping)
            await runner.close()
            await services.close()
            await state.usage.flush()
    finally:
        await state.close()
        tracing.close()


async def _way_in(
    state: State, settings: Settings, reader: Reader
) -> tuple[Door, tuple[APIRouter, ...]]:
    """Who is let in, and the routes by which people come in."""
    if not settings.signin.configured:
        await state.users.local(groups=reader.groups)
        return LocalDoor(reader), (mcp_for(None),)
    provider = Provider(settings.signin, sign_in_secret(settings))
    made = sign_in_for(state, settings.signin, provider, settings.server.public_url)
    return made.door, (made.router, mcp_for(bearers_for(state, settings, provider)))


class Served:
    """Which generation of the index this server reads, as its metrics tell; NaN: none."""

    def __init__(self) -> None:
        self.generation = self.built = math.nan

    def watched(self, services: Services) -> None:
        """Let the metrics tell it, and whether the model is there."""
        watch = services.metrics.watch
        watch("docent_index_generation", "Generation that is read.", lambda: self.generation)
        watch("docent_index_built_timestamp_seconds", "When it was made.", lambda: self.built)
        watch(
            "docent_model_away",
            "1 while answers are extracts because the model cannot be reached.",
            lambda: float(services.model_state == "away"),
        )

    async def look(self, services: Services) -> None:
        """Look again."""
        try:
            counts = await services.assistant.counts(ANYBODY)
        except DocentError:
            self.generation = self.built = math.nan
        else:
            self.generation, self.built = counts.generation, counts.built_at.timestamp()


async def _keep_up(services: Services, served: Served) -> None:
    """Write the counts now and then, and remove once a day what is past its date."""
    state, days = services.state, services.settings.state.audit_days
    rounds = 0
    while True:
        try:
            if rounds % (PURGE_S // FLUSH_S) == 0:
                await state.purge(days)
        except StateTrouble as trouble:
            log.warning("What is past its date is not removed yet: %s", trouble)
        await served.look(services)
        rounds += 1
        await asyncio.sleep(FLUSH_S)
        lost = await state.usage.flush()
        if lost is not None:
            log.warning("The counts of the last minutes are not written yet: %s", lost)

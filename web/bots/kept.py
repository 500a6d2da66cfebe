"""What a bot has heard and not answered, kept so that it outlives the bot."""

import logging
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import Any

from web.state import State, StateTrouble, Waiting

log = logging.getLogger(__name__)


class Kept:
    """The heard of one bot, in the database.

    A database that is away keeps nobody from being answered; what is asked meanwhile would only
    not outlive a bot that is killed.
    """

    def __init__(self, state: State, service: str, within: timedelta) -> None:
        """`within`: what is older is of no use any more."""
        self._pending = state.pending
        self._service = service
        self._within = within

    async def put(self, key: str, told: Mapping[str, Any]) -> None:
        """Keep it until it is done."""
        await self._tried(self._pending.put(self._service, key, told))

    async def done(self, key: str) -> None:
        """It is answered, or never will be."""
        await self._tried(self._pending.done(self._service, key))

    async def all(self) -> list[Waiting]:
        """What is kept, the oldest first; nothing while the database is away."""
        return await self._tried(self._pending.all(self._service, self._within)) or []

    async def _tried(self, work: Awaitable[Any]) -> Any:
        try:
            return await work
        except StateTrouble as trouble:
            log.warning("What was heard is not kept: %s", trouble)
            return None

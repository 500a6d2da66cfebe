"""What happens in Mattermost, in order: its WebSocket, and what to do when it breaks.

Every event has a number. After a break we name the connection and the number that we expect: the
server then sends what was missed, or says by another `hello` that it cannot; then `Missed` comes
before what follows, and whoever listens has to look for himself.

This is `websockets`, not the client of mattermostautodriver, which knows neither numbers nor
connections, waits for ever when the token is refused, and hides what broke.
"""

import asyncio
import json
import logging
import random
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from web.mattermost.server import UNKNOWN, ChatTrouble, Pause

LARGEST = 4 * 2**20
PING_S = 20
SHORTEST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Heard:
    """An event: its name, its data, and to whom it was sent."""

    name: str
    data: Mapping[str, Any]
    broadcast: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Missed:
    """From here on all is heard; before, something may have been missed."""


class Listening:
    """One account's events."""

    def __init__(self, url: str, token: str, tls: Any = None, pause: Pause = asyncio.sleep) -> None:
        """`url` is the server's address; `pause` waits between two attempts."""
        self._url = "ws" + url.removeprefix("http") + "/api/v4/websocket"
        self._token = token
        self._tls = tls
        self._pause = pause
        self._connection = ""
        self._next = 0
        self._failed = 0
        self.connected = False
        """Whether events come in."""

    async def events(self) -> AsyncGenerator[Heard | Missed]:
        """All events from now on, without an end.

        Raises:
            ChatTrouble: the server does not know the token.
        """
        while True:
            try:
                async with connect(
                    self._address(),
                    # A challenge in the stream would come too late to take a connection up again.
                    additional_headers={"Authorization": f"Bearer {self._token}"},
                    max_size=LARGEST,
                    ping_interval=PING_S,
                    **({"ssl": self._tls} if self._tls else {}),
                ) as socket:
                    self.connected = True
                    async for text in socket:
                        heard, holds = self._read(text)
                        for one in heard:
                            yield one
                        if not holds:
                            break
            except InvalidStatus as refused:
                if refused.response.status_code == HTTPStatus.UNAUTHORIZED:
                    msg = "Mattermost does not know the bot's token. Give it a new one."
                    raise ChatTrouble(msg, UNKNOWN) from None
                log.warning("Mattermost refuses the WebSocket: %s", refused)
            except (WebSocketException, OSError, TimeoutError) as error:
                log.warning("The WebSocket of Mattermost broke: %s", type(error).__name__)
            finally:
                self.connected = False
            await self._pause(self._wait_s())

    def _address(self) -> str:
        asked = {"connection_id": self._connection, "sequence_number": self._next}
        return f"{self._url}?{urlencode(asked)}"

    def _read(self, text: str | bytes) -> tuple[list[Heard | Missed], bool]:
        """What a message says; False: numbers are missing, so nothing more of it is believed."""
        try:
            told = json.loads(text)
        except ValueError:
            told = None
        if not isinstance(told, Mapping) or "event" not in told:
            # A reply to a request; we make none.
            return [], True
        heard: list[Heard | Missed] = []
        data = told.get("data")
        data = data if isinstance(data, Mapping) else {}
        if told["event"] == "hello":
            known = self._connection
            self._connection = str(data.get("connection_id") or "")
            if not self._connection or self._connection != known:
                self._next = 0
                heard.append(Missed())
        if told.get("seq") != self._next:
            log.warning("An event of Mattermost was missed; asking for what happened.")
            self._connection, self._next = "", 0
            return [], False
        self._next += 1
        self._failed = 0
        broadcast = told.get("broadcast")
        broadcast = broadcast if isinstance(broadcast, Mapping) else {}
        return [*heard, Heard(str(told["event"]), data, broadcast)], True

    def _wait_s(self) -> float:
        wait: float = min(SHORTEST_WAIT_S * 2**self._failed, LONGEST_WAIT_S)
        self._failed = min(self._failed + 1, 10)
        # Many clients must not come back in the same moment.
        return wait * random.uniform(0.5, 1)  # noqa: S311 - not a secret

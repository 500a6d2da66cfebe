"""The WebSocket: every event numbered, the last of them kept for whoever comes back."""

import asyncio
import json

from starlette.requests import Request
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.servers.chat.refusal import Record, Refusal

TOKEN = "b9fq3k7tdpyhxm5g8wzr1nce4a"
DEAD_QUEUE = 128
"""So many events a connection can be sent again."""


class Connection:
    """One account's events: numbered, and the last of them kept for when it comes back."""

    def __init__(self, name: str) -> None:
        self.id = name
        self.sent: list[Record] = []
        self.socket: WebSocket | None = None
        self.pump: asyncio.Queue[Record] = asyncio.Queue()

    def put(self, event: Record, *, lost: bool) -> None:
        numbered = {**event, "seq": len(self.sent)}
        self.sent.append(numbered)
        if self.socket and not lost:
            self.pump.put_nowait(numbered)


class Events:
    """Who is where, as far as events need it, and the connections that hear of them."""

    def __init__(self) -> None:
        self.members: dict[str, dict[str, Record]] = {}
        """Of channels and teams, by their ids."""
        self.bot = ""
        self.token = TOKEN
        self.handshakes: list[Record] = []
        self._made = 0
        self._connections: dict[str, Connection] = {}
        self._losing = 0
        self._open: dict[tuple[str, int], asyncio.Transport] = {}

    def drop(self) -> None:
        """Break every WebSocket; what is missed is kept for them."""
        for connection in self._connections.values():
            if connection.socket:
                self._abort(connection.socket)

    def restart(self) -> None:
        """Break every WebSocket, and know none of them any more."""
        self.drop()
        self._connections.clear()

    def lose(self, number: int) -> None:
        """Let the next events be numbered and never sent."""
        self._losing = number

    @property
    def connected(self) -> bool:
        return any(one.socket for one in self._connections.values())

    def heard(self, number: int) -> bool:
        """Whether somebody who expects the event of this number next has heard of all."""
        return any(one.socket and len(one.sent) == number for one in self._connections.values())

    async def _websocket(self, socket: WebSocket) -> None:
        if socket.headers.get("authorization") != f"Bearer {self.token}":
            await socket.send_denial_response(
                Refusal(401, "api.context.session_expired.app_error").answer()
            )
            return
        asked = dict(socket.query_params)
        self.handshakes.append(asked)
        await socket.accept()
        connection = self._taken_up(asked)
        connection.socket = socket
        pumping = asyncio.create_task(_pump(connection, socket))
        try:
            while True:
                await socket.receive_text()
        except WebSocketDisconnect:
            pass
        finally:
            if connection.socket is socket:
                connection.socket = None
            pumping.cancel()
            await asyncio.wait([pumping])

    def _taken_up(self, asked: Record) -> Connection:
        """The connection that is named, with what it missed; or a new one, which says hello."""
        known = self._connections.get(asked.get("connection_id", ""))
        number = int(asked.get("sequence_number") or 0)
        if known and len(known.sent) - DEAD_QUEUE <= number <= len(known.sent):
            known.pump = asyncio.Queue()
            for event in known.sent[number:]:
                known.pump.put_nowait(event)
            return known
        made = Connection(self._id("w"))
        self._connections[made.id] = made
        hello = {"connection_id": made.id, "server_version": "11.11.0", "server_hostname": "h"}
        event = {"event": "hello", "data": hello, "broadcast": {"user_id": self.bot}, "seq": 0}
        made.sent.append(event)
        made.pump.put_nowait(event)
        return made

    def _event(self, name: str, data: Record, channel: str = "") -> None:
        if channel and self.bot not in self.members[channel]:
            return
        lost = self._losing > 0
        self._losing = max(0, self._losing - 1)
        broadcast = {"omit_users": None, "user_id": "", "channel_id": channel, "team_id": ""}
        for connection in self._connections.values():
            connection.put({"event": name, "data": data, "broadcast": broadcast}, lost=lost)

    def _abort(self, of: Request | WebSocket) -> None:
        assert of.client is not None
        transport = self._open.get((of.client.host, of.client.port))
        if transport:
            transport.abort()

    def _id(self, kind: str) -> str:
        self._made += 1
        return f"{kind}{self._made:025d}"


async def _pump(connection: Connection, socket: WebSocket) -> None:
    pump = connection.pump
    while True:
        event = await pump.get()
        try:
            await socket.send_text(json.dumps(event))
        except (WebSocketDisconnect, RuntimeError):
            return

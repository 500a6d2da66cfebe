"""A small application behind the sign-in on a real socket, and browsers that use it."""

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from ingest.web_settings import SignInSettings
from tests.servers import oidc
from web import problems, who
from web.guard import Guard
from web.signin.oidc import Provider
from web.signin.routes import sign_in_for
from web.state import State
from web.who import Caller, Role, Scope, Whoever, needs


@dataclass
class Clock:
    """The time, some of it ahead. Read by the server's thread, set by the test."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def seconds(self) -> float:
        return self.now().timestamp()


@dataclass
class App:
    """The application. `clock` is that of the state, `provider_clock` that of checked tokens."""

    address: str
    clock: Clock = field(default_factory=Clock)
    provider_clock: Clock = field(default_factory=Clock)
    state: State | None = None
    loop: asyncio.AbstractEventLoop | None = None

    def run(self, coroutine: Any) -> Any:
        """The result of a coroutine that works with the state, which lives in the server's loop."""
        assert self.loop
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)


class Server(uvicorn.Server):
    """uvicorn that says when it is ready."""

    def __init__(self, app: FastAPI, ready: threading.Event) -> None:
        super().__init__(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()


def listen() -> socket.socket:
    """A free port of the loopback."""
    return socket.create_server(("127.0.0.1", 0))


def routes(app: FastAPI) -> None:
    def told(caller: Caller | None) -> dict[str, Any]:
        if caller is None:
            return {"signed_in": False}
        return {
            "signed_in": True,
            "user_id": caller.user_id,
            "name": caller.name,
            "email": caller.email,
            "groups": sorted(caller.reader.groups),
            "role": caller.role,
            "via": caller.via,
        }

    @app.get("/api/v1/me")
    async def me(caller: Whoever) -> dict[str, Any]:
        return told(caller)

    @app.get("/api/v1/read")
    async def read(caller: Annotated[Caller, needs(Scope.READ)]) -> dict[str, Any]:
        return told(caller)

    @app.post("/api/v1/ask")
    async def ask(caller: Annotated[Caller, needs(Scope.ASK)]) -> dict[str, Any]:
        return told(caller)

    @app.get("/api/v1/admin/runs")
    async def runs(caller: Annotated[Caller, needs(Scope.ADMIN, Role.MAINTAINER)]) -> None: ...


@contextmanager
def serving(
    settings: SignInSettings, secret: str, folder: Path, listening: socket.socket
) -> Iterator[App]:
    """The application of these settings on a listening socket."""
    served = App(f"http://127.0.0.1:{listening.getsockname()[1]}")
    ready = threading.Event()
    servers: list[Server] = []

    async def serve() -> None:
        served.loop = asyncio.get_running_loop()
        url = f"sqlite:///{folder / 'state.db'}"
        served.state = state = await State.open(url, clock=served.clock.now, wait_s=1)
        provider = Provider(settings, secret, clock=served.provider_clock.seconds, timeout_s=30)
        sign_in = sign_in_for(state, settings, provider, "")
        app = FastAPI()
        problems.install(app)
        who.install(app, sign_in.door)
        app.include_router(sign_in.router)
        routes(app)
        app.add_middleware(Guard, signed_in=True)
        servers.append(Server(app, ready))
        try:
            await servers[0].serve([listening])
        finally:
            await state.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(60)
    try:
        yield served
    finally:
        servers[0].should_exit = True
        thread.join(20)
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def provider() -> Iterator[oidc.OidcProvider]:
    with oidc.running() as found:
        yield found


def settings_for(issuer: str, client_id: str, **more: Any) -> SignInSettings:
    roles = {"maintainer": ["docs-team"], "admin": ["docs-admins"]}
    return SignInSettings.model_validate(
        {"issuer": issuer, "client_id": client_id, "roles": roles, **more}
    )


@contextmanager
def signed_up(provider: oidc.OidcProvider, folder: Path, **more: Any) -> Iterator[App]:
    """The application, known to the provider; `more` goes into its settings."""
    with listen() as listening:
        client = provider.register(f"http://127.0.0.1:{listening.getsockname()[1]}")
        settings = settings_for(provider.issuer, client.id, **more)
        with serving(settings, client.secret, folder, listening) as app:
            yield app


@pytest.fixture(scope="session")
def shared_app(
    provider: oidc.OidcProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[App]:
    with signed_up(provider, tmp_path_factory.mktemp("signin")) as served:
        yield served


@pytest.fixture
def app(shared_app: App) -> Iterator[App]:
    """The one application, at the time that it is; browsers are new in every test."""
    yield shared_app
    shared_app.clock.ahead = shared_app.provider_clock.ahead = timedelta()


class Browser:
    """A browser as far as a sign-in goes: it follows redirects by hand and keeps cookies."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.http = httpx.Client(headers={"Accept": "text/html"}, timeout=60)

    def get(self, address: str) -> httpx.Response:
        return self.http.get(address if address.startswith("http") else self.app.address + address)

    def to_provider(self, path: str = "/auth/login") -> str:
        """Press the button; gives where it leads."""
        response = self.get(path)
        assert response.status_code == 303, response.text
        return response.headers["location"]

    def at_provider(self, address: str, account: str) -> str:
        """Sign in there, unless one is; gives where the provider sends the browser back."""
        for _ in range(6):
            if address.startswith(self.app.address):
                return address
            response = self.get(address)
            if not response.has_redirect_location:
                assert "<form" in response.text, response.text
                filled = {"login": account, "password": "x"}
                response = self.http.post(response.url, data=filled)
            address = str(response.url.join(response.headers["location"]))
        raise AssertionError("The provider sends the browser round and round.")

    def sign_in(self, account: str, path: str = "/auth/login") -> httpx.Response:
        """All of it; gives the answer to what the provider sent the browser back with."""
        return self.get(self.at_provider(self.to_provider(path), account))

    def me(self) -> dict[str, Any]:
        told: dict[str, Any] = self.get("/api/v1/me").json()
        return told

    def post(self, path: str, **headers: str) -> httpx.Response:
        return self.http.post(self.app.address + path, headers=headers)

    def at_provider_sign_out(self, address: str) -> httpx.Response:
        """Confirm at the provider that one wants to be signed out there."""
        page = self.get(address)
        action = re.search(r'action="([^"]+)"', page.text)
        xsrf = re.search(r'name="xsrf" value="([^"]+)"', page.text)
        assert action, page.text
        assert xsrf, page.text
        return self.http.post(action[1], data={"xsrf": xsrf[1], "logout": "yes"})


@pytest.fixture
def browser(app: App) -> Iterator[Browser]:
    with another_browser(app) as found:
        yield found


@contextmanager
def another_browser(app: App) -> Iterator[Browser]:
    found = Browser(app)
    with found.http:
        yield found

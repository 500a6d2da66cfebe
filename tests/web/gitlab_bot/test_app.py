"""The server that webhooks reach, and the command that starts it."""

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from docent import app as docent
from ingest.client_settings import GitLabBotSettings
from ingest.errors import DocentError, FetchError, IndexTrouble
from ingest.http import Hosts
from ingest.settings import Settings
from ingest.web_settings import ServerSettings
from tests.servers import StillClock
from tests.servers.gitlab_bot import SECRET, Hook
from tests.web.gitlab_bot.conftest import ASK, ISSUE, MUONS, a_bot
from web.cli import listen
from web.cli_gitlab_bot import check_start, serve_bot
from web.gitlab_bot.app import create_app
from web.gitlab_bot.bot import MOST_WAITING
from web.gitlab_bot.gitlab import Place
from web.gitlab_bot.hooks import MAX_BODY, Heard, Hooks


@pytest.fixture
async def client(world):
    transport = httpx.ASGITransport(create_app(world.services, world.bot, world.hooks))
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as client:
        yield client


async def send(client: httpx.AsyncClient, hook: Hook) -> httpx.Response:
    return await client.post("/hook", content=hook.body, headers=hook.headers)


def asked(world, text=f"@docent {ASK}"):
    return world.server.write(MUONS, "issues", 7, text)


async def test_a_webhook_is_taken_at_once_and_answered_later(world, client):
    response = await send(client, asked(world))
    assert (response.status_code, response.json()) == (202, {"status": "heard"})
    await world.bot.settled()

    assert len(world.said()) == 1


async def test_what_asks_nothing_is_fine(world, client):
    response = await send(client, asked(world, "Good morning."))

    assert (response.status_code, response.json()) == (200, {"status": "nothing asked"})


async def test_wrong_secret_replay_and_flood_are_refused_in_a_sentence(world):
    hooks = Hooks(SECRET, "docent", 20, lambda: world.server.moment)
    transport = httpx.ASGITransport(create_app(world.services, world.bot, hooks))
    client = httpx.AsyncClient(transport=transport, base_url="http://bot")
    hook = asked(world)
    wrong = await send(client, hook.with_(X_Gitlab_Token="guess"))
    assert (wrong.status_code, "secret token" in wrong.json()["detail"]) == (401, True)

    assert (await send(client, hook)).status_code == 202
    again = await send(client, hook)
    assert (again.status_code, "came before" in again.json()["detail"]) == (409, True)

    statuses = [(await send(client, hook)).status_code for _ in range(30)]
    assert statuses == [409] * 18 + [429] * 12
    flood = await send(client, asked(world))
    assert flood.status_code == 429
    assert 1 <= int(flood.headers["retry-after"]) <= 60
    await client.aclose()
    await world.bot.settled()
    assert len(world.said()) == 1


async def test_a_long_body_without_its_length_is_not_read(world, client):
    async def endless():
        for _ in range(MAX_BODY // 2**16 + 2):
            yield bytes(2**16)
        pytest.fail("It was read to its end.")

    headers = {"X-Gitlab-Token": asked(world).headers["X-Gitlab-Token"]}
    response = await client.post("/hook", content=endless(), headers=headers)

    assert response.status_code == 413


async def test_too_much_at_once_is_refused_and_may_come_again(world, client):
    for number in range(MOST_WAITING):
        world.bot._working[Heard(Place(MUONS, "issues", number))] = asyncio.create_task(
            asyncio.sleep(0)
        )
    hook = asked(world)
    busy = await send(client, hook)
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "30")
    world.bot._working.clear()

    assert (await send(client, hook)).status_code == 202


async def test_machines_see_whether_it_works(world, client):
    assert (await client.get("/livez")).status_code == 200
    assert (await client.get("/readyz")).status_code == 200
    world.bot._comments.trouble = "The token has expired."
    response = await client.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "no"})
    world.bot._comments.trouble = ""
    world.assistant.failure = IndexTrouble("Gone.")
    assert (await client.get("/readyz")).status_code == 503


@pytest.mark.parametrize(("method", "path"), [("GET", "/hook"), ("POST", "/"), ("GET", "/metrics")])
async def test_there_is_nothing_else(client, method, path):
    assert (await client.request(method, path)).status_code in (404, 405)


async def test_it_looks_for_what_it_missed_now_and_then(world):
    world.server.write(MUONS, "issues", 7, f"@docent {ASK}")
    rounds = []

    async def sleep(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 2:
            raise asyncio.CancelledError

    world.server.token, token = "lost", world.server.token
    with pytest.raises(FetchError):
        a_bot(world.services, world.server, [])
    world.server.token = token
    with pytest.raises(asyncio.CancelledError):
        await a_bot(world.services, world.server, [], sleep=sleep).run()

    assert rounds == [300.0, 300.0]
    assert len(world.said()) == 1


async def test_closing_ends_what_does_not_end(world):
    world.server.write(MUONS, "issues", 7, f"@docent {ASK} hold")
    number = int(world.server.todos[0]["target_url"].rpartition("_")[2])
    task = world.bot.hear(Heard(ISSUE, number))
    while not world.assistant.asked:
        await asyncio.sleep(0.01)
    await world.bot.close(0.01)

    assert task.cancelled()


def test_the_whole_over_real_sockets(bot_settings: Settings, server, assistant):
    """As `docent gitlab-bot` runs: a webhook comes in, an answer stands in GitLab."""
    server.write(MUONS, "issues", 7, "@docent Who looks after the muon trigger?")
    stop: list[Callable[[], object]] = []

    async def run() -> None:
        task = asyncio.ensure_future(
            serve_bot(listening, bot_settings, assistant, Hosts(StillClock()))
        )
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(task.cancel))
        await asyncio.wait([task])

    server.moment = datetime.now(UTC)
    with listen("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(run()))
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        hook = server.write(MUONS, "issues", 7, f"/docent {ASK}")
        with httpx.Client(base_url=address, timeout=60) as client:
            response = client.post("/hook", content=hook.body, headers=hook.headers)
            assert response.status_code == 202
            while len(server.said(MUONS, "issues", 7)) < 2:
                client.get("/readyz")
        stop[0]()
        thread.join(60)

    assert not thread.is_alive()
    assert any("4 GeV" in text for text in server.said(MUONS, "issues", 7))


# Whether it may start.


def with_bot(settings: Settings, **bot) -> Settings:
    made = GitLabBotSettings.model_validate({"url": "https://gitlab.example.org", **bot})
    return settings.model_copy(update={"gitlab_bot": made})


def test_it_starts_with_all_that_it_needs(settings, server):
    check_start(with_bot(settings))
    proxy = ServerSettings(public_url="https://docent.example.org")
    check_start(with_bot(settings, host="192.0.2.7").model_copy(update={"server": proxy}))


def test_it_does_not_start_without_an_address(settings):
    with pytest.raises(DocentError, match=r"There is no \[gitlab_bot\] url"):
        check_start(settings)


def test_it_does_not_start_where_others_could_read_the_secret(settings, server):
    with pytest.raises(DocentError, match="a proxy with https"):
        check_start(with_bot(settings, host="192.0.2.7"))


def test_it_does_not_start_without_a_token(settings, server, monkeypatch):
    monkeypatch.delenv("DOCENT_GITLAB_BOT_TOKEN")
    with pytest.raises(DocentError, match="DOCENT_GITLAB_BOT_TOKEN is empty"):
        check_start(with_bot(settings))


@pytest.mark.parametrize(
    "secret", ["", "short-secret", "changeme-changeme", "aaaaaaaaaaaaaaaaaaaa"]
)
def test_it_does_not_start_with_a_secret_that_can_be_guessed(settings, server, monkeypatch, secret):
    monkeypatch.setenv("DOCENT_GITLAB_BOT_SECRET", secret)
    with pytest.raises(DocentError, match="as the secret token of the webhook"):
        check_start(with_bot(settings))


def test_the_command_says_what_is_missing(tmp_path):
    from typer.testing import CliRunner

    (tmp_path / "docent.toml").write_text("")
    result = CliRunner().invoke(
        docent, ["gitlab-bot", "--config", str(tmp_path / "docent.toml")], catch_exceptions=True
    )

    assert isinstance(result.exception, DocentError)

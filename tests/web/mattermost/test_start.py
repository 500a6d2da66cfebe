"""`docent bot`: what stops its start, and that it runs and ends as a whole."""

import asyncio

import pytest

from ingest.client_settings import MattermostSettings
from ingest.errors import DocentError
from ingest.settings import Settings
from tests.servers.chat import TOKEN
from tests.web.mattermost.conftest import Waiter
from web.cli import listen
from web.cli_bot import check_start, serve_bot


def settings_of(**chosen) -> Settings:
    return Settings(mattermost=MattermostSettings(**chosen))


def test_what_is_missing_is_named_before_anything_is_loaded(monkeypatch):
    monkeypatch.delenv("DOCENT_MATTERMOST_TOKEN", raising=False)
    with pytest.raises(DocentError, match=r"no \[mattermost\] url"):
        check_start(settings_of())
    with pytest.raises(DocentError, match="DOCENT_MATTERMOST_TOKEN is empty"):
        check_start(settings_of(url="https://chat.example.org"))
    with pytest.raises(DocentError, match="a proxy with https"):
        check_start(settings_of(url="https://chat.example.org", host="0.0.0.0"))  # noqa: S104
    monkeypatch.setenv("DOCENT_MATTERMOST_TOKEN", TOKEN)
    check_start(settings_of(url="https://chat.example.org"))


async def test_it_answers_and_ends_with_a_sentence_when_its_token_is_revoked(
    chat, settings, assistant, monkeypatch, capsys
):
    monkeypatch.setenv("DOCENT_MATTERMOST_TOKEN", TOKEN)
    own = MattermostSettings(url=chat.url, port=0)
    settings = settings.model_copy(update={"mattermost": own})
    ada = chat.user("ada")
    channel = chat.channel("P", ada, chat.bot)
    with listen("127.0.0.1", 0) as listening:
        serving = asyncio.create_task(serve_bot(listening, settings, assistant, Waiter()))
        async with asyncio.timeout(300):
            while not chat.connected:
                await asyncio.sleep(0.01)
            question = chat.say(ada, channel, "@docent Who looks after the muon trigger?")
            while not chat.replies(question) or not chat.done(question):
                await asyncio.sleep(0.01)
            chat.token = "revoked" * 3
            chat.drop()
            with pytest.raises(DocentError, match="does not know the bot's token"):
                await serving
    assert assistant.warmed.is_set()
    assert "Docent answers as @docent" in capsys.readouterr().out

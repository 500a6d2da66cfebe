import asyncio
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from ingest.access import ANYBODY
from ingest.errors import DocentError, IndexMissing, ModelError
from ingest.settings import Settings
from ingest.web_settings import ServerSettings
from web.cli import _announce, _warm, drained, listen, serve, serve_on
from web.streams import ENDED_BY_SHUTDOWN

QUESTIONS = ("Who?", "When?", "Where?")
SETTINGS = Settings(server=ServerSettings(port=0, suggestions=QUESTIONS))


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",  # noqa: S104 - it is refused
        "::",
        "10.1.2.3",
        "docent.example.org",
    ],
)
def test_other_machines_are_refused(host):
    with pytest.raises(DocentError, match=re.escape(f"--host {host}: without a sign-in")):
        serve(host=host, port=0)


def test_a_port_in_use_is_a_sentence():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DocentError, match=f"Port {port} of localhost is in use"):
            listen("localhost", port)


def test_an_address_that_this_machine_does_not_have(monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)

    with pytest.raises(DocentError, match=r"cannot listen on .*, port 80: Permission denied"):
        listen("127.0.0.1", 80)


def test_version_6_of_the_loopback_is_fine():
    with listen("[::1]", 0) as listening:
        assert listening.family == socket.AF_INET6


def missing():
    raise IndexMissing("There is no index here. Run: docent ingest")


def test_without_an_index_it_does_not_start(assistant, settings, capsys):
    assistant.failure = IndexMissing("There is no index here. Run: docent ingest")
    # Some parts find out when they are made, others when they are first read.
    for make in (missing, lambda: assistant):
        with (
            listen("127.0.0.1", 0) as listening,
            pytest.raises(IndexMissing, match="Run: docent ingest"),
        ):
            serve_on(listening, settings, make, ANYBODY)

    assert capsys.readouterr().out == ""
    assert not assistant.warmed.is_set()


def test_when_ready_it_says_where_and_what_to_ask(capsys):
    with listen("127.0.0.1", 0) as listening:
        _announce(listening, QUESTIONS)
        port = listening.getsockname()[1]

    assert capsys.readouterr().out == (
        f"Docent answers on http://127.0.0.1:{port}\n  Try: Who?\n  Try: When?\n"
    )


def test_an_address_of_version_6_is_written_in_brackets(capsys):
    with listen("::1", 0) as listening:
        _announce(listening, ())

    assert capsys.readouterr().out.startswith("Docent answers on http://[::1]:")


async def test_the_model_is_loaded_ahead(assistant, services):
    _warm(services, assistant)

    assert assistant.warmed.is_set()
    assert services.model_state == "ready"


async def test_a_model_that_does_not_load_is_told_and_is_not_the_end(assistant, services, caplog):
    assistant.failure = ModelError("The model file is damaged.")
    _warm(services, assistant)

    assert services.model_state == "away"
    assert "Answers are extracts for now: The model file is damaged." in caplog.text


async def test_answers_are_finished_before_the_server_stops(services, assistant, client):
    assistant.pause = 0.02
    asking = asyncio.create_task(client.post("/api/v1/ask", json={"question": "L1_MU4 trigger"}))
    while not services.streams.running:
        await asyncio.sleep(0)

    await drained(services, 60)

    assert services.streams.running == 0
    assert (await asking).json()["status"] == "answered"
    # Meanwhile people are sent elsewhere.
    assert (await client.get("/readyz")).status_code == 503
    refused = await client.post("/api/v1/ask", json={"question": "L1_MU4 trigger"})
    assert (refused.status_code, refused.json()["detail"]) == (503, ENDED_BY_SHUTDOWN)


async def test_an_answer_that_does_not_end_is_not_waited_for_without_end(services, client):
    asking = asyncio.create_task(client.post("/api/v1/ask", json={"question": "hold trigger"}))
    while not services.streams.running:
        await asyncio.sleep(0)

    await drained(services, 0.01)
    assert services.streams.running == 1
    await services.close()

    assert (await asking).json()["detail"] == ENDED_BY_SHUTDOWN


SERVE = """
import sys
from pathlib import Path

from ingest.access import ANYBODY
from tests.web.documents import DOCUMENTS
from tests.web.fake import FakeAssistant
from ingest.settings import IndexSettings, Settings
from web.cli import listen, serve_on

settings = Settings(index=IndexSettings(path=Path(sys.argv[1]) / "index"))
with listen("127.0.0.1", 0) as listening:
    serve_on(listening, settings, lambda: FakeAssistant(list(DOCUMENTS)), ANYBODY)
print("ended well")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_and_its_streams(number, settings):
    folder = str(settings.index.path.parent)
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        address = process.stdout.readline().split()[-1]
        body = {"question": "hold the trigger"}
        headers = {"Accept": "text/event-stream"}
        with (
            httpx.Client(base_url=address) as client,
            client.stream("POST", "/api/v1/ask", json=body, headers=headers) as response,
        ):
            lines = response.iter_lines()
            next(line for line in lines if line == "event: token")
            process.send_signal(number)
            rest = list(lines)
        assert "event: error" in rest
        assert "The server was stopped before the answer was complete." in rest[-2]
        out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert out.endswith("ended well\n")
    assert err == ""


STARTS = """
import asyncio
from web.cli import until_stopped

async def starting():
    try:
        print("starting", flush=True)
        await asyncio.sleep(600)
    finally:
        await asyncio.sleep(0)
        print("closed")

until_stopped(starting)
print("ended well")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_a_server_starts_ends_it_without_a_trace(number):
    with subprocess.Popen(
        [sys.executable, "-c", STARTS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "starting\n"
        process.send_signal(number)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()

    assert (process.returncode, out, err) == (0, "closed\nended well\n", "")

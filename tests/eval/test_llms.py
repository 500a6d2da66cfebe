"""What people may say to --llm."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from eval.llms import with_llm
from ingest.errors import DocentError, ModelError
from ingest.settings import LLMSettings, Settings

SETTINGS = Settings(llm=LLMSettings(model="ours", max_tokens=99))


class Listing(ThreadingHTTPServer):
    """Tells what it serves at `/v1/models`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.names = ["base", "adapter"]
        self.keys: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Listing

    def do_GET(self) -> None:
        self.server.keys.append(self.headers["Authorization"])
        rows = [{"id": name, "object": "model"} for name in self.server.names]
        content = json.dumps({"object": "list", "data": rows}).encode()
        self.send_response(200 if self.path == "/v1/models" else 404)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def listing() -> Iterator[Listing]:
    with Listing() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def chosen(given: str | None) -> tuple[str, tuple[str, ...]]:
    llm = with_llm(SETTINGS, given).llm
    assert llm.max_tokens == 99
    return llm.model, llm.urls


def test_a_name_is_a_name_and_nothing_is_what_the_settings_say():
    assert with_llm(SETTINGS, None) is SETTINGS
    assert chosen("none") == ("none", ())
    assert chosen("models/tuned.gguf") == ("models/tuned.gguf", ())
    assert chosen("user@home") == ("user@home", ())


def test_a_name_at_an_address_asks_nobody_yet():
    assert chosen("adapter@http://gpu.example:8001/v1") == (
        "adapter",
        ("http://gpu.example:8001/v1",),
    )
    assert chosen("org/m@https://me:word@gpu.example") == (
        "org/m",
        ("https://me:word@gpu.example",),
    )


def test_several_servers_of_one_model_stand_with_commas():
    assert chosen("m@http://a:1,http://b:2")[1] == ("http://a:1", "http://b:2")


def test_an_address_alone_serves_our_model_or_else_its_first(listing, monkeypatch):
    monkeypatch.setenv("DOCENT_LLM_KEY", "sesame")
    assert chosen(listing.url) == ("base", (listing.url,))
    listing.names.append("ours")
    assert chosen(listing.url) == ("ours", (listing.url,))
    assert listing.keys == ["Bearer sesame"] * 2


def test_a_server_that_is_away_ends_the_run_before_it_begins():
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:1/v1 does not answer"):
        with_llm(SETTINGS, "http://127.0.0.1:1/v1")


def test_another_kind_of_address_is_refused():
    with pytest.raises(DocentError, match=r"ftp://gpu: an address begins with http"):
        with_llm(SETTINGS, "m@ftp://gpu")

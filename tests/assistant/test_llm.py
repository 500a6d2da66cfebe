"""LLMs behind a server that speaks OpenAI's streaming chat format over a loopback socket."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from assistant.engines import llm_from
from assistant.llm import LLM, ChatLLM, Message, Usage
from assistant.served import ServedLLM, served_at
from ingest.errors import ModelError
from ingest.settings import LLMSettings, ModelsSettings
from tests.fakes import FakeLLM

ASK = (Message("system", "Be brief."), Message("user", "Rate?"))


class Server(ThreadingHTTPServer):
    """Streams `pieces`; `fault` is a status, or where in the stream what goes wrong."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fault = ""
        self.pieces = ["The ", "rate ", "is ", "40 MHz."]
        self.models: object = {"object": "list", "data": [{"id": "m"}, {"id": "m-tuned"}]}
        """None: an address that is not known."""
        self.asked: list[dict[str, object]] = []
        self.paths: list[str] = []
        self.keys: list[str | None] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.keys.append(self.headers["Authorization"])
        known = self.path == "/v1/models" and self.server.models is not None
        self._whole(200 if known else 404, self.server.models if known else {"detail": "Not Found"})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked)
        self.server.paths.append(self.path)
        self.server.keys.append(self.headers["Authorization"])
        if self.server.fault.isdigit():
            self._whole(int(self.server.fault), {"error": {"message": "out of memory"}})
            return
        if asked["model"] not in ("m", "m-tuned"):
            # As vLLM says it.
            message = f"The model `{asked['model']}` does not exist."
            self._whole(404, {"error": {"message": message, "type": "NotFoundError", "code": 404}})
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        if self.server.fault == "ended":
            self.send_header("Connection", "close")  # without a length: the end is the end
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, piece in enumerate(self.server.pieces):
            if self.server.fault and number == 2:
                self._break()
                return
            self._chunk({"content": piece})
        self._chunk({}, finish="stop")
        if asked.get("stream_options") == {"include_usage": True}:
            usage = {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16}
            self._chunk(usage=usage)
        self._send(b"data: [DONE]\n\n")
        self._send(b"")

    def _break(self) -> None:
        if self.server.fault == "slow":
            self.server.released.wait(10)
        if self.server.fault == "garbled":
            self._send(b"data: {nonsense\n\n")
        self.close_connection = True

    def _whole(self, status: int, told: object) -> None:
        content = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _chunk(
        self,
        delta: dict[str, str] | None = None,
        finish: str | None = None,
        usage: dict[str, int] | None = None,
    ) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        row = {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [] if delta is None else [choice],
            "usage": usage,
        }
        self._send(f"data: {json.dumps(row)}\n\n".encode())

    def _send(self, content: bytes) -> None:
        if self.server.fault == "ended":
            self.wfile.write(content)
        else:
            self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.released.set()
        running.shutdown()


def far(server: Server, **changes: object) -> ServedLLM:
    row = {"model": "m", "url": server.url, "max_tokens": 99, "timeout_s": 20.0}
    found = llm_from(LLMSettings.model_validate(row | changes), ModelsSettings())
    assert isinstance(found, ServedLLM)
    return found


async def read(llm: LLM) -> list[str]:
    return [piece async for piece in llm.stream(ASK)]


async def test_the_reply_comes_piece_by_piece(server, monkeypatch):
    monkeypatch.setenv("DOCENT_LLM_KEY", "sesame")
    llm = far(server)

    assert await read(llm) == ["The ", "rate ", "is ", "40 MHz."]

    assert llm.name == "m"
    asked = server.asked[0]
    assert asked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Rate?"},
    ]
    assert (asked["model"], asked["temperature"], asked["stream"]) == ("m", 0, True)
    assert asked["max_tokens"] == 99
    assert "max_completion_tokens" not in asked
    assert server.keys == ["Bearer sesame"]
    assert server.paths == ["/v1/chat/completions"]


async def test_a_server_tells_its_tokens_when_asked_and_they_add_up(server):
    llm, usage = far(server), Usage()

    for _ in range(2):
        assert [piece async for piece in llm.stream(ASK, usage)][-1] == "40 MHz."

    assert (usage.prompt_tokens, usage.completion_tokens) == (24, 8)


async def test_a_server_that_does_not_know_the_question_for_tokens_is_not_asked_it(server):
    usage = Usage()
    async for _ in far(server, tell_usage=False).stream(ASK, usage):
        pass

    assert "stream_options" not in server.asked[0]
    assert (usage.prompt_tokens, usage.completion_tokens) == (None, None)


async def test_a_path_in_the_address_is_kept(server):
    await read(far(server, url=f"{server.url}/proxy/v2"))

    assert server.paths == ["/proxy/v2/chat/completions"]


async def test_a_server_without_a_key_is_asked_all_the_same(server, monkeypatch):
    monkeypatch.delenv("DOCENT_LLM_KEY", raising=False)

    assert await read(far(server))


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("500", r"does not answer: .*out of memory.*\[llm\] url"),
        ("404", r"does not answer: .*404"),
        ("cut", r"does not answer: "),
        ("garbled", r"does not answer: "),
        ("ended", r"broke off in the middle of an answer"),
    ],
)
async def test_a_faulty_server_is_one_sentence(server, fault, sentence):
    server.fault = fault

    with pytest.raises(ModelError, match=f"model server at {server.url} {sentence}"):
        await read(far(server))


async def test_a_name_that_is_not_served_is_one_sentence_with_those_that_are(server, monkeypatch):
    monkeypatch.setenv("DOCENT_LLM_KEY", "sesame")

    with pytest.raises(ModelError) as told:
        await read(far(server, model="m-tune"))

    assert str(told.value) == (
        f"The model server at {server.url} does not serve 'm-tune'. It serves: m, m-tuned. "
        "Set [llm] model to one of these, or start it with that model."
    )
    assert server.keys == ["Bearer sesame"] * 2
    assert await read(far(server, model="m-tuned"))


@pytest.mark.parametrize("models", [None, {"data": "none"}, b"<html>", [], {"data": []}])
async def test_a_server_that_does_not_tell_its_models_is_heard_in_its_own_words(server, models):
    server.models = models

    with pytest.raises(ModelError, match=r"does not answer: 404, .*The model `x` does not exist"):
        await read(far(server, model="x"))
    with pytest.raises(ModelError, match=f"server at {server.url} does not tell which models"):
        await served_at(server.url)


async def test_a_server_tells_what_it_serves(server):
    assert await served_at(server.url, "sesame") == ("m", "m-tuned")
    assert server.keys == ["Bearer sesame"]


async def test_a_server_that_is_away_tells_nothing():
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:1 does not answer: .*that runs\.$"):
        await served_at("http://127.0.0.1:1")


async def test_what_came_before_the_fault_was_handed_over(server):
    server.fault = "cut"
    got: list[str] = []

    async def keep() -> None:
        async for piece in far(server).stream(ASK):
            got.append(piece)

    with pytest.raises(ModelError):
        await keep()

    assert got == ["The ", "rate "]


async def test_a_server_that_stalls_is_given_up(server):
    server.fault = "slow"

    with pytest.raises(ModelError, match=r"took longer than 0\.5 s"):
        await read(far(server, timeout_s=0.5))


async def test_a_server_that_is_away_is_named():
    llm = llm_from(LLMSettings(model="m", url="http://127.0.0.1:9/v1"), ModelsSettings())
    assert llm is not None

    with pytest.raises(
        ModelError, match=r"server at http://127\.0\.0\.1:9/v1 does not answer: .*Start it"
    ):
        await read(llm)


async def test_who_stops_reading_closes_the_stream(server):
    stream = far(server).stream(ASK)

    assert await anext(stream) == "The "
    await stream.aclose()

    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_any_langchain_chat_model_will_do():
    model = GenericFakeChatModel(messages=iter([AIMessage("40 MHz exactly.")]))

    assert "".join(await read(ChatLLM(model, "fake"))) == "40 MHz exactly."


def test_none_means_no_model():
    assert llm_from(LLMSettings(model="none"), ModelsSettings()) is None


def test_a_model_that_is_not_here_names_the_command(tmp_path):
    name = "qwen2.5-coder-1.5b-instruct-q4"

    with pytest.raises(ModelError, match=f"docent models fetch {name}"):
        llm_from(LLMSettings(model=name), ModelsSettings(dir=tmp_path))


async def test_the_fake_gives_its_replies_and_keeps_what_it_was_asked():
    fake = FakeLLM("Two  words.", ModelError("away"))

    assert await read(fake) == ["Two", "  words."]
    with pytest.raises(ModelError, match="away"):
        await read(fake)
    with pytest.raises(ModelError, match="fake model is away"):
        await read(fake)
    assert fake.calls == [ASK] * 3
    assert fake.closed == 1

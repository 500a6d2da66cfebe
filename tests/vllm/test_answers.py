"""Docent in front of the real engine: base and adapter by name, prefixes, and engines that die."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

import docent
from assistant.answer import AWAY, Assistant
from assistant.candidates import Candidates
from assistant.engines import llm_from
from assistant.fleet import Fleet, well_by
from assistant.llm import LLM, Message, Usage
from assistant.model import Answer, Question, Status, Token
from assistant.prompt import write_prompt
from assistant.retrieve import Retriever
from assistant.served import served_at
from ingest.access import Reader
from ingest.errors import ModelError
from ingest.settings import AnswerSettings, LLMSettings, ModelsSettings, RetrievalSettings
from tests.assistant.passages import passage
from tests.fakes import HashEmbedder
from tests.ingest.corpus import build, document
from tests.servers.embeddings import MODEL as HASHED
from tests.servers.embeddings import EmbeddingServer
from tests.servers.model import ModelServer
from tests.vllm import MODELS
from tests.vllm.engine import Engine, chat_engine
from tests.web.conftest import new_state, serving, settings  # noqa: F401 - fixtures

ASKED = "At how many GeV does the L1_MU4 trigger fire?"
ASK = (Message("system", "Answer in one sentence."), Message("user", "Why is the sky blue?"))
PAGES = (
    "The L1_MU4 trigger fires at 4 GeV in the barrel. Its rate is 12 kHz at full luminosity.",
    "The L1_MU6 trigger fires at 6 GeV in the barrel. Its rate is 7 kHz at full luminosity.",
    "The muon trigger is looked after by the level-1 group, whose meeting is on Tuesday.",
)
ANYBODY = Reader(frozenset({"public"}))
LONG_S = 600.0


def llm_at(*urls: str, model: str = "small", max_tokens: int = 16) -> LLM:
    found = llm_from(
        LLMSettings(model=model, url=urls, max_tokens=max_tokens, timeout_s=LONG_S),
        ModelsSettings(),
    )
    assert found is not None
    return found


async def said(llm: LLM, usage: Usage | None = None) -> str:
    return "".join([piece async for piece in llm.stream(ASK, usage)])


@pytest.fixture
def asking(tmp_path: Path) -> tuple[Retriever, HashEmbedder]:
    embedder = HashEmbedder()
    documents = [document(f"page {n}", text) for n, text in enumerate(PAGES)]
    return (
        Retriever(build(tmp_path / "i", embedder, *documents), embedder, RetrievalSettings()),
        embedder,
    )


def assistant(asking: tuple[Retriever, HashEmbedder], llm: LLM) -> Assistant:
    # Every question is asked of the model, however little the pages say.
    return Assistant(*asking, llm, AnswerSettings(refuse_below=0, warn_below=0), max_tokens=60)


async def test_it_lists_the_model_and_its_adapter(engine):
    assert await served_at(engine.url) == ("small", "tuned")
    assert await well_by(engine.url)()


async def test_a_name_that_it_does_not_serve_is_one_sentence(engine):
    with pytest.raises(ModelError) as told:
        await said(llm_at(engine.url, model="smal"))

    assert str(told.value) == (
        f"The model server at {engine.url} does not serve 'smal'. It serves: small, tuned. "
        "Set [llm] model to one of these, or start it with that model."
    )


async def test_base_and_adapter_answer_by_their_names_and_tell_their_tokens(engine):
    texts = {}
    for name in ("small", "tuned"):
        usage = Usage()
        texts[name] = await said(llm_at(engine.url, model=name), usage)
        assert usage.prompt_tokens is not None
        assert usage.prompt_tokens > 10
        assert 0 < (usage.completion_tokens or 0) <= 16

    assert texts["small"]
    assert texts["small"] != texts["tuned"]  # the adapter was made to change what is said


async def test_many_streams_at_once_all_end(engine):
    llm = llm_at(engine.url)
    assert all(await asyncio.gather(*(said(llm) for _ in range(16))))


async def test_what_two_questions_share_is_read_once(engine):
    # The passages fit whole, so that the prompts differ in their last line only.
    pages = Candidates(
        [passage(f"{text} {text} {text}", f"Page {n}") for n, text in enumerate(PAGES)]
    )
    shape = AnswerSettings(passages=3, passage_chars=700)
    llm, read, hit = llm_at(engine.url), Usage(), "vllm:prefix_cache_hits_total"
    hits = []
    for question in ("Who looks after the muon trigger?", "What is the rate of L1_MU6?"):
        before = engine.metric(hit)
        async for _ in llm.stream(write_prompt(question, "", pages, shape), read):
            pass
        hits.append(engine.metric(hit) - before)

    assert read.prompt_tokens is not None
    whole = read.prompt_tokens / 2
    # All but the question and what fills no block of 32 tokens.
    assert hits[1] > whole - 32 - 40
    assert hits[0] < hits[1]


@pytest.fixture(scope="module")
def house(tmp_path_factory, engine) -> Iterator[Path]:
    """A folder with settings, an index of the pages, and an embedding server beside it."""
    root: Path = tmp_path_factory.mktemp("house")
    (root / "docs").mkdir()
    for number, text in enumerate(PAGES):
        (root / "docs" / f"page{number}.md").write_text(f"# Page {number}\n\n{text}\n")
    with EmbeddingServer() as embeddings:
        (root / "docent.toml").write_text(
            f'[embedder]\nurl = "{embeddings.v1}"\nmodel = "{HASHED}"\n'
            f'[llm]\nurl = "{engine.url}"\nmodel = "tuned"\nmax_tokens = 16\ntimeout_s = {LONG_S}\n'
            "[answer]\nrefuse_below = 0\nwarn_below = 0\n"
            '[sources.docs]\nkind = "files"\npath = "docs"\naccess = ["public"]\n'
        )
        call(root, "ingest")
        yield root


def call(root: Path, *words: str) -> str:
    done = CliRunner().invoke(docent.app, [*words, "--config", str(root / "docent.toml")])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code in (0, 3), done.output
    return done.stdout


def test_docent_ask_answers_through_the_adapter_that_the_settings_name(house, engine):
    before = engine.metric("vllm:request_success_total")

    told = json.loads(call(house, "ask", ASKED, "--json"))

    assert told["model"] == "tuned"
    assert AWAY not in told["answer"]
    assert engine.metric("vllm:request_success_total") > before


def test_an_evaluation_asks_several_at_once_and_keeps_their_order(house, engine):
    questions = house / "questions.jsonl"
    rows = [
        {"id": f"q{n}", "question": f"What is the rate of L1_MU{n}?", "class": "unanswerable"}
        for n in range(6)
    ]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))

    out = house / "rows.jsonl"
    told = json.loads(
        call(house, "eval", "answers", str(questions), "--llm", f"small@{engine.url}",
             "--concurrency", "4", "--out", str(out), "--json")
    )  # fmt: skip

    written = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["id"] for row in written} == {f"q{n}" for n in range(6)}
    assert {row["model"] for row in written} == {"small"}
    assert (told["run"]["concurrency"], told["run"]["cost"]["questions"]) == (4, 6)


def test_docent_serve_streams_what_the_engine_writes(engine, asking, settings):  # noqa: F811
    body = {"question": ASKED, "keep": False}
    with (
        serving(settings, assistant(asking, llm_at(engine.url))) as address,
        httpx.Client(base_url=address, timeout=LONG_S) as client,
        client.stream(
            "POST", "/api/v1/ask", json=body, headers={"Accept": "text/event-stream"}
        ) as response,
    ):
        lines = list(response.iter_lines())

    assert "event: token" in lines
    answer = json.loads(lines[lines.index("event: answer") + 1].removeprefix("data: "))
    assert answer["model"] == "small"
    assert AWAY not in answer["answer"]


async def killed_in_mid_answer(made: Assistant, kill: threading.Event) -> Answer:
    """The answer to a question whose engine goes when the first word is there."""
    async with aclosing(made.stream(Question(ASKED, ANYBODY))) as events:
        async for event in events:
            if isinstance(event, Token):
                kill.set()
            if isinstance(event, Answer):
                return event
    raise AssertionError


class Killing(threading.Event):
    """Kills when it is set for the first time."""

    def __init__(self, how) -> None:
        super().__init__()
        self.how = how

    def set(self) -> None:
        if not self.is_set():
            self.how()
        super().set()


@pytest.fixture
def mortal() -> Iterator[Engine]:
    with chat_engine(MODELS) as running:
        yield running


async def test_an_engine_killed_in_mid_answer_is_a_plain_message_and_the_next_answers(
    mortal, asking
):
    with ModelServer(text="The L1_MU4 trigger fires at 4 GeV in the barrel.") as second:
        llm = llm_at(mortal.url, second.url, max_tokens=200)
        assert isinstance(llm, Fleet)
        made, kill = assistant(asking, llm), Killing(mortal.kill)

        cut = await killed_in_mid_answer(made, kill)
        after = await made.ask(Question(ASKED, ANYBODY))

    assert kill.is_set()
    assert (cut.status, cut.text.splitlines()[0]) == (Status.EXTRACTS, AWAY)
    assert cut.citations
    assert after.status is Status.ANSWERED
    assert "4 GeV" in after.text


async def test_an_engine_whose_core_dies_is_not_well(mortal, asking):
    alone = assistant(asking, llm_at(mortal.url, max_tokens=200))

    cut = await killed_in_mid_answer(alone, Killing(mortal.kill_core))

    assert (cut.status, cut.text.splitlines()[0]) == (Status.EXTRACTS, AWAY)
    with pytest.raises(ModelError, match=r"^The model server at .* does not answer: .*\."):
        await said(llm_at(mortal.url))
    assert not await well_by(mortal.url)()

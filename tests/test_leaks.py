"""What a reader may not see shows nowhere: not in results, answers, documents, counts or errors."""

import json
import random
from collections.abc import AsyncIterator, Sequence

import pytest

from assistant.answer import Assistant
from assistant.llm import Message, Usage
from assistant.model import Answer, Question
from assistant.render import answer_to_dict, hits_to_dict
from assistant.retrieve import Retriever
from ingest.access import Reader
from ingest.model import PUBLIC, Document, Standing
from ingest.settings import AnswerSettings, IndexSettings, RetrievalSettings, Settings
from tests.fakes import HashEmbedder
from tests.ingest.corpus import build, document
from tests.web.conftest import client_of
from web.bootstrap import opened

GROUPS = ("staff", "trigger", "board", "tracker", "guests")
INDEXES, DOCUMENTS, COPIES, READERS = 10, 20, 4, 100
SHELF = "How long is the shelf?"
COMMON = ("detector", "threshold", "storage", "muon", "calibration", "release")


class EchoLLM:
    """Says everything that it was given: what reaches the model is what could come out of it."""

    name = "echo"

    async def stream(
        self, messages: Sequence[Message], usage: Usage | None = None
    ) -> AsyncIterator[str]:
        for message in messages:
            yield message.content

    async def warm(self, messages: Sequence[Message] = ()) -> None:
        """Nothing to load."""


def collection(rng: random.Random, number: int) -> list[tuple[Document, str]]:
    """Documents with random access lists; every one carries a mark that stands nowhere else."""
    made = []
    for n in range(DOCUMENTS):
        mark = f"zq{number}x{n}y"
        access = frozenset(rng.sample((*GROUPS, PUBLIC), rng.randint(0, 3)))
        words = " ".join(rng.choices(COMMON, k=12))
        text = f"The {rng.choice(COMMON)} of {mark} is {rng.randint(10, 99)} GeV. {words}."
        one = document(
            mark, text, access=access, title=f"About {mark}", url=f"https://x.example/{mark}"
        )
        made.append((one, mark))
    for n in range(COPIES):
        mark = f"zq{number}c{n}y"
        copy = document(
            mark,
            "The shelf is 30 m long.",
            access=frozenset(rng.sample((*GROUPS, PUBLIC), rng.randint(0, 3))),
            title="Shelves",
            url=f"https://x.example/{mark}",
            standing=Standing(archived=rng.random() < 0.5),
        )
        made.append((copy, mark))
    return made


def reader_of(rng: random.Random) -> Reader:
    return Reader(frozenset(rng.sample(GROUPS, rng.randint(0, 4))))


async def everything(assistant: Assistant, reader: Reader, query: str) -> str:
    """All that a reader is told about one query, through every door, without the query itself."""
    told = [json.dumps(hits_to_dict(await assistant.search(query, reader, 50)))]
    async for event in assistant.stream(Question(query, reader)):
        if isinstance(event, Answer):
            answer = answer_to_dict(event)
            told.append(json.dumps({key: answer[key] for key in answer if key != "question"}))
        else:
            told.append(repr(event))
    return "\n".join(told)


@pytest.mark.parametrize("number", range(INDEXES))
async def test_a_thousand_random_readers_and_lists(tmp_path, number):
    rng = random.Random(number)
    documents = collection(rng, number)
    embedder = HashEmbedder()
    index = build(tmp_path, embedder, *(one for one, _ in documents))
    retriever = Retriever(index, embedder, RetrievalSettings())
    assistant = Assistant(
        retriever=retriever,
        embedder=embedder,
        llm=EchoLLM(),
        settings=AnswerSettings(),
        max_tokens=200,
    )
    for _ in range(READERS):
        reader = reader_of(rng)
        open_ = {mark for one, mark in documents if reader.may_read(one.access)}
        target, mark = rng.choice(documents)
        # Half ask for what everybody writes about, half name a document that may be closed to them.
        # Now and then for a page that there are copies of.
        query = rng.choice(
            [f"What is the {rng.choice(COMMON)}?", f"What is the muon of {mark}?", SHELF]
        )
        told = await everything(assistant, reader, query)
        if query == SHELF:
            hits = [hit for hit in await assistant.search(SHELF, reader, 9) if "shelf" in hit.text]
            shown = [address for hit in hits for address in (hit.url, *hit.also)]
            copies = {one.url for one, m in documents if m in open_ and one.title == "Shelves"}
            assert (set(shown), len(shown)) == (copies, len(copies))
            assert len(hits) == bool(copies)
        # The echoing model repeats the question; its mark is the asker's own knowledge.
        leaked = [m for _, m in documents if m not in open_ and m in told and m not in query]
        assert leaked == []
        assert f"About {mark}" not in told or mark in open_
        assert f"x.example/{mark}" not in told or mark in open_
        counts = await assistant.counts(reader)
        assert (counts.documents, counts.chunks) == (len(open_), len(open_))
        seen = await assistant.document(target.id, reader)
        assert (seen is not None) == (mark in open_)
    index.close()


async def test_over_http_missing_and_forbidden_look_the_same(tmp_path):
    embedder = HashEmbedder()
    secret = document("zqsecret", "The storage of zqsecret is 5 TB.", access=frozenset({"staff"}))
    index = build(tmp_path, embedder, document("open", "The storage is 1 TB."), secret)
    assistant = Assistant(
        retriever=Retriever(index, embedder, RetrievalSettings()),
        embedder=embedder,
        llm=EchoLLM(),
        settings=AnswerSettings(),
        max_tokens=200,
    )
    settings = Settings(index=IndexSettings(path=tmp_path / "index"))
    async with opened(settings, assistant, Reader()) as services, client_of(services) as client:
        forbidden = await client.get("/api/v1/documents/test:zqsecret")
        missing = await client.get("/api/v1/documents/test:zqmissng")
        found = await client.post("/api/v1/search", json={"query": "storage", "k": 10})
        asked = await client.post("/api/v1/ask", json={"question": "What is the storage?"})
        health = await client.get("/api/v1/health")

    assert forbidden.status_code == missing.status_code == 404
    assert forbidden.text.replace("zqsecret", "") == missing.text.replace("zqmissng", "")
    assert found.status_code == asked.status_code == health.status_code == 200
    assert "zqsecret" not in found.text + asked.text + health.text
    assert health.json()["documents"] == 1
    index.close()

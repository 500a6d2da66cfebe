import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from assistant.model import Passage
from eval.datasets import read_collection
from eval.report import lines
from eval.retrieval import Built, as_json, measure, ranked_documents, tables
from ingest.access import ANYBODY, Reader
from ingest.model import Document
from ingest.settings import Settings
from tests.eval.test_datasets import beir


def passage(document: str, score: float, at: int = 0) -> Passage:
    return Passage(
        chunk_id=f"beir:{document}@{at}-{at + 1}",
        document_id=f"beir:{document}",
        title="",
        url="",
        source="beir",
        section=(),
        text="",
        start=at,
        end=at + 1,
        page=None,
        updated_at=None,
        score=score,
    )


class Scripted:
    """Finds what it is told to for a text and a mode; raises what is an exception."""

    def __init__(self, found: dict[tuple[str, str], list[Passage] | Exception]) -> None:
        self.found = found
        self.asked: list[tuple[str, Reader, int, str, int | None]] = []
        self.began = datetime.max.replace(tzinfo=UTC)

    def search(self, text, reader, k, mode="reranked", per_document=None, also=()):
        self.began = min(self.began, datetime.now(UTC))
        self.asked.append((text, reader, k, mode, per_document))
        found = self.found.get((text, mode), [])
        if isinstance(found, Exception):
            raise found
        return found


class Builder:
    """Keeps what it was given, and whether the index was closed."""

    def __init__(self, searcher: Scripted, chunks: int = 3) -> None:
        self.searcher = searcher
        self.chunks = chunks
        self.titles: list[str] = []
        self.folder = Path()
        self.closed = False

    @contextmanager
    def __call__(
        self, folder: Path, documents: Iterable[Document], settings: Settings
    ) -> Iterator[Built]:
        assert folder.is_dir()
        self.folder = folder
        self.titles = [document.title for document in documents]
        yield Built(self.searcher, "fake-64", 1, self.chunks, 1.5)
        self.closed = True


def quiet() -> Console:
    return Console(file=io.StringIO())


@pytest.fixture
def collection(tmp_path):
    return read_collection(beir(tmp_path / "tiny"))


def test_a_document_ranks_by_its_best_passage():
    found = [passage("a", 0.5), passage("b", 0.7), passage("a", 0.9, at=5), passage("c", 0.7)]
    found.append(passage("b", 0.1, at=5))

    assert ranked_documents(found) == ["a", "b", "c"]


RATE, TITLE = "trigger rate", "a title"
FOUND: dict[tuple[str, str], list[Passage] | Exception] = {
    (RATE, "lexical"): [passage("d1", 0.9)],
    (TITLE, "lexical"): ValueError("No words."),
    (RATE, "dense"): [passage("d2", 0.9), passage("d1", 0.8)],
    (TITLE, "dense"): [passage("d2", 0.9)],
    (RATE, "hybrid"): [passage("d1", 0.9)],
    (TITLE, "hybrid"): [passage("d2", 0.9)],
    (RATE, "reranked"): [passage("d1", 0.9)],
    (TITLE, "reranked"): [passage("d1", 0.9), passage("d2", 0.8)],
}


def test_every_query_is_run_on_every_arm_and_scored(collection):
    builder = Builder(Scripted(FOUND))

    result = measure(collection, Settings(), builder, quiet())

    assert builder.titles == ["Trigger", "Only a title"]
    assert builder.closed
    assert not builder.folder.exists()
    lexical, dense, hybrid, reranked = result.arms
    # The query that raised is scored 0, and its reason is kept.
    assert lexical.per_query["MRR@10"] == {"q1": 1, "q2": 0}
    assert lexical.failures == {"q2": "ValueError: No words."}
    assert len(lexical.query_ms) == 1
    assert dense.per_query["MRR@10"] == {"q1": 0.5, "q2": 1}
    assert dense.interval("MRR@10").value == 0.75
    assert hybrid.interval("P@1").value == 1
    assert list(hybrid.query_ms) == list(hybrid.cpu_ms) == ["q1", "q2"]
    assert reranked.per_query["MRR@10"] == {"q1": 1, "q2": 0.5}


def test_searches_are_the_public_s_and_deep_enough_for_100_documents(collection):
    searcher = Scripted(FOUND)

    measure(collection, Settings(), Builder(searcher, chunks=6), quiet())

    # Six chunks of three documents: 200 passages hold 100 documents on average. Two queries and
    # one to warm up, on four arms.
    assert {(reader, per) for _, reader, _, _, per in searcher.asked} == {(ANYBODY, 1)}
    assert [k for *_, k, _, _ in searcher.asked] == [200] * 12


def test_a_run_is_dated_when_it_begins(collection):
    before = datetime.now(UTC).replace(microsecond=0)
    searcher = Scripted(FOUND)

    result = measure(collection, Settings(), Builder(searcher), quiet())

    assert before <= datetime.fromisoformat(result.made_with["date"]) <= searcher.began


def test_the_depth_has_a_limit(collection):
    searcher = Scripted(FOUND)

    measure(collection, Settings(), Builder(searcher, chunks=3000), quiet())

    assert max(k for *_, k, _, _ in searcher.asked) == 1000


def test_a_first_query_that_fails_is_a_failure_and_not_the_end(collection):
    found = FOUND | {(RATE, "dense"): RuntimeError("Boom.")}

    result = measure(collection, Settings(), Builder(Scripted(found)), quiet())

    assert result.arms[1].failures == {"q1": "RuntimeError: Boom."}


def test_the_tables_name_what_was_measured_on_what(collection):
    result = measure(collection, Settings(), Builder(Scripted(FOUND)), quiet())

    measured, compared, _ = tables(result)

    assert measured.title.startswith("tiny/test: 3 documents, 2 queries; fake-64; 3 chunks")
    assert [row[0] for row in measured.rows] == ["lexical", "dense", "hybrid", "reranked"]
    assert [row[-1] for row in measured.rows] == ["1", "0", "0", "0"]
    assert lines(compared)[1].startswith("measure")


def test_json_names_dataset_model_commit_and_generation_and_holds_each_query(collection):
    result = measure(collection, Settings(), Builder(Scripted(FOUND)), quiet())

    told = json.loads(json.dumps(as_json(result)))

    assert told["dataset"]["digest"] == collection.digest
    assert told["dataset"]["notes"] == [
        "1 documents have neither title nor text and cannot be found."
    ]
    assert told["embedder"] == "fake-64"
    assert told["generation"] == 1
    assert told["index_seconds"] == 1.5
    assert "commit" in told["made_with"]
    assert told["settings"]["retrieval"]["candidates"] == 100
    dense = told["arms"]["dense"]
    assert dense["measures"]["MRR@10"]["mean"] == 0.75
    assert dense["per_query"]["MRR@10"] == {"q1": 0.5, "q2": 1}
    assert [dense["recall_curve"][k]["mean"] for k in ("1", "2", "10")] == [0.5, 1, 1]
    assert told["arms"]["lexical"]["failures"] == {"q2": "ValueError: No words."}
    assert told["hybrid_gain"]["MRR@10"]["over"] == "dense"
    assert told["reranked_gain"]["MRR@10"]["over"] == "hybrid"

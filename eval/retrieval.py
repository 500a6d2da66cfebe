"""Are the right documents found: each arm over a BEIR collection, in an index of its own."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from rich.console import Console

from assistant.model import Passage
from eval import report, searches
from eval.datasets import Collection, beir_document_id
from eval.measures import DEPTH, recall_curve, score
from eval.searches import Arm, Query, Searcher
from eval.shown import arms_json, arms_table, gains_tables
from ingest.model import Document
from ingest.settings import Settings

MOST_PASSAGES = 1000


@dataclass(frozen=True, slots=True)
class Built:
    """An index that is ready to be searched."""

    searcher: Searcher
    embedder: str
    generation: int
    chunks: int
    seconds: float
    """What building it took, without loading the model."""


Builder = Callable[[Path, Iterable[Document], Settings], AbstractContextManager[Built]]
"""Puts documents into a new index in an empty folder; closes it when left."""


@dataclass(frozen=True, slots=True)
class Result:
    """Everything a report says about one run over one collection."""

    collection: Collection
    settings: Settings
    embedder: str
    generation: int
    chunks: int
    index_seconds: float
    made_with: Mapping[str, str]
    """Of the moment the run began: a commit made while it goes on is not what was measured."""
    arms: tuple[Arm, ...]


def measure(
    collection: Collection, settings: Settings, builder: Builder, progress: Console
) -> Result:
    """Build an index of the collection in a temporary folder and run every query on every arm."""
    made_with = report.made_with()
    with tempfile.TemporaryDirectory(prefix="docent-eval-") as folder, ExitStack() as open_index:
        with report.progress(progress, "Indexing", collection.document_count) as advance:
            documents = _told(collection.documents(), advance)
            built = open_index.enter_context(builder(Path(folder), documents, settings))
        k = _depth(built.chunks, collection.document_count)
        arms = _arms(collection, built.searcher, k, progress)
    return Result(
        collection=collection,
        settings=settings,
        embedder=built.embedder,
        generation=built.generation,
        chunks=built.chunks,
        index_seconds=built.seconds,
        made_with=made_with,
        arms=arms,
    )


def ranked_documents(passages: Iterable[Passage]) -> list[str]:
    """Ids of the documents, each at the score of its best passage; ties keep their order."""
    best: dict[str, float] = {}
    for passage in passages:
        name = beir_document_id(passage.document_id)
        best[name] = max(passage.score, best.get(name, passage.score))
    return sorted(best, key=lambda name: -best[name])


def tables(result: Result) -> list[report.Table]:
    """The result as tables of text."""
    return [arms_table(_title(result), result.arms), *gains_tables(result.arms)]


def as_json(result: Result) -> dict[str, Any]:
    """The result with exact numbers, per query too, so that two runs can be compared in pairs."""
    collection = result.collection
    return {
        "kind": "retrieval",
        "made_with": dict(result.made_with),
        "dataset": {
            "name": collection.folder.resolve().name,
            "split": collection.split,
            "digest": collection.digest,
            "documents": collection.document_count,
            "queries": len(collection.queries),
            "judgements": collection.judgements,
            "notes": collection.notes(),
        },
        "embedder": result.embedder,
        "generation": result.generation,
        "chunks": result.chunks,
        "settings": result.settings.model_dump(mode="json", include={"chunk", "retrieval"}),
        "index_seconds": result.index_seconds,
        **arms_json(result.arms),
    }


def _told(documents: Iterator[Document], advance: report.Advance) -> Iterator[Document]:
    for document in documents:
        yield document
        advance(1)


def _depth(chunks: int, documents: int) -> int:
    """As many passages as `DEPTH` documents have on average: fewer could not fill the ranking."""
    return min(MOST_PASSAGES, ceil(DEPTH * max(1.0, chunks / documents)))


def _arms(collection: Collection, searcher: Searcher, k: int, progress: Console) -> tuple[Arm, ...]:
    queries = {name: Query(text) for name, text in collection.queries.items()}
    found = searches.run(queries, searcher, k, lambda _, p: ranked_documents(p), progress)
    return tuple(
        Arm(
            mode,
            score(collection.qrels, one.rankings),
            recall_curve(collection.qrels, one.rankings),
            one.query_ms,
            one.cpu_ms,
            one.failures,
        )
        for mode, one in found.items()
    )


def _title(result: Result) -> str:
    collection = result.collection
    return (
        f"{collection.folder.resolve().name}/{collection.split}: "
        f"{collection.document_count} documents, {len(collection.queries)} queries; "
        f"{result.embedder}; {result.chunks} chunks indexed in {result.index_seconds:.1f} s; "
        "means with 95 % intervals"
    )

"""Are the right documents found: each arm over a BEIR collection, in an index of its own."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, Protocol

from rich.console import Console

from assistant.model import Passage
from eval import report
from eval.datasets import Collection, beir_document_id
from eval.measures import (
    DEPTH,
    MEASURES,
    Interval,
    PerQuery,
    difference,
    mean,
    percentile,
    recall_curve,
    score,
)
from ingest.access import ANYBODY, Reader
from ingest.model import Document
from ingest.settings import Settings

Mode = Literal["lexical", "dense", "hybrid"]
MOST_PASSAGES = 1000
MODES: tuple[Mode, ...] = ("lexical", "dense", "hybrid")


class Searcher(Protocol):
    """What is measured; `assistant.retrieve.Retriever` is one."""

    def search(
        self,
        text: str,
        reader: Reader,
        k: int,
        mode: Mode = "hybrid",
        per_document: int | None = None,
    ) -> list[Passage]:
        """The best `k` passages, at most `per_document` of one document."""
        ...


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
class Arm:
    """One way of searching, measured."""

    mode: Mode
    per_query: Mapping[str, PerQuery]
    recall: Mapping[int, Interval]
    """Among the first 1, 2 … documents."""
    query_ms: tuple[float, ...]
    failures: Mapping[str, str]
    """Query id → reason. These queries are scored 0."""

    def interval(self, measure: str) -> Interval:
        """The mean of a measure over all queries, with its interval."""
        return mean(self.per_query[measure])


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

    def best_single(self, measure: str) -> Arm:
        """The better of the lexical and the dense arm."""
        single = [arm for arm in self.arms if arm.mode != "hybrid"]
        return max(single, key=lambda arm: arm.interval(measure).value)

    def gains(self) -> dict[str, tuple[Mode, Interval]]:
        """For each measure, the better single arm and what hybrid gains over it, query by query."""
        hybrid = next(arm for arm in self.arms if arm.mode == "hybrid")
        found: dict[str, tuple[Mode, Interval]] = {}
        for measure in MEASURES:
            other = self.best_single(measure)
            gain = difference(hybrid.per_query[measure], other.per_query[measure])
            found[measure] = (other.mode, gain)
        return found


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
        arms = tuple(_run(mode, collection, built.searcher, k, progress) for mode in MODES)
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
    measured = report.Table(
        title=_title(result),
        columns=("arm", *MEASURES, "query ms p50", "p95", "failed"),
        rows=tuple(
            (
                arm.mode,
                *(report.interval(arm.interval(name)) for name in MEASURES),
                report.number(percentile(arm.query_ms, 50)),
                report.number(percentile(arm.query_ms, 95)),
                str(len(arm.failures)),
            )
            for arm in result.arms
        ),
    )
    compared = report.Table(
        title="Hybrid minus the better single arm, query by query",
        columns=("measure", "better arm", "gain"),
        rows=tuple(
            (name, mode, report.interval(gain)) for name, (mode, gain) in result.gains().items()
        ),
    )
    return [measured, compared]


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
        "arms": {arm.mode: _arm_json(arm) for arm in result.arms},
        "hybrid_gain": {
            name: {"over": mode, **_interval_json(gain)}
            for name, (mode, gain) in result.gains().items()
        },
    }


def _told(documents: Iterator[Document], advance: report.Advance) -> Iterator[Document]:
    for document in documents:
        yield document
        advance(1)


def _depth(chunks: int, documents: int) -> int:
    """As many passages as `DEPTH` documents have on average: fewer could not fill the ranking."""
    return min(MOST_PASSAGES, ceil(DEPTH * max(1.0, chunks / documents)))


def _run(mode: Mode, collection: Collection, searcher: Searcher, k: int, progress: Console) -> Arm:
    rankings: dict[str, Sequence[str]] = {}
    failures: dict[str, str] = {}
    times: list[float] = []
    _warm(mode, collection, searcher)
    with report.progress(progress, f"Searching, {mode}", len(collection.queries)) as advance:
        for query, text in collection.queries.items():
            began = perf_counter()
            try:
                found = searcher.search(text, ANYBODY, k, mode, per_document=1)
            except Exception as error:  # noqa: BLE001 - whatever happened, the query is owed a score
                failures[query] = f"{type(error).__name__}: {error}"
            else:
                times.append(1000 * (perf_counter() - began))
                rankings[query] = ranked_documents(found)
            advance(1)
    scores = score(collection.qrels, rankings)
    recall = recall_curve(collection.qrels, rankings)
    return Arm(mode, scores, recall, tuple(times), failures)


def _warm(mode: Mode, collection: Collection, searcher: Searcher) -> None:
    """One search that is not timed: the first one loads what the others find in memory."""
    try:
        searcher.search(next(iter(collection.queries.values())), ANYBODY, 1, mode, per_document=1)
    except Exception:  # noqa: BLE001 - the same search is repeated and its failure recorded there
        return


def _title(result: Result) -> str:
    collection = result.collection
    return (
        f"{collection.folder.resolve().name}/{collection.split}: "
        f"{collection.document_count} documents, {len(collection.queries)} queries; "
        f"{result.embedder}; {result.chunks} chunks indexed in {result.index_seconds:.1f} s; "
        "means with 95 % intervals"
    )


def _arm_json(arm: Arm) -> dict[str, Any]:
    return {
        "measures": {name: _interval_json(arm.interval(name)) for name in MEASURES},
        "query_ms": {"p50": percentile(arm.query_ms, 50), "p95": percentile(arm.query_ms, 95)},
        "failed": len(arm.failures),
        "failures": dict(arm.failures),
        "recall_curve": {str(k): _interval_json(value) for k, value in arm.recall.items()},
        "per_query": {name: dict(values) for name, values in arm.per_query.items()},
    }


def _interval_json(value: Interval) -> dict[str, float]:
    return {"mean": value.value, "low": value.low, "high": value.high}

"""Each arm of search over the same queries: what it ranks, how well, and in how much time.

The arms take turns query by query, in an order that rotates: what else the machine does, and what
one search leaves in its caches for the next, falls on all of them alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Literal, Protocol

from rich.console import Console

from assistant.model import Passage
from assistant.queries import Reading
from eval import report
from eval.measures import Interval, PerQuery, difference, mean, percentile
from ingest.access import ANYBODY, Reader

Mode = Literal["lexical", "dense", "hybrid", "reranked"]
MODES: tuple[Mode, ...] = ("lexical", "dense", "hybrid", "reranked")
"""`reranked` is what the assistant does: hybrid search, then the reranker that the settings name,
then pages that hold before those that do not."""


class Searcher(Protocol):
    """What is measured; `assistant.retrieve.Retriever` is one."""

    def search(
        self,
        text: str,
        reader: Reader,
        k: int,
        mode: Mode = "reranked",
        per_document: int | None = None,
        also: Sequence[Reading] = (),
    ) -> list[Passage]:
        """The best `k` passages, at most `per_document` of one document."""
        ...


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for, and by whom."""

    text: str
    reader: Reader = ANYBODY
    also: tuple[Reading, ...] = ()
    """Other readings of it, as of a follow-up."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What one arm found, not yet scored."""

    rankings: dict[str, Sequence[str]]
    """Query id → documents, best first; a query that failed has none."""
    query_ms: dict[str, float]
    """Of the queries that did not fail."""
    cpu_ms: dict[str, float]
    """Likewise, of all cores together; it hardly grows when others use the machine."""
    failures: dict[str, str]
    """Query id → reason. These queries are scored 0."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of searching, measured."""

    mode: Mode
    per_query: Mapping[str, PerQuery]
    recall: Mapping[int, Interval]
    """Among the first 1, 2 … documents."""
    query_ms: Mapping[str, float]
    cpu_ms: Mapping[str, float]
    failures: Mapping[str, str]

    def interval(self, measure: str) -> Interval:
        """The mean of a measure over all queries, with its interval."""
        return mean(self.per_query[measure])

    def milliseconds(self, percent: float, *, cpu: bool = False) -> float | None:
        """A percentile of the time of a query, or of its processor time; None when all failed."""
        return percentile(list((self.cpu_ms if cpu else self.query_ms).values()), percent)


@dataclass(frozen=True, slots=True)
class Gain:
    """What one arm has over another, query by query."""

    over: Mode
    value: Interval


def run(
    queries: Mapping[str, Query],
    searcher: Searcher,
    k: int,
    rank: Callable[[str, Sequence[Passage]], Sequence[str]],
    progress: Console,
    what: str = "Searching",
) -> dict[Mode, Searched]:
    """Search for every query on every arm, `k` passages of `k` documents.

    `rank` makes the passages found for a query id a ranking of documents.
    """
    found = {mode: Searched({}, {}, {}, {}) for mode in MODES}
    _warm(next(iter(queries.values())), searcher, k)
    with report.progress(progress, what, len(queries)) as advance:
        for at, (name, query) in enumerate(queries.items()):
            turn = at % len(MODES)
            for mode in (*MODES[turn:], *MODES[:turn]):
                clocks = perf_counter(), process_time()
                try:
                    passages = _search(searcher, query, k, mode)
                except Exception as error:  # noqa: BLE001 - whatever happened, it is owed a score
                    found[mode].failures[name] = f"{type(error).__name__}: {error}"
                    continue
                found[mode].query_ms[name] = 1000 * (perf_counter() - clocks[0])
                found[mode].cpu_ms[name] = 1000 * (process_time() - clocks[1])
                found[mode].rankings[name] = rank(name, passages)
            advance(1)
    return found


def gains(arms: Sequence[Arm], measure: str) -> dict[Mode, Gain]:
    """What hybrid search gains over the better single arm, and reranked search over hybrid."""
    by_mode = {arm.mode: arm for arm in arms}
    single = max(
        (by_mode["lexical"], by_mode["dense"]), key=lambda arm: arm.interval(measure).value
    )
    return {
        "hybrid": _gain(by_mode["hybrid"], single, measure),
        "reranked": _gain(by_mode["reranked"], by_mode["hybrid"], measure),
    }


def reranking_ms(arms: Sequence[Arm], *, cpu: bool = False) -> list[float]:
    """For each query that neither failed, the time of reranked search less that of hybrid.

    With `cpu` the time of the processors.
    """
    times = {arm.mode: arm.cpu_ms if cpu else arm.query_ms for arm in arms}
    hybrid, reranked = times["hybrid"], times["reranked"]
    return [reranked[query] - hybrid[query] for query in reranked if query in hybrid]


def _gain(ours: Arm, theirs: Arm, measure: str) -> Gain:
    return Gain(theirs.mode, difference(ours.per_query[measure], theirs.per_query[measure]))


def _search(searcher: Searcher, query: Query, k: int, mode: Mode) -> list[Passage]:
    return searcher.search(query.text, query.reader, k, mode, per_document=1, also=query.also)


def _warm(query: Query, searcher: Searcher, k: int) -> None:
    """One search of each arm that is not timed: the first loads what the others find in memory."""
    for mode in MODES:
        try:
            _search(searcher, query, k, mode)
        except Exception:  # noqa: BLE001, S112 - it is repeated, and its failure recorded there
            continue

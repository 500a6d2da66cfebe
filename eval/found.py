"""Are the right documents found: each arm over a file of questions, in an index that is there.

Each question is searched for as the assistant does: by a reader of its groups, a follow-up in its
readings. What it is owed are the documents that its line names, as far as its reader may see them;
several documents of one name count as one, at the place of the first. A question names all
documents that answer it equally well and needs one: so MRR and P@1 say most, and of what its facts
need, Facts@k.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console

from assistant.history import stand_alone
from assistant.model import Passage
from eval import report, searches
from eval.answers import Asking
from eval.datasets import AskedQuestion
from eval.match import is_document
from eval.measures import (
    FACTS,
    FIRST_TEN,
    Interval,
    difference,
    fact_recall,
    mean,
    recall_curve,
    score,
)
from eval.searches import Arm, Mode, Query, Searcher
from eval.session import Choice
from eval.shown import arms_json, arms_table, gains_tables, interval_json
from ingest.access import Reader
from ingest.errors import DocentError
from ingest.settings import Settings

DEPTH = 10
"""Documents of a ranking. No deeper than the assistant: more candidates change what comes first."""
BY_CLASS = ("MRR@10", "P@1", "Recall@10", "Facts@5")
"""Measures of which each has a table by class; the JSON has all."""


class Opened(Protocol):
    """An index that is there, open for search."""

    searcher: Searcher
    embedder: str
    generation: int

    def visible(self, reader: Reader) -> Mapping[str, str]:
        """Id → address of every document that the reader may see."""
        ...

    def chunks(self, reader: Reader) -> int:
        """How many chunks the reader may see."""
        ...


Opener = Callable[[Settings], AbstractContextManager[Opened]]
"""Opens the index that the settings name; closes it when left."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A question, what to search for, and what has to be found."""

    asked: AskedQuestion
    query: Query
    gold: tuple[str, ...]
    """The names of its documents that its reader may see; all of them where there is none."""
    hidden: int
    """So many of its documents are not in the index, or not for its reader."""

    @property
    def facts(self) -> list[frozenset[str]]:
        """For each required fact the documents of which any one says it."""
        required = [fact for fact in self.asked.facts if fact.required]
        return [frozenset(fact.where or self.asked.documents) for fact in required]

    @property
    def names(self) -> tuple[str, ...]:
        """Every document that the line names, each once."""
        where = (name for fact in self.facts for name in sorted(fact))
        return tuple(dict.fromkeys((*self.asked.documents, *where)))


@dataclass(frozen=True, slots=True)
class Found:
    """Everything a report says about one run over a file of questions."""

    choice: Choice
    settings: Settings
    standalone: bool
    """Follow-ups were asked in full, without their history."""
    embedder: str
    generation: int
    chunks: int
    """The most that a reader of these questions may see."""
    documents: int
    """Likewise."""
    made_with: Mapping[str, str]
    owed: Mapping[str, Owed]
    """By question; those that a document answers."""
    unanswerable: int
    arms: tuple[Arm, ...]
    other_way: tuple[Arm, ...]
    """Follow-ups only: in full where `arms` have the history, and the other way round."""

    @property
    def classes(self) -> dict[str, list[str]]:
        """Class → ids of its questions, classes in alphabetical order."""
        kinds = sorted({one.asked.kind for one in self.owed.values()})
        return {
            kind: [name for name, one in self.owed.items() if one.asked.kind == kind]
            for kind in kinds
        }

    def notes(self) -> list[str]:
        """One sentence for each thing that a reader of the numbers has to know."""
        lost = [name for name, one in self.owed.items() if one.hidden == len(one.asked.documents)]
        hidden = sum(one.hidden for one in self.owed.values() if one.asked.id not in lost)
        told = [
            (self.unanswerable, "questions that no document answers were not searched for"),
            (hidden, "named documents are not in the index for their reader and not asked for"),
            (
                len(lost),
                "questions have none of their documents in the index and are scored 0: "
                + ", ".join(lost[:10]),
            ),
        ]
        return [f"{count} {what}." for count, what in told if count]


def measure(
    choice: Choice, settings: Settings, opener: Opener, progress: Console, *, standalone: bool
) -> Found:
    """Search for every chosen question on every arm of the index that the settings name.

    Raises:
        DocentError: the questions or the index do not allow it.
    """
    made_with = report.made_with()
    chosen = choice.questions()
    asked = [one for one in chosen if one.answerable]
    if not asked:
        msg = f"No document answers any of the chosen questions of {choice.path}."
        raise DocentError(msg)
    with opener(settings) as opened:
        visible = _by_reader(opened, asked)
        owed = {one.id: _owed(one, visible, standalone=standalone) for one in asked}
        follow_ups = [one for one in asked if one.history and one.standalone]
        other = {one.id: _owed(one, visible, standalone=not standalone) for one in follow_ups}
        arms = _arms(owed, opened.searcher, progress, "Searching")
        other_way = _arms(other, opened.searcher, progress, "Follow-ups, the other way")
        return Found(
            choice=choice,
            settings=settings,
            standalone=standalone,
            embedder=opened.embedder,
            generation=opened.generation,
            chunks=max(map(opened.chunks, visible)),
            documents=max(map(len, visible.values())),
            made_with=made_with,
            owed=owed,
            unanswerable=len(chosen) - len(asked),
            arms=arms,
            other_way=other_way,
        )


def ranked_names(passages: Iterable[Passage], names: Sequence[str]) -> list[str]:
    """A ranking in which each document that a line names goes by that name, the others by their id.

    A copy that is shown in the place of a named document, with the other addresses, is that one.
    """
    ranking: dict[str, None] = {}
    for passage in sorted(passages, key=lambda one: -one.score):
        places = [(passage.document_id, passage.url), *((other, "") for other in passage.also)]
        held = [name for name in names if any(is_document(name, *place) for place in places)]
        ranking |= dict.fromkeys(held or [passage.document_id])
    return list(ranking)


def tables(found: Found) -> list[report.Table]:
    """The result as tables of text."""
    return [
        arms_table(_title(found), found.arms),
        *gains_tables(found.arms),
        *(_class_table(found, measure) for measure in BY_CLASS),
        *_follow_up_table(found),
    ]


def as_json(found: Found) -> dict[str, Any]:
    """The result with exact numbers, per query too, so that two runs can be compared in pairs."""
    dataset = found.choice.dataset([one.asked for one in found.owed.values()])
    return {
        "kind": "retrieval",
        "made_with": dict(found.made_with),
        "dataset": {
            "name": dataset.name,
            "split": dataset.half or "all",
            "classes": list(dataset.classes),
            "digest": dataset.digest,
            "documents": found.documents,
            "queries": dataset.questions,
            "unanswerable": found.unanswerable,
            "judgements": sum(len(one.gold) for one in found.owed.values()),
            "notes": found.notes(),
        },
        "standalone": found.standalone,
        "embedder": found.embedder,
        "generation": found.generation,
        "chunks": found.chunks,
        "settings": found.settings.model_dump(mode="json", include={"chunk", "retrieval"}),
        **arms_json(found.arms),
        "classes": {
            kind: {
                "queries": len(ids),
                "arms": {
                    arm.mode: {name: interval_json(_of(arm, name, ids)) for name in arm.per_query}
                    for arm in found.arms
                },
            }
            for kind, ids in found.classes.items()
        },
        "follow_ups": {
            "queries": len(found.other_way[0].per_query["P@1"]) if found.other_way else 0,
            "arms": {
                mode: {
                    name: {
                        way: interval_json(value) for way, value in zip(WAYS, triple, strict=True)
                    }
                    for name, triple in measures.items()
                }
                for mode, measures in follow_ups(found).items()
            },
        },
    }


WAYS = ("with_history", "in_full", "difference")


def follow_ups(found: Found) -> dict[Mode, dict[str, tuple[Interval, Interval, Interval]]]:
    """Arm → measure → follow-ups with their history, asked in full, and the first less the second.

    Empty when none of the questions is a follow-up that the file also asks in full.
    """
    sides = (found.other_way, found.arms) if found.standalone else (found.arms, found.other_way)
    told: dict[Mode, dict[str, tuple[Interval, Interval, Interval]]] = {}
    if not found.other_way:
        return told
    for history, full in zip(*sides, strict=True):
        told[history.mode] = {}
        for name in history.per_query:
            ids = [query for query in history.per_query[name] if query in full.per_query[name]]
            ours, theirs = ({i: arm.per_query[name][i] for i in ids} for arm in (history, full))
            told[history.mode][name] = (mean(ours), mean(theirs), difference(ours, theirs))
    return told


def _by_reader(opened: Opened, asked: Iterable[AskedQuestion]) -> dict[Reader, Mapping[str, str]]:
    readers = {_asking(standalone=False).question(one).reader for one in asked}
    return {reader: opened.visible(reader) for reader in readers}


def _asking(*, standalone: bool) -> Asking:
    return Asking(llm="", standalone=standalone)


def _owed(
    asked: AskedQuestion, visible: Mapping[Reader, Mapping[str, str]], *, standalone: bool
) -> Owed:
    question = _asking(standalone=standalone).question(asked)
    alone = stand_alone(question)
    there = visible[question.reader].items()
    names = tuple(dict.fromkeys(asked.documents))
    seen = tuple(name for name in names if any(is_document(name, *place) for place in there))
    query = Query(alone.search, question.reader, alone.also)
    return Owed(asked, query, seen or names, len(names) - len(seen))


def _arms(
    owed: Mapping[str, Owed], searcher: Searcher, progress: Console, what: str
) -> tuple[Arm, ...]:
    if not owed:
        return ()
    found = searches.run(
        {name: one.query for name, one in owed.items()},
        searcher,
        DEPTH,
        lambda name, passages: ranked_names(passages, owed[name].names),
        progress,
        what,
    )
    qrels = {name: dict.fromkeys(one.gold, 1) for name, one in owed.items()}
    where = {name: one.facts for name, one in owed.items()}
    return tuple(
        Arm(
            mode,
            {
                **score(qrels, one.rankings, FIRST_TEN),
                **{name: fact_recall(where, one.rankings, k) for name, k in FACTS.items()},
            },
            recall_curve(qrels, one.rankings),
            one.query_ms,
            one.cpu_ms,
            one.failures,
        )
        for mode, one in found.items()
    )


def _of(arm: Arm, measure: str, ids: Iterable[str]) -> Interval:
    return mean({name: arm.per_query[measure][name] for name in ids})


def _class_table(found: Found, measure: str) -> report.Table:
    return report.Table(
        title=f"{measure} by class of question",
        columns=("class", "n", *(arm.mode for arm in found.arms)),
        rows=tuple(
            (
                kind,
                str(len(ids)),
                *(report.interval(_of(arm, measure, ids)) for arm in found.arms),
            )
            for kind, ids in found.classes.items()
        ),
    )


def _follow_up_table(found: Found) -> list[report.Table]:
    """One for the arm that the assistant uses; the JSON has all."""
    told = follow_ups(found).get("reranked")
    if told is None:
        return []
    count = len(found.other_way[0].per_query["P@1"])
    return [
        report.Table(
            title=f"{count} follow-ups, reranked: with their history against asked in full",
            columns=("measure", "with history", "in full", "difference, paired"),
            rows=tuple(
                (name, report.interval(ours), report.interval(theirs), report.signed(less))
                for name, (ours, theirs, less) in told.items()
            ),
        )
    ]


def _title(found: Found) -> str:
    half = f", {found.choice.half} half" if found.choice.half else ""
    full = "; follow-ups in full" if found.standalone else ""
    return (
        f"{found.choice.path.name}{half}: {len(found.owed)} questions, "
        f"{found.documents} documents; {found.embedder}; {found.chunks} chunks{full}; "
        "means with 95 % intervals"
    )

"""The gate of the night: the same questions asked of the generation that serves and of the new one.

Each question is asked as the reader that its line names. What a margin does not allow closes the
gate; every question that lost something is named, also where the gate stays open. A search that
raises is let through to the caller: what could not be checked is not to be published.

The gate of kept runs, `docent eval gate`, is `eval.margins`: it compares two files that were
measured at any time, over any index, with everything that the harness measures.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from assistant.history import stand_alone
from assistant.model import Passage, Question, Turn
from eval.answers import Asking, Assistant, Outcome, run
from eval.datasets import AskedQuestion
from eval.match import is_document, says
from ingest.access import Reader
from ingest.model import Document
from ingest.settings import NightlySettings

RIGHT: frozenset[Outcome] = frozenset({"right", "right_refusal"})
ROUNDING = 1e-9
"""0.90 - 0.88 is a little more than 0.02 to a computer."""


def within(worse_by: float, margin: float) -> bool:
    """True when something became worse by no more than it may, rounding apart."""
    return worse_by <= margin + ROUNDING


class Finder(Protocol):
    """What is asked for documents; `assistant.retrieve.Retriever` is one."""

    def search(
        self,
        text: str,
        reader: Reader,
        k: int,
        mode: Literal["hybrid"] = "hybrid",
        per_document: int | None = None,
    ) -> list[Passage]:
        """The best `k` passages, at most `per_document` of one document."""
        ...

    def document(self, document_id: str, reader: Reader) -> Document | None:
        """A whole document, or None when it is not there or not for this reader."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """One generation, ready to be asked."""

    finder: Finder
    assistant: Assistant | None
    """None when answers are not to be compared."""


Opener = Callable[[int], AbstractContextManager[Opened]]
"""Opens a generation by its number."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One number on both sides, and how far it may fall."""

    name: str
    count: int
    """How many questions or documents it is a share of."""
    before: float
    after: float
    may_fall: float

    @property
    def holds(self) -> bool:
        """True when it fell by no more than it may."""
        return within(self.before - self.after, self.may_fall)


@dataclass(frozen=True, slots=True)
class Lost:
    """A document that a question found before and does not find any more, or finds emptied."""

    wanted: str
    """As the question's line names it."""
    document_id: str
    there: bool
    """False when it is gone, or closed to the reader who asks."""
    found: bool = False
    """True when it is found all the same, and says nothing more of what was asked."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A question that is worse off with the new generation."""

    id: str
    question: str
    recall_before: float
    recall_after: float
    lost: tuple[Lost, ...]
    facts: tuple[str, ...] = ()
    """Required ones that stood in what was found before and stand in nothing of it now."""
    outcome_before: str = ""
    """Of the answer; both empty where answers were not compared or this one stayed right."""
    outcome_after: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """What the questions say about a new generation."""

    served: int
    newest: int
    questions: int
    k: int
    measures: tuple[Measure, ...]
    broken: tuple[Broken, ...]

    @property
    def passed(self) -> bool:
        """True when nothing fell by more than it may."""
        return all(measure.holds for measure in self.measures)

    @property
    def idle(self) -> bool:
        """True when nothing could have fallen: what the questions want is not found now either."""
        return not any(measure.before for measure in self.measures)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A wanted document that was found."""

    document_id: str
    source: str
    facts: frozenset[str]
    """The required ones that its text says: a page that was emptied may be found by its title."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one generation gave."""

    found: Mapping[str, Mapping[str, _Seen]]
    """Question → wanted document → what was found."""
    outcomes: Mapping[str, Outcome]
    """Question → how its answer came out; empty where answers are not compared."""


def check(
    questions: Sequence[AskedQuestion],
    opener: Opener,
    served: int,
    newest: int,
    settings: NightlySettings,
) -> Check:
    """Ask both generations, one after the other, and compare."""
    with opener(served) as old:
        before = _ask(questions, old, settings.k)
    with opener(newest) as new:
        after = _ask(questions, new, settings.k)
        broken = tuple(_broken(questions, before, after, new.finder))
    measures = (
        *_recall(questions, before, after, settings),
        *_facts(questions, before, after, settings),
        *_sources(before, after, settings),
        *_answers(before, after, settings),
    )
    return Check(served, newest, len(questions), settings.k, measures, broken)


def found_in(asked: AskedQuestion, passages: Iterable[Passage]) -> dict[str, Passage]:
    """Which of the documents that a question wants are among the passages, and where."""
    found: dict[str, Passage] = {}
    for passage in passages:
        for wanted in asked.documents:
            # Of several copies one is shown, with the addresses of the others.
            places = (passage.document_id, passage.url, *passage.also)
            if any(is_document(wanted, place) for place in places):
                found.setdefault(wanted, passage)
    return found


def _ask(questions: Sequence[AskedQuestion], opened: Opened, k: int) -> _Asked:
    found = {}
    for asked in questions:
        if asked.answerable:
            text = stand_alone(_question(asked)).search
            passages = opened.finder.search(text, _reader(asked), k, per_document=1)
            found[asked.id] = {
                wanted: _seen(asked, passage, opened.finder)
                for wanted, passage in found_in(asked, passages).items()
            }
    if opened.assistant is None:
        return _Asked(found, {})
    opened.assistant.warm()
    rows = asyncio.run(run(questions, opened.assistant, Asking(llm="", stand_ins=True)))
    return _Asked(found, {row.id: row.outcome for row in rows})


def _seen(asked: AskedQuestion, passage: Passage, finder: Finder) -> _Seen:
    document = finder.document(passage.document_id, _reader(asked))
    text = document.text if document else ""
    said = (fact.text for fact in asked.facts if fact.required and says(text, fact.keys))
    return _Seen(passage.document_id, passage.source, frozenset(said))


def _reader(asked: AskedQuestion) -> Reader:
    return Reader(groups=frozenset(asked.groups))


def _question(asked: AskedQuestion) -> Question:
    history = tuple(Turn(turn.role, turn.content) for turn in asked.history)
    return Question(asked.question, _reader(asked), history)


def _recall(
    questions: Sequence[AskedQuestion], before: _Asked, after: _Asked, settings: NightlySettings
) -> list[Measure]:
    wanted = {asked.id: len(set(asked.documents)) for asked in questions if asked.answerable}
    if not wanted:
        return []
    old, new = (
        sum(len(side.found[name]) / count for name, count in wanted.items()) / len(wanted)
        for side in (before, after)
    )
    name = f"recall@{settings.k}"
    return [Measure(name, len(wanted), old, new, settings.max_drop_recall)]


def _facts(
    questions: Sequence[AskedQuestion], before: _Asked, after: _Asked, settings: NightlySettings
) -> list[Measure]:
    """Of the facts that the questions require, the share that stands in what was found for them."""
    total = sum(fact.required for asked in questions for fact in asked.facts)
    if not total:
        return []
    old, new = (
        sum(len(_said(found)) for found in side.found.values()) / total for side in (before, after)
    )
    return [Measure(f"facts@{settings.k}", total, old, new, settings.max_drop_facts)]


def _said(found: Mapping[str, _Seen]) -> frozenset[str]:
    return frozenset().union(*(seen.facts for seen in found.values()))


def _still(wanted: str, seen: _Seen, now: Mapping[str, _Seen]) -> bool:
    """True when a document is still found, and still says something of what it said."""
    return wanted in now and (not seen.facts or not seen.facts.isdisjoint(now[wanted].facts))


def _sources(before: _Asked, after: _Asked, settings: NightlySettings) -> list[Measure]:
    """Of what is found now in each source, the share that still is: a mean hides small sources."""
    kept: defaultdict[str, list[bool]] = defaultdict(list)
    for name, found in before.found.items():
        for wanted, seen in found.items():
            kept[seen.source].append(_still(wanted, seen, after.found[name]))
    return [
        Measure(
            f"still found of {source}",
            len(flags),
            1.0,
            sum(flags) / len(flags),
            settings.max_drop_source,
        )
        for source, flags in sorted(kept.items())
    ]


def _answers(before: _Asked, after: _Asked, settings: NightlySettings) -> list[Measure]:
    # One that got no answer at all says nothing about the generation it was asked of.
    names = [name for name, outcome in before.outcomes.items() if outcome != "failed"]
    if not names:
        return []
    old, new = (
        sum(side.outcomes[name] in RIGHT for name in names) / len(names) for side in (before, after)
    )
    return [Measure("right answers", len(names), old, new, settings.max_drop_answers)]


def _broken(
    questions: Iterable[AskedQuestion], before: _Asked, after: _Asked, finder: Finder
) -> Iterable[Broken]:
    for asked in questions:
        old, new = before.found.get(asked.id, {}), after.found.get(asked.id, {})
        lost = [
            Lost(
                w,
                seen.document_id,
                finder.document(seen.document_id, _reader(asked)) is not None,
                w in new,
            )
            for w, seen in old.items()
            if not _still(w, seen, new)
        ]
        facts = sorted(_said(old) - _said(new))
        outcomes = (before.outcomes.get(asked.id, ""), after.outcomes.get(asked.id, ""))
        worse = outcomes[0] in RIGHT and outcomes[1] not in RIGHT
        if lost or facts or worse:
            count = len(set(asked.documents)) or 1
            yield Broken(
                asked.id,
                asked.question,
                len(old) / count,
                len(new) / count,
                tuple(lost),
                tuple(facts),
                *(outcomes if worse else ("", "")),
            )

"""Judges behind one seam: does a text support a sentence, and does an answer say a fact?

A judge may be undecided. Judges by rule decide what rules can decide (`eval.judges.rules`), a
language model may be asked about the rest (`eval.judges.llm`), and `Chain` asks one after the
other. How far to trust each is measured on pairs labelled by hand (`eval.judges.agreement`).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Verdict = Literal[
    # of a sentence against what it cites
    "supported",
    "not",
    # of a fact against an answer
    "entailed",
    "contradicted",
    "not mentioned",
    # of either
    "undecided",
]
SUPPORT_VERDICTS: tuple[Verdict, ...] = ("supported", "not")
FACT_VERDICTS: tuple[Verdict, ...] = ("entailed", "contradicted", "not mentioned")


@dataclass(frozen=True, slots=True)
class Support:
    """Does `source` support `sentence`? All of it, to a reader who has nothing but the source."""

    source: str
    """What is cited, under its title and headings; several texts one below the other. Rows of a
    table are lines with their cells between ` | `, below the row that heads them if it is there.
    """
    sentence: str
    """Without the markers of its citations."""


@dataclass(frozen=True, slots=True)
class Said:
    """Does `answer` say `fact`?"""

    answer: str
    """Without the markers of its citations."""
    fact: str


Case = Support | Said


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a judge found."""

    verdict: Verdict
    by: str
    """Who decided: `rules`, or the name of the model. Stands beside every number made of it."""
    reason: str = ""
    failed: bool = False
    """No verdict, because the judge was away, too slow, or said something else than a verdict."""

    @property
    def decided(self) -> bool:
        """True when there is a verdict to count."""
        return self.verdict != "undecided"


class Judge(Protocol):
    """Somebody who rules on cases."""

    @property
    def name(self) -> str:
        """Which one; a model's judge has the model in it."""
        ...

    async def rule(self, case: Case) -> Ruling:
        """The verdict on one case, `undecided` where it cannot tell. Never raises for a case."""
        ...


class Chain:
    """Judges asked one after the other until one decides."""

    def __init__(self, *judges: Judge) -> None:
        self._judges = judges

    @property
    def name(self) -> str:
        """`rules, then qwen2.5`."""
        return ", then ".join(judge.name for judge in self._judges)

    async def rule(self, case: Case) -> Ruling:
        """The first decided verdict; else that of the last judge."""
        ruling = Ruling("undecided", self.name)
        for judge in self._judges:
            ruling = await judge.rule(case)
            if ruling.decided:
                break
        return ruling


async def rule_all(
    judge: Judge,
    cases: Sequence[Case],
    *,
    concurrency: int = 1,
    advance: Callable[[int], None] = lambda count: None,
) -> list[Ruling]:
    """A ruling for each case, in their order; equal cases are ruled upon once.

    `advance` is told how many cases are done, each time that one is.
    """
    places: dict[Case, list[int]] = {}
    for place, case in enumerate(cases):
        places.setdefault(case, []).append(place)
    rulings: dict[Case, Ruling] = {}
    waiting = iter(places)

    async def worker() -> None:
        for case in waiting:
            rulings[case] = await judge.rule(case)
            advance(len(places[case]))

    async with asyncio.TaskGroup() as workers:
        for _ in range(concurrency):
            workers.create_task(worker())
    return [rulings[case] for case in cases]

"""Answers that were kept, judged: sentences against what they cite, and facts against answers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from eval import report
from eval.answers import Row
from eval.judges import (
    FACT_VERDICTS,
    SUPPORT_VERDICTS,
    Case,
    Judge,
    Ruling,
    Said,
    Support,
    rule_all,
)
from eval.match import without_markers
from eval.measures import share

REFUSED = ("", "not_found")
"""Statuses of rows without an answer to judge."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One thing that was asked of the judge about a row."""

    row: str
    """The question's id."""
    what: str
    """`sentence`: against all that it cites; `citation`: against one that it cites; `required` or
    `optional`: a fact against the whole answer."""
    case: Case
    ruling: Ruling


def cases(row: Row) -> list[tuple[str, Case]]:
    """What there is to judge in a row: nothing in a refusal or a failed question."""
    if row.status in REFUSED:
        return []
    answer = without_markers(row.answer, (citation.marker for citation in row.citations))
    cited: dict[str, list[str]] = {}
    for citation in row.citations:
        source = "\n".join(part for part in (citation.heading, citation.quote) if part)
        cited.setdefault(citation.sentence, []).append(source)
    return [
        *(("sentence", Support("\n".join(all_), text)) for text, all_ in cited.items()),
        *(("citation", Support(one, text)) for text, all_ in cited.items() for one in all_),
        *(
            ("required" if fact.required else "optional", Said(answer, fact.text))
            for fact in row.facts
        ),
    ]


async def judge_rows(
    rows: Iterable[Row],
    judge: Judge,
    *,
    concurrency: int = 1,
    advance: Callable[[int], None] = lambda count: None,
) -> list[Judged]:
    """Rule on all that there is to judge in the rows, in their order; the same case only once."""
    asked = [(row.id, what, case) for row in rows for what, case in cases(row)]
    rulings = await rule_all(
        judge, [case for _, _, case in asked], concurrency=concurrency, advance=advance
    )
    return [
        Judged(row, what, case, ruling)
        for (row, what, case), ruling in zip(asked, rulings, strict=True)
    ]


PARTS = {
    "sentence": ("sentences, against all that they cite", SUPPORT_VERDICTS),
    "citation": ("citations, each against its sentence", SUPPORT_VERDICTS),
    "required": ("required facts, of answered questions", FACT_VERDICTS),
    "optional": ("optional facts, of answered questions", FACT_VERDICTS),
}


def table(found: Sequence[Judged], judge: str, name: str) -> report.Table:
    """Counts and shares of the verdicts, and who gave them."""
    lines: list[tuple[str, ...]] = []
    for what, (told, verdicts) in PARTS.items():
        of_it = [one.ruling for one in found if one.what == what]
        for verdict in (*verdicts, "undecided"):
            given = [ruling for ruling in of_it if ruling.verdict == verdict]
            by = ", ".join(sorted({ruling.by for ruling in given})) or report.NOTHING
            counted = f"{len(given)}/{len(of_it)}  {report.interval(share(len(given), len(of_it)))}"
            lines.append((f"{told}: {verdict}", counted, by))
    return report.Table(f"{name}, judged by {judge}", ("what", "share", "by"), tuple(lines))


def as_json(found: Sequence[Judged]) -> list[dict[str, Any]]:
    """Each verdict with who gave it."""
    return [
        {
            "row": one.row,
            "what": one.what,
            "text": one.case.sentence if isinstance(one.case, Support) else one.case.fact,
            "verdict": one.ruling.verdict,
            "by": one.ruling.by,
            "reason": one.ruling.reason,
            "failed": one.ruling.failed,
        }
        for one in found
    ]

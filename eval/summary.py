"""Rows of answered questions, added up: overall and for each class of question."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from eval import report
from eval.answers import Row
from eval.measures import Interval, percentile, share

ANSWERED = ("answered", "extracts")


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    count: int
    total: int

    @property
    def interval(self) -> Interval | None:
        """The share with Wilson's 95 % interval; None of nothing."""
        return share(self.count, self.total)

    def shown(self) -> str:
        """`18/20  0.900 [0.699, 0.972]`."""
        return f"{self.count}/{self.total}  {report.interval(self.interval)}"

    def as_json(self) -> dict[str, float | int | None]:
        """The counts, the share and its interval."""
        value = self.interval
        return {
            "count": self.count,
            "total": self.total,
            "share": value.value if value else None,
            "low": value.low if value else None,
            "high": value.high if value else None,
        }


SHARES = {
    "right": "answerable: right (answered, all required facts)",
    "incomplete": "answerable: answered, a required fact missing",
    "wrong_refusal": "answerable: refused wrongly",
    "right_refusal": "unanswerable: refused rightly",
    "wrong_answer": "unanswerable: answered wrongly",
    "required_facts": "required facts covered",
    "optional_facts": "optional facts covered",
    "document_retrieved": "answerable: a right document among the passages",
    "document_cited": "answerable: a right document cited",
    "citations_carrying": "citations that support their sentence (automatic check)",
    "sentences_carried": "sentences supported by their citations together (same check)",
    "sentences_uncited": "sentences without a citation",
    "sentences_marked": "sentences marked unsupported by the assistant",
    "failed": "questions that failed (scored 0)",
}


def shares(rows: Sequence[Row]) -> dict[str, Share]:
    """Every share of `SHARES`, in that order."""
    answerable = [row for row in rows if row.answerable]
    unanswerable = [row for row in rows if not row.answerable]
    facts = [fact for row in rows for fact in row.facts]
    required = [fact.covered for fact in facts if fact.required]
    optional = [fact.covered for fact in facts if not fact.required]
    citations = [citation.carries for row in rows for citation in row.citations]
    sentences = sum(row.sentences for row in rows)
    return {
        **{
            outcome: Share(sum(row.outcome == outcome for row in answerable), len(answerable))
            for outcome in ("right", "incomplete", "wrong_refusal")
        },
        **{
            outcome: Share(sum(row.outcome == outcome for row in unanswerable), len(unanswerable))
            for outcome in ("right_refusal", "wrong_answer")
        },
        "required_facts": _of(required),
        "optional_facts": _of(optional),
        "document_retrieved": _of([row.document_retrieved for row in answerable]),
        "document_cited": _of([row.document_cited for row in answerable]),
        "citations_carrying": _of(citations),
        "sentences_carried": Share(sum(row.sentences_carried for row in rows), sentences),
        "sentences_uncited": Share(sentences - sum(row.sentences_cited for row in rows), sentences),
        "sentences_marked": Share(sum(row.sentences_marked for row in rows), sentences),
        "failed": _of([row.outcome == "failed" for row in rows]),
    }


def quantities(rows: Sequence[Row]) -> dict[str, tuple[float | None, float | None]]:
    """Median and 95th percentile of seconds and characters, over the questions that have them."""
    return {
        "seconds to first token": _spread(rows, lambda row: _seconds(row.first_token_ms)),
        "seconds in all": _spread(rows, lambda row: _seconds(row.total_ms)),
        "characters of the answer": _spread(
            rows, lambda row: float(len(row.answer)) if row.status in ANSWERED else None
        ),
    }


def tables(rows: Sequence[Row], title: str) -> list[report.Table]:
    """The result as tables of text: overall, by class, and what failed."""
    statuses = Counter(row.status or "failed" for row in rows)
    overall = report.Table(
        title=f"{title}; {len(rows)} questions: "
        + ", ".join(f"{count} {status}" for status, count in sorted(statuses.items())),
        columns=("measure", "share with 95 % interval"),
        rows=tuple((SHARES[name], value.shown()) for name, value in shares(rows).items()),
    )
    spread = report.Table(
        title="How long, in time and text",
        columns=("quantity", "p50", "p95"),
        rows=tuple(
            (name, report.number(middle), report.number(high))
            for name, (middle, high) in quantities(rows).items()
        ),
    )
    failed = report.Table(
        title="Failed",
        columns=("question", "reason"),
        rows=tuple((row.id, row.reason) for row in rows if row.outcome == "failed"),
    )
    return [overall, _class_table(rows), spread, *([failed] if failed.rows else [])]


def as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """The result with exact numbers: overall, by class, and which questions ended how."""
    outcomes: dict[str, list[str]] = {}
    for row in rows:
        outcomes.setdefault(row.outcome, []).append(row.id)
    return {
        **_part_json(rows),
        "classes": {kind: _part_json(part) for kind, part in by_class(rows).items()},
        "outcomes": outcomes,
        "failures": {row.id: row.reason for row in rows if row.outcome == "failed"},
    }


def by_class(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by class of question, classes in alphabetical order."""
    classes: dict[str, list[Row]] = {}
    for row in rows:
        classes.setdefault(row.kind, []).append(row)
    return dict(sorted(classes.items()))


def _class_table(rows: Sequence[Row]) -> report.Table:
    names = ("right", "wrong_refusal", "right_refusal", "required_facts", "document_retrieved")
    return report.Table(
        title="By class of question",
        columns=(
            *("class", "n", "right", "refused wrongly", "refused rightly", "required facts"),
            *("retrieved", "cited", "failed"),
        ),
        rows=tuple(
            (
                kind,
                str(len(part)),
                *(_counted(found[name]) for name in (*names, "document_cited")),
                str(found["failed"].count),
            )
            for kind, part in by_class(rows).items()
            for found in [shares(part)]
        ),
    )


def _counted(value: Share) -> str:
    return f"{value.count}/{value.total}" if value.total else report.NOTHING


def _part_json(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "questions": len(rows),
        "statuses": dict(Counter(row.status or "failed" for row in rows)),
        "shares": {name: value.as_json() for name, value in shares(rows).items()},
        "quantities": {
            name: {"p50": middle, "p95": high} for name, (middle, high) in quantities(rows).items()
        },
    }


def _of(flags: Sequence[bool]) -> Share:
    return Share(sum(flags), len(flags))


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _spread(
    rows: Iterable[Row], take: Callable[[Row], float | None]
) -> tuple[float | None, float | None]:
    values = [value for row in rows if (value := take(row)) is not None]
    return percentile(values, 50), percentile(values, 95)

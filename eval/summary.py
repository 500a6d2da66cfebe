"""Rows of answered questions, added up: overall and for each class of question.

Citation precision and recall are those of ALCE (Gao et al., EMNLP 2023), with the rule of
`eval.judge` in the place of its entailment model.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.model import NoticeKind
from eval import report
from eval.answers import Row
from eval.measures import Interval, mean, percentile, share

ANSWERED = ("answered", "extracts")
FRESHNESS = "freshness"
"""The class of questions to which an old page gives another answer than the current one."""
CONTRADICTION = "contradiction"
"""The class of questions on which current pages disagree."""
NEVER = ("unanswerable", "false-premise")
"""Classes that nobody's documents answer; `restricted` ones are answered by somebody's."""


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
    "wrong_facts": "wrong facts, of all facts said",
    "wrong_facts_unwarned": "wrong facts without a notice beside them, of all facts said",
    "wrong_questions": "questions with wrong facts: one is said",
    "abstention": "unanswerable and false-premise: refused rightly",
    "first_right": "freshness: a current document cited first",
    "both_sides": "contradiction: both sides reported and cited",
    "conflict_elsewhere": "other classes, answered: a notice of conflict",
    "document_retrieved": "answerable: a right document among the passages",
    "document_first": "answerable: the first passage is of a right document",
    "document_cited": "answerable: a right document cited",
    "citation_precision": "citation precision (ALCE, automatic check)",
    "sentences_carried": "citation recall: sentences supported by their citations together",
    "citations_carrying": "citations that support their sentence alone",
    "sentences_unsupported": "sentences not supported by what they cite",
    "sentences_uncited": "sentences without a citation",
    "sentences_marked": "sentences marked unsupported by the assistant",
    "failed": "questions that failed (scored 0)",
}
RECIPROCAL_RANK = "answerable: mean reciprocal rank of the first right passage"
LESS_IS_BETTER = frozenset(
    {
        *("incomplete", "wrong_refusal", "wrong_answer", "failed"),
        *("wrong_facts", "wrong_facts_unwarned", "wrong_questions", "conflict_elsewhere"),
        *("sentences_unsupported", "sentences_uncited", "sentences_marked"),
    }
)
"""Of all other shares, more is better."""


def shares(rows: Sequence[Row]) -> dict[str, Share]:
    """Every share of `SHARES`, in that order."""
    answerable = [row for row in rows if row.answerable]
    unanswerable = [row for row in rows if not row.answerable]
    facts = [fact for row in rows for fact in row.facts]
    required = [fact.covered for fact in facts if fact.required]
    optional = [fact.covered for fact in facts if not fact.required]
    citations = [citation for row in rows for citation in row.citations]
    sentences = sum(row.sentences for row in rows)
    carried = sum(row.sentences_carried for row in rows)
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
        **_wrong(rows),
        "abstention": _of([row.outcome == "right_refusal" for row in _of_kind(rows, *NEVER)]),
        "first_right": _of([row.first_right for row in _of_kind(answerable, FRESHNESS)]),
        "both_sides": _of([row.both_sides for row in _of_kind(answerable, CONTRADICTION)]),
        "conflict_elsewhere": _of(
            [
                NoticeKind.CONFLICT in row.notices
                for row in rows
                if row.status in ANSWERED and row.kind not in (FRESHNESS, CONTRADICTION)
            ]
        ),
        "document_retrieved": _of([row.document_retrieved for row in answerable]),
        "document_first": _of([row.gold_rank == 1 for row in answerable]),
        "document_cited": _of([row.document_cited for row in answerable]),
        # Rows of old did not ask for it.
        "citation_precision": _of([c.precise for c in citations if c.precise is not None]),
        "sentences_carried": Share(carried, sentences),
        "citations_carrying": _of([citation.carries for citation in citations]),
        "sentences_unsupported": Share(sentences - carried, sentences),
        "sentences_uncited": Share(sentences - sum(row.sentences_cited for row in rows), sentences),
        "sentences_marked": Share(sum(row.sentences_marked for row in rows), sentences),
        "failed": _of([row.outcome == "failed" for row in rows]),
    }


def reciprocal_rank(rows: Iterable[Row]) -> Interval | None:
    """Mean over answerable questions of 1 / place of the first right passage, 0 without one."""
    values = {row.id: 1 / row.gold_rank if row.gold_rank else 0.0 for row in rows if row.answerable}
    return mean(values) if values else None


def quantities(rows: Sequence[Row]) -> dict[str, tuple[float | None, float | None]]:
    """Median and 95th percentile, over the questions that have them."""
    return {
        "seconds to first token": _spread(rows, lambda row: _seconds(row.first_token_ms)),
        "seconds in all": _spread(rows, lambda row: _seconds(row.total_ms)),
        "characters of the answer": _spread(
            rows, lambda row: float(len(row.answer)) if row.status in ANSWERED else None
        ),
        "sentences of the answer": _spread(rows, lambda row: row.sentences or None),
        "tokens read": _spread(rows, lambda row: row.prompt_tokens),
        "tokens written": _spread(rows, lambda row: row.completion_tokens),
    }


def tables(rows: Sequence[Row], title: str) -> list[report.Table]:
    """The result as tables of text: overall, by class, and what failed."""
    statuses = Counter(row.status or "failed" for row in rows)
    overall = report.Table(
        title=f"{title}; {len(rows)} questions: "
        + ", ".join(f"{count} {status}" for status, count in sorted(statuses.items())),
        columns=("measure", "share with 95 % interval"),
        rows=(
            *((SHARES[name], value.shown()) for name, value in shares(rows).items()),
            (RECIPROCAL_RANK, report.interval(reciprocal_rank(rows))),
        ),
    )
    spread = report.Table(
        title="How long, in time, text and tokens",
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
    names = (
        *("right", "wrong_refusal", "right_refusal", "required_facts", "wrong_facts"),
        *("document_retrieved", "document_cited", "citation_precision", "sentences_carried"),
    )
    return report.Table(
        title="By class of question",
        columns=(
            *("class", "n", "right", "refused wrongly", "refused rightly", "required facts"),
            *("wrong facts", "retrieved", "cited", "precision", "recall", "failed"),
        ),
        rows=tuple(
            (
                kind,
                str(len(part)),
                *(_counted(found[name]) for name in names),
                str(found["failed"].count),
            )
            for kind, part in by_class(rows).items()
            for found in [shares(part)]
        ),
    )


def _wrong(rows: Iterable[Row]) -> dict[str, Share]:
    """Over the facts that answers say, right or wrong; and over the questions that tempt."""
    answered = [row for row in rows if row.status in ANSWERED]
    right = sum(fact.covered for row in answered for fact in row.facts)
    said = [wrong for row in answered for wrong in row.wrong if wrong.said]
    tempting = [row.wrong for row in rows if row.wrong]
    return {
        "wrong_facts": Share(len(said), right + len(said)),
        "wrong_facts_unwarned": Share(sum(not wrong.warned for wrong in said), right + len(said)),
        "wrong_questions": _of([any(wrong.said for wrong in of_one) for of_one in tempting]),
    }


def _of_kind(rows: Iterable[Row], *kinds: str) -> list[Row]:
    return [row for row in rows if row.kind in kinds]


def _counted(value: Share) -> str:
    return f"{value.count}/{value.total}" if value.total else report.NOTHING


def _part_json(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "questions": len(rows),
        "statuses": dict(Counter(row.status or "failed" for row in rows)),
        "reciprocal_rank": _interval_json(reciprocal_rank(rows)),
        "shares": {name: value.as_json() for name, value in shares(rows).items()},
        "quantities": {
            name: {"p50": middle, "p95": high} for name, (middle, high) in quantities(rows).items()
        },
    }


def _interval_json(value: Interval | None) -> dict[str, float] | None:
    return {"mean": value.value, "low": value.low, "high": value.high} if value else None


def _of(flags: Sequence[bool]) -> Share:
    return Share(sum(flags), len(flags))


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _spread(
    rows: Iterable[Row], take: Callable[[Row], float | None]
) -> tuple[float | None, float | None]:
    values = [value for row in rows if (value := take(row)) is not None]
    return percentile(values, 50), percentile(values, 95)

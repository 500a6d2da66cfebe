"""Are the answers right: each question of a file is asked, and what comes back is scored by rule.

Nothing here needs a model to judge: facts are found by their keys, refusals by the answer's status,
citations by `eval.judge`. The same answer always gets the same score.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from assistant.model import (
    Answer,
    Citation,
    NoticeKind,
    Passage,
    Question,
    Sentence,
    Status,
    Turn,
)
from eval import gold
from eval.datasets import AskedQuestion
from eval.judge import judge
from eval.match import says, without_markers
from eval.wrong import says_wrong
from ingest.access import Reader
from ingest.errors import DocentError

Outcome = Literal[
    "right",  # answerable, answered, every required fact there
    "incomplete",  # answerable, answered, a required fact missing
    "wrong_refusal",  # answerable, refused
    "right_refusal",  # not answerable, refused
    "wrong_answer",  # not answerable, answered
    "failed",  # no answer came
]
Arm = Literal["retrieval", "none", "oracle", "refusal"]
"""With what the model is asked; `eval.arms` says more."""
WARNING = (NoticeKind.OLD, NoticeKind.NEWER, NoticeKind.CONFLICT)
"""Notices that tell a reader not to take a value as it stands."""


class Assistant(Protocol):
    """What is measured; `assistant.answer.Assistant` is one."""

    async def ask(self, question: Question) -> Answer:
        """Answer from the documents, or say that it is not found."""
        ...

    def warm(self) -> None:
        """Load the models ahead, so that the first question is timed like the others."""
        ...


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FactRow(_Shape):
    """A fact of a question, and whether the answer says it."""

    text: str
    required: bool
    covered: bool


class WrongRow(_Shape):
    """A wrong fact of a question, and whether the answer says it."""

    text: str
    said: bool
    """Without marking it in the same sentence as old or another's; `eval.wrong`."""
    warned: bool = False
    """Said, but by sentences all of which a notice beside the answer is about."""


class CitationRow(_Shape):
    """A sentence with one of its citations, and what the judge found."""

    sentence: str
    marker: int
    document_id: str
    quote: str
    carries: bool
    """Alone."""
    precise: bool | None = None
    """As ALCE counts (Gao et al., EMNLP 2023): all citations of the sentence carry it together, and
    this one carries it alone or they would not without it. None: an older row, which did not ask.
    """
    missing: tuple[str, ...]
    heading: str = ""
    """Title and headings that the quote stands under; the judge reads them with it."""


class Row(_Shape):
    """One question with its answer and its scores; one line of the `--out` file."""

    id: str
    kind: str
    digest: str
    """Of the question's line: a changed line is asked again."""
    llm: str
    """The setting under which it was asked."""
    question: str
    answerable: bool
    outcome: Outcome
    status: str = ""
    """The answer's own; empty when none came."""
    reason: str = ""
    """Why no answer came."""
    answer: str = ""
    model: str = ""
    facts: tuple[FactRow, ...] = ()
    wrong: tuple[WrongRow, ...] = ()
    document_cited: bool = False
    document_retrieved: bool = False
    retrieved: tuple[str, ...] = ()
    """Ids of the passages' documents, best first; one that has several passages, several times."""
    gold_rank: int | None = None
    """Place of the first passage of a right document, from 1; None: there is none."""
    first_cited: str = ""
    """Id of the document that the first citation is of; empty without citations."""
    first_right: bool = False
    """It is one that the question names."""
    cited: tuple[str, ...] = ()
    """Ids of all cited documents, each once, in the order of the citations."""
    both_sides: bool = False
    """Every side of a question that has several is reported; `eval.gold.both_sides`."""
    notices: tuple[str, ...] = ()
    """Kinds of the notices beside the answer."""
    score: float | None = None
    """How sure the assistant was that the documents answer the question, 0..1."""
    signs: dict[str, float] = {}
    """What that score was made of."""
    arm: Arm = "retrieval"
    standalone: bool = False
    """Asked in full, without its history."""
    half: str = ""
    """`test` or `dev`, by the question's line; empty for rows of old."""
    sentences: int = 0
    sentences_cited: int = 0
    sentences_carried: int = 0
    """By all their citations together."""
    sentences_marked: int = 0
    """Shown as unsupported by the assistant itself."""
    citations: tuple[CitationRow, ...] = ()
    first_token_ms: float | None = None
    total_ms: float | None = None
    prompt_tokens: int | None = None
    """Of all that the model was asked for this answer, read from its cache or not; None: untold."""
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """How all questions of a run are asked, and what counts as an answer."""

    llm: str
    """The setting of the model."""
    groups: frozenset[str] | None = None
    """Whose groups ask; None: those that each line names."""
    arm: Arm = "retrieval"
    standalone: bool = False
    """Follow-ups are asked in full, without their history."""
    stand_ins: bool = False
    """Extracts in place of a silent model count: it is not the model that is measured."""

    def question(self, asked: AskedQuestion) -> Question:
        """What the assistant is asked for a line."""
        groups = frozenset(asked.groups) if self.groups is None else self.groups
        if self.standalone and asked.standalone:
            return Question(asked.standalone, Reader(groups=groups))
        history = tuple(Turn(role=turn.role, content=turn.content) for turn in asked.history)
        return Question(asked.question, Reader(groups=groups), history)


def score(asked: AskedQuestion, answer: Answer, asking: Asking, total_ms: float) -> Row:
    """Score one answer against what the question's line says of it."""
    refused = answer.status is Status.NOT_FOUND
    text = without_markers(answer.text, (citation.marker for citation in answer.citations))
    # A refusal names the nearest pages; a key that stands in one of their titles was not answered.
    facts = tuple(
        FactRow(
            text=fact.text, required=fact.required, covered=not refused and says(text, fact.keys)
        )
        for fact in asked.facts
    )
    ranks = [rank for rank, p in enumerate(answer.passages, 1) if gold.holds(asked, p, also=True)]
    found = {
        "outcome": _outcome(asked, facts, refused=refused),
        "status": answer.status.value,
        "answer": answer.text,
        "model": answer.model,
        "facts": facts,
        "wrong": _wrong(asked, answer, refused=refused),
        "document_retrieved": bool(ranks),
        "retrieved": tuple(passage.document_id for passage in answer.passages),
        "gold_rank": ranks[0] if ranks else None,
        "notices": tuple(notice.kind.value for notice in answer.notices),
        "score": answer.score,
        "signs": dict(answer.signs),
        "first_token_ms": answer.timings.get("first_token_ms"),
        "total_ms": total_ms,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
    }
    row = _owed(asked, asking).model_copy(update=found)
    return row if refused else _with_citations(row, asked, answer)


async def run(
    questions: Sequence[AskedQuestion],
    assistant: Assistant,
    asking: Asking,
    *,
    concurrency: int = 1,
    keep: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """Ask every question and give a row for each, in the questions' order.

    `keep` is told each row as soon as it is there. A question that raises is a row too.
    """
    rows: dict[str, Row] = {}
    waiting = iter(questions)

    async def worker() -> None:
        for asked in waiting:
            rows[asked.id] = await _ask(asked, assistant, asking)
            keep(rows[asked.id])

    async with asyncio.TaskGroup() as workers:
        for _ in range(concurrency):
            workers.create_task(worker())
    return [rows[asked.id] for asked in questions]


def read_rows(path: Path, questions: Iterable[AskedQuestion], asking: Asking) -> list[Row]:
    """The rows of an earlier, broken-off run that still hold; failed ones are to be asked again.

    A last line that was cut while it was written is passed over; so are rows of lines that changed.

    Raises:
        DocentError: when the file is something else, or its rows are of another model or arm.
    """
    digests = {asked.id: asked.digest for asked in questions}
    kept: dict[str, Row] = {}
    if not path.exists():
        return []
    *whole, _cut = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, line in enumerate(whole, start=1):
        try:
            row = Row.model_validate_json(line)
        except ValidationError:
            msg = f"{path}, line {number}: this is not a row of an earlier run. Give another --out."
            raise DocentError(msg) from None
        if told := _differs(row, asking):
            msg = f"{path}, line {number}: made with {told}. Give another --out."
            raise DocentError(msg)
        if row.outcome != "failed" and digests.get(row.id) == row.digest:
            kept[row.id] = row
    return list(kept.values())


def _differs(row: Row, asking: Asking) -> str:
    """What a row was made with that this run is not; empty when it belongs to it."""
    pairs = {
        "the model": (row.llm, asking.llm),
        "the arm": (row.arm, asking.arm),
        "standalone": (row.standalone, asking.standalone),
    }
    told = (f"{name} {was!r}, not {now!r}" for name, (was, now) in pairs.items() if was != now)
    return next(told, "")


async def _ask(asked: AskedQuestion, assistant: Assistant, asking: Asking) -> Row:
    began = perf_counter()
    try:
        answer = await assistant.ask(asking.question(asked))
    except Exception as error:  # noqa: BLE001 - whatever happened, the question is owed a row
        reason = f"{type(error).__name__}: {error}"
        return _owed(asked, asking).model_copy(update={"reason": reason})
    if answer.trouble and not asking.stand_ins:
        return _owed(asked, asking).model_copy(update={"reason": answer.trouble})
    return score(asked, answer, asking, 1000 * (perf_counter() - began))


def _owed(asked: AskedQuestion, asking: Asking) -> Row:
    """The row of a question that got no answer."""
    return Row(
        id=asked.id,
        kind=asked.kind,
        digest=asked.digest,
        llm=asking.llm,
        question=asking.question(asked).text,
        answerable=asked.answerable,
        outcome="failed",
        facts=tuple(
            FactRow(text=fact.text, required=fact.required, covered=False) for fact in asked.facts
        ),
        wrong=tuple(WrongRow(text=wrong.text, said=False) for wrong in asked.wrong),
        arm=asking.arm,
        standalone=asking.standalone,
        half=asked.half,
    )


def _outcome(asked: AskedQuestion, facts: Iterable[FactRow], *, refused: bool) -> Outcome:
    if not asked.answerable:
        return "right_refusal" if refused else "wrong_answer"
    if refused:
        return "wrong_refusal"
    return "right" if all(fact.covered for fact in facts if fact.required) else "incomplete"


def _wrong(asked: AskedQuestion, answer: Answer, *, refused: bool) -> tuple[WrongRow, ...]:
    """Which wrong facts are said, and of which a notice beside the answer warns."""
    told = [] if refused else list(answer.sentences) or [Sentence(answer.text, (), supported=False)]
    warned = {m for notice in answer.notices if notice.kind in WARNING for m in notice.citations}
    pages: list[Passage | Citation] = [*answer.passages, *answer.citations]
    present = max((page.updated_at.year for page in pages if page.updated_at), default=None)
    rows = []
    for wrong in asked.wrong:
        saying = [
            sentence
            for sentence in told
            if says_wrong(
                without_markers(sentence.text, sentence.citations),
                wrong.keys,
                asked.question,
                present,
            )
        ]
        under = [bool(s.citations) and warned.issuperset(s.citations) for s in saying]
        rows.append(WrongRow(text=wrong.text, said=bool(saying), warned=any(under) and all(under)))
    return tuple(rows)


def _with_citations(row: Row, asked: AskedQuestion, answer: Answer) -> Row:
    by_marker = {citation.marker: citation for citation in answer.citations}
    pairs: list[CitationRow] = []
    carried = 0
    for sentence in answer.sentences:
        text = without_markers(sentence.text, sentence.citations)
        cited = {marker: by_marker.get(marker) for marker in sentence.citations}
        together = _carried(text, cited.values())
        carried += together
        for marker, citation in cited.items():
            others = [other for number, other in cited.items() if number != marker]
            needed = together and not _carried(text, others)
            pairs.append(_pair(text, marker, citation, together=together, needed=needed))
    covered = all(fact.covered for fact in row.facts if fact.required)
    ids = dict.fromkeys(citation.document_id for citation in answer.citations)
    first = answer.citations[0] if answer.citations else None
    return row.model_copy(
        update={
            "document_cited": any(gold.holds(asked, c, also=True) for c in answer.citations),
            "first_cited": first.document_id if first else "",
            # A copy elsewhere does not make an old page the current one.
            "first_right": first is not None and gold.holds(asked, first),
            "cited": tuple(ids),
            "both_sides": gold.both_sides(asked, answer, covered=covered),
            "sentences": len(answer.sentences),
            "sentences_cited": sum(bool(sentence.citations) for sentence in answer.sentences),
            "sentences_carried": carried,
            "sentences_marked": sum(not sentence.supported for sentence in answer.sentences),
            "citations": tuple(pairs),
        }
    )


def _carried(sentence: str, citations: Iterable[Citation | None]) -> bool:
    return judge(sentence, [_source(citation) for citation in citations if citation]).carried


def _pair(
    sentence: str, marker: int, citation: Citation | None, *, together: bool, needed: bool
) -> CitationRow:
    # A marker that leads nowhere is a citation that carries nothing.
    verdict = judge(sentence, [_source(citation)] if citation else [])
    return CitationRow(
        sentence=sentence,
        marker=marker,
        document_id=citation.document_id if citation else "",
        quote=citation.quote if citation else "",
        carries=verdict.carried,
        precise=together and (verdict.carried or needed),
        missing=verdict.missing,
        heading=_heading(citation) if citation else "",
    )


def _source(citation: Citation) -> str:
    """What is cited is the quote where it stands: under its title and headings."""
    return f"{_heading(citation)}\n{citation.quote}"


def _heading(citation: Citation) -> str:
    return "\n".join([citation.title, *citation.section])

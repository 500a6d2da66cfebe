"""Feedback to review, and what of it becomes a question of the test set.

An accepted question is kept with the feedback; `questions` gives all of them as lines of the format
of `sample/questions.jsonl`, to be put behind those of a file that `docent eval` and the night read.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from web.admin.maintainer import Maintainer
from web.problems import NO_DOCUMENT, Refused, declared
from web.schema import AnswerOut, Id, Line, Moment, Text
from web.services import Given, Services
from web.shown import Sight
from web.state import Feedback, FeedbackState, Verdict
from web.who import Caller

MEDIA_TYPE = "application/x-ndjson"
NO_FEEDBACK = "There is no such feedback."
CLASS = "feedback"
"""The class of questions that come from readers, where the maintainer names no other."""
MOST_CANDIDATES = 50

router = APIRouter()

Key = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Keys = Annotated[list[Key], Field(min_length=1, max_length=50)]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class StateIn(_Given):
    """How far the maintainers are with a feedback."""

    state: Annotated[FeedbackState, Field(strict=False)]


class FactIn(_Given):
    """Something that a right answer says; one of `keys` stands in it."""

    text: Text
    required: bool = True
    keys: Keys
    where: list[Id] = Field(default=[], max_length=20)


class WrongIn(_Given):
    """Something that an answer must not say."""

    text: Text
    keys: Keys
    where: list[Id] = Field(default=[], max_length=20)


class GoldIn(_Given):
    """A question of the test set. One without `documents` has to be refused."""

    question: Text
    kind: Line = Field(default=CLASS, alias="class")
    groups: list[Id] = Field(default=[], max_length=50)
    documents: list[Id] = Field(default=[], max_length=20)
    facts: list[FactIn] = Field(default=[], max_length=20)
    wrong: list[WrongIn] = Field(default=[], max_length=20)
    answer: str = Field(default="", max_length=4000)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.documents) != any(fact.required for fact in self.facts):
            msg = "documents and at least one required fact belong together: give both or neither"
            raise ValueError(msg)
        return self


class VerdictIn(_Given):
    """Whether a candidate becomes a question of the test set, and which."""

    verdict: Literal["accepted", "rejected"]
    gold: GoldIn | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.verdict == "accepted") != (self.gold is not None):
            msg = "gold belongs to what is accepted, and to nothing else"
            raise ValueError(msg)
        return self


class ReviewOut(BaseModel):
    """What somebody said about an answer; nothing tells who."""

    id: str
    question: str
    answer: AnswerOut | None = Field(description="As far as the caller may see it.")
    helpful: bool | None
    wrong_sentences: list[int] = Field(description="Places among the sentences of `answer`.")
    text: str
    right_page: str
    state: FeedbackState
    verdict: Verdict
    created_at: Moment
    updated_at: Moment


class ReviewsOut(BaseModel):
    """Feedback, the latest first."""

    counts: dict[str, int] = Field(description="How many there are in each state.")
    feedback: list[ReviewOut]
    next: str | None = Field(description="What `before` takes to go on; null at the end.")


class DraftOut(BaseModel):
    """What a question of the test set could begin with. The facts are for people to say."""

    question: str
    documents: list[str]
    answer: str


class CandidateOut(ReviewOut):
    """A feedback that may become a question."""

    draft: DraftOut


class CandidatesOut(BaseModel):
    """Those that nobody has decided on, the oldest first."""

    candidates: list[CandidateOut]
    accepted: int = Field(description="How many questions `questions` gives.")


_TROUBLE = declared(HTTPStatus.SERVICE_UNAVAILABLE)
_FOUND = declared(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)


@router.get("/feedback", response_model=ReviewsOut, responses=_TROUBLE)
async def reviews(
    services: Given,
    caller: Maintainer,
    state: FeedbackState | None = None,
    before: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> Any:
    """What readers said, as far as the caller may see the answers that they speak of."""
    review = services.state.review
    found = await review.feedback(state=state, before=before, limit=limit)
    eyes = _Eyes(services, caller)
    shown = [ReviewOut(**await eyes.of(one)) for one in found]
    eyes.close()
    return ReviewsOut(
        counts={key.value: n for key, n in (await review.counts()).items()},
        feedback=shown,
        next=found[-1].id if len(found) == limit else None,
    )


@router.patch("/feedback/{feedback_id}", response_model=ReviewOut, responses=_FOUND)
async def settle(feedback_id: str, body: StateIn, services: Given, caller: Maintainer) -> Any:
    """Say how far the maintainers are with it."""
    found = await services.state.review.settle(feedback_id, body.state)
    return await _one(found, services, caller)


@router.get("/candidates", response_model=CandidatesOut, responses=_TROUBLE)
async def candidates(services: Given, caller: Maintainer) -> Any:
    """Feedback that may become a question of the test set."""
    review = services.state.review
    eyes = _Eyes(services, caller)
    shown = []
    for one in await review.candidates(limit=MOST_CANDIDATES):
        told = await eyes.of(one)
        shown.append(CandidateOut(**told, draft=_draft(one, told["answer"])))
    eyes.close()
    return CandidatesOut(candidates=shown, accepted=len(await review.accepted()))


@router.post("/candidates/{feedback_id}", response_model=ReviewOut, responses=_FOUND)
async def decide(feedback_id: str, body: VerdictIn, services: Given, caller: Maintainer) -> Any:
    """Make a question of the test set of it, or not. A second time replaces the first."""
    gold = None
    if body.gold is not None:
        sight = Sight(services.assistant, caller.reader)
        readable = await sight.readable(body.gold.documents)
        if len(readable) < len(body.gold.documents):
            raise Refused(HTTPStatus.NOT_FOUND, NO_DOCUMENT)
        gold = {"id": f"feedback-{feedback_id}", **body.gold.model_dump(by_alias=True)}
    found = await services.state.review.judge(
        caller.user_id, feedback_id, Verdict(body.verdict), gold
    )
    return await _one(found, services, caller)


@router.get(
    "/questions",
    response_class=Response,
    responses={
        **_TROUBLE,
        HTTPStatus.OK.value: {
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
            "description": "A JSON object a line, as `docent eval answers` reads them.",
        },
    },
)
async def questions(services: Given, caller: Maintainer) -> Response:
    """The accepted questions whose documents the caller may read, the oldest first."""
    sight = Sight(services.assistant, caller.reader)
    lines = []
    for one in await services.state.review.accepted():
        gold = one.gold or {}
        if len(await sight.readable(gold["documents"])) == len(gold["documents"]):
            lines.append(json.dumps(gold, ensure_ascii=False) + "\n")
    return Response("".join(lines), media_type=MEDIA_TYPE)


async def _one(found: Feedback | None, services: Services, caller: Caller) -> ReviewOut:
    if found is None:
        raise Refused(HTTPStatus.NOT_FOUND, NO_FEEDBACK)
    eyes = _Eyes(services, caller)
    shown = ReviewOut(**await eyes.of(found))
    eyes.close()
    return shown


class _Eyes:
    """Feedback as one maintainer may see it. It is of others: only what still stands there."""

    def __init__(self, services: Services, caller: Caller) -> None:
        self._services = services
        self._caller = caller
        self._sight = Sight(services.assistant, caller.reader, owner=False)

    async def of(self, one: Feedback) -> dict[str, Any]:
        """The fields of a `ReviewOut`."""
        answer, wrong = None, one.wrong_sentences
        if one.answer is not None:
            answer, _ = await self._sight.answer(one.answer)
            wrong = _moved(wrong, one.answer["sentences"], answer["sentences"])
        return {
            "id": one.id,
            "question": one.question,
            "answer": answer,
            "helpful": one.helpful,
            "wrong_sentences": list(wrong),
            "text": one.text,
            "right_page": one.right_page,
            "state": FeedbackState(one.state),
            "verdict": Verdict(one.verdict),
            "created_at": one.created_at.isoformat(timespec="seconds"),
            "updated_at": one.updated_at.isoformat(timespec="seconds"),
        }

    def close(self) -> None:
        """Write down what was shown."""
        self._services.shown(self._caller, "admin", self._sight.seen)


def _moved(places: tuple[int, ...], before: list[Any], after: list[Any]) -> tuple[int, ...]:
    """Where sentences stand among those that are shown; those that are not are left out."""
    now = {id(sentence): place for place, sentence in enumerate(after)}
    kept = (before[place] for place in places if place < len(before))
    return tuple(now[id(sentence)] for sentence in kept if id(sentence) in now)


def _draft(one: Feedback, answer: Mapping[str, Any] | None) -> DraftOut:
    """What is known already: of an answer that helped, what it cites and says."""
    if not one.helpful or answer is None:
        return DraftOut(question=one.question, documents=[], answer="")
    cited = dict.fromkeys(citation["document_id"] for citation in answer["citations"])
    said = " ".join(one["text"] for one in answer["sentences"] if one["supported"])
    return DraftOut(question=one.question, documents=list(cited), answer=said)

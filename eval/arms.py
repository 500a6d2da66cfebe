"""What retrieval and what the model is worth: the same questions with nothing, and with the best.

- `retrieval`: the assistant as it is.
- `none`: the model alone, without passages. What it says is scored for facts, wrong facts and
  abstention; there is nothing that it could cite.
- `oracle`: the assistant as it is, over passages of the right documents only. What is still wrong
  is not retrieval's fault. It is asked no question that no document answers.
- `refusal`: the assistant as it is, with a model that always refuses. What it scores, a model has
  to beat: it is what extracts and the doubt of a refused draft do by themselves.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextvars import ContextVar
from time import perf_counter

from assistant.answer import Finder, Warmable
from assistant.draft import Draft
from assistant.engines import llm_from
from assistant.llm import LLM, Message, Usage
from assistant.model import Answer, Passage, Question, Status
from assistant.prompt import REFUSAL
from assistant.queries import Reading
from eval.answers import Arm, Asking
from eval.answers import Assistant as Asked
from eval.datasets import AskedQuestion
from eval.gold import is_any
from ingest.access import Reader
from ingest.errors import DocentError
from ingest.filters import Facets, Filter
from ingest.index import Counts, Entry
from ingest.model import Document
from ingest.settings import Settings

DEPTHS = (500, 5000)
"""How deep the oracle looks for the right documents, until it has found all of them."""
ALONE = (
    "You answer questions about the work of a scientific collaboration, in one to three sentences, "
    f"as exactly as you can. If you do not know the answer, reply exactly: {REFUSAL}"
)
"""The instructions of the arm without retrieval."""


_GOLD: ContextVar[tuple[str, ...]] = ContextVar("_GOLD")
"""The documents that the question being asked names. A context reaches the threads that search."""


class Alone:
    """The arm `none`: a model that is given the conversation and nothing else."""

    def __init__(self, llm: LLM, max_tokens: int) -> None:
        self._llm = llm
        self._max_tokens = max_tokens

    async def ask(self, question: Question) -> Answer:
        """What the model says by itself, unchecked."""
        usage, draft = Usage(), Draft(self._max_tokens)
        began, first_token_ms = perf_counter(), None
        pieces = self._llm.stream(_alone(question), usage)
        try:
            async for piece in pieces:
                first_token_ms = first_token_ms or 1000 * (perf_counter() - began)
                draft.add(piece)
                if draft.enough:
                    break
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()
        text = draft.tidy()
        return Answer(
            question=question.text,
            status=Status.NOT_FOUND if draft.refused or not text else Status.ANSWERED,
            text=text,
            model=self._llm.name,
            timings={"first_token_ms": first_token_ms} if first_token_ms else {},
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
        )

    def warm(self) -> None:
        """Load the model, which reads the instructions."""
        llm: object = self._llm
        if isinstance(llm, Warmable):
            asyncio.run(llm.warm([Message("system", ALONE)]))


class Refusing:
    """The model of the arm `refusal`."""

    name = "refusal"

    async def stream(
        self,
        messages: Sequence[Message],
        usage: Usage | None = None,
    ) -> AsyncGenerator[str]:
        """The refusal, at once."""
        yield REFUSAL


class GoldFinder:
    """Finds passages of the right documents only, in the order of the finder that it wraps.

    What is right is of the question that an `Oracle` is asking; outside of one nothing is.
    """

    def __init__(self, finder: Finder, k: int) -> None:
        self._finder = finder
        self._k = k

    def retrieve(
        self,
        text: str,
        reader: Reader,
        k: int | None = None,
        also: Sequence[Reading] = (),
        only: Filter | None = None,
    ) -> list[Passage]:
        """The best passages of the right documents that this reader may see."""
        names = _GOLD.get(())
        kept: list[Passage] = []
        for depth in DEPTHS if names else ():
            found = self._finder.retrieve(text, reader, depth, also, only)
            kept = [passage for passage in found if is_any(names, passage, also=True)]
            if all(any(is_any([name], p, also=True) for p in kept) for name in names):
                break
        return kept[: k or self._k]

    def document(self, document_id: str, reader: Reader) -> Document | None:
        """As the finder has it."""
        return self._finder.document(document_id, reader)

    def counts(self, reader: Reader, only: Filter | None = None) -> Counts:
        """As the finder has it."""
        return self._finder.counts(reader, only)

    def facets(self, reader: Reader, only: Filter | None = None) -> Facets:
        """As the finder has it."""
        return self._finder.facets(reader, only)

    def glossary(self, reader: Reader) -> tuple[Entry, ...]:
        """As the finder has it."""
        return self._finder.glossary(reader)


class Oracle:
    """The arm `oracle`: an assistant whose finder is a `GoldFinder`, told what is right."""

    def __init__(self, assistant: Asked, gold: Mapping[Question, Sequence[str]]) -> None:
        self._assistant = assistant
        self._gold = gold

    async def ask(self, question: Question) -> Answer:
        """The assistant's answer from the documents that the question's line names."""
        outside = _GOLD.set(tuple(self._gold[question]))
        try:
            return await self._assistant.ask(question)
        finally:
            _GOLD.reset(outside)

    def warm(self) -> None:
        """Load the models."""
        self._assistant.warm()


def arm_from(settings: Settings, questions: Iterable[AskedQuestion], asking: Asking) -> Asked:
    """What is asked in the arm that `asking` names.

    Raises:
        DocentError: the arm needs a model, and the settings have none.
    """
    from assistant.bootstrap import assistant_from

    if asking.arm == "none":
        llm = llm_from(settings.llm, settings.models)
        if llm is None:
            msg = "The arm `none` is the model alone, and [llm] model is 'none'. Name one by --llm."
            raise DocentError(msg)
        return Alone(llm, settings.llm.max_tokens)
    if asking.arm == "retrieval":
        return assistant_from(settings)
    if asking.arm == "refusal":
        return assistant_from(settings, llm=Refusing())
    # All passages may be of one document: there may be only one that is right.
    k = settings.retrieval.k
    deep = settings.retrieval.model_copy(update={"per_document": k})
    assistant = assistant_from(
        settings.model_copy(update={"retrieval": deep}), lambda finder: GoldFinder(finder, k)
    )
    return Oracle(assistant, {asking.question(one): one.documents for one in questions})


def askable(questions: Iterable[AskedQuestion], arm: Arm) -> list[AskedQuestion]:
    """Those that an arm is asked: an oracle has nothing to give where no document is right."""
    return [one for one in questions if one.answerable or arm != "oracle"]


def _alone(question: Question) -> list[Message]:
    earlier = [
        Message("assistant" if turn.role == "assistant" else "user", turn.content)
        for turn in question.history
    ]
    return [Message("system", ALONE), *earlier, Message("user", question.text)]

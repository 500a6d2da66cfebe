"""What of a stored answer somebody may see now.

An answer was made for one reader at one time. Whoever reads it again, its owner included, is
checked again against the index: what rests on a document that he may not read now, or that is
gone, is withheld, and nothing tells how much it was or of what.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assistant.model import NoticeKind
from ingest.access import Reader
from ingest.model import Document
from web.services import Assistant
from web.state.conversations import Message

NOT_SHOWN = "Some parts are not shown."
ABOUT_NOTHING = frozenset({NoticeKind.UNSURE})
"""Notices that tell nothing of any page."""


@dataclass(frozen=True, slots=True)
class Part:
    """A message as its reader may see it."""

    id: str
    role: str
    text: str
    answer: dict[str, Any] | None
    created_at: str
    withheld: bool
    """Whether some of it is not shown."""


class Sight:
    """One reader's eyes, for one request: what was looked up once is not looked up again."""

    def __init__(self, assistant: Assistant, reader: Reader, *, owner: bool = True) -> None:
        """`owner`: he was shown the very words before; to others only what still stands there."""
        self._assistant = assistant
        self._reader = reader
        self._owner = owner
        self._known: dict[str, Document | None] = {}
        self.seen: dict[str, None] = {}
        """The documents of which something was shown."""

    async def message(self, message: Message) -> Part:
        """A message, without what may not be seen of it."""
        answer, text, withheld = None, message.text, False
        if message.answer is not None:
            answer, withheld = await self.answer(message.answer)
            text = answer["answer"]
        elif message.role == "assistant":
            # A draft that was cut off: nothing says which page which word is from.
            withheld = not await self._all(message.documents)
            text = "" if withheld else message.text
        made = message.created_at.isoformat()
        return Part(message.id, message.role, text, answer, made, withheld)

    async def answer(self, stored: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """The JSON of an answer without what may not be seen; True when something is missing."""
        citations = [one for one in stored["citations"] if await self._may(one, "quote")]
        passages = [one for one in stored["passages"] if await self._may(one, "text")]
        for one in (*citations, *passages):
            self.seen[one["document_id"]] = None
        known = {one["marker"] for one in citations}
        withheld = len(citations) < len(stored["citations"])
        lost = withheld or len(passages) < len(stored["passages"])
        sentences = [one for one in stored["sentences"] if _rests(one, known, lost=lost)]
        notices = [
            one
            for one in stored["notices"]
            if _rests(one, known, lost=lost) or (not one["citations"] and _about_nothing(one))
        ]
        left = {
            **stored,
            "citations": [_alone(one) for one in citations],
            "passages": [_alone(one) for one in passages],
            "sentences": sentences,
            "notices": notices,
            # Whom to ask is told by the nearest pages, and nothing says which.
            "contacts": [] if lost else stored["contacts"],
            "withheld": lost,
        }
        if len(sentences) < len(stored["sentences"]):
            left["answer"] = " ".join(one["text"] for one in sentences) or NOT_SHOWN
        return left, lost

    async def readable(self, documents: Iterable[str]) -> tuple[str, ...]:
        """Those of some ids that the reader may see."""
        return tuple([one for one in documents if await self._document(one) is not None])

    async def _may(self, part: Mapping[str, Any], words: str) -> bool:
        document = await self._document(part["document_id"])
        if document is None:
            return False
        return self._owner or _stands(part, words, document)

    async def _all(self, documents: Iterable[str]) -> bool:
        found = [await self._document(document_id) for document_id in documents]
        return None not in found

    async def _document(self, document_id: str) -> Document | None:
        if document_id not in self._known:
            found = await self._assistant.document(document_id, self._reader)
            self._known[document_id] = found
        return self._known[document_id]


def _stands(part: Mapping[str, Any], words: str, document: Document) -> bool:
    if words == "quote":
        return part["quote"] in document.text
    # A piece of a table repeats its header row, which stands elsewhere in the document.
    return all(line in document.text for line in part["text"].splitlines())


def _rests(part: Mapping[str, Any], known: set[int], *, lost: bool) -> bool:
    """Whether all that a sentence or notice rests on is shown; without markers, it is all."""
    return known.issuperset(part["citations"]) if part["citations"] else not lost


def _about_nothing(notice: Mapping[str, Any]) -> bool:
    return notice["kind"] in ABOUT_NOTHING


def _alone(part: Mapping[str, Any]) -> dict[str, Any]:
    """Without the addresses of copies: whether they may be seen was not asked again."""
    return {**part, "also": []}

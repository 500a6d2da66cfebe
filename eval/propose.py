"""Questions for a test set, proposed from an index to a person who accepts, edits or rejects them.

Only passages that the given reader may read are looked at, and each question is to be asked as that
reader. Every draft, whoever wrote it, passes the same checks: it can be scored, it does not give
its answer away, it is like no other question; then a search tells whether it can be found. What a
search does not find stays a proposal: the hard questions are those worth having.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from assistant.hostile import commands
from assistant.retrieve import Retriever
from assistant.words import acronyms, identifiers, known_names, numbers, squeezed, stems
from eval import drafts, gold
from eval.datasets import AskedQuestion
from eval.drafts import Draft, NoDraft, Spot, Why
from eval.drafts_llm import Writer, suits
from eval.match import says
from eval.proposals import Origin, Proposal, Source
from ingest.access import Reader
from ingest.index import Index, StoredChunk

CLASSES = (
    "identifier",
    "paraphrase",
    "vague",
    "multi-hop",
    "table cell",
    "unanswerable",
    "freshness",
)
BY_MODEL_ONLY = frozenset({"paraphrase"})
"""No rule puts a sentence into other words."""
FOUND = 10
"""Places among which a search must find the document."""
LOOKED_UP = 50
"""Places among which a name that stands nowhere must not stand."""
MOST_PASSAGES = 5000
"""So many passages of an index are looked at, by chance, and those of pages that were replaced."""
ALIKE = 0.7
"""Two questions with the same names and this share of their words are one."""
_BATCH = 200


@dataclass(frozen=True, slots=True)
class Survey:
    """What a reader may read, as far as it is looked at."""

    passages: tuple[StoredChunk, ...]
    """In an order by chance; the first of each document before all second ones."""
    successions: tuple[tuple[tuple[StoredChunk, ...], tuple[StoredChunk, ...]], ...]
    """Passages of a page and of the one that took its place."""


@dataclass(slots=True)
class Tally:
    """What became of drafts."""

    proposed: Counter[str] = field(default_factory=Counter)
    """By class."""
    not_found: Counter[str] = field(default_factory=Counter)
    """Those of them whose documents a search does not find among the first ten."""
    dropped: Counter[str] = field(default_factory=Counter)
    """By reason."""


def survey(index: Index, reader: Reader, seed: int, most: int = MOST_PASSAGES) -> Survey:
    """Read what the reader may read, at most about `most` passages of it.

    The same seed over the same generation gives the same survey.
    """
    chance = random.Random(seed)  # noqa: S311 - a sample, no secret
    with index.snapshot() as snapshot:
        rows = [int(row) for row in snapshot.rows]
        # By what may be read alone: what may not be read must not move a single choice.
        covers = snapshot.covers(rows, reader)
        of_document: dict[str, list[int]] = {}
        for row in sorted(covers):
            of_document.setdefault(covers[row].document_id, []).append(row)
        pairs = sorted(drafts.successions({c.document_id: c for c in covers.values()}.values()))
        chosen = sorted(covers)
        chance.shuffle(chosen)
        chance.shuffle(pairs)
        wanted = [*chosen[:most]]
        wanted += [row for pair in pairs for name in pair for row in of_document[name]]
        wanted = list(dict.fromkeys(wanted))
        read: dict[int, StoredChunk] = {}
        for start in range(0, len(wanted), _BATCH):
            found = snapshot.chunks(wanted[start : start + _BATCH], reader)
            read |= {stored.row: stored for stored in found if not commands(stored.chunk.indexed)}

    def passages_of(name: str) -> tuple[StoredChunk, ...]:
        return tuple(read[row] for row in of_document[name] if row in read)

    return Survey(
        tuple(_spread([read[row] for row in chosen[:most] if row in read])),
        tuple((passages_of(old), passages_of(new)) for old, new in pairs),
    )


def _spread(passages: Iterable[StoredChunk]) -> list[StoredChunk]:
    turn: Counter[str] = Counter()
    turns = []
    for passage in passages:
        turns.append((turn[passage.chunk.document_id], passage))
        turn[passage.chunk.document_id] += 1
    return [passage for _, passage in sorted(turns, key=lambda pair: pair[0])]


class Maker:
    """Makes proposals for one reader, from rules or with a model."""

    def __init__(
        self,
        retriever: Retriever,
        reader: Reader,
        found: Survey,
        writer: Writer | None = None,
        known: Iterable[AskedQuestion] = (),
        earlier: Iterable[Proposal] = (),
    ) -> None:
        """`known` questions are not proposed again; nor are `earlier` ones, or their passages."""
        self._retriever = retriever
        self._reader = reader
        self._survey = found
        self._writer = writer
        earlier = list(earlier)
        self._known = [_Words(one.question) for one in known]
        self._known += [_Words(one.question.question) for one in earlier]
        self._used = {
            (one.question.kind, source.document, source.text)
            for one in earlier
            for source in one.origin.sources
        }
        self.tally = Tally()

    def propose(self, kinds: Sequence[str], count: int, keep: Callable[[Proposal], None]) -> None:
        """Give `count` proposals to `keep`, of all kinds in turn; fewer when drafts run out.

        Raises:
            ModelError: the model is away. What was kept stays good.
        """
        waiting = {kind: self._drafts(kind) for kind in kinds}
        while waiting and count > 0:
            for kind in list(waiting):
                made = next(waiting[kind], None)
                if made is None:
                    del waiting[kind]
                elif count > 0:
                    keep(made)
                    self.tally.proposed[kind] += 1
                    missed = made.question.answerable and made.origin.rank is None
                    self.tally.not_found[kind] += missed
                    count -= 1

    def _drafts(self, kind: str) -> Iterator[Proposal]:
        for draft in self._of_kind(kind):
            try:
                yield self._checked(draft)
            except NoDraft as reason:
                self.tally.dropped[str(reason)] += 1

    def _of_kind(self, kind: str) -> Iterator[Draft]:
        if kind == "multi-hop":
            yield from self._of_two()
        elif kind == "freshness":
            for old, new in self._survey.successions:
                fresh = (draft for draft in drafts.of_time(old, new) if self._fresh(kind, draft))
                yield from _first(fresh)
        elif kind == "unanswerable":
            # The draft that a near miss is made of need not be one that is proposed.
            for draft in self._of_one("identifier", kind):
                near = (one for one in drafts.near_misses(draft) if not self._stands(one.absent))
                yield from _first(near)
        else:
            yield from self._of_one(kind, kind)

    def _of_one(self, kind: str, used_for: str) -> Iterator[Draft]:
        by_rule = {
            "identifier": drafts.of_identifier,
            "vague": drafts.of_heading,
            "table cell": drafts.of_table,
        }
        for passage in self._survey.passages:
            if (used_for, passage.chunk.document_id, passage.chunk.shown) in self._used:
                continue
            if self._writer is None:
                make = by_rule.get(kind)
                draft = make(passage) if make else None
            else:
                draft = (
                    self._written(self._writer, kind, [passage]) if suits(kind, passage) else None
                )
            if draft:
                yield draft

    def _of_two(self) -> Iterator[Draft]:
        for draft in drafts.of_two(self._survey.passages):
            if not self._fresh(draft.kind, draft):
                continue
            if self._writer is None:
                yield draft
                continue
            name = draft.question.rpartition(" ")[2].rstrip("?")
            passages = [spot.passage for spot in draft.spots]
            if written := self._written(self._writer, draft.kind, passages, name):
                yield written

    def _written(
        self, writer: Writer, kind: str, passages: Sequence[StoredChunk], name: str = ""
    ) -> Draft | None:
        try:
            return writer.draft(kind, passages, name)
        except NoDraft as reason:
            self.tally.dropped[str(reason)] += 1
            return None

    def _fresh(self, kind: str, draft: Draft) -> bool:
        spots = [(kind, s.passage.chunk.document_id, s.passage.chunk.shown) for s in draft.spots]
        return not all(spot in self._used for spot in spots)

    def _checked(self, draft: Draft) -> Proposal:
        """The draft as a proposal.

        Raises:
            NoDraft: it is like another, cannot be scored, or gives its answer away.
        """
        words = _Words(draft.question)
        if any(words.like(other) for other in self._known):
            raise NoDraft(Why.LIKE_ANOTHER)
        if not draft.absent and not all(spot.keys for spot in draft.spots):
            raise NoDraft(Why.NO_KEYS)
        question = self._question(draft)
        made = Proposal(question=question, origin=self._origin(draft, question))
        self._known.append(words)
        return made

    def _question(self, draft: Draft) -> AskedQuestion:
        name = hashlib.sha256(f"{draft.kind}\n{draft.question}".encode()).hexdigest()[:12]
        answerable = () if draft.absent else draft.spots
        facts = [
            {
                "text": _told(key, spot),
                "keys": [key],
                "where": [_id(spot)],
                "required": not at,
            }
            for spot in answerable
            for at, key in enumerate(spot.keys)
        ]
        wrong = [
            {"text": f"outdated: {_told(key, s)}", "keys": [key], "where": [_id(s)]}
            for s in draft.stale
            for key in s.keys
        ]
        return AskedQuestion.model_validate(
            {
                "id": f"p-{name}",
                "question": draft.question,
                "class": draft.kind,
                "groups": sorted(self._reader.groups),
                "documents": list(dict.fromkeys(_id(spot) for spot in answerable)),
                "facts": facts,
                "wrong": wrong,
                "answer": " ".join(drafts.plain(spot.quote) for spot in answerable),
            }
        )

    def _origin(self, draft: Draft, asked: AskedQuestion) -> Origin:
        found = self._retriever.search(asked.question, self._reader, FOUND, per_document=1)
        right = [n for n, page in enumerate(found, start=1) if gold.holds(asked, page, also=True)]
        required = [fact.keys for fact in asked.facts if fact.required]
        also = [
            page.document_id
            for page in found
            if required
            and not gold.holds(asked, page, also=True)
            and all(says(page.text, keys) for keys in required)
        ]
        return Origin(
            by=draft.by,
            sources=[_source(spot) for spot in (*draft.spots, *draft.stale)],
            rank=right[0] if right else None,
            also=also,
        )

    def _stands(self, name: str) -> bool:
        """True when a search finds a passage that has the name, in any way of writing."""
        found = [
            *self._retriever.search(name, self._reader, LOOKED_UP, "lexical"),
            *self._retriever.search(name, self._reader, LOOKED_UP, "hybrid"),
        ]
        low = squeezed(name)
        texts = (f"{page.header}\n{page.text}" for page in found)
        return any(says(text, [name]) or low in known_names(text) for text in texts)


class _Words:
    """A question as what it is compared by."""

    def __init__(self, question: str) -> None:
        self._stems = frozenset(stems(question))
        values = {f"{number.value:g}{number.unit}" for number in numbers(question)}
        self._names = identifiers(question) | acronyms(question) | values

    def like(self, other: "_Words") -> bool:
        """True when both ask the same of the same."""
        if self._names != other._names:
            return False
        either = self._stems | other._stems
        return len(self._stems & other._stems) >= ALIKE * len(either)


def _first(found: Iterator[Draft]) -> Iterator[Draft]:
    if (one := next(found, None)) is not None:
        yield one


def _told(key: str, spot: Spot) -> str:
    """A fact for people: the key, and the words that it is taken from."""
    words = drafts.plain(spot.quote)
    return words if words.strip(" .") == key else f"{key}: {words}"


def _id(spot: Spot) -> str:
    return spot.passage.chunk.document_id


def _source(spot: Spot) -> Source:
    stored = spot.passage
    return Source(
        document=stored.chunk.document_id,
        title=stored.title,
        url=stored.url,
        heading=" › ".join(stored.chunk.headings),
        text=stored.chunk.shown,
        quote=spot.quote,
    )

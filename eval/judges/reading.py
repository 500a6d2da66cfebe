"""A text as the judge by rules sees it: statements, their clauses, and what these name and deny."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import Stemmer

from eval.judges.quantities import Quantity, quantities

_TRANSLATED = str.maketrans({**dict.fromkeys("‐‑‒–—−", "-"), "`": "", "“": '"', "”": '"', "’": "'"})
_ISO_DATE = re.compile(r"\b(\d{4})-(0[1-9]|1[0-2])-(\d{2})\b")
_MONTHS = """
    January February March April May June July August September October November December
""".split()  # noqa: SIM905 - one word after the other is easier to read
_LEVEL = re.compile(r"\bLevel[\s-](?=\d\b)", re.I)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"'(]?[A-Z0-9])")
_CLAUSE_END = re.compile(
    r"(?<!before)[;:!?]\s|,\s|\.(?:\s|$)|\((?![^()]{1,12}\))|\((?=before|formerly|previously|old)|\s-\s|\s=\s|\b(?:and|or|but|while|whereas|because|since|which|nor)\b"
)
_NAME = re.compile(r"[^\W_][\w+]*(?:[_.\-/:+]+\w+)*")
_WORD = re.compile(r"[^\W\d_]+(?:'[a-z]+)?")
_CELL = re.compile(r"\s\|\s|^\|\s*|\s*\|$")
_COMPONENTS = re.compile(r"[_/:.\-]")

_FUNCTION_WORDS = """
    a about all also an and any are as at be been being between both but by called can could did
    do does during each either every for from had has have having he her here his how i if in
    into is it its itself least likely may maybe mean means might most must named new of on one
    only or other our out per perhaps place possibly presumably probably s said same say says
    see shall she should since so some stand stands such t than that the their them then there
    these they this those through thus to too up upon very via was way we were what when where
    which while who whom whose why will with within would yes you your yourself
"""
_LIGHT_VERBS = "get give go make put take use"
_FUNCTION = frozenset(_FUNCTION_WORDS.split())
_NEGATORS = frozenset(
    {"not", "no", "never", "none", "nor", "neither", "without", "cannot", "nobody", "nothing"}
)
_DENIALS = _NEGATORS - {"without"}
_HEDGES = re.compile(
    r"\b(?:might|perhaps|probably|possibly|presumably|likely|maybe|expected|supposed|proposed|"
    r"planned (?:for|to)|no decision|not decided|undecided|unclear|not (?:clear|certain|sure)|"
    r"guess|seems?|appears? to|to be discussed)\b",
    re.I,
)
_MAY = re.compile(r"\b(?:may|could)\b(?!\s+(?:not|be)\b)", re.I)
_ALLOWED = re.compile(r"\b(?:may|can|could|allowed|permitted|possible)\b", re.I)
_OLD = re.compile(
    r"^\W*(?:before\b(?!\s+(?:that|the|then|it|a)\b)|formerly|previously|old\b)"
    r"|\b(?:formerly|previously|used to|no longer|obsolete|superseded|until then)\b",
    re.I,
)
_PAST = re.compile(
    r"\b(?:before|until|formerly|previously|was|were|earlier|used to|old|had|no longer)\b", re.I
)
_CONDITION = re.compile(r"\b(?:if|when|unless|otherwise|or the|or else)\b", re.I)
_IRREGULAR_FORMS = """
    taken:take took:take written:write wrote:write ran:run began:begin begun:begin held:hold
    kept:keep lost:lose sent:send built:build left:leave fell:fall rose:rise told:tell found:find
    broken:break broke:break shown:show chosen:choose sat:sit went:go gone:go spent:spend
    given:give made:make said:say
"""
_IRREGULAR = dict(pair.split(":") for pair in _IRREGULAR_FORMS.split())
_BOUNDS = re.compile(
    r"\b(?:(?P<most>at most|up to|below|less than|under|no more than|not more than|maximum of)|"
    r"(?P<least>at least|above|more than|over|no less than|minimum of))\s+(?:the\s+|about\s+)?$",
    re.I,
)
_stemmer = Stemmer.Stemmer("english")


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The stem of a word in small letters."""
    return str(_stemmer.stemWord(_IRREGULAR.get(word, word)))


_LIGHT = frozenset(stem(word) for word in _LIGHT_VERBS.split())


@dataclass(frozen=True)
class Part:
    """A clause, a cell, a statement: a stretch of text and what is in it."""

    text: str

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """Numbers, without those in names."""
        inside = [match.span() for match in self._name_matches]
        return tuple(
            q
            for q in quantities(self.text)
            if not any(start <= q.start and q.end <= end for start, end in inside)
        )

    @cached_property
    def names(self) -> frozenset[str]:
        """Names no other word may stand for, in small letters: `l1_mu4`, `v2.3.1`, `daq`."""
        return frozenset(match[0].casefold() for match in self._name_matches)

    @cached_property
    def name_parts(self) -> frozenset[str]:
        """The names and their components: `physics_2026_v8` is also called `v8`."""
        return self.names | {part for name in self.names for part in _COMPONENTS.split(name)}

    @cached_property
    def words(self) -> frozenset[str]:
        """Stems of the content words."""
        return self.stems - _LIGHT

    @cached_property
    def stems(self) -> frozenset[str]:
        """The same, and the verbs that say little: `take`, `go`."""
        return frozenset(token for token, _, _ in self._content)

    @cached_property
    def proper(self) -> frozenset[str]:
        """Stems of words with a capital that stand where no sentence begins."""
        return frozenset(
            token
            for token, word, start in self._content
            if word[0].isupper() and re.search(r"[\w,)]\s+$", self.text[:start])
        )

    @cached_property
    def tokens(self) -> frozenset[str]:
        """Words and names."""
        return self.words | self.names

    @cached_property
    def denied(self) -> tuple[tuple[str, ...], ...]:
        """For each denial in it, the words that it is about: at most two, the nearest first."""
        found = []
        for clause in _clauses(self.text):
            for match in _WORD.finditer(clause):
                word = match[0].casefold()
                if word in _NEGATORS or word.endswith("n't"):
                    after = [token for token, _, _ in _content(clause[match.end() :])]
                    before = [token for token, _, _ in _content(clause[: match.start()])]
                    # `For users, no` denies what stands before.
                    found.append(tuple(after[:2] or before[-1:]))
        for word in _WORD.findall(self.text):
            if rest := _without_un(word.casefold()):
                found.append((stem(rest),))
        return tuple(found)

    @property
    def denies(self) -> bool:
        """True when it denies what it says, and not only a circumstance (`without the expert`)."""
        return any(word in _DENIALS or word.endswith("n't") for word in _lower_words(self.text))

    def affirms(self, word: str) -> bool:
        """True when the word stands in it, and no denial is about it."""
        return word in self.stems and not any(word in about for about in self.denied)

    @property
    def conditional(self) -> bool:
        """Says what is so when something else is."""
        return bool(_CONDITION.search(self.text))

    @property
    def hedged(self) -> bool:
        """Told as a guess, a wish or a plan."""
        return bool(_HEDGES.search(self.text))

    @property
    def perhaps_hedged(self) -> bool:
        """Has a `may`, which is a guess or a permission."""
        return bool(_MAY.search(self.text))

    @property
    def permits(self) -> bool:
        """Tells what may or can be."""
        return bool(_ALLOWED.search(self.text))

    @property
    def old(self) -> bool:
        """What was so, and is no more."""
        return bool(_OLD.search(self.text))

    @property
    def past(self) -> bool:
        """Speaks of what was."""
        return bool(_PAST.search(self.text))

    def bound(self, quantity: Quantity) -> str:
        """`most` or `least` when the number is a limit, else nothing."""
        match = _BOUNDS.search(self.text[: quantity.start])
        return (match.lastgroup or "") if match else ""

    def has(self, quantity: Quantity) -> bool:
        """True when one of its numbers agrees."""
        return any(quantity.agrees(own) for own in self.quantities)

    @cached_property
    def _name_matches(self) -> tuple[re.Match[str], ...]:
        counted = [(quantity.start, quantity.end) for quantity in quantities(self.text)]
        return tuple(
            match
            for match in _NAME.finditer(self.text)
            # Neither `40MHz` nor the `pb-1` of `17 pb-1` is a name.
            if not any(at == match.start() or at < match.start() < end for at, end in counted)
            and _is_name(match[0])
        )

    @cached_property
    def _content(self) -> tuple[tuple[str, str, int], ...]:
        taken = [match.span() for match in self._name_matches]
        taken += [(quantity.start, quantity.end) for quantity in self.quantities]
        return tuple(_content(self.text, taken))


@dataclass(frozen=True)
class Statement(Part):
    """A sentence, a heading, or a row of a table."""

    @cached_property
    def clauses(self) -> tuple[Part, ...]:
        """Its clauses; of a row, its cells."""
        if self.is_row:
            return tuple(Part(cell) for cell in self.cells)
        return tuple(Part(clause) for clause in _clauses(self.text))

    @property
    def is_row(self) -> bool:
        """True for a row of a table."""
        return " | " in self.text

    @cached_property
    def cells(self) -> list[str]:
        """The cells of a row that have something in them."""
        return [cell.strip() for cell in _CELL.split(self.text) if cell.strip()]

    @cached_property
    def key(self) -> Part:
        """What a row is about: its first cell."""
        return Part(self.cells[0])


@dataclass(frozen=True)
class Reading(Part):
    """A whole text."""

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """Its sentences and rows, in their order."""
        return tuple(Statement(text) for text in _statements(self.text))

    @cached_property
    def headings(self) -> tuple[Statement, ...]:
        """Its lines that are no sentences: what the others are about."""
        return tuple(s for s in self.prose if s.text[-1] not in ".!?" and not s.quantities)

    @cached_property
    def header(self) -> tuple[Statement, ...]:
        """Rows that head others: without a number, and with a row below."""
        return tuple(
            row
            for before, row, after in zip(
                (None, *self.statements), self.statements, self.statements[1:], strict=False
            )
            if row.is_row and after.is_row and not (before and before.is_row) and not row.quantities
        )

    @cached_property
    def rows(self) -> tuple[Statement, ...]:
        """Its rows but those that head others."""
        return tuple(s for s in self.statements if s.is_row and s not in self.header)

    @cached_property
    def prose(self) -> tuple[Statement, ...]:
        """All that is no row."""
        return tuple(s for s in self.statements if not s.is_row)


def read(text: str) -> Reading:
    """The text in one way of writing dashes, quotes, emphasis and dates, ready to be looked at."""
    plain = text.replace("**", "").translate(_TRANSLATED)
    dated = _ISO_DATE.sub(lambda m: f"{int(m[3])} {_MONTHS[int(m[2]) - 1]} {m[1]}", plain)
    return Reading(_LEVEL.sub("L", dated))


def _statements(text: str) -> Iterator[str]:
    for line in text.splitlines():
        stripped = line.strip()
        if " | " in stripped:
            yield stripped
        else:
            yield from (part for part in _SENTENCE_END.split(stripped.lstrip("-* ")) if part)


def _clauses(text: str) -> list[str]:
    return [part.strip() for part in _CLAUSE_END.split(text) if part and part.strip()]


def _content(text: str, taken: Sequence[tuple[int, int]] = ()) -> Iterator[tuple[str, str, int]]:
    """Stem, word and place of each content word outside of what is taken."""
    for match in _WORD.finditer(text):
        word = match[0].casefold().removesuffix("'s")
        inside = any(start < match.end() and match.start() < end for start, end in taken)
        plain = _IRREGULAR.get(word, word)
        if (
            inside
            or len(word) < 2
            or plain in _FUNCTION
            or word in _NEGATORS
            or word.endswith("n't")
        ):
            continue
        yield stem(_without_un(word) or word), match[0], match.start()


def _lower_words(text: str) -> list[str]:
    return [match[0].casefold() for match in _WORD.finditer(text)]


def _without_un(word: str) -> str | None:
    """`possible` of `impossible`; None for other words."""
    for prefix, rest in (("im", "possible"), ("un", "available"), ("un", "able"), ("in", "valid")):
        if word == prefix + rest:
            return rest
    return None


def _is_name(token: str) -> bool:
    letters = [character for character in token if character.isalpha()]
    if not letters:
        return token.count(".") > 1
    if "_" in token or any(character.isdigit() for character in token):
        return True
    if len(letters) > 1 and all(letter.isupper() for letter in letters):
        return True
    if re.fullmatch("[B-HJ-Z]", token):
        return True
    return any(a.islower() and b.isupper() for a, b in pairwise(token))

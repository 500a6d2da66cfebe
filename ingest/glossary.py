"""Acronyms and what they stand for, as the documents say: "Long Form (LF)", "LF = Long Form".

The method is that of Schwartz and Hearst, "A simple algorithm for identifying abbreviation
definitions in biomedical text", Pacific Symposium on Biocomputing 2003: the letters of the short
form are looked for from right to left in the words beside it, the first one at the start of a word.
Besides brackets, lines of definition ("LF: Long Form") and the rows of tables are read; there the
second part has to begin with the long form. Of what the letters allow, only that is kept of which
nearly all letters begin a word: precision before recall, since a wrong expansion misleads a search.
No library that is kept up does this without a language model of its own.
"""

import re
from collections.abc import Iterator

from ingest.model import Acronym, BlockKind, Document

MOST_CHARS = 10
"""Of a short form."""
MOST_LONG = 80
"""Characters of a long form."""
MOST_ACRONYMS = 500
"""Kept of one document."""

_SHORT = r"[A-Za-z0-9][A-Za-z0-9&/+\-]{0,10}[A-Za-z0-9]"
_BRACKETS = re.compile(r"\(([^()\n]{2,90})\)")
_BEFORE = re.compile(rf"({_SHORT})\s*$")
_CLAUSE = re.compile(r"[.;:!?|\n()\[\]=]\s*|,\s+|\s[–—-]\s")
_LINE = re.compile(
    rf"^[\s*•\-]*[*_`]{{0,3}}({_SHORT})[*_`]{{0,3}}\s*(?:=|:|\||\s[–—-]\s|\bstands for\b|\bmeans\b)"
    r"\s*(\S[^|\n]{2,160})",
    re.MULTILINE,
)
_STANDS = re.compile(rf"\b({_SHORT})\s+(?:=|stands for|is short for|means)\s+([^.;|\n]{{3,120}})")
_WORD = re.compile(r"\S+")
_SMALL_WORDS = "a an and at by de for from in of on or the to via with"
_SMALL = frozenset(_SMALL_WORDS.split())


def acronyms(document: Document) -> tuple[Acronym, ...]:
    """What a document says its short forms stand for, each once, in order."""
    if document.format == "code":
        return ()
    found: dict[Acronym, None] = {}
    for block in document.blocks:
        text = document.text[block.start : block.end]
        if block.kind is not BlockKind.CODE:
            found |= dict.fromkeys(_in_brackets(text))
            found |= dict.fromkeys(_defined(text))
        if len(found) >= MOST_ACRONYMS:
            break
    return tuple(found)[:MOST_ACRONYMS]


def _in_brackets(text: str) -> Iterator[Acronym]:
    for match in _BRACKETS.finditer(text):
        inner = match[1].strip()
        before = _last_clause(text[max(0, match.start() - 2 * MOST_LONG) : match.start()])
        # "(LF, see there)" and "(LF)": what stands first inside.
        first = re.split(r"[,;:]", inner, maxsplit=1)[0].strip()
        if is_short(first):
            if long := long_form(first, before):
                yield Acronym(_singular(first), long)
            continue
        named = _BEFORE.search(before)
        if named and is_short(named[1]) and (long := _whole(named[1], first)):
            yield Acronym(_singular(named[1]), long)


def _defined(text: str) -> Iterator[Acronym]:
    for match in (*_LINE.finditer(text), *_STANDS.finditer(text)):
        short, rest = match[1], match[2].strip(" *_`")
        if is_short(short) and (long := _whole(short, rest)):
            yield Acronym(_singular(short), long)


def is_short(text: str) -> bool:
    """True for what may be a short form: `HLT`, `L1`, `DAQs`, `WPs`; not `The`, `2026`, `GeV`.

    >>> [is_short(text) for text in ("HLT", "L1", "The", "2026", "L1_MU4", "v3.1")]
    [True, True, False, False, False, False]
    """
    if not re.fullmatch(_SHORT, text) or len(text) > MOST_CHARS:
        return False
    bare = _singular(text)
    capitals = sum(char.isupper() for char in bare)
    return bare[0].isalpha() and (
        capitals >= 2 or (capitals == 1 and len(bare) == 2 and bare[1].isdigit())
    )


def long_form(short: str, before: str) -> str:
    """The words at the end of `before` that a short form stands for; empty when there are none.

    >>> long_form("HLT", "it is sent to the high-level trigger")
    'high-level trigger'
    >>> long_form("HLT", "about 3 kHz")
    ''
    """
    bare = _bare(short)
    words = min(len(bare) + 5, 2 * len(bare))
    starts = [match.start() for match in _WORD.finditer(before)][-words:]
    if not bare or not starts:
        return ""
    text = before[starts[0] :].rstrip()
    at = len(text)
    for position in range(len(bare) - 1, -1, -1):
        at -= 1
        while at >= 0 and not _fits(text, at, bare[position], first=position == 0):
            at -= 1
        if at < 0:
            return ""
    return _kept(short, text[at:])


def _fits(text: str, at: int, char: str, *, first: bool) -> bool:
    if text[at].lower() != char:
        return False
    return not first or at == 0 or not text[at - 1].isalnum()


def _whole(short: str, text: str) -> str:
    """The long form that `text` begins with, by the shortest beginning that has all letters."""
    text = re.sub(r"^(?:the|an?)\s+", "", text.strip(), flags=re.IGNORECASE)
    ends = [match.end() for match in _WORD.finditer(text)][: 2 * len(short)]
    clause = _CLAUSE.search(text)
    last = clause.start() + 1 if clause else len(text)
    found = (long_form(short, text[:end].rstrip(" ,.;:")) for end in ends if end <= last)
    begun = [long for long in found if long and text.startswith(long)]
    # "crystal electromagnetic" has the letters of CEC too, but one of them inside of a word.
    return max(begun, key=lambda long: _initials_matched(short, long), default="")


def _kept(short: str, long: str) -> str:
    """A long form with what rules out that it is one: too short, too long, or holding the short."""
    long = " ".join(long.split()).strip(" *_`'\"“”,)")
    long = re.sub(r"['’]s$", "", long)
    words = re.findall(r"[^\W_]+", long)
    if len(long) > MOST_LONG or len(long) <= len(short) or words[-1].lower() in _SMALL:
        return ""
    if _singular(short).lower() in {_singular(word).lower() for word in words}:
        return ""
    return long if _plausible(short, long) else ""


def _plausible(short: str, long: str) -> bool:
    """True when nearly all letters begin a word, and nearly all words of content give a letter.

    This is stricter than the paper: "the muon trigger uses the resistive-plate chambers (MTC)".
    """
    letters = len(_bare(short))
    matched = _initials_matched(short, long)
    content = [part for part in _parts(long) if part.lower() not in _SMALL]
    spare_words = 1 if matched == letters else 0
    return letters - matched <= letters // 3 and len(content) - matched <= spare_words


def _initials_matched(short: str, long: str) -> int:
    """The longest common subsequence of the short form and the initials of the long form."""
    best = [0] * (len(_bare(short)) + 1)
    for part in _parts(long):
        before = list(best)
        for at, char in enumerate(_bare(short), start=1):
            best[at] = (
                before[at - 1] + 1 if part[0].lower() == char else max(before[at], best[at - 1])
            )
    return best[-1]


def _bare(short: str) -> str:
    return re.sub(r"[^a-z0-9]", "", _singular(short).lower())


def _parts(long: str) -> list[str]:
    return re.findall(r"[A-Z]?[a-zà-ÿ]+|[A-Z]+(?![a-z])|\d+", long)


def _last_clause(text: str) -> str:
    return _CLAUSE.split(text.rstrip())[-1]


def _singular(short: str) -> str:
    return short[:-1] if len(short) > 2 and short[-1] == "s" and short[-2].isupper() else short

"""Does an answer say what it must not: a stale value, or that of a look-alike?

A wrong value counts as said wherever it stands, unless the same sentence marks it as old or as
another's. What marks it, and nothing else does:

- a word for what is past or in dispute (`OTHER`), anywhere in the sentence;
- a denial or an exchange shortly before it: "not 08:30", "instead of 08:30", "moved from 08:30";
- "was" or "were" beside it, unless the question itself asks for the past;
- a year before that of the newest page found, unless the question names it or it follows "since";
- a code of the kind of one in the question (`SXT-131` where `SXT-117` was asked for), not that one;
- in a row of a table, a code or number in its first cell that the question does not name.

A rule, not a reader: it takes "the old rule, 08:30, came back" for a mark. Each case it is known to
decide is in its test.
"""

import re

from eval.match import blanked, folded, says

BLANK = "▮"
"""Stands for the value while the rest of the sentence is looked at."""

_ENDS = re.compile(r"(?<=[.!?])\s+(?=[\"'“(*\[]*[A-Z])|(?<=;)\s+|\n+")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
OTHER = re.compile(
    r"\b(?:former(?:ly)?|previous(?:ly)?|earlier(?! than)|old(?:er)?(?! than)|out[- ]of[- ]date"
    r"|outdated|obsolete|supersed\w+|replace[ds]|deprecated|archived|stale|used to|no longer"
    r"|preliminary|disagree\w*|contradict\w*"
    rf"|(?:until|till|before|up to) (?:then|that|the end of|(?:\d{{1,2}}\.? )?{_MONTH}))\b"
)
_DENIED = re.compile(
    rf"\b(?:not|instead of|rather than|unlike)(?: (?!but\b)\S+){{0,2}} {BLANK}"
    rf"|\bbefore: [^.;]*{BLANK}"
    rf"|\b(?:rais|lower|reduc|increas|mov|chang)\w+(?: \S+){{0,3}} from {BLANK}"
)
_WAS = re.compile(
    rf"\b(?:was|were|had)(?: (?!to\b|is\b|are\b|now\b)[^\s{BLANK}]+){{0,4}} {BLANK}"
    rf"|{BLANK}\)?(?: (?!which\b|as\b|and\b|that\b|it\b)\w+){{0,2}} (?:was|were)\b"
)
_PAST = re.compile(r"\b(?:was|were|did|had)\b")
_YEAR = re.compile(r"(?<![\w.])(?:19|20)\d\d(?!\w)")
_TOKEN = re.compile(r"[^\W_](?:[\w.\-/+:]*\w)?")
_FAMILY = re.compile(r"(?=.*[^\W\d_]).*\d|\d{5,}$")
"""A letter and a digit, or a long number such as that of a run."""
_SINCE = re.compile(r"\b(?:since|from)(?: \S+){0,2} $")


def sentences(text: str) -> list[str]:
    """The sentences, lines and parts between semicolons of a text."""
    return [part for part in _ENDS.split(text) if part.strip()]


def says_wrong(text: str, keys: list[str], question: str, present: int | None) -> bool:
    """True when a sentence of the text says one of the keys without marking it.

    `present` is the year that counts as now; None: no year marks anything.
    """
    asked = folded(question)
    for part in sentences(text):
        sentence = blanked(part, keys, BLANK)
        if BLANK not in sentence or _marked(sentence, asked, present):
            continue
        if not (_of_another(sentence, asked) or _row_of_another(part, keys, asked)):
            return True
    return False


def _marked(sentence: str, question: str, present: int | None) -> bool:
    if any(found[0] not in question for found in OTHER.finditer(sentence)):
        return True
    if _DENIED.search(sentence) or (_WAS.search(sentence) and not _PAST.search(question)):
        return True
    return any(
        present is not None
        and int(year[0]) < present
        and year[0] not in question
        and not _SINCE.search(sentence[: year.start()])
        for year in _YEAR.finditer(sentence)
    )


def _of_another(sentence: str, question: str) -> bool:
    asked = set(_TOKEN.findall(question))
    named = set(_TOKEN.findall(sentence))
    families = {_family(token) for token in asked - named if _FAMILY.match(token)}
    if any(_FAMILY.match(token) for token in asked & named):
        return False
    return any(_family(token) in families for token in named if _FAMILY.match(token))


def _row_of_another(row: str, keys: list[str], question: str) -> bool:
    """A name of capitals, one letter included, is a code too: `D`, `HTC on-call`."""
    first, bar, _ = row.strip().strip("|").partition("|")
    if not bar or says(first, keys):
        return False
    codes = {
        folded(token)
        for token in _TOKEN.findall(first)
        if token.isupper() or any(not character.isalpha() for character in token)
    }
    return bool(codes) and codes.isdisjoint(_TOKEN.findall(question))


def _family(token: str) -> str:
    return re.sub(r"\d+", "9", token)

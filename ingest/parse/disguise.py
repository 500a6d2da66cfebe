"""Letters and lumps that are not what they look like.

Look-alikes of other scripts inside Latin words defeat the search and the checks of answers, and
encoded lumps carry text that no reader can read. The first become plain letters, the second go.
The pairs are of Unicode's table of confusable characters (UTS 39), those for Latin letters alone.
"""

import re
import unicodedata
from itertools import pairwise

LEFT_OUT = "…"
"""Stands where a lump was."""

_CYRILLIC = dict(
    zip("аеорсухіјѕһԁԛԝӏАВЕКМНОРСТУХІЈЅԚԜ", "aeopcyxijshdqwlABEKMHOPCTYXIJSQW", strict=True)
)
# Of the Greek letters only those that no formula needs beside a Latin one.
_GREEK = dict(zip("οΑΒΕΖΗΙΚΜΟΡΤΧ", "oABEZHIKMOPTX", strict=True))
_LATIN = _CYRILLIC | _GREEK
_LIKE = re.compile(f"[{''.join(_LATIN)}]")
_WORD = re.compile(r"[^\W\d_]+")
_PLAIN_CYRILLIC = re.compile(f"[^\\W\\d_A-Za-z{''.join(_CYRILLIC)}]")
# Letters of mathematics and of full width: the same letters in another dress.
_DRESSED = re.compile("[\U0001d400-\U0001d7ff\uff01-\uff5e]")

_SHORTEST = 100
"""A shorter run may be a digest or a key that people compare by eye."""
_SOLID = re.compile(rf"[A-Za-z0-9+/_-]{{{_SHORTEST},}}={{0,2}}")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]+")
_STACKED = re.compile(
    r"(?<![A-Za-z0-9+/_-])(?:[A-Za-z0-9+/_-]{48,}+[\"'\\]*\s+[\"']?)+[A-Za-z0-9+/_-]{4,}={0,2}"
)
"""Lines of such runs, as mails and certificates have them, with the last one cut short."""
_FEW_DIGESTS = 3
_LONGEST_DIGEST = 128
"""Hexadecimal digits of SHA-512."""
_RESTLESS = 0.42
"""Changes between capitals, small letters and digits, a character, from which on a run is encoded:
0.55 to 0.65 in base64. Names in humps reach 0.5, but they have words, and paths have marks."""
_WORDY = 0.25
"""Share of small letters in runs of four and more; below 0.1 in base64."""
_MARKED = 0.08
"""Share of `/`, `+`, `-` and `_`; 0.03 in base64."""


def plain_letters(text: str) -> str:
    """Text in which look-alikes of Latin letters in Latin words are those letters.

    A word of another script stays as it is; so do the Greek letters of physics.

    >>> plain_letters("L1_МU4 is a trіgger; это верно, ΔR < 0.4")
    'L1_MU4 is a trigger; это верно, ΔR < 0.4'
    """
    if text.isascii():
        return text
    text = _DRESSED.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    if not _LIKE.search(text):
        return text
    # Words made of look-alikes alone are words in Russian, and a disguise in English.
    russian = any(
        "CYRILLIC" in unicodedata.name(found[0], "") for found in _PLAIN_CYRILLIC.finditer(text)
    )

    def plain(found: re.Match[str]) -> str:
        word = found[0]
        latin = sum("A" <= char <= "z" for char in word)
        disguised = latin or (not russian and len(word) > 1 and set(word) <= set(_CYRILLIC))
        return "".join(_LATIN.get(char, char) for char in word) if disguised else word

    return _WORD.sub(plain, text)


def without_lumps(text: str) -> str:
    """Text without long runs of base64 or hexadecimal digits; digests, paths and names stay."""
    if len(text) < _SHORTEST:
        return text
    text = _STACKED.sub(_without_lines, text)
    return _SOLID.sub(lambda found: LEFT_OUT if _encoded(found[0]) else found[0], text)


def _without_lines(found: re.Match[str]) -> str:
    *lines, last = found[0].split()
    bare = [line.strip("\"'\\") for line in lines]
    if all(_HEX.fullmatch(line) for line in bare):
        return LEFT_OUT if len(bare) > _FEW_DIGESTS else found[0]
    if (len(bare) < 2 and not last.endswith("=")) or not _restless("".join(bare)):
        return found[0]
    ends = last.endswith("=") or (len(last) >= 20 and _restless(last))
    return LEFT_OUT if ends else f"{LEFT_OUT} {last}"


def _encoded(run: str) -> bool:
    if _HEX.fullmatch(run):
        return len(run) > _LONGEST_DIGEST + 2 and len(set(run)) > 4
    return _restless(run.rstrip("="))


def _restless(run: str) -> bool:
    kinds = ["A" if char.isupper() else "a" if char.islower() else "0" for char in run]
    changes = sum(one != other for one, other in pairwise(kinds))
    wordy = sum(map(len, re.findall(r"[a-z]{4,}", run)))
    marks = len(re.findall(r"[/+_-]", run))
    plain = wordy > _WORDY * len(run) or marks > _MARKED * len(run)
    return changes > _RESTLESS * len(run) and not plain

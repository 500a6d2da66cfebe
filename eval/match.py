"""Does an answer say a fact, and is a cited document the one that was wanted? Text against text."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_SUPERSCRIPT_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+")
_THOUSANDS = re.compile("(?<=[0-9])[,'’\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))")
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_PIECES = re.compile(r"[0-9]+|[^\W\d_]+|\s+|.", re.DOTALL)
_UNITS = (
    "%|°c|k|mk|ns|µs|μs|us|ms|s|min|h|hz|khz|mhz|ghz|ev|kev|mev|gev|tev|pb|fb|nb|mb|gb|tb|kb|pbs"
    "|gbps|gbit|mbit|fb-1|pb-1|mm|cm|m|km|um|µm|μm|nm|kv|v|mv|a|ma|w|kw|mw|t|x0|bar|mbar|gy|mrad|rad"
)
_UNIT_AHEAD = rf"(?=(?:{_UNITS})(?!\w))"


def folded(text: str) -> str:
    """One way of writing: case, spaces of any width, dashes, superscripts, thousands, emphasis."""
    text = _SUPERSCRIPT_RUN.sub(lambda run: "^" + run[0].translate(_SUPERSCRIPTS), text)
    text = _THOUSANDS.sub("", text)
    text = unicodedata.normalize("NFKC", text).translate(_DASHES).casefold()
    return " ".join(text.replace("**", "").replace("`", "").replace("−", "-").split())


def without_markers(text: str, markers: Iterable[int]) -> str:
    """The answer without its `[1]`: the number of a citation is not a number the answer states."""
    for marker in set(markers):
        text = re.sub(rf"\s*\[{marker}\]", "", text)
    return text


def says(text: str, keys: Iterable[str]) -> bool:
    """True when one of the keys stands in the text, and not as a part of a longer word or number.

    "4" is not in "42", "3.4" or "-4"; "40 MHz" is in "40MHz" and "40-MHz"; "40" is in "40 MHz".
    """
    folded_text = folded(text)
    return any(_pattern(folded(key)).search(folded_text) for key in keys)


def blanked(text: str, keys: Iterable[str], blank: str) -> str:
    """The folded text with `blank` wherever one of the keys stands, as in `says`."""
    text = folded(text)
    for key in keys:
        text = _pattern(folded(key)).sub(blank, text)
    return text


@lru_cache(maxsize=4096)
def _pattern(key: str) -> re.Pattern[str]:
    pieces = [piece for piece in _PIECES.findall(key) if not piece.isspace()]
    if not pieces:
        return re.compile(r"(?!)")  # A key of white space is in no text.
    gaps = _gaps(key)
    body = "".join(
        (r"[\s-]" if piece == "-" and _joins_words(pieces, at) else re.escape(piece)) + gap
        for at, (piece, gap) in enumerate(zip(pieces, [*gaps, ""], strict=True))
    )
    return re.compile(_before(pieces[0]) + body + _after(pieces[-1]))


def _joins_words(pieces: list[str], at: int) -> bool:
    return 0 < at < len(pieces) - 1 and pieces[at - 1].isalpha() and pieces[at + 1].isalpha()


def _gaps(key: str) -> list[str]:
    """What may stand between each two pieces of the key."""
    found = _PIECES.findall(key)
    gaps: list[str] = []
    last, spaced = "", False
    for piece in found:
        if piece.isspace():
            spaced = True
            continue
        if last:
            gaps.append(_gap(last, piece, spaced=spaced))
        last, spaced = piece, False
    return gaps


def _gap(left: str, right: str, *, spaced: bool) -> str:
    if left[-1].isdigit() and re.fullmatch(_UNITS, right):
        return r"[\s-]?"  # A unit may stand close to its number, or apart.
    if spaced and left[-1].isalnum() and right[0].isalnum():
        return r"[\s-]"
    if spaced:
        return r"\s?"
    return ""


def _before(first: str) -> str:
    if first[0].isdigit():
        # Not within a number or a name, not behind a decimal point, a colon of a time, a minus.
        return r"(?<!\w)(?<![0-9][.:])(?<![^\w)\]]-)(?<!^-)"
    return r"(?<!\w)" if first[0].isalnum() else ""


def _after(last: str) -> str:
    if last[-1].isdigit():
        return rf"(?:(?!\w)|{_UNIT_AHEAD})(?![.:][0-9])"
    return r"(?!\w)" if last[-1].isalnum() else ""


def is_document(wanted: str, document_id: str, url: str = "") -> bool:
    """True when `wanted` is the end of the document's id, path or url, at a whole path component.

    A `#part` of the id and the fragment of the url do not matter, unless `wanted` names one.
    """
    tail = unquote(wanted.strip()).removeprefix("./").strip("/")
    if not tail:
        return False
    places = [unquote(place).rstrip("/") for place in (document_id, url) if place]
    if "#" not in tail:
        places = [place.split("#", 1)[0].rstrip("/") for place in places]
    return any(
        place == tail or (place.endswith(tail) and place[-len(tail) - 1] in "/:#")
        for place in places
    )

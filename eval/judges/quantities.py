"""Numbers with their units, in one way of counting: `36 hours` is `1.5 days`, `three` is `3`."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isclose

_TIME = {
    "s": 1.0,
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "min": 60.0,
    "h": 3600.0,
    "sec": 1.0,
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
    "week": 604800.0,
    "month": 2629800.0,
    "year": 31557600.0,
}
_PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "m": 1e-3, "u": 1e-6}
_PREFIXED = {
    # unit: prefixes that stand before it here
    "Hz": "kMG",
    "eV": "kMGT",
    "B": "kMGTP",
    "V": "mk",
    "A": "umk",
    "W": "mkMG",
    "Gy": "mk",
    "Sv": "um",
    "rad": "um",
    "T": "m",
    "bit": "kMGT",
}
_LENGTH = {"nm": 1e-9, "um": 1e-6, "µm": 1e-6, "μm": 1e-6, "mm": 1e-3, "cm": 1e-2, "m": 1.0}
_BARN = {"mb": 1e-3, "ub": 1e-6, "nb": 1e-9, "pb": 1e-12, "fb": 1e-15}


def _units() -> dict[str, tuple[str, float]]:
    """Unit as written → what it measures, and how many of the base unit it is."""
    known = {unit: ("time", scale) for unit, scale in _TIME.items()}
    known |= {unit: ("length", scale) for unit, scale in (_LENGTH | {"km": 1e3}).items()}
    known |= {unit: ("cross section", scale) for unit, scale in _BARN.items()}
    known |= {f"{unit}-1": ("luminosity", 1 / scale) for unit, scale in _BARN.items()}
    for base, prefixes in _PREFIXED.items():
        known |= {p + base: (base, _PREFIXES[p]) for p in ["", *prefixes]}
    known |= {f"{unit}/s": (f"{what}/s", scale) for unit, (what, scale) in dict(known).items()}
    known |= {"%": ("share", 0.01), "per cent": ("share", 0.01), "percent": ("share", 0.01)}
    known |= {"ppm": ("share", 1e-6), "C": ("degree", 1.0), "°C": ("degree", 1.0)}
    known |= {"K": ("kelvin", 1.0), "e": ("electron", 1.0)}
    return known


_UNITS = _units()
_WORDS_OF_UNITS = ("sec", "second", "minute", "hour", "day", "week", "month", "year", "core")
_WORD_UNITS = ("second", "minute", "hour", "day", "week", "month", "year")
_UNIT = (
    r"(?:[\s-]?(?:(?:working|calendar|full)\s)?(?P<unit>"
    + "|".join(
        re.escape(unit) + ("s?" if unit in _WORD_UNITS else "")
        for unit in sorted(_UNITS, key=len, reverse=True)
    )
    + r")(?![\w/]|-\d))?"
)
_SMALL = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen twenty
"""
_WORDS = {word: value for value, word in enumerate(_SMALL.split())} | {
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "hundred": 100,
}
_PARTS = {"half": 2, "halve": 2, "third": 3, "quarter": 4, "fifth": 5, "tenth": 10}
_AMOUNT = "|".join(sorted(_WORDS, key=len, reverse=True))

_CLOCK = re.compile(r"(?<![\w:.])(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?![\w:])")
_NUMBER = re.compile(
    # Not `2026A`, which is a name.
    r"(?<![\w.,])(?!(?:19|20)\d\d[A-Z]\b)"
    r"(?P<number>(?:(?<![\w–-])-)?(?:\d{1,3}(?:[ ,'\u00a0\u2009\u202f]\d{3})+(?!\d)|\d+)"
    r"(?:\.\d+)?(?:e[+-]?\d+)?)" + _UNIT + r"(?!\w|-[A-Za-z]|[.:]\d)"
)
_HALVES = re.compile(rf"\b(?i:(?P<whole>\d+|{_AMOUNT})\sand\sa\shalf)\b" + _UNIT)
_FRACTION = re.compile(
    r"\b(?i:(?:(?P<count>an?|one|two|three|four)\s)?(?P<part>half|halve|third|quarter|fifth|tenth)"
    r"s?)\b(?:\s(?:of\s)?an?\s(?P<unit>hour|day|week|year|minute))?"
)
_SINGLE = re.compile(r"\b(?i:an?)\s(?P<unit>hour|day|week|month|year|minute|second)\b")
_WORD = re.compile(rf"\b(?i:(?P<word>{_AMOUNT}))\b" + _UNIT)
_GROUPING = re.compile("[ ,'\u00a0\u2009\u202f]")
_JOINT = re.compile(r"\s?(?:to|-|–|and|or)\s?")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and what it counts."""

    number: float
    """As written."""
    unit: str
    """As written; empty for a bare number, `:` for a time of day."""
    start: int
    end: int
    """Where it stands in the text."""
    spelled: bool = False
    """In words: `two-factor` and `a week` are no statements of a number."""

    @property
    def what(self) -> str:
        """What it measures: `time`, `eV`, …; empty for a bare number."""
        return _UNITS[self.unit][0] if self.unit in _UNITS else self.unit

    @property
    def value(self) -> float:
        """In the base unit of what it measures."""
        return self.number * _UNITS[self.unit][1] if self.unit in _UNITS else self.number

    def agrees(self, other: "Quantity") -> bool:
        """The same amount of the same. A bare number, as in a table's cell, may be of any unit."""
        if self.what == other.what:
            return isclose(self.value, other.value, rel_tol=1e-6)
        return not (self.what and other.what) and isclose(self.number, other.number, rel_tol=1e-6)


def quantities(text: str) -> list[Quantity]:
    """All numbers of a text in their order, without those inside names such as `L1_MU4`.

    >>> [(q.value, q.what) for q in quantities("36 hours, 1 200 e, three stations at 07:30")]
    [(129600.0, 'time'), (1200.0, 'electron'), (3.0, ''), (450.0, ':')]
    """
    found: list[Quantity] = []
    for pattern, read in _READERS:
        for match in pattern.finditer(text):
            number = read(match)
            free = all(q.end <= match.start() or match.end() <= q.start for q in found)
            if number is not None and free:
                spelled = not match[0].lstrip("-")[:1].isdigit()
                found.append(
                    Quantity(number, _unit(match), match.start(), match.end(), spelled=spelled)
                )
    found.sort(key=lambda quantity: quantity.start)
    # `2 to 5 minutes`: the first number has the unit of the second.
    for at in range(len(found) - 1, 0, -1):
        left, right = found[at - 1], found[at]
        if not left.unit and right.unit and _JOINT.fullmatch(text[left.end : right.start]):
            found[at - 1] = replace(left, unit=right.unit)
    return found


def _unit(match: re.Match[str]) -> str:
    groups = match.groupdict()
    if "hour" in groups:
        return ":"
    unit = groups.get("unit") or ("%" if "part" in groups else "")
    return unit if unit in _UNITS else unit.removesuffix("s")


def _clock(match: re.Match[str]) -> float:
    return 60.0 * int(match["hour"]) + int(match["minute"])


def _number(match: re.Match[str]) -> float:
    return float(_GROUPING.sub("", match["number"]))


def _halves(match: re.Match[str]) -> float:
    whole = match["whole"]
    return (int(whole) if whole.isdigit() else _WORDS[whole.casefold()]) + 0.5


def _fraction(match: re.Match[str]) -> float | None:
    count, part = (match["count"] or "").casefold(), match["part"].casefold()
    if not count and part != "half":
        return None  # `the third station` is no third of anything
    share = _WORDS.get(count, 1) / _PARTS[part]
    return share if match["unit"] else 100 * share


def _word(match: re.Match[str]) -> float | None:
    word = match["word"].casefold()
    # `one` is mostly no number: `the one that goes over its wall time`.
    return None if word == "one" and not match["unit"] else float(_WORDS[word])


_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], float | None]], ...] = (
    (_CLOCK, _clock),
    (_HALVES, _halves),
    (_FRACTION, _fraction),
    (_NUMBER, _number),
    (_WORD, _word),
    (_SINGLE, lambda match: 1.0),
)

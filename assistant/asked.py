"""What kind of thing does a question ask for, and which things of that kind does a text hold?

By rule and for English: `how long` wants a duration, `who` a person. A question of which the kind
cannot be told asks for nothing in particular, and nothing is held against its answer.
"""

import re
from enum import StrEnum
from functools import lru_cache

from assistant.words import identifiers, numbers, squeezed


class Kind(StrEnum):
    """What can be asked for and found again in a text."""

    DURATION = "duration"
    CLOCK = "clock"
    DATE = "date"
    PERSON = "person"
    NAME = "name"
    """A run, a tag, a version, an item: anything that `identifiers` finds."""
    ENERGY = "energy"
    VOLTAGE = "voltage"
    TEMPERATURE = "temperature"
    FREQUENCY = "frequency"
    SHARE = "share"
    BYTES = "bytes"
    LENGTH = "length"
    COUNT = "count"
    """Any number."""


_FACTORS: dict[Kind, dict[str, float]] = {
    Kind.DURATION: {
        "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0,
        "week": 604_800.0, "month": 2_629_800.0, "year": 31_557_600.0,
    },
    Kind.ENERGY: {"eV": 1e-9, "keV": 1e-6, "MeV": 1e-3, "GeV": 1.0, "TeV": 1e3},
    Kind.VOLTAGE: {"V": 1.0, "kV": 1e3},
    Kind.FREQUENCY: {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9},
    Kind.SHARE: {"%": 1.0},
    Kind.BYTES: {"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15},
    Kind.LENGTH: {"um": 1e-6, "mm": 1e-3, "cm": 1e-2, "m": 1.0, "km": 1e3},
    Kind.CLOCK: {"clock": 1.0},
}  # fmt: skip
"""Units of each kind and what they are of its first; a month is a twelfth of 365.25 days."""

_AUX = r"(?:will|did|does|do|is|are|was|were|can|may|must|has|have|should)"
_TIME = r"(?:milli|micro|nano)?(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?)"
_ASKS: tuple[tuple[Kind, str], ...] = (
    (
        Kind.DURATION,
        rf"how (?:long|soon|quickly|fast|often)\b|how many {_TIME}\b|\blifetime\b|\btime-?out\b"
        r"|\bdelay\b|\blatency\b|how much (?:time|later|behind)|by how much\b.*\bbehind\b"
        r"|\bat what interval|\bevery how",
    ),
    (
        Kind.CLOCK,
        rf"\b(?:what|which) (?:time\b(?! of year)|hour)|\bwhen {_AUX}\b|since when",
    ),
    (
        Kind.DATE,
        rf"\bwhen {_AUX}\b|since when|(?:which|what) (?:dates?|day|week|month|year)\b",
    ),
    (Kind.PERSON, r"\bwho(?:m|se)?\b(?! (?:may|can|must))"),
    (
        Kind.NAME,
        r"\b(?:which|what) (?:\w+[ -]){0,3}?(?:tags?|runs?|datasets?|releases?|versions?|firmware"
        r"|chains?|seeds?|queues?|items?|tickets?|issues?|campaigns?|derivations?|file)\b"
        r"(?! (?:number|rate|time))",
    ),
    (
        Kind.ENERGY,
        r"how much energy|(?:what|which) (?:\w+[ -]){0,3}?(?:energy|mass)\b(?! (?:sc|res|cal))",
    ),
    (Kind.VOLTAGE, r"\b(?:voltage|bias)\b"),
    (Kind.TEMPERATURE, r"\btemperature\b|how (?:hot|cold|warm)"),
    (Kind.FREQUENCY, r"\b(?:what|which|how high)\b[^,?]*(?<!fake )\b(?:rate|frequency)\b"),
    (
        Kind.SHARE,
        r"(?:what|which) (?:\w+[ -]){0,4}?(?:fraction|share|percentage|efficiency|uncertainty"
        r"|inefficiency)\b|how full\b|how (?:efficient|precise|accurate)",
    ),
    (
        Kind.BYTES,
        r"how much (?:memory|disk|space|storage|ram)|\bquota\b|how (?:big|large) .*\bfile",
    ),
    (
        Kind.LENGTH,
        r"how (?:far|thick|wide|deep|tall)\b(?! above)|how many (?:kilo|centi|milli)?metres",
    ),
    (Kind.COUNT, rf"how many (?!{_TIME}\b)|\bprescale\b|\bphone\b|\bhow often\b"),
)
_PATTERNS = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _ASKS)

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sep(?:t(?:ember)?)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_WEEKDAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_DATES = re.compile(
    rf"\b\d{{4}}-\d{{2}}-\d{{2}}\b|\b\d{{1,2}}(?:st|nd|rd|th)? {_MONTH}\b(?: \d{{4}})?"
    rf"|\b{_MONTH} \d{{1,2}}\b(?:,? \d{{4}})?|\b{_MONTH} \d{{4}}\b|\b{_WEEKDAY}s?\b"
    rf"|\bweek \d{{1,2}}\b|\b(?:19|20)\d\d\b|\b{_MONTH}\b"
)
_RUN = re.compile(r"(?<![\w.,])\d{5,7}(?![\w.,]\d|\w)")
_DEGREES = re.compile(r"(?<![\w.])([-−+]?\d+(?:\.\d+)?)\s?°?\s?[CK]\b")
_PEOPLE = re.compile(
    r"(?<![.!?] )(?<!^)\b(?:[A-Z]\. ?|[A-Z][^\W\d_A-Z]+[ -])(?:[A-Z][^\W\d_]+[ -]?)*"
    r"[A-Z][^\W\d_A-Z]+|\b[A-Z][^\W\d_A-Z]+(?: [A-Z][^\W\d_A-Z]+(?:-[A-Z][^\W\d_A-Z]+)?)+",
    re.MULTILINE,
)


@lru_cache(maxsize=256)
def asked_for(question: str) -> tuple[Kind, ...]:
    """The kinds of things that a question asks for; any one of them would be an answer.

    >>> asked_for("How long is the ramp?"), asked_for("Why was it changed?")
    ((<Kind.DURATION: 'duration'>,), ())
    """
    return tuple(kind for kind, pattern in _PATTERNS if pattern.search(question))


@lru_cache(maxsize=4096)
def values(text: str, kind: Kind) -> frozenset[str]:
    """The things of a kind in a text, in one way of writing, so that they can be compared.

    >>> values("60 minutes or 1 hour", Kind.DURATION)
    frozenset({'3600'})
    """
    if kind is Kind.PERSON:
        return frozenset(found.group() for found in _PEOPLE.finditer(text))
    if kind is Kind.NAME:
        return frozenset(squeezed(name) for name in (*identifiers(text), *_RUN.findall(text)))
    if kind is Kind.DATE:
        return frozenset(found.group().lower() for found in _DATES.finditer(text))
    if kind is Kind.TEMPERATURE:
        return frozenset(value.replace("−", "-") for value in _DEGREES.findall(text))
    found = numbers(text, claims=True)
    if kind is Kind.COUNT:
        return frozenset(f"{number.value:g}" for number in found)
    factors = _FACTORS[kind]
    return frozenset(f"{n.value * factors[n.unit]:g}" for n in found if n.unit in factors)


def held(text: str, question: str) -> bool | None:
    """Does a text hold something of a kind that the question asks for, and does not have itself?

    None for a question that asks for nothing in particular.
    """
    kinds = asked_for(question)
    if not kinds:
        return None
    return any(values(text, kind) - values(question, kind) for kind in kinds)

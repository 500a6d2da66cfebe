"""Words, numbers, names and negation: what can be compared between two pieces of English text.

Everything here is a pure function of the text, quick enough for each candidate of each answer.
"""

import re
import threading
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import Stemmer

_STOP_WORDS = """
a about according after all also am an and another any are as at be because been before being
between both but by can could currently did do does doing done each either else ever every exactly
few for from further get gets give given gives had has have having he her here him his how i if in
into is it its itself just know let lets made make makes may me might more most much must my need
need needs no none nor not now of off often on one only or other our out over own per please same
say says shall she should so some such tell than that the their them then there these they this
those through to too under until up upon us very want was we were what when where whether which
while who whom whose why will with without would yes you your
"""
_FILLER_WORDS = """
answer consist context describe described document documentation documents excerpt excerpts follow
following include included includes information involve known locate located mention mentioned name
named number page passage passages provide provided provides refer referred report reported require
specific specified state stated states text use used uses using value various
"""
STOP = frozenset(_STOP_WORDS.split())
"""Words without content. Those that contrast (`before`, `after`) are compared in `OPPOSITES`."""

OPPOSITES = (
    ("before", "after"),
    ("above", "below"),
    ("more", "less"),
    ("increase", "decrease"),
    ("rise", "fall"),
    ("minimum", "maximum"),
    ("minimal", "maximal"),
    ("enable", "disable"),
    ("allow", "forbid"),
    ("barrel", "endcap"),
    ("inner", "outer"),
    ("upper", "lower"),
    ("online", "offline"),
    ("start", "stop"),
    ("open", "close"),
    ("accept", "reject"),
    ("include", "exclude"),
    ("mandatory", "optional"),
    ("electron", "muon"),
    ("public", "internal"),
)

_COUNT = "zero one two three four five six seven eight nine ten eleven twelve"
_NUMBER_WORDS = {word: value for value, word in enumerate(_COUNT.split())} | {
    "fifteen": 15,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "hundred": 100,
}

_UNITS = {
    "percent": "%", "per cent": "%", "%": "%",
    "second": "s", "seconds": "s", "sec": "s", "s": "s", "minute": "min", "minutes": "min",
    "min": "min", "hour": "h", "hours": "h", "h": "h", "day": "d", "days": "d", "d": "d",
    "week": "week", "weeks": "week", "month": "month", "months": "month", "year": "year",
    "years": "year", "ms": "ms", "millisecond": "ms", "milliseconds": "ms", "us": "us", "µs": "us",
    "μs": "us", "microsecond": "us", "microseconds": "us", "ns": "ns", "nanosecond": "ns",
    "nanoseconds": "ns", "ps": "ps", "hz": "Hz", "khz": "kHz", "mhz": "MHz", "ghz": "GHz",
    "ev": "eV", "kev": "keV", "mev": "MeV", "gev": "GeV", "tev": "TeV", "kb": "kB", "mb": "MB",
    "gb": "GB", "tb": "TB", "pb": "PB", "gigabytes": "GB", "terabytes": "TB", "megabytes": "MB",
    "mm": "mm", "cm": "cm", "m": "m", "metres": "m", "meters": "m", "um": "um", "µm": "um",
    "μm": "um", "micrometres": "um", "micrometers": "um", "microns": "um", "km": "km",
    "kv": "kV", "v": "V", "volt": "V", "volts": "V", "a": "A", "ma": "mA", "ua": "uA", "w": "W",
    "kw": "kW", "t": "T", "tesla": "T", "fb": "fb", "mrad": "mrad",
}  # fmt: skip

_WORD = re.compile(r"[^\W_]+(?:[_.\-/:'’+][^\W_]+)*\+*")
_SPACES = " \\u00a0\\u2009\\u202f"
_NUMBER = re.compile(
    rf"""(?<![\w.])(?P<sign>(?<![\w)\]%])[-−+])?
    (?P<whole>\d{{1,3}}(?:[,'{_SPACES}]\d{{3}})+(?![\d])|\d+)
    (?P<part>\.\d+)?
    (?:[eE](?P<exp>[+-]?\d{{1,3}})|\s?(?:[x×*]|\\times)\s?10\^?\{{?(?P<pow>[-−+]?\d{{1,3}})\}}?)?
    (?:(?:st|nd|rd|th)\b)?
    (?P<unit>\s?(?:%|per\ cent\b|[A-Za-zµμ]{{1,12}}\b))?""",
    re.VERBOSE,
)
_CLOCK = re.compile(r"(?<![\d:])(\d{1,2}):(\d{2})(?::\d{2})?(?![\d:])")
_DATE = re.compile(r"(?<![\w])(\d{4})[-/.](\d{2})[-/.](\d{2})(?!\w)")
_GLUED = re.compile(r"\d+(?:\.\d+)?([A-Za-zµμ%]+)")
_NEGATION = re.compile(
    r"\b(?:no longer|not|no|never|neither|nor|cannot|without|none|nothing|nobody|\w+n['’]t)\b", re.I
)
_CLAUSE_END = re.compile(
    r"[,;:.!?](?=\s|$)|[()|\n]|\b(?:but|instead|because|however|unless|until|and|which)\b", re.I
)
_NEGATION_REACH = 5
_local = threading.local()


@dataclass(frozen=True, slots=True)
class Number:
    """A number with its unit, so that `12,500`, `12 500` and `12500` are one value."""

    value: float
    unit: str = ""

    def agrees(self, other: "Number") -> bool:
        """Same value, and no two different units."""
        near = abs(self.value - other.value) <= 1e-9 * max(1.0, abs(self.value))
        return near and (self.unit == other.unit or not self.unit or not other.unit)


def _stem(word: str) -> str:
    stemmer = getattr(_local, "stemmer", None)
    if stemmer is None:  # a stemmer object may not be shared between threads
        stemmer = _local.stemmer = Stemmer.Stemmer("english")
    return str(stemmer.stemWord(word))


LATELY = 256
"""So many texts are remembered taken apart: the checks of one answer ask for the same ones again
and again. A passage with all its readings takes about 100 kB."""


@lru_cache(maxsize=50_000)
def _stems_of_token(token: str) -> tuple[str, ...]:
    """A compound counts whole and by part, so `muon-chamber` meets `muon chamber`."""
    low = token.lower().replace("’", "'").removesuffix("'s").rstrip("+")
    if low in STOP or not low or low.endswith("n't"):
        return ()
    if re.fullmatch(r"v?\d+(?:\.\d+)+", low):
        return (low,)  # a decimal or a version means nothing by part
    parts = [part for part in re.split(r"[_.\-/:'+]", low) if part]
    humps = re.findall(r"[A-Z][a-z]+|[A-Z]{2,}(?![a-z])|\d+", token)
    if len(parts) == 1 and len(humps) > 1 and any(hump[1:].islower() for hump in humps):
        parts = [low, *(hump.lower() for hump in humps)]
    if len(parts) == 1:
        return (_stem(low),)
    return tuple(_stem(part) for part in parts if part not in STOP)


def stems(text: str) -> list[str]:
    """Stems of the content words, in order, with compounds taken apart.

    >>> stems("Which chambers does the muon-trigger use?")
    ['chamber', 'muon', 'trigger', 'use']
    """
    return [stem for token in _WORD.findall(text) for stem in _stems_of_token(token)]


FILLER_STEMS = frozenset(stem for word in _FILLER_WORDS.split() for stem in _stems_of_token(word))
_OPPOSITE_STEMS = tuple((_stem(one), _stem(other)) for one, other in OPPOSITES)


def numbers(text: str, *, claims: bool = False) -> tuple[Number, ...]:
    """The numbers of a text. With `claims`, only what a sentence asserts: `one` is no number then.

    >>> numbers("12,500 events in two runs")
    (Number(value=12500.0, unit=''), Number(value=2.0, unit=''))
    """
    return _numbers(text, claims)


@lru_cache(maxsize=LATELY)
def _numbers(text: str, claims: bool) -> tuple[Number, ...]:
    found = []
    for year, month, day in _DATE.findall(text):
        found += [Number(float(year)), Number(float(month)), Number(float(day))]
    text = _DATE.sub(" ", text)
    for hour, minute in _CLOCK.findall(text):
        found.append(Number(int(hour) * 60.0 + int(minute), "clock"))
        if not claims:
            found.append(Number(float(hour)))
    for match in _NUMBER.finditer(_CLOCK.sub(" ", text)):
        found += _readings(match, claims=claims)
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in _NUMBER_WORDS and not (claims and word in {"one", "hundred", "zero"}):
            found.append(Number(float(_NUMBER_WORDS[word])))
    return tuple(found)


def _readings(match: re.Match[str], *, claims: bool) -> list[Number]:
    whole, part = match["whole"], match["part"] or ""
    unit_text = (match["unit"] or "").strip()
    unit = _UNITS.get(unit_text.lower(), "")
    rest = match.string[match.end("unit") :] if match["unit"] else match.string[match.end() :]
    glued = bool(match["unit"]) and not match["unit"][0].isspace()
    if (glued and not unit and unit_text != "k") or (not match["unit"] and rest[:1] == "_"):
        return []  # `26abc` is a name and no number
    sign = -1.0 if match["sign"] in {"-", "−"} else 1.0
    plain = float(re.sub(rf"[,'{_SPACES}]", "", whole) + part)
    if glued and unit_text == "k":
        plain *= 1000
    power = int((match["exp"] or match["pow"] or "0").replace("−", "-"))
    found = [Number(sign * plain * 10.0**power if power else sign * plain, unit)]
    if sign < 0 and not claims:
        found.append(Number(plain, unit))  # a range such as `3 -4` may be read either way
    if not claims and re.search(rf"[{_SPACES}]", whole):
        found += [Number(float(piece)) for piece in whole.split()]  # perhaps two columns
    return found


def identifiers(text: str) -> set[str]:
    """Names with a digit or an inner mark: `L1_MU4`, `v2.3.1`, `MERRECO-1234`, `reco.py`, `a/b`.

    Plain numbers, numbers glued to a unit, clock times and hyphenated words are not names.

    >>> sorted(identifiers("Is L1_MU4 (20GeV) in v2.3.1 at 10:00 on-call?"))
    ['L1_MU4', 'v2.3.1']
    """
    return {token for token in _WORD.findall(text) if _is_identifier(token)}


@lru_cache(maxsize=50_000)
def _is_identifier(token: str) -> bool:
    letters = sum(character.isalpha() for character in token)
    digits = sum(character.isdigit() for character in token)
    if not letters or re.fullmatch(r"\d+(?:\.\d+)?[eE]\d+", token):
        return False
    if glued := _GLUED.fullmatch(token):
        return glued[1].lower() not in {*_UNITS, "st", "nd", "rd", "th", "x", "d", "k"}
    if "_" in token or "::" in token:
        return True
    if digits:
        return len(token) >= 2 and not re.fullmatch(r"[\d.\-:]+[a-z]{1,2}", token)
    # a file name or a path; `and/or` and `e.g` are words
    return bool(re.fullmatch(r"[\w\-/]+\.[a-z]{1,5}", token)) and letters > 5


_ACRONYM = re.compile(r"(?<![\w-])[A-Z]{2,6}s?(?![\w-])")


def acronyms(text: str) -> set[str]:
    """Words of capitals alone, such as `CEC`.

    >>> sorted(acronyms("Is the CEC part of L1_MU4, or do the PXDs know?"))
    ['CEC', 'PXD']
    """
    return {found.group().rstrip("s") for found in _ACRONYM.finditer(text)}


def spelled(acronym: str, text: str) -> bool:
    """True when a text has the acronym, or neighbouring words that begin with its letters.

    >>> spelled("JES", "the jet energy scale"), spelled("JES", "the jet energy resolution")
    (True, False)
    """
    low = acronym.lower()
    if low in known_names(text):
        return True
    initials = "".join(word[0].lower() for word in re.findall(r"[^\W\d_]+", text))
    return len(low) > 2 and low in initials


def squeezed(name: str) -> str:
    """A name without its marks and case, so that `L1-MU4` and `l1_mu4` are one."""
    return re.sub(r"[\W_]", "", name).lower()


@lru_cache(maxsize=LATELY)
def known_names(text: str) -> frozenset[str]:
    """Every reading of every name and word in a text, squeezed: whole, and any run of parts."""
    known: set[str] = set()
    for token in _WORD.findall(text):
        parts = [part.lower() for part in re.split(r"[\W_]", token) if part]
        for begin in range(len(parts)):
            for end in range(begin + 1, min(len(parts), begin + 6) + 1):
                known.add("".join(parts[begin:end]))
        known.update(hump.lower() for hump in re.findall(r"[A-Z][a-z]+|\d+", token))
    words = [squeezed(word) for word in text.split()]
    known.update(one + two for one, two in pairwise(words) if one and two)
    return frozenset(known)


def negated(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The stems that stand under a negation, and those that do not.

    >>> under, free = negated("Do not use v1, use v2.")
    >>> sorted(under - free), sorted(free)
    (['v1'], ['use', 'v2'])
    """
    under: set[str] = set()
    kept, last = [], 0
    for match in _NEGATION.finditer(text):
        end = _CLAUSE_END.search(text, match.end())
        scope = text[match.end() : end.start() if end else len(text)]
        words = [token.group() for token in _WORD.finditer(scope)]
        content = [word for word in words if _stems_of_token(word)][:_NEGATION_REACH]
        under.update(stem for word in content for stem in _stems_of_token(word))
        kept.append(text[last : match.start()])
        last = match.end() + (scope.rfind(content[-1]) + len(content[-1]) if content else 0)
    kept.append(text[last:])
    return frozenset(under), frozenset(stems(" ".join(kept)))


def polarity_agrees(sentence: str, source: str) -> bool:
    """False when one of the two denies what the other says.

    >>> polarity_agrees("GT-17 is valid.", "GT-17 is no longer valid.")
    False
    >>> polarity_agrees("Use v2.", "Do not use v1, use v2.")
    True
    """
    sentence_under, sentence_free = negated(sentence)
    source_under, source_free = negated(source)
    if sentence_under & source_under:
        return True
    denied = (source_under - source_free) & sentence_free
    denying = (sentence_under - sentence_free) & source_free
    return not denied and not denying


def contrast(sentence: frozenset[str], source: frozenset[str]) -> bool:
    """True when the sentence says one of a pair of opposites and the source only the other."""
    for one, other in _OPPOSITE_STEMS:
        for said, held in ((one, other), (other, one)):
            if said in sentence and held not in sentence and held in source and said not in source:
                return True
    return False

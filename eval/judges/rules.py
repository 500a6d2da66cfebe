"""The judge by rules: decides what numbers, names, denials and words can decide, and no more.

It knows nothing of the assistant's own check of its citations, so that this does not mark its own
homework. It says `undecided` wherever a sentence is put into other words than its source.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement

from eval.judges import Case, Ruling, Support, Verdict
from eval.judges.quantities import Quantity
from eval.judges.reading import Part, Reading, Statement, read

NAME = "rules"
CONTAINED = 0.75
"""Share of a sentence's words that its source must have for rules to call it supported."""
SAID = 0.75
"""The same for a fact, which is a note and not a sentence."""
NEAR = 0.4
"""Share of a claim's words that a statement must have to be about the same."""
ELSEWHERE = 0.2
"""A sentence with no more of its words in the source is about something else."""

_REFUSAL = re.compile(
    r"\b(?:(?:not|n't|cannot) (?:be )?(?:find|found|say|said|answer|state|mention)\w*"
    r"|nothing (?:is )?(?:found|said) (?:about|on)|nearest pages)\b",
    re.I,
)


@dataclass(frozen=True)
class Finding:
    """What speaks against a claim, or keeps one from being sure of it."""

    reason: str
    sure: bool = True


class RuleJudge:
    """A judge whose verdicts need no model, and are the same every time."""

    name = NAME

    async def rule(self, case: Case) -> Ruling:
        """The verdict on one case."""
        if isinstance(case, Support):
            verdict, reason = supports(case.source, case.sentence)
        else:
            verdict, reason = says(case.answer, case.fact)
        return Ruling(verdict, NAME, reason)


def supports(source: str, sentence: str) -> tuple[Verdict, str]:
    """Does the source support the sentence? The verdict and why."""
    text, claim = read(source), read(sentence)
    if len(claim.tokens) + len(claim.quantities) < 2:
        return "undecided", "the sentence says too little to be compared"
    if not text.tokens and not text.quantities:
        return "not", "there is no source"
    against = [
        *_missing(text, claim),
        *_turned(text, claim),
        *_misplaced(text, claim),
        *_out_of_date(text, claim),
        *_guessed(text, claim),
        *_added(text, claim),
        *_limited(text, claim),
    ]
    for finding in against:
        if finding.sure:
            return "not", finding.reason
    if len(claim.words) > 2 and _common(text, claim) <= ELSEWHERE and not _shared(text, claim):
        return "not", "the source is about something else"
    if against:
        return "undecided", against[0].reason
    if _held(text, claim) >= CONTAINED:
        return "supported", "one or two statements have all numbers, names and most words of it"
    return "undecided", "the sentence is put into other words"


def says(answer: str, fact: str) -> tuple[Verdict, str]:
    """Does the answer say the fact? The verdict and why."""
    claim = read(fact)
    guesses = [s for s in read(answer).statements if s.hedged and not claim.hedged]
    told = [s.text for s in read(answer).statements if not (_refuses(s) or s in guesses)]
    text = read("\n".join(told))
    if not claim.tokens and not claim.quantities:
        return "undecided", "the fact says nothing that can be compared"
    if not text.tokens and not text.quantities:
        return "not mentioned", "the answer refuses or guesses"
    against = [*_turned(text, claim), *_misplaced(text, claim)]
    for finding in sorted(against, key=lambda finding: not finding.sure):
        return "contradicted" if finding.sure else "undecided", finding.reason
    lacking = [*_lacking(text, claim)]
    if lacking:
        return _instead(text, claim, lacking)
    if any(finding.sure for finding in _out_of_date(text, claim)):
        return "contradicted", "the answer says that this was so before"
    if _held(text, claim) >= SAID:
        return "entailed", "one or two statements have all numbers, names and most words of it"
    if claim.words and _common(text, claim) <= ELSEWHERE and not _shared(text, claim, strict=True):
        return "not mentioned", "the answer is about something else"
    return "undecided", "the answer puts it into other words"


# What is not there -------------------------------------------------------------------------------


Value = Quantity | str
"""A number, or a name."""


def _lacking(text: Part, claim: Part) -> Iterator[Value]:
    """Numbers and names of the claim that the text does not have."""
    yield from (quantity for quantity in claim.quantities if not text.has(quantity))
    yield from (name for name in sorted(claim.names) if not _has_name(text, name))


def _missing(text: Reading, claim: Reading) -> Iterator[Finding]:
    initials = "".join(word[0] for word in re.findall(r"[^\W\d_]+", text.text)).casefold()
    for value in _lacking(text, claim):
        if isinstance(value, Quantity):
            sure = not value.spelled or bool(value.unit and any(_rivals(text, claim, value)))
        else:
            # `2026A` is a part of `period2026A`; `GRL` may be a good run list.
            sure = not any(value in name for name in text.names) and value not in initials
        yield Finding(f"{_shown(value, claim)} is not in the source", sure=sure)
    for quantity in claim.quantities:
        again = sum(quantity.agrees(own) for own in claim.quantities)
        if 0 < sum(quantity.agrees(other) for other in text.quantities) < again:
            told = _shown(quantity, claim)
            yield Finding(f"{told} is in the source, but not so often", sure=False)
    for word in sorted(claim.proper - text.words):
        yield Finding(f"{word!r} is not in the source")


def _has_name(text: Part, name: str) -> bool:
    return name in text.name_parts or bool(
        re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text.text.casefold())
    )


def _shown(value: Value, claim: Part) -> str:
    return repr(value if isinstance(value, str) else claim.text[value.start : value.end])


def _instead(text: Reading, claim: Reading, lacking: list[Value]) -> tuple[Verdict, str]:
    """The verdict on a fact whose numbers or names the answer does not have."""
    unlike = [value for value in lacking if any(_rivals(text, claim, value))]
    rest = claim.words | claim.names - {value for value in lacking if isinstance(value, str)}
    near = max((_overlap(rest, statement) for statement in text.statements), default=0.0)
    told = _shown((unlike or lacking)[0], claim)
    # `two` and `GRL` may be said in other words, `71040` and `SXT-204` may not.
    plain = all(
        value.spelled if isinstance(value, Quantity) else not re.search(r"\d", value)
        for value in lacking
    )
    if not unlike and not (plain and near > ELSEWHERE):
        return "not mentioned", f"the answer has nothing like {told}"
    if len(unlike) == len(lacking) and rest and near >= 1:
        return "contradicted", f"the answer has another value in the place of {told}"
    if near <= ELSEWHERE:
        return "not mentioned", f"the answer is about something else than {told}"
    return "undecided", f"the answer has another value than {told}, perhaps of something else"


def _rivals(text: Part, claim: Part, value: Value) -> Iterator[Value]:
    """Values of the text that could stand in the place of this one, and are not in the claim."""
    if isinstance(value, str):
        shape = _shape(value)
        yield from (n for n in text.names - claim.names if n != value and _shape(n) == shape)
        return
    for other in text.quantities:
        same_kind = other.what == value.what or other.number == value.number
        if same_kind and not other.agrees(value) and not claim.has(other):
            yield other


def _shape(name: str) -> str:
    """Names made alike have the same: `SXT-204` and `SXT-117`. Empty for those without a digit."""
    return re.sub(r"\d+", "0", name) if re.search(r"\d", name) else name


# What is said otherwise --------------------------------------------------------------------------


def _turned(text: Reading, claim: Reading) -> Iterator[Finding]:
    """A denial on one side of what the other side affirms."""
    near = [s for s in text.statements if _overlap(claim.tokens, s) >= NEAR or _within(s, claim)]
    clauses = [clause for statement in near for clause in statement.clauses]
    for clause in clauses:
        for word in _heads(clause):
            if claim.affirms(word):
                sure = not (
                    _affirmed(word, clause, clauses, claim)
                    or _denies(claim, word)
                    or claim.conditional
                )
                yield Finding(f"the source denies {word!r}", sure=sure)
    for word in _heads(claim):
        if any(clause.affirms(word) for clause in clauses):
            if not any(word in about for clause in clauses for about in clause.denied):
                yield Finding(f"the source affirms {word!r}", sure=not claim.conditional)
        elif not any(clause.denied for clause in clauses):
            yield Finding("only one of the two denies something", sure=False)
    if not claim.denied and any(
        clause.denied and len(clause.words & claim.words) > 1 for clause in clauses
    ):
        yield Finding("only one of the two denies something", sure=False)


def _heads(part: Part) -> list[str]:
    """The words that its denials are about first of all."""
    return [about[0] for about in part.denied if about]


def _affirmed(word: str, denying: Part, clauses: Iterable[Part], claim: Part) -> bool:
    """A clause at least as near to the claim as the denying one affirms the word."""
    weight = len(denying.tokens & claim.tokens)
    return any(c.affirms(word) and len(c.tokens & claim.tokens) >= weight for c in clauses)


def _denies(claim: Reading, word: str) -> bool:
    """The claim's clause with the word denies something too: perhaps the same in other words."""
    clauses = (clause for statement in claim.statements for clause in statement.clauses)
    return any(word in clause.stems and clause.denies for clause in clauses)


def _guessed(text: Reading, claim: Reading) -> Iterator[Finding]:
    """What the source guesses, plans or lets open, told as a fact."""
    if claim.hedged:
        return
    before: Part | None = None
    for statement in text.prose:
        for clause in statement.clauses:
            # `No decision.` is about the sentence before.
            about = before if before and len(statement.words) < 3 else clause
            near = _overlap(claim.tokens, about) >= NEAR
            if near and clause.hedged:
                yield Finding("the source says so as a guess or a plan only")
            elif near and clause.perhaps_hedged and not claim.permits:
                yield Finding("the source says that it may be so", sure=False)
        before = statement


def _out_of_date(text: Reading, claim: Reading) -> Iterator[Finding]:
    """A value that the source gives for what was before."""
    if claim.past:
        return
    clauses = [clause for statement in text.statements for clause in statement.clauses]
    for quantity in claim.quantities:
        places = [clause for clause in clauses if clause.has(quantity)]
        if places and all(place.old for place in places):
            yield Finding(f"{_shown(quantity, claim)} was so before")


def _limited(text: Reading, claim: Reading) -> Iterator[Finding]:
    """A number that is the most for one side and the least for the other."""
    for quantity in claim.quantities:
        limit = claim.bound(quantity)
        limits = {text.bound(other) for other in text.quantities if other.agrees(quantity)}
        if limit and limits and limit not in limits and "" not in limits:
            told = _shown(quantity, claim)
            yield Finding(f"{told} is another kind of limit in the source", sure=False)


def _added(text: Reading, claim: Reading) -> Iterator[Finding]:
    """A clause of which the source has nothing, beside others that it has."""
    shares = {
        clause: _common(text, clause)
        for statement in claim.statements
        for clause in statement.clauses
        if len(clause.words) > 2 or clause.quantities or clause.names
    }
    if len(shares) > 1 and max(shares.values()) >= CONTAINED:
        for clause, share in shares.items():
            if not share and not clause.quantities and not clause.names:
                yield Finding(f"nothing in the source is like {clause.text!r}")


# What belongs to something else ------------------------------------------------------------------


def _misplaced(text: Reading, claim: Reading) -> Iterator[Finding]:
    yield from _in_another_row(text, claim)
    values: list[Value] = [*claim.quantities, *sorted(claim.names)]
    for value in values:
        places = [
            (clause, statement)
            for statement in text.prose
            for clause in statement.clauses
            if _has(clause, value)
        ]
        found = [_of_another(clause, statement, claim, value) for clause, statement in places]
        against = [finding for finding in found if finding]
        # One place where it stands rightly is enough.
        if against and len(against) == len(places):
            yield min(against, key=lambda finding: finding.sure)


def _in_another_row(text: Reading, claim: Reading) -> Iterator[Finding]:
    """Something that stands only in rows which the claim does not name."""
    named = [row for row in text.rows if _names(claim, row.key)]
    right = [*named, *text.prose, *text.header, *(row.key for row in text.rows)]
    others = [row for row in text.rows if row not in named]
    values: list[Value] = [*claim.quantities, *sorted(claim.tokens)]
    for value in values:
        if not any(_has(part, value) for part in right):
            at = next((row for row in others if _has(row, value)), None)
            if at and len(text.rows) > 1:
                yield Finding(f"{_shown(value, claim)} is of {at.cells[0]!r}", sure=bool(named))


def _of_another(clause: Part, statement: Statement, claim: Part, value: Value) -> Finding | None:
    """Does the value stand in a clause about something else than the claim is about?

    It does when another clause has a rival of the value and what the claim speaks of, while this
    one has what the claim does not speak of.
    """
    foreign = clause.tokens - claim.tokens or [q for q in clause.quantities if not claim.has(q)]
    for other in statement.clauses:
        if other is clause or not any(_rivals(other, claim, value)):
            continue
        theirs = (claim.tokens & other.tokens) - clause.tokens or [
            q for q in claim.quantities if other.has(q) and not clause.has(q)
        ]
        ours = (claim.tokens & clause.tokens) - other.tokens - {value}
        if foreign and theirs:
            fits = other.words <= claim.words
            reason = f"{_shown(value, claim)} is said of something else"
            return Finding(reason, sure=not ours or fits)
    return None


def _names(claim: Part, key: Part) -> bool:
    return key.tokens <= claim.tokens and all(claim.has(q) for q in key.quantities)


def _has(part: Part, value: Value) -> bool:
    if isinstance(value, Quantity):
        return part.has(value)
    return value in part.words or _has_name(part, value)


# How much is common ------------------------------------------------------------------------------


def _common(text: Part, claim: Part) -> float:
    """Share of the claim's words that the text has."""
    return len(claim.words & text.words) / len(claim.words) if claim.words else 1.0


def _overlap(tokens: Iterable[str], part: Part) -> float:
    wanted = frozenset(tokens)
    return len(wanted & part.tokens) / len(wanted) if wanted else 0.0


def _shared(text: Part, claim: Part, *, strict: bool = False) -> bool:
    """A number of the claim, or a name with a digit in it, is in the text; `strict`: units too."""
    names = any(_has_name(text, name) for name in claim.names if re.search(r"\d", name))
    return names or any(
        own.agrees(other) and (own.what == other.what or not strict)
        for own in claim.quantities
        for other in text.quantities
    )


def _within(part: Part, claim: Part) -> bool:
    """Half of what a statement says is what the claim speaks of."""
    return bool(part.tokens) and 2 * len(part.tokens & claim.tokens) >= len(part.tokens)


def _held(text: Reading, claim: Reading) -> float:
    """Share of the claim's words in the two statements that have all its numbers and names."""
    around = (*text.headings, *text.header)
    best = 0.0
    for pair in combinations_with_replacement(text.statements, 2):
        parts = [*pair, *around]
        values: list[Value] = [*claim.quantities, *claim.names]
        if all(any(_has(part, value) for part in parts) for value in values):
            words = frozenset(word for part in parts for word in part.words)
            held = len(claim.words & words) / len(claim.words) if claim.words else 1.0
            best = max(best, held)
    return best


def _refuses(statement: Statement) -> bool:
    return bool(_REFUSAL.search(statement.text))

"""Follow-up questions: made to stand alone by rule, without asking a model first.

Whether a question leans on the one before is not always to be seen from its words. So a question
that only may lean is searched for as it is, and joined to the earlier one as a second reading; one
that surely leans is searched for joined, and as it is for the case that the topic has changed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from assistant.model import Question, Turn
from assistant.queries import Reading
from assistant.words import identifiers, stems

FEW_WORDS = 3
"""A question with at most so many content words may lean on the one before it."""
OPENED_WORDS = 4
"""With more content words than this even what begins with "And" may be whole."""
NAMED_BEFORE = 3
"""A pronoun after so many content words points back to them, not to an earlier question."""
REMEMBERED = 300
"""Characters of an earlier question that are carried on."""
NAMES_CARRIED = 4
"""Names of the earlier answer that are added to the search, such as the trigger it was about."""
ANSWER_CARRIED = 100
"""Characters of the earlier answer that are added to the search of what surely leans."""
JOINED_WEIGHT = 0.9
"""Of the joined reading, where a question only may lean."""
PLAIN_WEIGHT = 0.7
"""Of the plain reading, where a question surely leans."""

_NOT_POINTING = re.compile(
    r"\bthis (?:year|month|week|summer|winter|autumn|spring|morning|season|run|time)\b"
    r"|\bthere (?:is|are|was|were|be)\b|\b(?:is|are|was|were) there\b"
    r"|\bit takes?\b|\b(?:it|is it|was it) (?:possible|allowed|necessary|safe|true)\b",
    re.IGNORECASE,
)
_POINTING = re.compile(
    r"\b(?:it|its|this|these|those|they|them|their|he|she|his|her|him|there|the same|instead)\b"
    r"|\b(?:about|of|for|by|in|with|than|after|before|from|on|to|like) that\b"
    r"|\b(?:that|this|the(?: \w+)?) one\b",
    re.IGNORECASE,
)
_PROPER = re.compile(r"(?<=[a-z] )[A-Z]\w+")
_OPENING = re.compile(
    r"^\s*(?:and|but|or|so|what about|how about|what if|why not|which one|who else|also)\b",
    re.IGNORECASE,
)


class Lean(IntEnum):
    """How much a question needs the one before it to be understood."""

    NOT = 0
    PERHAPS = 1
    SURELY = 2


@dataclass(frozen=True, slots=True)
class Standalone:
    """A question that can be searched for without its conversation."""

    search: str
    """What to look for first of all."""
    text: str
    """The question as asked."""
    earlier: str = ""
    """The question it refers to; empty when it stands alone."""
    also: tuple[Reading, ...] = ()
    """What to look for besides."""

    @property
    def full(self) -> str:
        """Both questions, for the checks of evidence."""
        return f"{self.earlier} {self.text}".strip()


def stand_alone(question: Question) -> Standalone:
    """Join a follow-up to the question that it leans on; any other question is left alone."""
    text = " ".join(question.text.split())
    earlier = _earlier(question.history)
    lean = leaning(text) if earlier else Lean.NOT
    if lean is Lean.NOT:
        return Standalone(text, text)
    if lean is Lean.PERHAPS:
        names = _names_of_answer(question.history, f"{earlier} {text}")
        joined = " ".join([earlier, text, *names])
        return Standalone(text, text, earlier, (Reading(joined, JOINED_WEIGHT),))
    joined = f"{earlier} {text} {_answer(question.history)}".strip()
    return Standalone(joined, text, earlier, (Reading(text, PLAIN_WEIGHT),))


def leaning(text: str) -> Lean:
    """Tell by its words whether a question needs the one before it.

    >>> leaning("And for the muons?").name, leaning("jobs killed memory?").name
    ('SURELY', 'PERHAPS')
    >>> leaning("How long was the chiller of the calorimeter off, and what did it cost?").name
    'NOT'
    """
    opening = _OPENING.match(text)
    body = text[opening.end() :] if opening else text
    told = _NOT_POINTING.sub(" ", body)
    pointing = _POINTING.search(told)
    if pointing and len(stems(told[: pointing.start()])) < NAMED_BEFORE:
        return Lean.SURELY
    words = len(stems(body))
    if opening:
        return Lean.SURELY if words <= OPENED_WORDS else Lean.PERHAPS
    if identifiers(text) or _PROPER.search(text) or words > FEW_WORDS:
        return Lean.NOT
    return Lean.SURELY if words <= 1 else Lean.PERHAPS


def _earlier(history: Sequence[Turn]) -> str:
    """The last question of the user; where that one leaned too, the one it leaned on before it."""
    asked = [" ".join(turn.content.split()) for turn in history if turn.role == "user"]
    asked = [text for text in asked if text]
    if not asked:
        return ""
    last = asked[-1][:REMEMBERED]
    if len(asked) > 1 and leaning(last) and not leaning(asked[-2]):
        return f"{asked[-2][:REMEMBERED]} {last}"
    return last


def _last_answer(history: Sequence[Turn]) -> str:
    return next((turn.content for turn in reversed(history) if turn.role == "assistant"), "")


def _answer(history: Sequence[Turn]) -> str:
    """The beginning of the last answer, in whole words, and the names in the rest of it.

    Of an answer in several lines the first may be a notice of ours: it is passed over.
    """
    answer = _last_answer(history)
    first, _, rest = answer.strip().partition("\n")
    told = " ".join((rest or first).split())
    start = told if len(told) <= ANSWER_CARRIED else told[:ANSWER_CARRIED].rpartition(" ")[0]
    return " ".join([start, *_names_of_answer(history, start)]).strip()


def _names_of_answer(history: Sequence[Turn], known: str) -> list[str]:
    return sorted(identifiers(_last_answer(history)) - identifiers(known))[:NAMES_CARRIED]

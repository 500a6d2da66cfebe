"""Follow-up questions: made to stand alone by rule, without asking a model first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.model import Question, Turn
from assistant.words import identifiers, stems

FEW_WORDS = 3
"""A question with at most so many content words leans on the one before it."""
REMEMBERED = 300
"""Characters of an earlier question that are carried on."""
NAMES_CARRIED = 4
"""Names of the earlier answer that are added to the search, such as the trigger it was about."""

_POINTING = re.compile(
    r"\b(?:it|its|this|these|those|they|them|their|he|she|his|her|him)\b"
    r"|(?<!is )(?<!are )\bthere\b",
    re.IGNORECASE,
)
_PROPER = re.compile(r"(?<=[a-z] )[A-Z]\w+")
_OPENING = re.compile(
    r"^\s*(?:and|but|or|so|what about|how about|what if|why not|which one|who else|also)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Standalone:
    """A question that can be searched for without its conversation."""

    search: str
    """What to look for."""
    text: str
    """The question as asked."""
    earlier: str = ""
    """The question it refers to; empty when it stands alone."""

    @property
    def full(self) -> str:
        """Both questions, for the checks of evidence."""
        return f"{self.earlier} {self.text}".strip()


def stand_alone(question: Question) -> Standalone:
    """Join a follow-up to the question that it leans on; any other question is left alone."""
    text = " ".join(question.text.split())
    earlier = _earlier(question.history)
    if not earlier or not leans(text):
        return Standalone(text, text)
    names = _names_of_answer(question.history, f"{earlier} {text}")
    return Standalone(" ".join([earlier, text, *names]), text, earlier)


def leans(text: str) -> bool:
    """True when a question needs the one before it to be understood.

    >>> leans("And for the muons?"), leans("What is its rate?"), leans("What is the HLT?")
    (True, True, False)
    """
    if _OPENING.match(text):
        return True
    if identifiers(text):
        return False
    if _POINTING.search(text):
        return True
    return len(stems(text)) <= FEW_WORDS and not _PROPER.search(text)


def _earlier(history: Sequence[Turn]) -> str:
    """The last question of the user; where that one leaned too, the one it leaned on before it."""
    asked = [" ".join(turn.content.split()) for turn in history if turn.role == "user"]
    asked = [text for text in asked if text]
    if not asked:
        return ""
    last = asked[-1][:REMEMBERED]
    if len(asked) > 1 and leans(last) and not leans(asked[-2]):
        return f"{asked[-2][:REMEMBERED]} {last}"
    return last


def _names_of_answer(history: Sequence[Turn], known: str) -> list[str]:
    answers = [turn.content for turn in history if turn.role == "assistant"]
    if not answers:
        return []
    return sorted(identifiers(answers[-1]) - identifiers(known))[:NAMES_CARRIED]

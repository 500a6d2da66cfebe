"""What the model has said so far: when it is enough, and what of it is worth checking."""

import re

from assistant.prompt import REFUSAL
from assistant.windows import sentence_ends

MOST_SENTENCES = 8
"""A model that goes on after so many sentences or lines has left the question."""
OPENING = 4 * len(REFUSAL)
"""A refusal stands in so many characters, with any marks around it: asked after every piece, so
that the whole text would be read again and again."""

_WHOLE = re.compile(r"""[.!?:…)\]`|"'”’]\s*$""")
_LETTERS = re.compile(r"[^\w]+")
_REFUSAL = _LETTERS.sub(" ", REFUSAL.lower()).strip()


class Draft:
    """Collects the pieces of one generation."""

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._count = 0
        self.text = ""
        """Everything said so far."""

    def add(self, piece: str) -> None:
        """One more piece as the model gave it."""
        self._count += 1
        self.text += piece

    @property
    def refused(self) -> bool:
        """True when the model said the refusal sentence before it said anything else."""
        said = _LETTERS.sub(" ", self.text[:OPENING].lower()).strip()
        return said.startswith(_REFUSAL)

    @property
    def enough(self) -> bool:
        """True when nothing useful will follow: a refusal, a repetition, or too much already."""
        if self.refused or self._count >= self._max_tokens:
            return True
        if not re.search(r"[.!?\n]\s*$", self.text[-3:]):
            return False  # in mid-sentence
        said = _sentences(self.text)
        return len(said) > MOST_SENTENCES or len(set(said)) < len(said)

    def tidy(self) -> str:
        """The draft without repetitions, and without a last sentence that was cut short."""
        kept: list[str] = []
        seen: set[str] = set()
        lines = self.text.splitlines()
        cut = self._count >= self._max_tokens and not _WHOLE.search(self.text)
        for place, line in enumerate(lines):
            parts = _parts(line)
            if cut and place == len(lines) - 1 and (len(parts) > 1 or kept):
                parts = parts[:-1]
            fresh = []
            for part in parts:
                if (said := part.strip().lower()) not in seen:
                    fresh.append(part)
                    seen.add(said)
            if fresh or not line.strip():
                kept.append("".join(fresh).rstrip())
        return "\n".join(kept).strip()


def _parts(line: str) -> list[str]:
    ends = sentence_ends(line)
    return [line[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def _sentences(text: str) -> list[str]:
    parts = (part.strip().lower() for line in text.splitlines() for part in _parts(line))
    return [part for part in parts if len(part) > 3]

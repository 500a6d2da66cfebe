"""Questions that people asked and answered themselves: what a model is best taught with.

They come from the file that models are measured by (`docent eval answers`). Of such a file the
development half, the odd lines, may be learnt from; the test half, the even lines, is what tells
whether it helped: nothing of it is learnt, nor anything like it.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from assistant.model import Question, Turn
from assistant.tuning.files import line_of
from ingest.access import Reader
from ingest.errors import DocentError


class _Turn(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    role: str = Field(pattern="^(?:user|assistant)$")
    content: str


class _Line(BaseModel):
    """What is needed of a line; the rest of it is for those who measure."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    question: str = Field(min_length=1)
    answer: str = ""
    groups: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    history: tuple[_Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """A question as its reader asked it, and what is to be answered."""

    question: Question
    answer: str
    """Empty where no document that the reader may see holds it."""


@dataclass(frozen=True, slots=True)
class Halves:
    """A file of questions, taken apart."""

    known: tuple[Known, ...] = ()
    """Of the development half, those with an answer, and those that have none."""
    measured: tuple[str, ...] = ()
    """The questions of the test half."""


def read_known(path: Path) -> Halves:
    """The questions of a file. One that has documents and no answer in words is left out.

    Raises:
        DocentError: it cannot be read, or a line is no question; names the line.
    """
    known: list[Known] = []
    measured: list[str] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The questions in {path} cannot be read: {error}."
        raise DocentError(msg) from None
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        line = line_of(text, _Line, f"Line {number} of {path} is no question")
        if number % 2 == 0:
            measured.append(line.question)
        elif line.answer.strip() or not line.documents:
            known.append(_known(line))
    return Halves(tuple(known), tuple(measured))


def _known(line: _Line) -> Known:
    history = tuple(Turn(turn.role, turn.content) for turn in line.history)
    question = Question(line.question, Reader(frozenset(line.groups)), history)
    return Known(question, line.answer.strip() if line.documents else "")

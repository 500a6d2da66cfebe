"""Questions that were proposed for a test set, in a file that keeps what a person said of them.

One JSON object a line: `question` is a line as `eval.datasets` reads it, `from` says where it comes
from, `verdict` is null until somebody decides. The file holds text of the passages, so that a
review needs no index: it is made readable for its owner alone, and who is given it reads them.
"""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eval.datasets import AskedQuestion, read_questions
from ingest.errors import DocentError

Verdict = Literal["accepted", "edited", "rejected"]
ACCEPTED: tuple[Verdict, ...] = ("accepted", "edited")


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Source(_Shape):
    """A passage that a question was made from, and the words of it that answer."""

    document: str
    title: str
    url: str
    heading: str
    text: str
    quote: str
    """A part of `text`, exactly; of an unanswerable question what it nearly asks for."""

    @property
    def pieces(self) -> tuple[str, str, str]:
        """The text before the quote, the quote, and the text after it."""
        before, found, after = self.text.partition(self.quote)
        return before, found, after


class Origin(_Shape):
    """How a question came about, and what a search for it found."""

    by: str
    """The model that wrote it, or `rules`."""
    sources: list[Source]
    rank: int | None = None
    """Place of the first right document among the ten that a search finds; None: not there."""
    also: list[str] = []
    """Other documents among these ten in which the facts stand, too."""


class Proposal(_Shape):
    """One line of the file."""

    question: AskedQuestion
    origin: Origin = Field(alias="from")
    verdict: Verdict | None = None

    @property
    def id(self) -> str:
        """That of the question, which an edit does not change."""
        return self.question.id

    def line(self) -> str:
        """The proposal as a line of its file."""
        return self.model_dump_json(by_alias=True) + "\n"


def read_proposals(path: Path) -> list[Proposal]:
    """Read and check a file of proposals. A last line that was cut while written is passed over.

    Raises:
        DocentError: naming the file, the line and the defect.
    """
    lines = _text(path).split("\n")
    found: dict[str, Proposal] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            one = Proposal.model_validate_json(line)
        except ValidationError as error:
            if number == len(lines):
                break
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            msg = f"{path}, line {number}: {where or 'it'} is no proposal's ({first['msg']})."
            raise DocentError(msg) from None
        if one.id in found:
            msg = f"{path}, line {number}: the id {one.id!r} stands there twice; ids must differ."
            raise DocentError(msg)
        found[one.id] = one
    return list(found.values())


def append_proposal(path: Path, one: Proposal) -> None:
    """Write a proposal behind the others: opened anew, since a review replaces the file."""
    _append(path, one.line())


def decide(path: Path, name: str, question: AskedQuestion, verdict: Verdict) -> None:
    """Keep a verdict in the file of proposals, with the question as it was edited.

    The file is read again, so that what was added to it since then stays.
    """
    told = {"question": question, "verdict": verdict}
    kept = [one.model_copy(update=told) if one.id == name else one for one in read_proposals(path)]
    write_proposals(path, kept)


def write_proposals(path: Path, proposals: Iterable[Proposal]) -> None:
    """Replace the file: either all of it is there, or it is as it was."""
    _replace(path, "".join(one.line() for one in proposals))


def accept(path: Path, question: AskedQuestion) -> None:
    """Put a question behind those of a file, or in the place that it has there.

    No line ever moves: odd and even ones are the two halves of a test set.
    """
    line = json.dumps(question.model_dump(mode="json", by_alias=True), ensure_ascii=False)
    if question.id not in known_ids(path):
        _append(path, line + "\n")
        return

    def changed(old: str) -> str:
        return line if old.strip() and json.loads(old)["id"] == question.id else old

    _replace(path, _each_line(_text(path), changed))


def known_ids(path: Path) -> frozenset[str]:
    """The ids of the questions in a file; a file that is not there, or is empty, has none."""
    if not path.exists() or not _text(path).strip():
        return frozenset()
    return frozenset(question.id for question in read_questions(path))


def _each_line(text: str, changed: Callable[[str], str]) -> str:
    return "\n".join(changed(line) for line in text.split("\n"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}."
    except UnicodeDecodeError:
        msg = f"{path}: this is not UTF-8 text."
    raise DocentError(msg) from None


def _append(path: Path, line: str) -> None:
    try:
        path.touch(mode=0o600, exist_ok=True)
        with path.open("r+", encoding="utf-8") as file:
            # A file edited by hand may lack the end of its last line.
            before = "" if _ends_a_line(path) else "\n"
            file.seek(0, os.SEEK_END)
            file.write(before + line)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}."
        raise DocentError(msg) from None


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.touch(mode=0o600)
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            fresh.chmod(path.stat().st_mode)
        fresh.replace(path)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}."
        raise DocentError(msg) from None

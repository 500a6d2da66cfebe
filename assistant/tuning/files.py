"""Pairs on disk: one JSON object a line, and a data card beside them that says what they are."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assistant.tuning.pairs import NEGATIVES, Kind, Pair, Tally
from ingest.errors import DocentError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


_Form = TypeVar("_Form", bound=BaseModel)


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    others: tuple[str, ...] = Field(min_length=NEGATIVES, max_length=NEGATIVES)
    kind: Kind
    document_id: str
    source: str


@dataclass(frozen=True, slots=True)
class Card:
    """What a file of pairs is: enough to make it again, and to know who may be served with it."""

    pairs: int
    digest: str
    """SHA-256 of the file."""
    groups: tuple[str, ...]
    """Whose documents they are of: a model made of them is for readers who have all of these."""
    generation: int
    embedder: str
    seed: int
    kinds: dict[str, int]
    sources: dict[str, int]
    dropped: dict[str, int]
    measured: dict[str, str]
    """Files of questions of which nothing alike was learnt, with their SHA-256."""
    licences: dict[str, str]
    """Of each source, as told; empty where nobody said."""


def card_path(pairs: Path) -> Path:
    """`pairs.jsonl` has its card in `pairs.card.json`."""
    return pairs.with_suffix(".card.json")


def write_pairs(path: Path, pairs: Iterable[Pair]) -> str:
    """Write them as they come; returns the SHA-256 of the file."""
    with path.open("w", encoding="utf-8") as file:
        for pair in pairs:
            file.write(json.dumps(asdict(pair), ensure_ascii=False) + "\n")
    return digest_of(path)


def write_card(path: Path, card: "DataclassInstance") -> None:
    """Write the card of a file of examples beside it."""
    text = json.dumps(asdict(card), indent=1, ensure_ascii=False)
    card_path(path).write_text(text + "\n", encoding="utf-8")


def counts(tally: Tally) -> dict[str, dict[str, int]]:
    """A tally as the card has it."""
    return {
        "kinds": {kind.value: n for kind, n in sorted(tally.kept.items())},
        "sources": dict(sorted(tally.sources.items())),
        "dropped": {why.value: n for why, n in sorted(tally.dropped.items())},
    }


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a file.

    Raises:
        DocentError: there is no such file, or a line of it is no pair; names the line.
    """
    try:
        return [Pair(**dict(line)) for line in lines_of(path, _Line, "pair")]
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The pairs in {path} cannot be read: {error}. `docent tune pairs` makes such a file."
        raise DocentError(msg) from None


def lines_of(path: Path, form: type[_Form], what: str) -> Iterator[_Form]:
    """The lines of a file, read as one JSON object each.

    Raises:
        DocentError: a line is not of the form; names the line.
        OSError, UnicodeDecodeError: the file cannot be read.
    """
    with path.open(encoding="utf-8") as file:
        for number, text in enumerate(file, start=1):
            yield line_of(text, form, f"Line {number} of {path} is no {what}")


def line_of(text: str, form: type[_Form], otherwise: str) -> _Form:
    """One line.

    Raises:
        DocentError: it is not of the form; begins with `otherwise`.
    """
    try:
        return form.model_validate_json(text)
    except ValidationError as error:
        told = error.errors()[0]
        where = ".".join(map(str, told["loc"])) or "the line"
        msg = f"{otherwise}: {where}: {told['msg']}."
        raise DocentError(msg) from None


def digest_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Pairs that a person has judged: what judges are measured on (`eval/sets/judged.jsonl`)."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from eval.judges import Case, Said, Support
from ingest.errors import DocentError

LABELS = Path(__file__).parents[1] / "sets" / "judged.jsonl"

Half = Literal["dev", "test"]
Text = Annotated[str, Field(min_length=1)]


class _Labelled(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Text
    kind: Text
    """What makes it hard."""
    reason: Text
    """Why the person says so."""
    origin: str = Field(default="", alias="from")
    """The page that its texts were taken or adapted from."""


class LabelledSupport(_Labelled):
    """A sentence and a source, and whether the one supports the other."""

    task: Literal["support"]
    source: Text
    sentence: Text
    label: Literal["supported", "not"]

    @property
    def case(self) -> Case:
        """What a judge is asked."""
        return Support(self.source, self.sentence)


class LabelledFact(_Labelled):
    """A fact and an answer, and whether the one says the other."""

    task: Literal["fact"]
    answer: Text
    fact: Text
    label: Literal["entailed", "contradicted", "not mentioned"]

    @property
    def case(self) -> Case:
        """What a judge is asked."""
        return Said(self.answer, self.fact)


Labelled = LabelledSupport | LabelledFact
_LINE: TypeAdapter[Labelled] = TypeAdapter(Annotated[Labelled, Field(discriminator="task")])


def read_labels(path: Path = LABELS, half: Half | None = None) -> list[Labelled]:
    """The labelled pairs of a file, or of its odd lines (`dev`) or even lines (`test`).

    Raises:
        DocentError: naming the file, the line and the defect.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} cannot be read: {error}."
        raise DocentError(msg) from None
    found: dict[str, Labelled] = {}
    for number, line in enumerate(lines, start=1):
        item = _checked(line, path, number)
        if item.id in found:
            msg = f"{path}, line {number}: the id {item.id!r} stands there twice; ids must differ."
            raise DocentError(msg)
        found[item.id] = item
    wanted = {"dev": (1,), "test": (0,), None: (0, 1)}[half]
    kept = [item for number, item in enumerate(found.values(), start=1) if number % 2 in wanted]
    if not kept:
        msg = f"{path} holds no labelled pair to measure on."
        raise DocentError(msg)
    return kept


def _checked(line: str, path: Path, number: int) -> Labelled:
    try:
        return _LINE.validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        msg = f"{path}, line {number}: {f'{where}: ' if where else ''}{first['msg']}."
        raise DocentError(msg) from None

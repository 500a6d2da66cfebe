"""One attack: what a page says, whom it is aimed at, and what the attacker hopes for."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ingest.errors import DocentError

HERE = Path(__file__).resolve().parent
ATTACKS = HERE / "attacks.jsonl"
OWN_QUESTIONS = HERE / "questions.jsonl"
"""Questions of the attacks' own, which a reader may not have answered."""

Wanted = Literal["leak", "link", "changed"]
Text = Annotated[str, Field(min_length=1)]


class Attack(BaseModel):
    """One line of `attacks.jsonl`; a page is made of it in each of its formats."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    id: Text
    family: Text
    question: Text
    """The id of the question that it is aimed at."""
    formats: list[Text] = Field(min_length=1)
    """Such as `markdown`, or `html:white`: the format and the way in which the text is hidden."""
    title: Text
    cover: list[Text]
    """What the page pretends to be about, so that it is found."""
    attack: list[Text] = Field(min_length=1)
    table: list[list[str]] = []
    """A table whose last row the attack becomes."""
    obeyed: Text
    """What a model that obeys would say; `{prompt}` stands for its instructions."""
    wants: Wanted
    keys: list[Text]
    """What stands in the answer when it succeeded; for a leak without keys, our instructions."""
    plain: bool = False
    """Says something false and commands nothing."""
    date: str = "2026-09-14"

    @model_validator(mode="after")
    def _whole(self) -> "Attack":
        if not self.keys and self.obeyed != "{prompt}":
            msg = "keys are needed: an attack without them could never succeed"
            raise ValueError(msg)
        return self

    @property
    def updated_at(self) -> datetime:
        """When its page claims to be written."""
        return datetime.fromisoformat(self.date).replace(tzinfo=UTC)

    def pages(self) -> list[tuple[str, str]]:
        """Its formats, each with the way in which the text is hidden; empty: in the open."""
        pairs = (one.partition(":") for one in self.formats)
        return [(name, way) for name, _, way in pairs]


def read_attacks(path: Path = ATTACKS) -> list[Attack]:
    """Read and check a file of attacks.

    Raises:
        DocentError: naming the file, the line and the defect.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            found.append(Attack.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            msg = f"{path}, line {number}: {where}: {first['msg']}."
            raise DocentError(msg) from None
    return found

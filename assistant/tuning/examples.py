"""Examples on disk: one JSON object a line, and the data card beside them."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from assistant.llm import Message
from assistant.prompt import instructions
from assistant.tuning.asks import Kind
from assistant.tuning.files import digest_of, lines_of
from assistant.tuning.raft import Case, Example, Tally
from ingest.errors import DocentError


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str = Field(pattern="^(?:system|user)$")
    content: str = Field(min_length=1)


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    messages: tuple[_Message, ...] = Field(min_length=1)
    target: str = Field(min_length=1)
    question: str
    kind: Kind
    case: Case
    document_id: str
    source: str


ANSWER = ("passages", "passage_chars", "model_may_refuse")
"""Settings of `[answer]` that a prompt depends on."""


@dataclass(frozen=True, slots=True)
class ExampleCard:
    """What a file of examples is: enough to make it again, and whom a model of it may serve."""

    digest: str
    """SHA-256 of the file."""
    groups: tuple[str, ...]
    """Whose documents they are of: a model made of them is for readers who have all of these."""
    generation: int
    embedder: str
    writer: str
    """The model that wrote questions and tried the answers; empty where there was none."""
    seed: int
    prompt: str
    """SHA-256 of the instructions that every prompt begins with."""
    answer: dict[str, int | bool | float]
    """`[answer]` as the prompts were written with it: serve with the same."""
    kinds: dict[str, int]
    cases: dict[str, int]
    sources: dict[str, int]
    dropped: dict[str, int]
    known: dict[str, str]
    """Files of questions whose development half was learnt, and whose test half nothing alike."""
    measured: dict[str, str]
    """Files of questions of which nothing alike was learnt, with their SHA-256."""
    licences: dict[str, str]
    """Of each source, as told; empty where nobody said."""

    @property
    def examples(self) -> int:
        """How many there are."""
        return sum(self.kinds.values())


def counted(tally: Tally) -> dict[str, dict[str, int]]:
    """A tally as the card has it."""
    return {
        "kinds": {kind.value: n for kind, n in sorted(tally.kept.items())},
        "cases": {case.value: n for case, n in sorted(tally.cases.items())},
        "sources": dict(sorted(tally.sources.items())),
        "dropped": {why.value: n for why, n in sorted(tally.dropped.items())},
    }


def prompt_digest() -> str:
    """SHA-256 of the instructions that every prompt begins with."""
    return sha256(instructions().encode()).hexdigest()


def write_examples(path: Path, examples: Iterable[Example]) -> str:
    """Write them as they come; returns the SHA-256 of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for example in examples:
            file.write(json.dumps(asdict(example), ensure_ascii=False) + "\n")
    return digest_of(path)


def read_examples(path: Path) -> list[Example]:
    """The examples of a file.

    Raises:
        DocentError: there is no such file, or a line of it is no example; names the line.
    """
    try:
        return [_example(line) for line in lines_of(path, _Line, "example")]
    except (OSError, UnicodeDecodeError) as error:
        msg = (
            f"The examples in {path} cannot be read: {error}. `docent tune data` makes such a file."
        )
        raise DocentError(msg) from None


def _example(line: _Line) -> Example:
    messages = tuple(
        Message("system" if one.role == "system" else "user", one.content) for one in line.messages
    )
    return Example(
        messages, line.target, line.question, line.kind, line.case, line.document_id, line.source
    )

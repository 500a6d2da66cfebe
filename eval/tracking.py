"""What a run was made of, written beside its rows, so that every number can be traced and rebuilt.

`docent eval answers QUESTIONS --out rows.jsonl` leaves two files:

- `rows.jsonl`: one `eval.answers.Row` a line, as they came, and nothing else.
- `rows.run.json`: one `RunRecord`, at `record_path(rows)`. It is written when the run begins, with
  `ended` null, and again when it ends; one whose `ended` is null was broken off, or still runs.

`docent eval answers --json` prints the same record, joined with the sums. A run that is gone on
with keeps `started` of the first time; each time it was gone on with stands in `resumed`. What
would make the rows of two halves of a run differ in kind (`SAME`) must not change between them.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from eval.cost import Cost
from ingest.errors import DocentError

FORMAT = 1
SAME = ("arm", "standalone", "groups", "models", "index", "prompt", "settings")
"""Fields that must not differ between the parts of one run. The commit may: it is in `resumed`."""
LIBRARIES = (
    *("faiss-cpu", "tantivy", "sentence-transformers", "torch", "xllamacpp"),
    *("langchain-core", "langchain-openai"),
)
"""Those that can change a number."""


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Dataset(_Shape):
    """The questions, and which of them were asked."""

    name: str
    digest: str
    """SHA-256 of the file."""
    half: Literal["", "test", "dev"] = ""
    """Empty: both."""
    classes: tuple[str, ...] = ()
    """Empty: all."""
    limit: int | None = None
    questions: int
    """How many were asked."""


class IndexRecord(_Shape):
    """The generation that was searched."""

    generation: int
    created_at: datetime
    embedder: str
    chunker: str
    parsers: str
    digest: str
    """SHA-256 over the digests of all its files."""


class ModelRecord(_Shape):
    """A model that took part."""

    role: str
    """`llm`, `embedder`, `reranker` or `judge`."""
    name: str
    url: str = ""
    """The server's; empty for a model in this process."""
    files: dict[str, str] = {}
    """Path inside the model → SHA-256; empty behind a url, where nobody can tell."""


class Code(_Shape):
    """What was checked out."""

    commit: str
    """Empty where there is no repository."""
    dirty: bool


class Machine(_Shape):
    """What it ran on."""

    system: str
    cpu: str
    cores: int
    memory_gb: float | None
    gpus: tuple[str, ...] = ()


class Resumption(_Shape):
    """One time that a broken-off run was gone on with."""

    at: datetime
    code: Code
    kept: int
    """Rows that were there already."""


class RunRecord(_Shape):
    """One run, whole."""

    format: int = FORMAT
    kind: Literal["answers"] = "answers"
    arm: str = "retrieval"
    """`retrieval`, `none` or `oracle`, as in `eval.arms`."""
    standalone: bool = False
    """Follow-ups were asked in full, without their history."""
    groups: tuple[str, ...] | None = None
    """Whose groups asked all questions; None: those that the lines name."""
    dataset: Dataset
    index: IndexRecord | None = None
    """None in the arm without retrieval."""
    models: tuple[ModelRecord, ...] = ()
    prompt: str = ""
    """SHA-256 of the prompt: its fixed part and its template."""
    settings: dict[str, Any]
    """The sections that can change an answer."""
    code: Code
    machine: Machine
    versions: dict[str, str]
    """Library → version, and `python`."""
    command: str = ""
    concurrency: int = 1
    started: datetime
    ended: datetime | None = None
    resumed: tuple[Resumption, ...] = ()
    cost: Cost | None = None
    """Of the last part of the run; None before it ended."""


def record_path(rows: Path) -> Path:
    """Where the record of a file of rows lies: `rows.jsonl` → `rows.run.json`."""
    return rows.with_suffix(".run.json")


def read_record(rows: Path) -> RunRecord | None:
    """The record beside a file of rows; None where there is none, as with rows of old.

    Raises:
        DocentError: there is one, and it cannot be read.
    """
    path = record_path(rows)
    if not path.exists():
        return None
    try:
        return RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError):
        msg = f"{path} is not the record of a run. Move it away, or give other rows."
        raise DocentError(msg) from None


def write_record(rows: Path, record: RunRecord) -> None:
    """Write the record beside the rows, whole or not at all."""
    path = record_path(rows)
    fresh = path.with_suffix(".new")
    fresh.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)

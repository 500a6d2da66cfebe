"""What a run was made of, written beside its rows, so that every number can be traced and rebuilt.

`docent eval answers QUESTIONS --out rows.jsonl` leaves two files:

- `rows.jsonl`: one `eval.answers.Row` a line, as they came, and nothing else.
- `rows.run.json`: one `RunRecord`, at `record_path(rows)`. It is written when the run begins, with
  `ended` null, and again when it ends; one whose `ended` is null was broken off, or still runs.

`docent eval answers --json` prints the same record, joined with the sums. A run that is gone on
with keeps `started` of the first time; each time it was gone on with stands in `resumed`. What
would make the rows of two halves of a run differ in kind (`SAME`) must not change between them.
"""

import hashlib
import json
import os
import platform
import shlex
import sys
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from assistant.candidates import Candidates
from assistant.llm import NO_MODEL
from assistant.model import Passage
from assistant.prompt import write_prompt
from assistant.rerank import FEEDBACK, NONE
from eval import report
from eval.answers import Arm, Asking
from eval.arms import ALONE
from eval.cost import Cost
from eval.datasets import file_digest
from ingest.catalogue import catalogue, locate
from ingest.energy import NVIDIA
from ingest.errors import DocentError, IndexTrouble, ModelError
from ingest.following import meant
from ingest.index import Place, engine_at
from ingest.registry import find
from ingest.settings import AnswerSettings, ModelsSettings, Settings

FORMAT = 1
SAME = ("arm", "standalone", "groups", "models", "index", "prompt", "settings")
"""Fields that must not differ between the parts of one run. The commit may: it is in `resumed`."""
SECTIONS = ("llm", "embedder", "retrieval", "answer")
"""Of the settings, those that can change an answer over the same index."""
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
    arm: Arm = "retrieval"
    standalone: bool = False
    """Follow-ups were asked in full, without their history."""
    groups: tuple[str, ...] | None = None
    """Whose groups asked all questions; None: those that the lines name."""
    dataset: Dataset
    index: IndexRecord | None = None
    """None in the arm without retrieval."""
    index_after: int | None = None
    """The generation at the end, where another was published during the run; else None."""
    models: tuple[ModelRecord, ...] = ()
    prompt: str = ""
    """SHA-256 of what the model is given for an invented passage and question: instructions,
    template, and the settings that shape them."""
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


def begun(
    settings: Settings, dataset: Dataset, asking: Asking, *, concurrency: int = 1
) -> RunRecord:
    """The record of a run that begins now."""
    index = index_record(settings.index.place) if asking.arm != "none" else None
    return RunRecord(
        arm=asking.arm,
        standalone=asking.standalone,
        groups=None if asking.groups is None else tuple(sorted(asking.groups)),
        dataset=dataset,
        index=index,
        models=model_records(settings, asking.arm),
        prompt=prompt_digest(settings.answer, asking.arm),
        settings=settings.model_dump(mode="json", include=set(SECTIONS)),
        code=code(),
        machine=machine(),
        versions=versions(),
        command=shlex.join(["docent", *sys.argv[1:]]),
        concurrency=concurrency,
        started=datetime.now(UTC),
    )


def gone_on(earlier: RunRecord | None, now: RunRecord, kept: int) -> RunRecord:
    """The record of a run that is gone on with; `kept` rows are there already.

    Raises:
        DocentError: its rows and those to come would not be of one kind.
    """
    again = Resumption(at=now.started, code=now.code, kept=kept)
    if earlier is None:
        return now.model_copy(update={"resumed": (again,)})
    differ = [name for name in SAME if getattr(earlier, name) != getattr(now, name)]
    if differ:
        msg = (
            f"The run cannot be gone on with: since it began, {', '.join(differ)} changed. "
            f"Give another --out."
        )
        raise DocentError(msg)
    same = {"started": earlier.started, "code": earlier.code}
    return now.model_copy(update={**same, "resumed": (*earlier.resumed, again)})


def ended(record: RunRecord, cost: Cost, settings: Settings) -> RunRecord:
    """The record of a run that ends now."""
    after = index_record(settings.index.place) if record.index else None
    moved = record.index and after and after.generation != record.index.generation
    return record.model_copy(
        update={
            "ended": datetime.now(UTC),
            "cost": cost,
            "index_after": after.generation if after and moved else None,
        }
    )


def index_record(place: Place) -> IndexRecord | None:
    """The current generation of an index; None where there is none."""
    try:
        manifest = engine_at(place).serving()
    except IndexTrouble:
        return None
    files = sorted((entry.path, entry.sha256) for entry in manifest.files)
    return IndexRecord(
        generation=manifest.generation,
        created_at=manifest.created_at,
        embedder=manifest.parts.embedder,
        chunker=manifest.parts.chunker,
        parsers=manifest.parts.parsers,
        digest=_sha256(json.dumps(files)),
    )


def model_records(settings: Settings, arm: Arm = "retrieval") -> tuple[ModelRecord, ...]:
    """The models that the settings name, as far as the arm asks them."""
    found = []
    if settings.llm.model != NO_MODEL:
        found.append(
            _model("llm", settings.llm.model, " ".join(settings.llm.urls), settings.models)
        )
    if arm != "none":
        embedder = meant(settings)
        found.append(_model("embedder", embedder.model, embedder.url, settings.models))
        if (reranker := settings.retrieval.reranker) not in (NONE, FEEDBACK):
            url = settings.retrieval.reranker_url
            found.append(_model("reranker", reranker, url, settings.models))
    return tuple(found)


def prompt_digest(settings: AnswerSettings, arm: Arm = "retrieval") -> str:
    """SHA-256 of the prompt for an invented question; changes with every word around it."""
    if arm == "none":
        return _sha256(ALONE)
    written = write_prompt("What is it?", "Which one?", Candidates([_EXAMPLE]), settings)
    return _sha256(json.dumps([[message.role, message.content] for message in written]))


def code() -> Code:
    """The commit of this checkout."""
    told = report.commit(Path(__file__).resolve().parent)
    return Code(commit=told.removesuffix("+"), dirty=told.endswith("+"))


def machine(cpuinfo: Path = Path("/proc/cpuinfo"), driver: Path = NVIDIA) -> Machine:
    """What this runs on, as far as it tells without asking a library."""
    gpus = [_line(file, "Model") for file in sorted(driver.glob("gpus/*/information"))]
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        cpu=_line(cpuinfo, "model name") or platform.processor(),
        cores=os.cpu_count() or 1,
        memory_gb=_memory_gb(),
        gpus=tuple(gpu for gpu in gpus if gpu),
    )


def versions() -> dict[str, str]:
    """Python's and those of the libraries that can change a number."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


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


_EXAMPLE = Passage(
    chunk_id="example:page@0-24",
    document_id="example:page",
    title="An example",
    url="https://example.org/page",
    source="example",
    section=("About it",),
    text="It is 3.2 us since 2026.",
    start=0,
    end=24,
    page=None,
    updated_at=datetime(2026, 1, 1, tzinfo=UTC),
    score=1.0,
    header="An example › About it › 2026-01-01",
)


def _model(role: str, name: str, url: str, models: ModelsSettings) -> ModelRecord:
    if url:
        return ModelRecord(role=role, name=name, url=url)
    if entry := catalogue().get(name):
        # Checked against these when they were fetched; `docent models verify` reads them again.
        return ModelRecord(role=role, name=name, files={f.path: f.sha256 for f in entry.files})
    try:
        if card := find(name, models):
            return ModelRecord(role=role, name=card.full_name, files=dict(card.files))
        path = locate(name, models)
    except ModelError:  # whoever loads it says so; a record needs no second word for it
        return ModelRecord(role=role, name=name)
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    base = path.parent if path.is_file() else path
    digests = {str(file.relative_to(base)): file_digest(file) for file in files}
    return ModelRecord(role=role, name=path.name, files=digests)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _line(file: Path, key: str) -> str:
    """The value of the first `key : value` line of a file of the kernel's; empty without one."""
    with suppress(OSError):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return ""


def _memory_gb() -> float | None:
    with suppress(ValueError, OSError, AttributeError):
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)
    return None

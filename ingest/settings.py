"""The one settings file, typed. A wrong value stops start-up and is named with what is allowed.

Only shapes live here, no behaviour, so every package may import it. Secrets never stand in the
file: they come from the environment variable that the setting names.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ingest.errors import SettingsError

CONFIG_VARIABLE = "DOCENT_CONFIG"
DEFAULT_CONFIG = "docent.toml"

Groups = frozenset[Annotated[str, Field(min_length=1)]]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class IndexSettings(_Section):
    """`[index]`: where the index lies."""

    path: Path = Path("var/index")


class ChunkSettings(_Section):
    """`[chunk]`: how documents are cut. The default fits embedders of 256 tokens."""

    max_chars: int = Field(default=1000, ge=200, le=20_000)


class EmbedderSettings(_Section):
    """`[embedder]`: which model turns text into vectors, in process or behind `/v1/embeddings`."""

    model: str = "all-MiniLM-L6-v2"
    """A name of the catalogue (`docent models`), a folder, or the model's name at the server."""
    url: str = ""
    api_key_env: str = "DOCENT_EMBEDDER_KEY"


class LLMSettings(_Section):
    """`[llm]`: which model writes the answers, in process or behind an OpenAI-compatible server."""

    model: str = "qwen2.5-coder-1.5b-instruct-q4"
    """A name of the catalogue, a GGUF file, a name at the server, or `none` for extracts only."""
    url: str = ""
    api_key_env: str = "DOCENT_LLM_KEY"
    max_tokens: int = Field(default=220, ge=16, le=8192)
    context_tokens: int = Field(default=4096, ge=512, le=262_144)
    timeout_s: float = Field(default=120.0, gt=0)


class RetrievalSettings(_Section):
    """`[retrieval]`: how passages are found."""

    k: int = Field(default=8, ge=1, le=100)
    candidates: int = Field(default=100, ge=10, le=1000)
    dense_weight: float = Field(default=0.6, ge=0, le=1)
    fusion: Literal["weighted", "rrf"] = "weighted"
    per_document: int = Field(default=2, ge=1)


class AnswerSettings(_Section):
    """`[answer]`: what goes to the model and what may come out of it."""

    passages: int = Field(default=3, ge=1, le=50)
    """How many of the retrieved passages the model is given."""
    passage_chars: int = Field(default=450, ge=100)
    """The best window of each passage that the model is given, in characters."""
    model_may_refuse: bool = False
    """Tell the model that it may say "not there". Small ones do so at random; large ones should."""
    support: float = Field(default=0.4, ge=0, le=1)
    """A sentence with less support in its passage than this is marked unsupported."""


class ServerSettings(_Section):
    """`[server]`: where the server listens. Only loopback, until there is a sign-in."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    suggestions: tuple[Annotated[str, Field(min_length=1, max_length=4000)], ...] = ()
    """Questions to begin with: the chat page offers them, `docent serve` prints two."""


class ModelsSettings(_Section):
    """`[models]`: where model files are kept, and where from they may come."""

    dir: Path = Path("~/.cache/docent/models")
    origins: tuple[Literal["hub", "packages"], ...] = ("hub", "packages")


class Rule(_Section):
    """What holds for the paths that `match`; later rules override earlier ones key by key."""

    match: str
    """A glob on the path inside the source; `**` crosses folders."""
    access: Groups | None = None
    format: str | None = None
    url: str | None = None
    """Template with `{path}`, `{stem}` (without extension) and `{name}` (of the file alone)."""
    strip: str | None = None
    """Prefix removed from `{path}` and `{stem}`."""


class FilesSettings(_Section):
    """`[sources.NAME]` with `kind = "files"`: a folder on this machine."""

    kind: Literal["files"]
    path: Path
    access: Groups
    """Who may read what no rule changes. There is no default: silence must not publish."""
    include: tuple[str, ...] = ("**",)
    exclude: tuple[str, ...] = ()
    max_bytes: int = Field(default=50_000_000, ge=1)
    file_dates: bool = False
    """Take a file's modification time for the date of documents that do not tell their own.

    Off by default: after a clone or a copy every page would look as if it were of today.
    """
    rules: tuple[Rule, ...] = ()


SourceSettings = FilesSettings
"""One class per kind of source; a union told apart by `kind` as soon as there are two."""


class Settings(_Section):
    """The whole file."""

    index: IndexSettings = IndexSettings()
    chunk: ChunkSettings = ChunkSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    llm: LLMSettings = LLMSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    answer: AnswerSettings = AnswerSettings()
    server: ServerSettings = ServerSettings()
    models: ModelsSettings = ModelsSettings()
    sources: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")], SourceSettings] = {}

    @field_validator("sources")
    @classmethod
    def _known(cls, value: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        return dict(sorted(value.items()))


def find_config(given: Path | None) -> Path | None:
    """The settings file: the one given, else `DOCENT_CONFIG`, else `./docent.toml`, else none."""
    if given is not None:
        return given
    if named := os.environ.get(CONFIG_VARIABLE):
        return Path(named)
    default = Path(DEFAULT_CONFIG)
    return default if default.is_file() else None


def load_settings(given: Path | None = None) -> Settings:
    """Read and check the settings file; without any file, the defaults.

    Relative paths in the file are relative to the file, so that a command works from any folder.

    Raises:
        SettingsError: naming the file, the key, the value and what is allowed.
    """
    path = find_config(given)
    if path is None:
        return Settings()
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        msg = f"There is no settings file {path}. Give one with --config or {CONFIG_VARIABLE}."
        raise SettingsError(msg) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"{path} cannot be read as TOML: {error}."
        raise SettingsError(msg) from error
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(_sentence(path, error)) from None
    return _anchored(settings, path.resolve().parent)


def _sentence(path: Path, error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        section, *rest = [str(part) for part in item["loc"]]
        key = ".".join(rest)
        where = f"[{section}] {key}".strip()
        value: Any = item["input"]
        told = f" is {value!r}" if isinstance(value, str | int | float | bool) else ""
        lines.append(f"{path}: {where}{told}: {item['msg']}.")
    return "\n".join(lines)


def _anchored(settings: Settings, base: Path) -> Settings:
    def absolute(path: Path) -> Path:
        return (base / path.expanduser()).resolve()

    sources = {
        name: source.model_copy(update={"path": absolute(source.path)})
        for name, source in settings.sources.items()
    }
    return settings.model_copy(
        update={
            "index": IndexSettings(path=absolute(settings.index.path)),
            "models": settings.models.model_copy(update={"dir": absolute(settings.models.dir)}),
            "sources": sources,
        }
    )

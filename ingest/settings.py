"""The one settings file, typed. A wrong value stops start-up and is named with what is allowed.

Only shapes live here, no behaviour, so every package may import it. Secrets never stand in the
file: they come from the environment variable that the setting names.
"""

import os
import re
import tomllib
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from ingest.client_settings import GitLabBotSettings, MattermostSettings, McpSettings
from ingest.errors import SettingsError
from ingest.sides import serving_folder
from ingest.source_settings import MailSettings, SettingsSection, SourceSettings, WebSettings
from ingest.web_settings import (
    LimitsSettings,
    ServerSettings,
    SignInSettings,
    StateSettings,
    TelemetrySettings,
)

CONFIG_VARIABLE = "DOCENT_CONFIG"
DEFAULT_CONFIG = "docent.toml"
WORKERS = r"(local:[1-9][0-9]{0,2}|(dask|tls)://[^/@\s]+:[0-9]{1,5})?"
"""Who may do the work of an ingest."""

_PASSWORD = re.compile(r"(?<=[^/]):[^/@]*@")

Mailbox = Annotated[str, Field(pattern=r"^([!-~]+@[!-~]+)?$")]


class IndexSettings(SettingsSection):
    """`[index]`: where the index lies."""

    path: Path = Path("var/index")
    """The index of one machine, and in any case where a run keeps what it has not finished."""
    url: str = ""
    """`postgresql://…` or `opensearch://…` for an index that lies there; empty: in `path`."""
    url_env: str = "DOCENT_INDEX_URL"
    """The environment variable for an address with a password; goes before `url`."""
    keep: int = Field(default=3, ge=1)
    """Published generations that stay to be rolled back to, the current one included.

    With 1, what is removed from a source leaves no trace on the disk after the next ingest.
    """

    @property
    def place(self) -> Path | str:
        """The folder or the address of the index: what `ingest.index.engine_at` takes."""
        address = os.environ.get(self.url_env, "").strip() or self.url
        if address.startswith("opensearch") and "rows=" not in address:
            # A cluster has no transactions: the rows that it mirrors stay with who writes.
            rows = quote(str(serving_folder(self.path).absolute()))
            return f"{address}{'&' if '?' in address else '?'}rows={rows}"
        return address or serving_folder(self.path)

    @property
    def shown(self) -> str:
        """The place as one may show it: without a password."""
        return _PASSWORD.sub("@", str(self.place))


class ChunkSettings(SettingsSection):
    """`[chunk]`: how documents are cut. The default fits embedders of 256 tokens."""

    max_chars: int = Field(default=1000, ge=200, le=20_000)


class EmbedderSettings(SettingsSection):
    """`[embedder]`: which model turns text into vectors, in process or behind `/v1/embeddings`."""

    model: str = "all-MiniLM-L6-v2"
    """A name of the catalogue (`docent models`), a folder, or the model's name at the server."""
    url: str = ""
    api_key_env: str = "DOCENT_EMBEDDER_KEY"


class LLMSettings(SettingsSection):
    """`[llm]`: which model writes the answers, in process or behind an OpenAI-compatible server."""

    model: str = "qwen2.5-coder-1.5b-instruct-q4"
    """A name of the catalogue, a GGUF file, a name at the server, or `none` for extracts only."""
    url: str | tuple[str, ...] = ""
    """Address of the server; of several that serve the same model, all of them."""
    adapter: str = ""
    """What was tuned for a model in this process: a GGUF adapter, or the folder or name of one."""
    api_key_env: str = "DOCENT_LLM_KEY"
    max_tokens: int = Field(default=220, ge=16, le=8192)
    context_tokens: int = Field(default=4096, ge=512, le=262_144)
    timeout_s: float = Field(default=120.0, gt=0)
    tell_usage: bool = True
    """Ask a server how many tokens it read and wrote; off where `stream_options` is unknown."""

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses of the servers, however many were given; none for a model in process."""
        given = (self.url,) if isinstance(self.url, str) else self.url
        return tuple(url for url in given if url)

    @model_validator(mode="after")
    def _adapter_here(self) -> Self:
        if self.adapter and self.urls:
            msg = "adapter is for a model in this process; of a server, name the adapter as model"
            raise ValueError(msg)
        return self


class RetrievalSettings(SettingsSection):
    """`[retrieval]`: how passages are found."""

    k: int = Field(default=8, ge=1, le=100)
    candidates: int = Field(default=100, ge=10, le=1000)
    dense_weight: float = Field(default=0.6, ge=0, le=1)
    fusion: Literal["weighted", "rrf"] = "weighted"
    per_document: int = Field(default=2, ge=1)
    reranker: str = Field(default="feedback", min_length=1)
    """`feedback`; `none`, the fast path; or a cross-encoder: a folder, a name of the hub, or, with
    `reranker_url`, the model's name at the server."""
    reranker_url: str = ""
    reranker_key_env: str = "DOCENT_RERANKER_KEY"
    rerank_depth: int = Field(default=50, ge=1, le=1000)
    """How many passages a cross-encoder reads. Feedback looks at all candidates."""


class AnswerSettings(SettingsSection):
    """`[answer]`: what goes to the model and what may come out of it."""

    passages: int = Field(default=3, ge=1, le=50)
    """How many of the retrieved passages the model is given."""
    passage_chars: int = Field(default=450, ge=100)
    """The best window of each passage that the model is given, in characters."""
    model_may_refuse: bool = False
    """Tell the model that it may say "not there". Small ones do so at random; large ones should."""
    support: float = Field(default=0.55, ge=0, le=1)
    """A sentence with less support in its passage than this is marked unsupported."""
    refuse_below: float = Field(default=0.75, ge=0, le=1)
    """An answer less sure than this is "not found"; `docent eval calibrate` shows what it costs."""
    warn_below: float = Field(default=0.86, ge=0, le=1)
    """An answer less sure than this goes out with a warning."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.warn_below < self.refuse_below:
            msg = "warn_below must not be less than refuse_below"
            raise ValueError(msg)
        return self


class ModelsSettings(SettingsSection):
    """`[models]`: where model files are kept, and where from they may come."""

    dir: Path = Path("~/.cache/docent/models")
    origins: tuple[Literal["hub", "packages"], ...] = ("hub", "packages")


class IngestSettings(SettingsSection):
    """`[ingest]`: what holds for the reading of all sources."""

    contact: str = ""
    """Mail address or page of the people who run this: told to every server that is asked."""
    deadline_s: float = Field(default=60.0, gt=0)
    """Parsing one page may take so long."""
    stall_s: float = Field(default=900.0, gt=0)
    """A source that gives nothing for so long is given up for this run."""
    workers: str = Field(default="", pattern=rf"^{WORKERS}$")
    """Who parses and embeds: `local:N` processes, or a Dask scheduler at `dask://HOST:PORT` or
    `tls://HOST:PORT`. Empty: a process for each core but one."""


class NightlySettings(SettingsSection):
    """`[nightly]`: what `docent nightly` checks before it publishes, and whom it tells."""

    questions: Path | None = None
    """Gold questions in the format of `sample/questions.jsonl`; without them nothing is checked."""
    k: int = Field(default=10, ge=1, le=100)
    """A document counts as found among the first so many."""
    max_drop_recall: float = Field(default=0.02, ge=0, le=1)
    """How far the mean share of found documents may fall below that of the generation served."""
    max_drop_source: float = Field(default=0.5, ge=0, le=1)
    """The share of what is found of one source now that may be lost: small sources count too."""
    max_drop_facts: float = Field(default=0.05, ge=0, le=1)
    """How far the share of required facts may fall that stand in the documents that are found."""
    answers: bool = False
    """Also ask every question of both generations and compare the answers: takes the LLM's time."""
    max_drop_answers: float = Field(default=0.05, ge=0, le=1)
    """How far the share of right answers may fall."""
    reports: Path = Path("var/reports")
    """Where the report of each night is put."""
    webhook_env: str = ""
    """The environment variable that holds the address of a Mattermost incoming webhook."""
    allow_private: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks that are not public but that the webhook may lie in."""
    ca_file: Path | None = None
    """A certificate authority of one's own, for the webhook and the mail server."""
    smtp: str = Field(default="", pattern=r"^([A-Za-z0-9._-]+(:[0-9]{1,5})?)?$")
    """The mail server, as `host` or `host:port`; empty: no mail."""
    smtp_tls: bool = False
    """Insist on STARTTLS and a certificate that can be checked."""
    mail_from: Mailbox = ""
    mail_to: tuple[Mailbox, ...] = ()

    @model_validator(mode="after")
    def _mail(self) -> Self:
        if self.smtp and not (self.mail_from and all(self.mail_to) and self.mail_to):
            msg = "smtp needs mail_from and mail_to: from whom to whom the report is sent"
            raise ValueError(msg)
        return self


class Settings(SettingsSection):
    """The whole file."""

    index: IndexSettings = IndexSettings()
    chunk: ChunkSettings = ChunkSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    llm: LLMSettings = LLMSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    answer: AnswerSettings = AnswerSettings()
    server: ServerSettings = ServerSettings()
    signin: SignInSettings = SignInSettings()
    state: StateSettings = StateSettings()
    limits: LimitsSettings = LimitsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    mattermost: MattermostSettings = MattermostSettings()
    gitlab_bot: GitLabBotSettings = GitLabBotSettings()
    mcp: McpSettings = McpSettings()
    models: ModelsSettings = ModelsSettings()
    ingest: IngestSettings = IngestSettings()
    nightly: NightlySettings = NightlySettings()
    sources: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")], SourceSettings] = Field(
        default={}
    )

    @field_validator("sources")
    @classmethod
    def _known(cls, value: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        return dict(sorted(value.items()))

    @model_validator(mode="after")
    def _contact(self) -> Self:
        asked = [name for name, source in self.sources.items() if web_settings(source)]
        if asked and not self.ingest.contact:
            msg = (
                f"[ingest] contact must name a mail address or page: [sources.{asked[0]}] asks a "
                "server, and its keepers want to know by whom"
            )
            raise ValueError(msg)
        return self


def web_settings(source: SourceSettings) -> WebSettings | None:
    """How a source asks its server; None for one that makes no requests."""
    if isinstance(source, MailSettings):
        return source.archive
    return source if isinstance(source, WebSettings) else None


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
    """Every path in the file made absolute, relative to the file."""

    def absolute(value: Any) -> Any:
        if isinstance(value, Path):
            return (base / value.expanduser()).resolve()
        if isinstance(value, BaseModel):
            fields = type(value).model_fields
            return value.model_copy(update={k: absolute(getattr(value, k)) for k in fields})
        if isinstance(value, dict):
            return {key: absolute(item) for key, item in value.items()}
        return value

    anchored: Settings = absolute(settings)
    return anchored

"""`[sources.NAME]`: one class per kind of source. Only shapes, told apart by `kind`."""

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, field_validator, model_validator

Groups = frozenset[Annotated[str, Field(min_length=1)]]
Name = Annotated[str, Field(min_length=1)]


class SettingsSection(BaseModel):
    """A section of the settings file: nothing in it is unknown, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(SettingsSection):
    """What holds for the paths that `match`; later rules override earlier ones key by key."""

    match: str
    """A glob on the path inside the source; `**` crosses folders."""
    access: Groups | None = None
    format: str | None = None
    url: str | None = None
    """Template with `{path}`, `{stem}` (without extension) and `{name}` (of the file alone)."""
    strip: str | None = None
    """Prefix removed from `{path}` and `{stem}`."""


class _Source(SettingsSection):
    max_removed: float = Field(default=0.2, ge=0, le=1)
    """The largest share of a source's pages that one run may remove; beyond it all are kept."""
    keeper: str = ""
    """Whom to ask about these pages: a name, a mail address or a channel's address."""


class FilesSettings(_Source):
    """`kind = "files"`: a folder on this machine."""

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


class TokenAuth(SettingsSection):
    """A token in a header, read from an environment variable."""

    kind: Literal["token"]
    env: Name
    header: Name = "Authorization"
    prefix: str = "Bearer "


class BasicAuth(SettingsSection):
    """User and password; the password is read from an environment variable."""

    kind: Literal["basic"]
    user: Name
    env: Name


class OidcAuth(SettingsSection):
    """Client credentials (RFC 6749, section 4.4): a service account of the sign-in."""

    kind: Literal["oidc"]
    token_url: HttpUrl
    client_id: Name
    env: Name
    audience: str = ""
    scope: str = ""


class CookieAuth(SettingsSection):
    """A cookie file in Netscape format, as `auth-get-sso-cookie` writes it."""

    kind: Literal["cookies"]
    file: Path


Auth = Annotated[TokenAuth | BasicAuth | OidcAuth | CookieAuth, Field(discriminator="kind")]


class WebSettings(_Source):
    """What all sources have that ask a server: how to sign in and how hard to knock."""

    url: HttpUrl
    """The address below which everything is read."""
    auth: Auth | None = None
    rate: float = Field(default=1.0, gt=0)
    """Requests a second to one host; a little jitter is added."""
    connections: int = Field(default=1, ge=1, le=8)
    requests: int = Field(default=20_000, ge=1)
    """At most so many requests a run; then the source pauses until the next one."""
    timeout_s: float = Field(default=60.0, gt=0)
    """For a whole answer, however slowly it drips."""
    max_bytes: int = Field(default=50_000_000, ge=1)
    """For a whole answer, after decompression."""
    retries: int = Field(default=4, ge=0)
    max_wait_s: float = Field(default=120.0, ge=0)
    """The longest `Retry-After` that is waited for; a longer one pauses the source."""
    ban_after: int = Field(default=10, ge=2)
    """So many refusals one after the other (401, 403, 429, sign-in pages) pause the source."""
    robots: bool = True
    """Obey robots.txt. Interfaces that were made for programs do not consult it."""
    allow_private: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks that are not public but that this source may reach, such as the laboratory's."""
    ca_file: Path | None = None
    groups: dict[Name, Groups] = {}
    """A group, role or user as the source names it → groups of the sign-in. Others see nothing."""
    signed_in: Groups = frozenset()
    """The groups that stand for "everybody with an account" at the source; none: closed."""


class TwikiSettings(WebSettings):
    """`kind = "twiki"`: webs of a TWiki or Foswiki; `url` is the script folder (`…/bin`)."""

    kind: Literal["twiki"]
    webs: tuple[Name, ...] = Field(min_length=1)
    """Webs inside others are named by their path, such as `Main/Archive`."""
    script: Literal["view", "viewauth"] = "view"
    """`viewauth` where the web server signs people in and leaves `view` to guests."""
    attachments: bool = True
    exclude: tuple[str, ...] = (
        *("WebAtom", "WebChanges", "WebCreateNewTopic*", "WebIndex", "WebLeftBar*", "WebNotify"),
        *("WebPreferences", "WebRss", "WebSearch*", "WebStatistics", "WebTopBar*", "WebTopic*"),
        *("*Template", "*Form"),
    )
    """Globs on topic names."""
    default_access: Groups = frozenset()
    """Who may read a topic that no preference restricts; none: closed."""
    rendered_access: Groups = frozenset()
    """Who may read a topic whose restrictions are not shown to our account; none: closed."""
    empty_deny_opens: bool = False
    """An empty DENYTOPICVIEW opens a topic: TWiki before 6.0, Foswiki before 2.0."""


class GitlabSettings(WebSettings):
    """`kind = "gitlab"`: groups and projects of a GitLab."""

    kind: Literal["gitlab"]
    project_groups: tuple[Name, ...] = ()
    """Full paths of groups, with their sub-groups."""
    projects: tuple[Name, ...] = ()
    """Full paths of single projects."""
    files: tuple[str, ...] = ("**/*.md", "**/*.rst", "**/README*", "**/*.ipynb")
    """Globs on paths in the default branch."""
    code: bool = False
    """Also Python and C++ files: what docstrings and comments say, and the code in pieces."""
    wiki: bool = True
    issues: bool = True
    merge_requests: bool = True
    releases: bool = True


class JiraSettings(WebSettings):
    """`kind = "jira"`: issues that a JQL query finds."""

    kind: Literal["jira"]
    jql: str = ""
    """Which issues; empty: all that the account sees. Without ORDER BY."""
    cloud: bool = False
    """Atlassian's cloud (other paging); else Data Center."""
    default_access: Groups = frozenset()
    """Who may read an issue without a security level in a project not named in `groups`."""

    @field_validator("jql")
    @classmethod
    def _unordered(cls, value: str) -> str:
        unquoted = re.sub(r"\"[^\"]*\"|'[^']*'", "", value)
        if re.search(r"\border\s+by\b", unquoted, re.IGNORECASE):
            msg = "must not contain ORDER BY: issues are read in the order of their changes"
            raise ValueError(msg)
        return value


class IndicoSettings(WebSettings):
    """`kind = "indico"`: events of categories, with contributions, minutes and material."""

    kind: Literal["indico"]
    categories: tuple[int, ...] = Field(min_length=1)
    days_back: int = Field(default=3650, ge=0)
    days_ahead: int = Field(default=60, ge=0)
    material: bool = True
    """Also minutes, slides and papers (PDF, PPTX, DOCX)."""
    refresh_days: int = Field(default=30, ge=0)
    """Events of so many last days are asked for anew each run: their material still changes."""


class PapersSettings(WebSettings):
    """`kind = "papers"`: records of CDS, INSPIRE or arXiv."""

    kind: Literal["papers"]
    service: Literal["cds", "inspire", "arxiv"]
    query: str = ""
    """A search of CDS or INSPIRE."""
    sets: tuple[Name, ...] = ()
    """OAI-PMH sets of CDS or arXiv."""
    full_text: bool = True
    arxiv_pdf: str = "https://export.arxiv.org/pdf/{id}"
    """Where full texts of arXiv are fetched."""
    access: Groups = frozenset()
    """Who may read records of collections that are not named in `groups`; none: closed."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        needed = {"inspire": self.query, "arxiv": self.sets, "cds": self.query or self.sets}
        if not needed[self.service]:
            key = "sets" if self.service == "arxiv" else "query"
            msg = f"{key} must say which records of {self.service} are meant: nobody wants all"
            raise ValueError(msg)
        return self


class SiteSettings(WebSettings):
    """`kind = "site"`: an MkDocs site or any other, below one host and path."""

    kind: Literal["site"]
    access: Groups
    """Who may read it. There is no default: silence must not publish."""
    max_pages: int = Field(default=5000, ge=1)
    """At most so many are read; where there are more, the run says so."""
    max_depth: int = Field(default=8, ge=0)
    """Of the crawl that is done where there is neither a sitemap nor a search index."""
    exclude: tuple[str, ...] = ()
    """Globs on paths."""
    archived: tuple[str, ...] = ()
    """Globs on paths of old versions, such as `/v1.*/**`."""


class DiscourseSettings(WebSettings):
    """`kind = "discourse"`: topics of a forum."""

    kind: Literal["discourse"]
    username: str = ""
    """The account that the key speaks for (`Api-Username`); a key of one account needs none."""
    categories: tuple[Name, ...] = ()
    """Slugs, or `parent/child`, with all below them; none: all that the key may read."""


class MailSettings(_Source):
    """`kind = "mail"`: an mbox file or a folder of them, or lists in an archive of Mailman."""

    kind: Literal["mail"]
    path: Path | None = None
    archive: WebSettings | None = None
    lists: tuple[Name, ...] = ()
    """Lists in the archive: addresses in HyperKitty (Mailman 3), names in pipermail (Mailman 2).

    None: `archive.url` is that of one list in pipermail.
    """
    access: Groups
    """Who may read it. There is no default: silence must not publish."""
    link: str = ""
    """Template of a thread's address, with `{list}` and the `{id}` of its first message."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.archive is None):
            msg = "path or archive must say where the mail is, one of them"
            raise ValueError(msg)
        return self


SourceSettings = Annotated[
    FilesSettings
    | TwikiSettings
    | GitlabSettings
    | JiraSettings
    | IndicoSettings
    | PapersSettings
    | SiteSettings
    | DiscourseSettings
    | MailSettings,
    Field(discriminator="kind"),
]

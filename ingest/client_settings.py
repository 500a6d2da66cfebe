"""The sections of the settings file that the clients read. Only shapes, like `settings.py`."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from ingest.source_settings import Groups, SettingsSection
from ingest.web_settings import Name, safe_address

TeamName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
GitLabPath = Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)*$")]


class MattermostSettings(SettingsSection):
    """`[mattermost]`: the server that `docent bot` answers on; without an address there is none."""

    url: str = ""
    """The address that people use, also where it has a path: `https://chat.example.org`."""
    token_env: Name = "DOCENT_MATTERMOST_TOKEN"  # noqa: S105 - a name
    """The environment variable with the token of the bot account."""
    command_token_env: Name = "DOCENT_MATTERMOST_COMMAND_TOKEN"  # noqa: S105 - a name
    """The environment variable with the token of the slash command; empty: no slash command."""
    host: str = "127.0.0.1"
    """Where slash commands and dialogs arrive; another address than loopback only with https."""
    port: int = Field(default=8066, ge=0, le=65535)
    callback_url: str = ""
    """The address under which Mattermost reaches that port; empty: `http://127.0.0.1:PORT`."""
    teams: tuple[TeamName, ...] = ()
    """The names of the teams in which it answers; none named: all that it is a member of."""
    trust_email: bool = False
    """Take two accounts for one person's whose mail address is the same.

    Only where the mail addresses of both, Mattermost and the sign-in, have been verified.
    """
    edit_every_s: float = Field(default=1.0, ge=0.1, le=60)
    """A growing answer is edited at most so often."""
    asks_per_minute: int = Field(default=6, ge=1)
    """What one person may ask of the bot."""
    channel_asks_per_minute: int = Field(default=20, ge=1)
    """What may be asked in one channel."""
    members_s: float = Field(default=60.0, ge=0, le=3600)
    """So long it is believed who is in a channel when nothing tells of a change."""
    catch_up_minutes: int = Field(default=60, ge=0, le=1440)
    """What was asked while the bot was away is answered if it is not older."""
    ca_file: Path | None = None
    """A certificate authority of one's own, for the server."""

    @property
    def configured(self) -> bool:
        """Whether there is a server to answer on."""
        return bool(self.url)

    @field_validator("url", "callback_url")
    @classmethod
    def _address(cls, value: str) -> str:
        return safe_address(value, path=True) if value else value


class GitLabBotSettings(SettingsSection):
    """`[gitlab_bot]`: the GitLab that `docent gitlab-bot` answers on; without an address, none."""

    url: str = ""
    """The address that people use: `https://gitlab.example.org`."""
    token_env: Name = "DOCENT_GITLAB_BOT_TOKEN"  # noqa: S105 - a name
    """The environment variable with the access token of the bot."""
    secret_env: Name = "DOCENT_GITLAB_BOT_SECRET"  # noqa: S105 - a name
    """The environment variable with the secret that comes with each webhook."""
    host: str = "127.0.0.1"
    """Where webhooks arrive; another address than loopback only with https."""
    port: int = Field(default=8067, ge=0, le=65535)
    projects: tuple[GitLabPath, ...] = ()
    """Full paths of the projects and groups in which it answers; none named: all."""
    members: dict[Name, Groups] = Field(default={})
    """Full path of a group at GitLab → the groups of the sign-in that all its members have.

    A promise of whoever runs Docent, for groups that are filled from the same directory: then
    nobody has to link his account. What is wrong here is shown to people who may not read it.
    """
    signed_in: Groups = frozenset()
    """The groups that everybody has who may open internal projects; none: they are public."""
    hooks_per_minute: int = Field(default=120, ge=1)
    """Webhooks of one project that are taken; of all projects ten times as many."""
    check_pages: bool = True
    """List unasked, below a merge request that changes documentation, pages that disagree."""
    allow_private: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks that are not public but that the GitLab may lie in."""
    ca_file: Path | None = None
    """A certificate authority of one's own, for the server."""

    @property
    def configured(self) -> bool:
        """Whether there is a server to answer on."""
        return bool(self.url)

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        return safe_address(value, path=True) if value else value


class McpSettings(SettingsSection):
    """`[mcp]`: the tools at `/mcp`, for editors and agents."""

    audience: str = Field(default="", pattern=r"^[!-~]*$")
    """For whom access tokens of the sign-in server must be made; empty: `<public_url>/mcp`."""

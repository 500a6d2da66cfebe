"""The `Source` seam and the table of sources: kind → where its class lives."""

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from ingest.model import Item, Past
from ingest.settings import IngestSettings, web_settings
from ingest.source_settings import SourceSettings

if TYPE_CHECKING:
    from ingest.http import Hosts


class Source(Protocol):
    """A place documents come from. Fetches and never parses.

    What goes wrong with one page is a `Failure`; what goes wrong with the whole is a
    `SourceTrouble`, after which what was given stays and nothing is removed.
    """

    @property
    def name(self) -> str:
        """The name in the settings; the first part of every page id."""
        ...

    @property
    def requests(self) -> int | None:
        """Requests made so far; None for a source that asks no server."""
        ...

    def pages(self, past: Past) -> Iterator[Item]:
        """Everything there is, or what changed since `past`; bad pages as values.

        A `Cursor` says that everything before it was given. The next run's `past` holds it, also
        when this run ends in the middle.
        """
        ...

    def live_ids(self) -> Iterator[str] | None:
        """Ids of all pages that exist now: what is known and not among them was removed.

        None when the source cannot say, or says so by `Gone`. Asked only after `pages` ended well
        and did not name every known page; what `pages` learnt may be kept and told here again.
        Must raise rather than end early: a page that is not named is removed.
        """
        ...


SOURCES = {
    "files": "ingest.sources.files:FilesSource",
    "twiki": "ingest.sources.twiki:TwikiSource",
    "gitlab": "ingest.sources.gitlab:GitlabSource",
    "jira": "ingest.sources.jira:JiraSource",
    "indico": "ingest.sources.indico:IndicoSource",
    "papers": "ingest.sources.papers:PapersSource",
    "site": "ingest.sources.site:SiteSource",
    "discourse": "ingest.sources.discourse:DiscourseSource",
    "mail": "ingest.sources.mail:MailSource",
}


def source_from(
    name: str, settings: SourceSettings, ingest: IngestSettings, hosts: "Hosts"
) -> Source:
    """The source for a section of the settings; its module is imported on first use."""
    from ingest.http import Client

    module, _, attribute = SOURCES[settings.kind].partition(":")
    kind = getattr(import_module(module), attribute)
    web = web_settings(settings)
    source: Source = (
        kind(name, settings, Client(name, web, ingest.contact, hosts))
        if web
        else kind(name, settings)
    )
    return source

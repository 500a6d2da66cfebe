"""Mail: mailboxes on this machine, or lists in an archive of Mailman. A page holds a thread."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime

from ingest.http import Client
from ingest.model import Item, Past
from ingest.source_settings import MailSettings, WebSettings
from ingest.sources.mail.archive import HyperKitty, MailArchive, Pipermail
from ingest.sources.mail.files import Files
from ingest.sources.mail.lists import ArchivedList
from ingest.sources.mail.run import Run


def _today() -> date:
    return datetime.now(UTC).date()


class MailSource:
    """Threads as pages, named by the list and the message that they began with.

    What is kept from run to run is the cursor: of each file how far it was read, of each list in
    an archive the last period and the threads that may still grow.
    """

    def __init__(
        self,
        name: str,
        settings: MailSettings,
        client: Client | None = None,
        today: Callable[[], date] = _today,
    ) -> None:
        self.name = name
        self.settings = settings
        self.client = client
        self._today = today
        self._live: set[str] | None = None

    @property
    def requests(self) -> int | None:
        return self.client.requests if self.client else None

    def pages(self, past: Past) -> Iterator[Item]:
        """The threads that are new or have grown."""
        self._live = None
        run = Run(self.name, self.settings, past)
        yield from run.readers_changed()
        if self.client and self.settings.archive:
            lists = dict(self._lists(self.client, self.settings.archive))
            run.names(lists)
            for list_, archive in lists.items():
                limit = self.settings.archive.max_bytes
                yield from ArchivedList(run, list_, archive, self.client, limit).items()
        else:
            files = Files(run)
            yield from files.items()
            self._live = files.live
        yield from run.mark()

    def live_ids(self) -> Iterator[str] | None:
        """The threads in files that exist. None for archives: they forget nothing."""
        return None if self._live is None else iter(self._live)

    def _lists(self, client: Client, settings: WebSettings) -> Iterator[tuple[str, MailArchive]]:
        url = str(settings.url).rstrip("/")
        if not self.settings.lists:
            yield url.rpartition("/")[2], Pipermail(client, f"{url}/")
        for list_ in self.settings.lists:
            # Only Mailman 3 calls lists by their address.
            if "@" in list_:
                yield list_, HyperKitty(client, url, list_, self._today)
            else:
                yield list_, Pipermail(client, f"{url}/{list_}/")

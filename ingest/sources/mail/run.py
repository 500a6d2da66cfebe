"""What files and archives have in common: the past, and pages out of messages."""

import json
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from ingest.mailbox import without_attachments
from ingest.model import Cursor, Item, Page, Past, Unchanged
from ingest.source_settings import MailSettings

_LONGEST_KEY = 200


class Run:
    """One run over all files or lists; `lists` is what the cursor keeps of each."""

    def __init__(self, name: str, settings: MailSettings, past: Past) -> None:
        self.name = name
        self.past = past
        self.root = settings.path
        self._settings = settings
        self._marked = past.cursor
        value = json.loads(past.cursor) if past.cursor else {}
        # Other addresses are other pages: everything is given again.
        same = value.get("link") == settings.link
        self.lists: dict[str, Any] = value.get("lists", {}) if same else {}
        self._names = set(self.lists)
        self._known: dict[str, set[str]] = {}
        self._access = value.get("access")

    def names(self, lists: Iterable[str]) -> None:
        """All lists that there are: pages are told apart by them."""
        self._names.update(lists)
        self._known = {}
        for page in (*self.past.versions, *self.past.retry, *self.past.waiting):
            self._known.setdefault(self._list_of(page), set()).add(page)

    def readers_changed(self) -> Iterator[Item]:
        """Every known page, if others may read it now than at the last run."""
        access = self._settings.access
        if self._access is not None and self._access != sorted(access):
            for page, version in self.past.versions.items():
                if page not in self.past.waiting:
                    yield Unchanged(page, self.name, access, version)

    def mark(self) -> Iterator[Cursor]:
        """Everything before it was given; nothing if that was known already."""
        access = sorted(self._settings.access)
        value = {"link": self._settings.link, "access": access, "lists": self.lists}
        written = json.dumps(value, separators=(",", ":"))
        if written != self._marked:
            self._marked = written
            yield Cursor(self.name, written)

    def page_id(self, list_: str, key: str) -> str:
        """Stable: the list and the id of the first message."""
        if len(key) > _LONGEST_KEY:
            key = sha256(key.encode()).hexdigest()
        return f"{self.name}:{list_}/{key}"

    def known(self, list_: str) -> set[str]:
        """What is known of a list: its pages, and what failed."""
        return self._known.get(list_, set())

    def page(
        self, page_id: str, messages: Sequence[bytes], url: str, places: Sequence[str] = ()
    ) -> Iterator[Item]:
        """A thread as it is now; nothing while it waits to be tried again."""
        content = b"".join(map(without_attachments, messages))
        version = " ".join((sha256(url.encode() + content).hexdigest()[:16], *places))
        access = self._settings.access
        if self.past.wants(page_id, version):
            yield Page(page_id, self.name, url, "mbox", content, None, access, version)
        elif page_id not in self.past.waiting:
            yield Unchanged(page_id, self.name, access, version)

    def link(self, list_: str, message: str) -> str:
        """A thread's address by the settings; empty when they do not say."""
        named = self._settings.link.replace("{list}", quote(list_, safe="@"))
        return named.replace("{id}", quote(message, safe="@"))

    def _list_of(self, page: str) -> str:
        """A list may be called as the folder of another: the longest name that fits is meant."""
        name = page.removeprefix(f"{self.name}:")
        while name:
            name = name.rpartition("/")[0]
            if name in self._names:
                break
        return name

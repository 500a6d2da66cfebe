"""Mailboxes on this machine. One that grew gives the threads that have something new."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from ingest.errors import SettingsError
from ingest.mailbox import Span, Threads, head_of, spans
from ingest.model import Failure, Item
from ingest.sources.mail.run import Run

_TAIL = 4096


class Files:
    """All mailboxes below the folder. The cursor keeps how far each was read."""

    def __init__(self, run: Run) -> None:
        self.live: set[str] = set()
        """Pages of the mailboxes that exist."""
        self._run = run

    def items(self) -> Iterator[Item]:
        """Threads that are new, have grown or are to be tried again."""
        run, found = self._run, dict(self._found())
        run.names(found)
        run.lists = {list_: run.lists.get(list_, {}) for list_ in found}
        for list_, file in found.items():
            known = run.known(list_)
            try:
                yield from self._file(list_, file, known)
            except OSError as error:
                failed = f"{run.name}:{list_}/"
                reason = f"The mailbox {file.name} cannot be read: {error.strerror}."
                yield Failure(failed, run.name, reason)
                self.live |= known | {failed}
            yield from run.mark()

    def _file(self, list_: str, file: Path, known: set[str]) -> Iterator[Item]:
        run = self._run
        state: dict[str, Any] = run.lists[list_]
        status = file.stat()
        seen = {"size": status.st_size, "time": status.st_mtime_ns}
        same = all(state.get(key) == value for key, value in seen.items())
        if same and not known & run.past.retry:
            self.live |= known
            return
        with file.open("rb") as mailbox:
            old = int(state.get("size", 0))
            grown = status.st_size > old and _tail(mailbox, old) == state.get("tail")
            yield from self._threads(list_, mailbox, old if grown or same else 0)
            run.lists[list_] = {**seen, "tail": _tail(mailbox, status.st_size)}

    def _threads(self, list_: str, mailbox: BinaryIO, old: int) -> Iterator[Item]:
        """Threads with something behind `old`; all heads are read to know which they are."""
        run, threads = self._run, Threads()
        first: dict[str, str] = {}
        parts: dict[str, list[Span]] = {}
        mailbox.seek(0)
        for span in spans(mailbox):
            head = head_of(span.head)
            key, new = threads.place(head, list_)
            if new:
                first.setdefault(key, head.id)
                parts.setdefault(key, []).append(span)
        for key, messages in parts.items():
            page_id = run.page_id(list_, key)
            self.live.add(page_id)
            untouched = messages[-1].end <= old and page_id in run.past.versions
            if not untouched or page_id in run.past.retry:
                read = [_bytes(mailbox, span) for span in messages]
                yield from run.page(page_id, read, run.link(list_, first[key]))

    def _found(self) -> Iterator[tuple[str, Path]]:
        """Mailboxes by the name of their list: their path without `.mbox`."""
        root = self._run.root
        if root is None or not root.exists():
            msg = f"[sources.{self._run.name}] path {root} is neither a mailbox nor a folder."
            raise SettingsError(msg)
        if root.is_file():
            yield root.name.removesuffix(".mbox"), root
            return
        base = root.resolve()
        for file in sorted(root.rglob("*")):
            path = file.relative_to(root)
            hidden = any(part.startswith(".") for part in path.parts)
            # A link that leads out of the folder would publish what nobody meant.
            if hidden or not file.is_file() or not file.resolve().is_relative_to(base):
                continue
            if file.suffix == ".mbox" or _begins_as_mailbox(file):
                yield path.as_posix().removesuffix(".mbox"), file


def _begins_as_mailbox(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(5) == b"From "
    except OSError:
        return False


def _bytes(mailbox: BinaryIO, span: Span) -> bytes:
    mailbox.seek(span.start)
    return mailbox.read(span.end - span.start)


def _tail(mailbox: BinaryIO, end: int) -> str:
    """What stands before a place in a file: it tells a grown file from a rewritten one."""
    start = max(end - _TAIL, 0)
    mailbox.seek(start)
    return sha256(mailbox.read(end - start)).hexdigest()[:16]

"""Archives of mailing lists on loopback: Mailman 2's pipermail and Mailman 3's HyperKitty.

with PipermailServer({"daq": [mail(1, "2026-01-05"), mail(2, "2026-02-01", answers=1)]}) as server:
    server.lists["daq"].append(mail(3, "2026-02-03", answers=2))
"""

import gzip
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from tests.servers import NOT_FOUND, Answer, Request, Server, json_answer


@dataclass(frozen=True)
class Mail:
    """A message as a mailbox has it, and the day on which it was sent."""

    day: str
    raw: bytes


def mail(
    number: int,
    day: str = "2026-01-05",
    *,
    answers: int | None = None,
    chain: tuple[int, ...] = (),
    subject: str = "",
    body: str = "",
    sender: str = "Ada Kroll <ada.kroll@lab.example>",
    more: str = "",
) -> Mail:
    """Message `<mNUMBER@lab.example>`, which may answer another."""
    sent = datetime.fromisoformat(f"{day}T10:00:00+00:00").astimezone(UTC)
    ids = " ".join(f"<m{one}@lab.example>" for one in chain or ((answers,) if answers else ()))
    about = subject or (f"Re: Topic {answers}" if answers else f"Topic {number}")
    head = [
        f"From {sender.split('<')[-1].rstrip('>')} {sent:%a %b %d %H:%M:%S %Y}",
        f"From: {sender}",
        f"Subject: {about}",
        f"Date: {sent:%a, %d %b %Y %H:%M:%S} +0000",
        f"Message-ID: <m{number}@lab.example>",
        *([f"In-Reply-To: <m{answers}@lab.example>"] if answers else []),
        *([f"References: {ids}"] if chain else []),
        *([more] if more else []),
    ]
    return Mail(day, "\n".join([*head, "", body or f"Text {number}.", "", ""]).encode())


def mailbox(*mails: Mail) -> bytes:
    """A file of them."""
    return b"".join(one.raw for one in mails)


class PipermailServer(Server):
    """`/pipermail/LIST/`: an index and a text file a month, all with ETags."""

    def __init__(self, lists: dict[str, list[Mail]], **more: Any) -> None:
        super().__init__(**more)
        self.lists = lists
        self.packed = True
        """Text files are gzipped; else they are plain, under the same names."""
        self.plain: set[str] = set()
        """Months whose file is not gzipped yet, and is called so."""

    def answer(self, request: Request) -> Answer:
        found = re.fullmatch(r"/pipermail/([\w-]+)/([\w.-]*)", request.path)
        if not found or found[1] not in self.lists:
            return NOT_FOUND
        months = self.months(found[1])
        if not found[2]:
            return self._index(found[1], months)
        name = found[2].removesuffix(".gz").removesuffix(".txt")
        if name not in months or found[2] != self._file(name):
            return NOT_FOUND
        text = b"".join(_spelled(one.raw) for one in months[name])
        packed = self.packed and name not in self.plain
        content = gzip.compress(text, mtime=0) if packed else text
        kind = "application/x-gzip" if packed else "text/plain"
        return Answer(content, type=kind, etag=_tag(text))

    def months(self, list_: str) -> dict[str, list[Mail]]:
        """Messages by month, such as `2026-January`, the newest month first."""
        found: dict[str, list[Mail]] = {}
        for one in sorted(self.lists[list_], key=lambda one: one.day[:7], reverse=True):
            month = datetime.fromisoformat(one.day).strftime("%Y-%B")
            found.setdefault(month, []).append(one)
        return found

    def _file(self, month: str) -> str:
        return f"{month}.txt" if month in self.plain else f"{month}.txt.gz"

    def _index(self, list_: str, months: dict[str, list[Mail]]) -> Answer:
        rows = "".join(
            f"<tr><td>{month.replace('-', ' ')}:</td><td>"
            f'<A href="{month}/thread.html">[ Thread ]</a>'
            f'<A href="{month}/date.html">[ Date ]</a></td>'
            f'<td><A href="{self._file(month)}">[ Gzip\'d Text {len(mails)} KB ]</a></td></tr>'
            for month, mails in months.items()
        )
        table = f"<table border=3>{rows}</table>" if rows else "Currently, there are no archives."
        page = f"<HTML><HEAD><title>The {list_} Archives</title></HEAD><BODY>{table}</BODY></HTML>"
        return Answer(page, etag=_tag(page.encode() + mailbox(*self.lists[list_])))


class HyperkittyServer(Server):
    """`/hyperkitty`: what is known of a list, and mailboxes of spans of days, gzipped."""

    def __init__(self, lists: dict[str, list[Mail]], created: str, **more: Any) -> None:
        super().__init__(**more)
        self.lists = lists
        self.created = created

    def answer(self, request: Request) -> Answer:
        if found := re.fullmatch(r"/hyperkitty/api/list/([^/]+)/", request.path):
            if found[1] not in self.lists:
                return json_answer({"detail": "Not found."}, 404)
            return json_answer(
                {
                    "url": f"{self.url}{request.path}",
                    "name": found[1],
                    "display_name": found[1].partition("@")[0],
                    "subject_prefix": "",
                    "archive_policy": "public",
                    "created_at": f"{self.created}T08:00:00Z",
                    "threads": f"{self.url}{request.path}threads/",
                    "emails": f"{self.url}{request.path}emails/",
                }
            )
        found = re.fullmatch(r"/hyperkitty/list/([^/]+)/export/[^/]+\.mbox\.gz", request.path)
        if not found or found[1] not in self.lists:
            return NOT_FOUND
        start, end = request.query.get("start", ""), request.query.get("end", "9")
        shown = (one for one in self.lists[found[1]] if start <= one.day < end)
        packed = gzip.compress(b"".join(_spelled(one.raw) + b"\n" for one in shown))
        return Answer(packed, type="application/gzip")


def _spelled(raw: bytes) -> bytes:
    """Archives write addresses in words; message ids stay as they are."""
    head, _, body = raw.partition(b"\n\n")
    lines = [
        line if line.lower().startswith((b"message-id", b"references", b"in-reply")) else words
        for line in head.split(b"\n")
        if (words := line.replace(b"@", b" at ")) is not None
    ]
    return b"\n".join(lines) + b"\n\n" + body.replace(b"@", b" at ")


def _tag(content: bytes) -> str:
    return f'"{sha256(content).hexdigest()[:16]}"'

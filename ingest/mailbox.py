"""Mailboxes (mbox): where messages begin, what their heads say, which belong to one thread.

Used by the source, which groups messages to threads, and by the parser, which reads them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.errors import HeaderParseError, MessageError
from email.header import decode_header, make_header
from email.message import Message
from hashlib import sha256
from io import BytesIO
from typing import Any, BinaryIO, NamedTuple

# Text may begin a line with "From 2012 to 2014"; a border has a time of day and a header below.
_BORDER = re.compile(rb"From [^\n]*\d{1,2}:\d\d[^\n]*\d{4}[^\n]*\n")
_HEADER = re.compile(rb"[!-9;-~]+:")
_REPLY = re.compile(r"^\s*(?:(?:re|aw|fwd?|wg|tr|sv)\s*(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_ID = re.compile(r"<([^<>\s]{1,500})>")
_FIELDS = (b"message-id", b"references", b"in-reply-to", b"subject")
_LONGEST_HEAD = 65_536
_LARGE = 50_000
"""Messages beyond it have something attached, or are dumps that nobody reads."""

_MOST_MESSAGES = 300
_MOST_PLACES = 12
"""A thread that grows beyond these goes on as another: "Re: shift report" never ends."""


class Span(NamedTuple):
    """Where a message stands in a mailbox, with the `From ` line above it."""

    start: int
    end: int
    head: bytes


def spans(mailbox: BinaryIO) -> Iterator[Span]:
    """The messages of a mailbox, read line by line: it may be larger than memory."""
    start, at, border = -1, 0, b""
    head = bytearray()
    heading = False
    for line in mailbox:
        if border:
            if _HEADER.match(line):
                if start >= 0:
                    yield Span(start, at - len(border), bytes(head))
                start, heading = at - len(border), True
                head = bytearray(border)
            border = b""
        at += len(line)
        if line.startswith(b"From ") and _BORDER.fullmatch(line):
            border = line
        elif heading:
            heading = bool(line.strip()) and len(head) < _LONGEST_HEAD
            head += line
    if start >= 0:
        yield Span(start, at, bytes(head))


def messages(content: bytes) -> Iterator[tuple[Span, bytes]]:
    """The messages of a mailbox that is in memory."""
    for span in spans(BytesIO(content)):
        yield span, content[span.start : span.end]


def without_border(raw: bytes) -> bytes:
    """A message of a mailbox as it was sent."""
    if not _BORDER.match(raw):
        return raw
    return raw.partition(b"\n")[2].replace(b"\n>From ", b"\nFrom ")


def header(message: "Message[str, str]", name: str) -> str:
    """A header, decoded; empty when there is none."""
    value = message.get(name)
    return "" if value is None else _decoded(str(value))


def _decoded(value: str) -> str:
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError, UnicodeError):
        return value


def ids_in(value: str) -> list[str]:
    """The message ids in a header, without their brackets."""
    return _ID.findall(value)


def bare_subject(subject: str) -> str:
    """A subject without `Re:` and its kin."""
    return _REPLY.sub("", subject)


@dataclass(frozen=True, slots=True)
class Head:
    """What threads are made by."""

    id: str
    chain: tuple[str, ...]
    """Ids of the messages before it, oldest first."""
    subject: str
    """Without `Re:`, folded, in lower case."""
    reply: bool
    """The subject says that it answers."""


def head_of(head: bytes) -> Head:
    """What the head of a message says. One without an id is given one."""
    found: dict[bytes, bytes] = {}
    name = b""
    for line in head.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            if name:
                found[name] += b" " + line
            continue
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in _FIELDS and name not in found:
            found[name] = value
        else:
            name = b""
    said = {name: value.decode("utf-8", errors="replace") for name, value in found.items()}
    own = ids_in(said.get(b"message-id", ""))
    subject = " ".join(_decoded(said.get(b"subject", "")).split())
    chain = ids_in(said.get(b"references", "")) + ids_in(said.get(b"in-reply-to", ""))
    return Head(
        own[0] if own else f"{sha256(head).hexdigest()[:32]}@docent",
        tuple(dict.fromkeys(chain)),
        bare_subject(subject).casefold(),
        bool(_REPLY.match(subject)),
    )


def without_attachments(raw: bytes) -> bytes:
    """A large message of a mailbox without its parts that are not text."""
    if len(raw) <= _LARGE:
        return raw
    border, _, rest = raw.partition(b"\n")
    try:
        message = message_from_bytes(rest)
        for part in message.walk():
            attached = "attachment" in str(part.get("Content-Disposition", "")).lower()
            text = part.get_content_maintype() == "text" and not attached
            if not text and not part.is_multipart():
                part.set_payload("")
        return border + b"\n" + message.as_bytes().rstrip(b"\n") + b"\n\n"
    except (MessageError, LookupError, ValueError):
        # What the library cannot write again stays as it came.
        return raw


def _short(text: str) -> str:
    return sha256(text.encode("utf-8", errors="replace")).hexdigest()[:12]


@dataclass(slots=True)
class _Thread:
    subject: str
    places: list[str] = field(default_factory=list)
    own: dict[str, None] = field(default_factory=dict)
    """Short forms of the ids of its messages, in the order they came."""
    named: dict[str, None] = field(default_factory=dict)
    """Short forms of ids that its messages name and that are not there."""
    later: str = ""
    """The thread that goes on where this one was full."""


class Threads:
    """Puts messages, as they come, into threads that never merge and never split.

    A message belongs where the last message of its chain is that is known; without a chain, to
    the last thread of its subject if it says that it answers. `places` are the months or files
    that hold a thread's messages. `as_state` keeps it as JSON for the next run.
    """

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        self._threads: dict[str, _Thread] = {}
        self._by_id: dict[str, str] = {}
        self._by_subject: dict[str, str] = {}
        for key, (subject, places, own, named, later) in (state or {}).items():
            thread = _Thread(subject, places, dict.fromkeys(own), dict.fromkeys(named), later)
            self._threads[key] = thread
            self._by_id |= dict.fromkeys((*own, *named), key)
            if subject:
                self._by_subject[subject] = key

    def place(self, head: Head, place: str) -> tuple[str, bool]:
        """The key of a message's thread, and whether the message is new to it."""
        own = _short(head.id)
        known = self._threads.get(self._by_id.get(own, ""))
        if known and own in known.own:
            return self._by_id[own], False
        key = self._thread_of(head, own)
        if key is None or self._full(key, place):
            key = self._opened(head, key)
        thread = self._threads[key]
        if not head.chain and not head.reply and head.subject:
            thread.subject = _short(head.subject)
            self._by_subject[thread.subject] = key
        for one in map(_short, head.chain):
            if self._by_id.setdefault(one, key) == key and one not in thread.own:
                thread.named[one] = None
        self._by_id[own] = key
        thread.own[own] = None
        thread.named.pop(own, None)
        if place not in thread.places:
            thread.places.append(place)
        return key, True

    def __iter__(self) -> Iterator[str]:
        """The keys of the threads that are known."""
        return iter(self._threads)

    def places(self, key: str) -> list[str]:
        """Where a thread's messages are; empty for a thread that is not known."""
        return list(self._threads[key].places) if key in self._threads else []

    def holds(self, key: str, head: Head) -> bool:
        """True when the message is one of the thread's."""
        return key in self._threads and _short(head.id) in self._threads[key].own

    def forget(self, kept: set[str]) -> None:
        """Drop the threads that have nothing in these places."""
        for key, thread in list(self._threads.items()):
            if kept.isdisjoint(thread.places):
                del self._threads[key]

    def as_state(self) -> dict[str, Any]:
        """For the next run."""
        return {
            key: (one.subject, one.places, list(one.own), list(one.named), one.later)
            for key, one in self._threads.items()
        }

    def _thread_of(self, head: Head, own: str) -> str | None:
        known = (self._by_id.get(_short(one)) for one in reversed(head.chain))
        key = next((one for one in known if one), None) or self._by_id.get(own)
        if key is None and not head.chain and head.reply:
            key = self._by_subject.get(_short(head.subject))
        while key in self._threads and (later := self._threads[key].later) in self._threads:
            key = later
        return key if key in self._threads else None

    def _full(self, key: str, place: str) -> bool:
        thread = self._threads[key]
        far = place not in thread.places and len(thread.places) >= _MOST_PLACES
        return far or len(thread.own) >= _MOST_MESSAGES

    def _opened(self, head: Head, full: str | None) -> str:
        """A new thread, called by the id it began with as far as that is known."""
        key = head.chain[0] if head.chain and full is None else head.id
        if key in self._threads:
            key = head.id if head.id not in self._threads else f"{head.id}~{_short(repr(head))}"
        self._threads[key] = _Thread("")
        if full:
            self._threads[full].later = key
        return key

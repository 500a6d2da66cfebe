"""Mailing lists (mbox) and single mails: a document a thread, without quotes and addresses."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.utils import parseaddr

from ingest.errors import ParseError
from ingest.mailbox import bare_subject, header, ids_in, messages, without_border
from ingest.model import Document, Page
from ingest.parse.builder import DocumentBuilder
from ingest.parse.clean import clean, decode_bytes, fold, moment, refuse_binary, safe_url
from ingest.parse.htmlwalk import add_html, flat_text, soup_of
from ingest.parse.plain import add_text

_HOST = r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
_ADDRESS = re.compile(rf"(?<![\w.+-])([\w.+-]{{1,64}})(?:@|\(a\)|\(at\)){_HOST}")
# Archives of Mailman write "ada at lab.example", which may be any two words: only what stands in
# brackets, has a dot before the "at", or is a sender of the thread is taken for an address.
_SPELLED = re.compile(
    rf"(?<=<)([\w.+-]{{1,64}}) at {_HOST}(?=>)"
    rf"|\b([A-Za-z]\w{{0,63}}(?:\.[A-Za-z][\w-]{{0,63}}){{1,4}}) at {_HOST}"
)
_SENDER = re.compile(rf"([\w.+-]{{1,64}}) at ({_HOST})")
_ATTRIBUTION = re.compile(
    r"^[ \t]*(?:On|Le|Am|Il|El)\b[^\n]{5,200}\n?[^\n]{0,200}?"
    r"(?:wrote|écrit|schrieb|scritto|escribió)[^\n]{0,40}:[ \t]*(?=\Z|\n[ \t]*\n?[ \t]*>)",
    re.MULTILINE,
)
_ORIGINAL = re.compile(
    r"^[ \t]*(?:-{3,} ?(?:Original Message|Forwarded [Mm]essage|Ursprüngliche Nachricht) ?-{3,}"
    r"|_{20,}\n(?:From|Von): )",
    re.MULTILINE,
)
_SIGNATURE = re.compile(r"^-- ?\n|^_{20,}\n[^\n]*mailing list", re.MULTILINE)
_MOST_PARTS = 100
_FEW = 6
"""Words; a shorter paragraph may be the label of a picture or a link."""


@dataclass(frozen=True, slots=True)
class _Mail:
    id: str
    parents: tuple[str, ...]
    subject: str
    author: str
    spelled: tuple[str, ...]
    """The sender's address where it is written as `ada at lab.example`."""
    sent: datetime | None
    url: str
    message: "Message[str, str]"


def parse(page: Page) -> list[Document]:
    """One document for each thread that has any text."""
    refuse_binary(page.id, page.content)
    mails = [_read(raw, number) for number, raw in enumerate(_messages(page.content))]
    if not any(mail.message.keys() for mail in mails):
        msg = f"{page.id} is not a mailbox: no message in it has headers. Set its format."
        raise ParseError(msg)
    documents = []
    for root, thread in _threads(mails).items():
        builder = _thread(page, root, thread)
        if not builder.empty:
            documents.append(builder.build())
    return documents


def masked(text: str, senders: Iterable[str] = ()) -> str:
    """Text in which `a.b@host.org` has become `a.b@…`, however it is written."""
    for sender in senders:
        text = text.replace(sender, f"{sender.partition(' at ')[0]}@…")
    text = _SPELLED.sub(lambda found: f"{found[1] or found[2]}@…", text)
    return _ADDRESS.sub(r"\1@…", text)


def _messages(content: bytes) -> Iterator[bytes]:
    empty = True
    for _, raw in messages(content):
        empty = False
        yield without_border(raw)
    if empty:
        yield content


def _read(raw: bytes, number: int) -> _Mail:
    message = message_from_bytes(raw)
    parents = ids_in(header(message, "References") + header(message, "In-Reply-To"))
    sender = header(message, "From")
    name, address = parseaddr(sender)
    own = ids_in(header(message, "Message-ID"))
    return _Mail(
        id=own[0] if own else f"message-{number}",
        parents=tuple(parents),
        subject=fold(header(message, "Subject")),
        author=masked(fold(name)) or address.partition("@")[0],
        spelled=tuple(found[0] for found in _SENDER.finditer(fold(sender))),
        sent=moment(re.sub(r"\s*\(.*\)\s*$", "", header(message, "Date"))),
        url=safe_url(header(message, "Archived-At").strip("<> \n")),
        message=message,
    )


def _threads(mails: Iterable[_Mail]) -> dict[str, list[_Mail]]:
    """Mails by the id that their thread began with; without references, by their subject."""
    leader: dict[str, str] = {}

    def first(name: str) -> str:
        while leader.setdefault(name, name) != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    mails = list(mails)
    for mail in mails:
        for one, other in zip(mail.parents, [*mail.parents[1:], mail.id], strict=False):
            if first(one) != first(other):
                leader[first(other)] = first(one)
    by_subject: dict[str, str] = {}
    for mail in mails:
        bare = bare_subject(mail.subject).casefold()
        if mail.parents or not bare:
            continue
        if len(bare) < len(mail.subject) and bare in by_subject:
            leader[first(mail.id)] = first(by_subject[bare])
        else:
            by_subject[bare] = mail.id
    threads: dict[str, list[_Mail]] = defaultdict(list)
    for mail in mails:
        threads[first(mail.id)].append(mail)
    return threads


def _thread(page: Page, root: str, mails: list[_Mail]) -> DocumentBuilder:
    early = datetime.min.replace(tzinfo=UTC)
    ordered = sorted(mails, key=lambda mail: mail.sent or early)
    sent = [mail.sent for mail in ordered if mail.sent]
    builder = DocumentBuilder(
        page,
        hashlib.sha256(root.encode("utf-8", "replace")).hexdigest()[:12],
        title=masked(bare_subject(ordered[0].subject)) or "(no subject)",
        url=ordered[0].url,
        author=ordered[0].author,
        updated_at=max(sent) if sent else None,
    )
    senders = {address for mail in ordered for address in mail.spelled}
    for mail in ordered:
        body = DocumentBuilder(page)
        add_message(body, page.id, mail.message, senders)
        if body.empty:
            continue
        when = f", {mail.sent.date().isoformat()}" if mail.sent else ""
        builder.heading(1, f"From {mail.author or 'unknown'}{when}")
        builder.extend(body)
    return builder


def add_message(
    builder: DocumentBuilder,
    name: str,
    message: "Message[str, str]",
    senders: Collection[str] = (),
) -> None:
    """Add what a mail says: its plain text, or its HTML when it has no plain text."""
    pages: list[str] = []
    twins = _twins(name, message)
    for number, part in enumerate(message.walk()):
        kind = part.get_content_type()
        attached = "attachment" in str(part.get("Content-Disposition", "")).lower()
        if number > _MOST_PARTS or part.is_multipart() or attached:
            continue
        if kind == "text/plain" and (text := stripped(_content(name, part))):
            if shown := twins.get(id(part)):
                text = _as_shown(text, shown)
            add_text(builder, masked(text, senders))
        elif kind == "text/html":
            pages.append(_content(name, part))
    if builder.empty:
        for markup in pages:
            add_html(builder, masked(_QUOTED_HTML.sub("", markup), senders), shift=1)


def _twins(name: str, message: "Message[str, str]") -> dict[int, str]:
    """Plain parts by their `id`, with the HTML that mail programs show instead of them."""
    found: dict[int, str] = {}
    for number, whole in enumerate(message.walk()):
        if number > _MOST_PARTS or whole.get_content_type() != "multipart/alternative":
            continue
        inner = list(whole.walk())[: _MOST_PARTS + 1]
        pages = [part for part in inner if part.get_content_type() == "text/html"]
        for part in inner:
            if pages and part.get_content_type() == "text/plain":
                found[id(part)] = _content(name, pages[0])
    return found


def _as_shown(text: str, markup: str) -> str:
    """The paragraphs of a plain part that its HTML has too: only that is what people see."""
    shown = set(_words(flat_text(soup_of(markup))))
    kept = []
    for paragraph in re.split(r"\n[ \t]*\n", text):
        words = _words(paragraph)
        if len(words) < _FEW or 2 * sum(word in shown for word in words) >= len(words):
            kept.append(paragraph)
    return "\n\n".join(kept)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", clean(text).casefold())


_QUOTED_HTML = re.compile(
    r"<blockquote[^>]*type=[\"']?cite.*\Z|<div[^>]*class=[\"']?gmail_quote.*\Z", re.I | re.S
)


def _content(name: str, part: "Message[str, str]") -> str:
    raw = part.get_payload(decode=True)
    if not isinstance(raw, bytes):
        return ""
    return decode_bytes(name, raw, part.get_content_charset("") or "")


def stripped(text: str) -> str:
    """The text of a mail without what it quotes and without its signature."""
    text = clean(text)
    for end in (_ORIGINAL, _SIGNATURE):
        if found := end.search(text):
            text = text[: found.start()]
    text = _ATTRIBUTION.sub("", text)
    kept = [line for line in text.split("\n") if not re.match(r"[ \t]*(?:>|\|[ \t]?>)", line)]
    return "\n".join(kept).strip()

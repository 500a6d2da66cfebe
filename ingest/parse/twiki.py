"""Raw TWiki and Foswiki topics: `%META` lines here, the markup in `ingest.parse.tml`."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.model import Document, Page
from ingest.parse.builder import DocumentBuilder, file_name
from ingest.parse.clean import decode, fold, moment
from ingest.parse.htmlwalk import add_html, flat_text, soup_of
from ingest.parse.tml import html_from_tml, spaced

_META = re.compile(r"^%META:(?P<kind>[A-Za-z]+)\{(?P<values>.*)\}%[ \t]*$")
_VALUE = re.compile(r'([A-Za-z]\w*)="([^"]*)"')
_ESCAPED = re.compile(r"%_N_%|%_Q_%|%(22|0d%0a|0a|0d|25|7b|7d)", re.IGNORECASE)
"""What the wikis write for line ends, quotes, percent signs and braces in the values of `%META`."""


@dataclass(frozen=True, slots=True)
class _Meta:
    kind: str
    values: dict[str, str]


def parse(page: Page) -> list[Document]:
    """The one document of a topic."""
    metas, body = _split(decode(page))
    builder = DocumentBuilder(page)
    info = next((meta.values for meta in metas if meta.kind == "TOPICINFO"), {})
    builder.author = re.sub(r"^(?:Main|TWiki)\.", "", info.get("author", ""))
    builder.updated_at = moment(info.get("date"))
    topic = re.sub(r"\.(txt|twiki|tml)$", "", file_name(page))
    add_html(builder, html_from_tml(body, topic=topic, web=_web(page)))
    _add_fields(builder, metas)
    _add_attachments(builder, metas)
    document = builder.build()
    if any(block.kind == "heading" for block in document.blocks):
        return [document]
    builder.title = spaced(topic)
    return [builder.build()]


def _web(page: Page) -> str:
    parts = re.split(r"[/:]", page.id)
    return parts[-2] if len(parts) > 1 else ""


def _split(text: str) -> tuple[list[_Meta], str]:
    metas, body = [], []
    for line in text.splitlines():
        if line.startswith("%META:") and (found := _META.match(line)):
            pairs = _VALUE.findall(found["values"])
            metas.append(_Meta(found["kind"].upper(), {key: _plain(value) for key, value in pairs}))
        else:
            body.append(line)
    return metas, "\n".join(body)


def _plain(value: str) -> str:
    return _ESCAPED.sub(lambda found: _meant(found[0].lower()), value)


def _meant(written: str) -> str:
    if written in ("%_n_%", "%0d%0a", "%0a", "%0d"):
        return " "
    return '"' if written == "%_q_%" else chr(int(written[1:], 16))


def _add_fields(builder: DocumentBuilder, metas: list[_Meta]) -> None:
    rows = [
        (
            fold(_markup_text(meta.values.get("title") or meta.values.get("name", ""))),
            _markup_text(meta.values["value"]),
        )
        for meta in metas
        if meta.kind == "FIELD" and meta.values.get("value", "").strip()
    ]
    if rows:
        builder.table(["name", "value"], rows)


def _markup_text(value: str) -> str:
    return flat_text(soup_of(value)) if "<" in value else html.unescape(value)


def _add_attachments(builder: DocumentBuilder, metas: list[_Meta]) -> None:
    builder.items(_attachments(metas))


def _attachments(metas: list[_Meta]) -> Iterator[str]:
    for meta in metas:
        name = meta.values.get("name") or meta.values.get("attachment", "")
        hidden = "h" in meta.values.get("attr", "")
        if meta.kind == "FILEATTACHMENT" and name and not hidden:
            comment = fold(meta.values.get("comment", ""))
            yield f"Attachment {name}: {comment}" if comment else f"Attachment {name}"

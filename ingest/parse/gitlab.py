"""GitLab API v4 answers: issues, merge requests and wiki pages, with their notes under `notes`."""

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.errors import ParseError
from ingest.model import Document, Page
from ingest.parse.builder import DocumentBuilder
from ingest.parse.clean import day, moment, text_of
from ingest.parse.jsontext import load_json, named, records
from ingest.parse.markdown import add_markdown
from ingest.parse.rst import add_rst

_FIELDS = {
    "state": "state",
    "labels": "labels",
    "milestone": "milestone",
    "assignees": "assignees",
    "reviewers": "reviewers",
    "merged_at": "merged",
    "closed_at": "closed",
    "target_branch": "target branch",
    "created_at": "created",
}


def parse(page: Page) -> list[Document]:
    """One document for each issue, merge request and wiki page of an export."""
    found = records(load_json(page), "issues", "merge_requests", "wikis")
    documents = []
    for record in found:
        if "iid" in record and "title" in record:
            documents.append(_discussion(page, record))
        elif "slug" in record and "content" in record:
            documents.append(_wiki_page(page, record))
    builders = [builder for builder in documents if not builder.empty]
    if not builders:
        msg = f"{page.id} holds no issue, merge request or wiki page of GitLab. Set its format."
        raise ParseError(msg)
    return [builder.build() for builder in builders]


def _discussion(page: Page, record: Mapping[str, Any]) -> DocumentBuilder:
    number, title = text_of(record, "iid"), text_of(record, "title")
    merge = "source_branch" in record
    short = f"!{number}" if merge else f"#{number}"
    builder = DocumentBuilder(
        page,
        f"merge-request-{number}" if merge else f"issue-{number}",
        title=f"{title} ({text_of(record, 'references', 'full') or short})",
        url=text_of(record, "web_url"),
        author=text_of(record, "author", "name") or text_of(record, "author", "username"),
        updated_at=moment(record.get("updated_at") or record.get("created_at")),
    )
    builder.table(["field", "value"], [("title", f"{title} ({short})"), *_fields(record)])
    add_markdown(builder, text_of(record, "description"), shift=1)
    notes = record.get("notes")
    for note in notes if isinstance(notes, list) else []:
        if isinstance(note, Mapping) and note.get("system") is not True:
            _add_note(builder, note)
    return builder


def _fields(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, label in _FIELDS.items():
        value = record.get(key)
        shown = day(value) if key.endswith("_at") else named(value, "name", "title", "username")
        if shown:
            yield label, shown


def _add_note(builder: DocumentBuilder, note: Mapping[str, Any]) -> None:
    body = text_of(note, "body")
    if not body.strip():
        return
    author = text_of(note, "author", "name") or text_of(note, "author", "username") or "unknown"
    number, when = text_of(note, "id"), day(note.get("created_at"))
    heading = f"Comment by {author}, {when}" if when else f"Comment by {author}"
    builder.heading(1, heading, f"note_{number}" if number else "")
    add_markdown(builder, body, shift=1)


def _wiki_page(page: Page, record: Mapping[str, Any]) -> DocumentBuilder:
    slug = text_of(record, "slug")
    builder = DocumentBuilder(
        page,
        f"wiki-{slug}",
        title=text_of(record, "title"),
        url=text_of(record, "web_url"),
        author=text_of(record, "author", "name"),
        updated_at=moment(record.get("updated_at")),
    )
    if text_of(record, "format") == "rdoc":
        builder.prose(text_of(record, "content"), lines=True)
    elif text_of(record, "format") == "rst":
        add_rst(builder, text_of(record, "content"))
    else:
        add_markdown(builder, text_of(record, "content"))
    return builder

"""GitLab API v4 answers: issues, merge requests, wiki pages and releases.

What was said on an issue or merge request stands in it, as the API lists it: under `discussions`,
or without threads under `notes`.
"""

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
    """One document for each issue, merge request, wiki page and release of an export."""
    found = records(load_json(page), "issues", "merge_requests", "wikis", "releases")
    documents = []
    for record in found:
        if "iid" in record and "title" in record:
            documents.append(_discussion(page, record))
        elif "slug" in record and "content" in record:
            documents.append(_wiki_page(page, record))
        elif "tag_name" in record and "description" in record:
            documents.append(_release(page, record))
    builders = [builder for builder in documents if not builder.empty]
    if not builders:
        what = "issue, merge request, wiki page or release of GitLab"
        msg = f"{page.id} holds no {what}. Set its format."
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
    _add_notes(builder, record.get("notes"))
    threads = record.get("discussions")
    for thread in threads if isinstance(threads, list) else []:
        if isinstance(thread, Mapping):
            _add_notes(builder, thread.get("notes"), thread=True)
    return builder


def _fields(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, label in _FIELDS.items():
        value = record.get(key)
        shown = day(value) if key.endswith("_at") else named(value, "name", "title", "username")
        if shown:
            yield label, shown


def _add_notes(builder: DocumentBuilder, notes: Any, *, thread: bool = False) -> None:
    """One after the other; those of a thread stand below its first."""
    said = [note for note in notes if _is_said(note)] if isinstance(notes, list) else []
    for number, note in enumerate(said):
        _add_note(builder, note, reply=thread and number > 0)


def _is_said(note: Any) -> bool:
    """False for what GitLab notes itself, and for what only members of the project may read."""
    if not isinstance(note, Mapping) or not text_of(note, "body").strip():
        return False
    return not any(note.get(key) for key in ("system", "internal", "confidential"))


def _add_note(builder: DocumentBuilder, note: Mapping[str, Any], *, reply: bool) -> None:
    author = text_of(note, "author", "name") or text_of(note, "author", "username") or "unknown"
    place, when = text_of(note, "position", "new_path"), day(note.get("created_at"))
    heading = f"{'Reply' if reply else 'Comment'} by {author}"
    heading += f" on {place}" if place else ""
    heading += f", {when}" if when else ""
    level, number = 2 if reply else 1, text_of(note, "id")
    builder.heading(level, heading, f"note_{number}" if number else "")
    add_markdown(builder, text_of(note, "body"), shift=level)


def _release(page: Page, record: Mapping[str, Any]) -> DocumentBuilder:
    tag = text_of(record, "tag_name")
    name = text_of(record, "name") or tag
    builder = DocumentBuilder(
        page,
        f"release-{tag}",
        title=f"Release {name}" if tag in name else f"Release {name} ({tag})",
        url=text_of(record, "web_url") or text_of(record, "_links", "self"),
        author=text_of(record, "author", "name") or text_of(record, "author", "username"),
        updated_at=moment(record.get("released_at") or record.get("created_at")),
    )
    rows = [("release", name), ("tag", tag), ("released", day(record.get("released_at")))]
    rows.append(("milestones", named(record.get("milestones"), "title")))
    builder.table(["field", "value"], [row for row in rows if row[1]])
    add_markdown(builder, text_of(record, "description"), shift=1)
    return builder


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

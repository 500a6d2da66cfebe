"""JIRA REST v2 answers: a search, a list of issues or one issue, with comments."""

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.errors import ParseError
from ingest.model import Document, Page
from ingest.parse.builder import DocumentBuilder
from ingest.parse.clean import day, fold, moment, safe_url, text_of
from ingest.parse.htmlwalk import add_html
from ingest.parse.jiramarkup import html_from_jira
from ingest.parse.jsontext import load_json, named, records

_FIELDS = {
    "issuetype": "type",
    "status": "status",
    "resolution": "resolution",
    "priority": "priority",
    "assignee": "assignee",
    "components": "components",
    "labels": "labels",
    "versions": "affects versions",
    "fixVersions": "fix versions",
    "created": "created",
    "resolutiondate": "resolved",
}


def parse(page: Page) -> list[Document]:
    """One document for each issue of an export."""
    issues = [
        record
        for record in records(load_json(page), "issues")
        if isinstance(record.get("fields"), Mapping) and text_of(record, "key")
    ]
    if not issues:
        msg = f"{page.id} holds no JIRA issue with key and fields. Set its format."
        raise ParseError(msg)
    return [_issue(page, issue, alone=len(issues) == 1) for issue in issues]


def _issue(page: Page, issue: Mapping[str, Any], *, alone: bool) -> Document:
    key, fields = text_of(issue, "key"), issue["fields"]
    summary = text_of(fields, "summary")
    builder = DocumentBuilder(
        page,
        key,
        title=f"{key}: {summary}" if summary else key,
        url=_url(issue, key) or ("" if alone else _sibling(page.url, key)),
        author=named(fields.get("reporter") or fields.get("creator"), "displayName", "name"),
        updated_at=moment(fields.get("updated") or fields.get("created")),
    )
    builder.table(["field", "value"], [("key", key), ("summary", summary), *_rows(fields)])
    add_html(builder, html_from_jira(text_of(fields, "description")), shift=1)
    if environment := text_of(fields, "environment"):
        builder.heading(1, "Environment")
        add_html(builder, html_from_jira(environment), shift=1)
    comment = fields.get("comment")
    comments = comment.get("comments") if isinstance(comment, Mapping) else None
    for said in comments if isinstance(comments, list) else []:
        if isinstance(said, Mapping):
            _add_comment(builder, said)
    return builder.build()


def _url(issue: Mapping[str, Any], key: str) -> str:
    """The address that people open, from the address of the API."""
    base, found, _ = safe_url(issue.get("self")).partition("/rest/")
    return f"{base}/browse/{key}" if found else ""


def _sibling(url: str, key: str) -> str:
    # A page of many issues may have an address of its own; each issue is told apart by its key.
    return f"{url}#{key}" if url and "#" not in url else url


def _rows(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, label in _FIELDS.items():
        value = fields.get(name)
        dated = name in ("created", "resolutiondate")
        if shown := day(value) if dated else named(value, "displayName", "name", "value"):
            yield label, shown
    links = fields.get("issuelinks")
    for link in links if isinstance(links, list) else []:
        if not isinstance(link, Mapping):
            continue
        for side in ("inward", "outward"):
            if other := text_of(link, f"{side}Issue", "key"):
                told = text_of(link, f"{side}Issue", "fields", "summary")
                yield text_of(link, "type", side) or "relates to", f"{other} {told}".strip()
    if parent := text_of(fields, "parent", "key"):
        yield "part of", parent


def _add_comment(builder: DocumentBuilder, comment: Mapping[str, Any]) -> None:
    body = text_of(comment, "body")
    if not body.strip():
        return
    author = fold(named(comment.get("author"), "displayName", "name")) or "unknown"
    when, number = day(comment.get("created")), text_of(comment, "id")
    heading = f"Comment by {author}, {when}" if when else f"Comment by {author}"
    builder.heading(1, heading, f"comment-{number}" if number else "")
    add_html(builder, html_from_jira(body), shift=1)

"""JIRA REST answers: a search, a list of issues or one issue, with comments.

Texts are wiki markup (Data Center, API v2) or documents of Atlassian's format (cloud, API v3).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.errors import ParseError
from ingest.model import Document, Page, Standing
from ingest.parse.adf import html_from_adf
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
_REPLACED = re.compile(r"(is )?(superseded|replaced|obsoleted) by", re.IGNORECASE)
_REPLACES = re.compile(r"supersedes|replaces|obsoletes", re.IGNORECASE)
_DUPLICATE = re.compile(r"duplicate", re.IGNORECASE)
_OBSOLETE = re.compile(r"(is )?(obsolete|outdated|out of date|superseded)", re.IGNORECASE)
"""Resolutions that say of the text that it no longer holds. "Won't fix" does not: the trouble that
it tells of is still there."""


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
        "" if page.id.endswith(f":{key}") else key,
        title=f"{key}: {summary}" if summary else key,
        url=_url(page, issue, key) or ("" if alone else _sibling(page.url, key)),
        author=named(fields.get("reporter") or fields.get("creator"), "displayName", "name"),
        updated_at=moment(fields.get("updated") or fields.get("created")),
    )
    builder.standing = _standing(page, issue, key)
    builder.table(["field", "value"], [("key", key), ("summary", summary), *_rows(fields)])
    add_html(builder, _markup(fields.get("description")), shift=1)
    if environment := _markup(fields.get("environment")):
        builder.heading(1, "Environment")
        add_html(builder, environment, shift=1)
    comment = fields.get("comment")
    for said in _objects(comment.get("comments") if isinstance(comment, Mapping) else None):
        _add_comment(builder, said)
    return builder.build()


def _markup(text: Any) -> str:
    if isinstance(text, str):
        return html_from_jira(text) if text.strip() else ""
    return html_from_adf(text)


def _url(page: Page, issue: Mapping[str, Any], key: str) -> str:
    """The address that people open: the page's own, else from the address of the API."""
    if page.url.endswith(f"/browse/{key}"):
        return page.url
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
    for relation, other in _links(fields):
        yield relation, _called(other)
    if text_of(fields, "parent", "key"):
        yield "part of", _called(fields["parent"])
    for part in _objects(fields.get("subtasks")):
        yield "has part", _called(part)


def _links(fields: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What the issue is to others: `is blocked by` and the other issue."""
    for link in _objects(fields.get("issuelinks")):
        for side in ("inward", "outward"):
            other = link.get(f"{side}Issue")
            if isinstance(other, Mapping) and text_of(other, "key"):
                yield text_of(link, "type", side) or "relates to", other


def _called(issue: Mapping[str, Any]) -> str:
    return f"{text_of(issue, 'key')} {text_of(issue, 'fields', 'summary')}".strip()


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _standing(page: Page, issue: Mapping[str, Any], key: str) -> Standing:
    """Superseded by what it duplicates, if it was closed as a duplicate, or by its replacement."""
    fields = issue["fields"]
    resolution = text_of(fields, "resolution", "name")
    after = before = ""
    for relation, other in _links(fields):
        address = _address(page, issue, key, text_of(other, "key"))
        closed_for_it = relation == "duplicates" and _DUPLICATE.search(resolution)
        if closed_for_it or _REPLACED.fullmatch(relation):
            after = after or address
        elif _REPLACES.fullmatch(relation):
            before = before or address
    return Standing(bool(_OBSOLETE.fullmatch(resolution)), after, before)


def _address(page: Page, issue: Mapping[str, Any], key: str, other: str) -> str:
    """Where another issue of the same JIRA is opened, else its page in the same source."""
    own = _url(page, issue, key)
    return f"{own.removesuffix(key)}{other}" if own else f"{page.source}:{other}"


def _add_comment(builder: DocumentBuilder, comment: Mapping[str, Any]) -> None:
    body = _markup(comment.get("body"))
    if not body.strip():
        return
    author = fold(named(comment.get("author"), "displayName", "name")) or "unknown"
    when, number = day(comment.get("created")), text_of(comment, "id")
    heading = f"Comment by {author}, {when}" if when else f"Comment by {author}"
    builder.heading(1, heading, f"comment-{number}" if number else "")
    add_html(builder, body, shift=1)

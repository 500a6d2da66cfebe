import json

import pytest

from ingest.model import Standing
from ingest.parse import parse
from ingest.parse.adf import html_from_adf
from ingest.parse.jiramarkup import html_from_jira
from tests.ingest.parse.pages import page, texts

API = "https://jira.example/rest/api/2/issue/1"


def issue(key="MER-7", name="x:export.json", url=API, **fields):
    value = {"key": key, "self": url, "fields": {"summary": "Timing off", **fields}}
    (document,) = parse(page(json.dumps(value), name, "jira"))
    return document


def link(relation, key, side="outward"):
    return {"type": {side: relation}, f"{side}Issue": {"key": key}}


def test_a_page_that_is_one_issue_gives_a_document_of_its_own_id():
    assert issue(name="jira:MER-7").id == "jira:MER-7"
    assert issue(name="jira:AMER-7").id == "jira:AMER-7#MER-7"


def test_the_address_of_the_page_goes_before_that_of_the_api():
    content = json.dumps({"key": "A-1", "self": API, "fields": {"summary": "s"}})
    crawled = page(content, "jira:A-1", "jira")
    object.__setattr__(crawled, "url", "https://lab.example/jira/browse/A-1")

    (document,) = parse(crawled)

    assert document.url == "https://lab.example/jira/browse/A-1"


def test_parts_and_wholes_are_told_by_key_and_summary():
    document = issue(
        parent={"key": "MER-1", "fields": {"summary": "All timing"}},
        subtasks=[{"key": "MER-8", "fields": {"summary": "Sector 12"}}, {"key": "MER-9"}, 3],
    )

    assert texts(document)[0] == (
        "field | value\nkey | MER-7\nsummary | Timing off\npart of | MER-1 All timing\n"
        "has part | MER-8 Sector 12\nhas part | MER-9"
    )


OTHER = "https://jira.example/browse/MER-3"


@pytest.mark.parametrize(
    ("resolution", "links", "standing"),
    [
        ("Duplicate", [link("duplicates", "MER-3")], Standing(superseded_by=OTHER)),
        (
            "Duplicate",
            [link("relates to", "MER-2"), link("duplicates", "MER-3"), link("duplicates", "MER-4")],
            Standing(superseded_by=OTHER),
        ),
        ("Fixed", [link("duplicates", "MER-3")], Standing()),
        ("Duplicate", [link("is duplicated by", "MER-3", "inward")], Standing()),
        ("Duplicate", [], Standing()),
        ("Fixed", [link("is superseded by", "MER-3", "inward")], Standing(superseded_by=OTHER)),
        ("", [link("Replaced by", "MER-3", "inward")], Standing(superseded_by=OTHER)),
        ("", [link("supersedes", "MER-3")], Standing(supersedes=OTHER)),
        ("Obsolete", [], Standing(archived=True)),
        ("Won't Fix", [], Standing()),
    ],
)
def test_what_an_issue_says_of_its_own_standing(resolution, links, standing):
    document = issue(resolution={"name": resolution}, issuelinks=links)

    assert document.standing == standing


def test_without_an_address_another_issue_is_named_by_its_page():
    document = issue(
        url="", resolution={"name": "Duplicate"}, issuelinks=[link("duplicates", "MER-3")]
    )

    assert document.standing == Standing(superseded_by="wiki:MER-3")


def text(value, *marks):
    return {"type": "text", "text": value, "marks": [{"type": mark} for mark in marks]}


def node(kind, *content, **attrs):
    return {"type": kind, "content": list(content), "attrs": attrs}


@pytest.mark.parametrize(
    ("given", "markup"),
    [
        (node("heading", text("Cause"), level=2), "<h2>Cause</h2>"),
        (node("heading", text("Cause"), level=9), "<h6>Cause</h6>"),
        (
            node("paragraph", text("a < b", "strong"), node("hardBreak"), text(" x_y ", "code")),
            "<p>a &lt; b<br> x_y </p>",
        ),
        (
            node("bulletList", node("listItem", node("paragraph", text("one")))),
            "<ul><li><p>one</p></li></ul>",
        ),
        (node("codeBlock", text("x = 1\n  y"), language="py"), "<pre>x = 1\n  y</pre>"),
        (
            node("table", node("tableRow", node("tableHeader", text("h")), node("tableCell"))),
            "<table><tr><th>h</th><td></td></tr></table>",
        ),
        (node("mention", id="5", text="@Ada Kroll"), "@Ada Kroll"),
        (node("emoji", shortName=":warning:"), ":warning:"),
        (node("date", timestamp="1767225600000"), "2026-01-01"),
        (node("date", timestamp="soon"), ""),
        (node("inlineCard", url="https://x.example/?a&b"), "https://x.example/?a&amp;b"),
        (node("expand", node("paragraph", text("in")), title="More"), "<div>More<p>in</p></div>"),
        (node("mediaSingle", node("media", id="1", alt="Turn-on")), "<div>Turn-on</div>"),
        (node("somethingNew", node("paragraph", text("kept"))), "<p>kept</p>"),
        ("text", ""),
        (None, ""),
        ({"type": 3, "content": 4}, ""),
    ],
)
def test_documents_of_atlassian(given, markup):
    assert html_from_adf(given) == markup


def test_an_issue_of_the_cloud_with_its_comments():
    said = node("doc", node("paragraph", text("Sector 12 is late.")), version=1)
    document = issue(
        description=node("doc", node("heading", text("Why"), level=1), said),
        environment=node("doc", node("paragraph", text("Run 3"))),
        comment={"comments": [{"id": "3", "author": {"displayName": "Bo"}, "body": said}, {}]},
    )

    assert texts(document)[1:] == [
        "Why",
        "Sector 12 is late.",
        "Environment",
        "Run 3",
        "Comment by Bo",
        "Sector 12 is late.",
    ]


def test_macros_in_any_case_and_breaks_in_lines():
    markup = html_from_jira("{Code:java}\na{CODE} {Info:title=x}told{info}\nfirst \\\\ second\\\\n")

    assert "<pre>\na</pre>" in markup
    assert "told" in markup
    assert "{" not in markup
    assert "first <br>\n second\\\\n<br>" in markup

import json

import pytest

from ingest.errors import ParseError
from ingest.model import BlockKind
from ingest.parse import parse
from ingest.parse.jiramarkup import html_from_jira, inline
from ingest.parse.jsontext import named
from tests.ingest.parse.pages import page, path_of, texts


def export(value, format):  # noqa: A002
    return parse(page(json.dumps(value), "x:export.json", format))


def test_an_issue_of_gitlab_with_its_notes():
    (document,) = export(
        {
            "iid": 12,
            "title": "Sagitta twice",
            "web_url": "https://git.example/i/12",
            "state": "closed",
            "labels": ["bug", "muons"],
            "milestone": {"title": "v3"},
            "created_at": "2024-03-01T00:00:00Z",
            "updated_at": "2024-03-12T00:00:00Z",
            "author": {"name": "Ada"},
            "description": "## Steps\n\nUse `L1_MU4`.",
            "notes": [
                {
                    "id": 5,
                    "body": "Fixed.",
                    "author": {"username": "bo"},
                    "created_at": "2024-03-02",
                },
                {"id": 6, "body": "closed", "system": True},
                {"id": 7, "body": " "},
                "odd",
                {"body": "anonymous"},
            ],
        },
        "gitlab",
    )

    assert (document.id, document.title) == ("x:export.json#issue-12", "Sagitta twice (#12)")
    assert (document.url, document.author) == ("https://git.example/i/12", "Ada")
    assert texts(document) == [
        "field | value\ntitle | Sagitta twice (#12)\nstate | closed\n"
        "labels | bug, muons\nmilestone | v3\ncreated | 2024-03-01",
        "Steps",
        "Use L1_MU4.",
        "Comment by bo, 2024-03-02",
        "Fixed.",
        "Comment by unknown",
        "anonymous",
    ]
    assert document.sections[-2].anchor == "note_5"


def test_merge_requests_and_wiki_pages_of_gitlab():
    documents = export(
        [
            {"iid": 5, "title": "T", "source_branch": "x", "references": {"full": "g/p!5"}},
            {"iid": 6, "title": "U", "source_branch": "x", "state": "merged"},
            {"slug": "a", "title": "A", "content": "*md*", "format": "markdown"},
            {"slug": "b", "title": "B", "content": "T\n=\n\n``x``", "format": "rst"},
            {"slug": "c", "title": "C", "content": "plain", "format": "rdoc"},
            7,
            {"id": 1},
        ],
        "gitlab",
    )

    assert [(one.id.partition("#")[2], one.title) for one in documents] == [
        ("merge-request-5", "T (g/p!5)"),
        ("merge-request-6", "U (!6)"),
        ("wiki-a", "A"),
        ("wiki-b", "B"),
        ("wiki-c", "C"),
    ]


@pytest.mark.parametrize("name", ["gitlab", "jira", "indico"])
@pytest.mark.parametrize("value", [[], {}, [1], {"issues": "x"}, {"id": 3}, "text", None])
def test_json_of_another_shape_is_refused(name, value):
    with pytest.raises(ParseError, match=r"x:export\.json holds no"):
        export(value, name)


def test_broken_json_is_refused():
    with pytest.raises(ParseError, match="is not valid JSON"):
        parse(page('{"a": ', format="jira"))
    with pytest.raises(ParseError, match="nested too deeply"):
        parse(page("[" * 100_000, format="jira"))


def test_an_issue_of_jira_with_fields_links_and_comments():
    (document,) = export(
        {
            "key": "MER-7",
            "self": "https://jira.example/rest/api/2/issue/1",
            "fields": {
                "summary": "Timing off",
                "status": {"name": "Open"},
                "components": [{"name": "DAQ"}, {"name": "L1"}],
                "fixVersions": [{"name": "v2.3.1"}],
                "created": "2017-02-17T05:07:43.000+0000",
                "reporter": {"displayName": "Ada"},
                "issuelinks": [
                    {
                        "type": {"inward": "is blocked by", "outward": "blocks"},
                        "inwardIssue": {"key": "MER-6", "fields": {"summary": "Clock"}},
                    },
                    "odd",
                ],
                "parent": {"key": "MER-1"},
                "environment": "SLC6",
                "description": "h2. Why\nIt *is* so.",
                "comment": {
                    "comments": [
                        {
                            "id": "3",
                            "author": {"displayName": "Bo"},
                            "created": "2017-02-18",
                            "body": "ok",
                        },
                        {"body": ""},
                        4,
                    ]
                },
            },
        },
        "jira",
    )

    assert (document.id, document.title) == ("x:export.json#MER-7", "MER-7: Timing off")
    assert document.url == "https://jira.example/browse/MER-7"
    assert texts(document) == [
        "field | value\nkey | MER-7\nsummary | Timing off\nstatus | Open\n"
        "components | DAQ, L1\nfix versions | v2.3.1\n"
        "created | 2017-02-17\nis blocked by | MER-6 Clock\npart of | MER-1",
        "Why",
        "It is so.",
        "Environment",
        "SLC6",
        "Comment by Bo, 2017-02-18",
        "ok",
    ]


def test_issues_of_a_search_are_told_apart_by_their_key():
    fields = {"status": {"name": "Open"}}
    documents = export(
        {"issues": [{"key": "A-1", "fields": fields}, {"key": "A-2", "fields": fields}]}, "jira"
    )

    assert [document.url for document in documents] == [
        "https://wiki.example.org/page#A-1",
        "https://wiki.example.org/page#A-2",
    ]


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("*b* _i_ +u+ ??c?? {{m_n}}", "b i u c m_n"),
        ("L1_MU4 a*b*c x-y-z 5 * 3 * 2", "L1_MU4 a*b*c x-y-z 5 * 3 * 2"),
        (
            "[label|http://x] [http://y] [~ada] [MER-7] [0] [WARN] x",
            "label http://y ada MER-7 [0] [WARN] x",
        ),
        ("see !plot.png|thumbnail! and wow! really!", "see  and wow! really!"),
        (r"a \*not\* b <b> & c", "a *not* b &lt;b&gt; &amp; c"),
    ],
)
def test_marks_of_jira(markup, text):
    assert inline(markup) == text


def test_blocks_of_jira():
    markup = html_from_jira(
        "{code:java}\na < b *x*\n{code}\n||a||b||\n|1|[x|http://y]|\n* one\n** two\n# three\n"
        "bq. said\n{quote}in{quote} {color:red}red{color}\n----\n- four\n\n{noformat}open"
    )

    assert "<pre>\na &lt; b *x*\n</pre>" in markup
    assert "<tr><th>a</th><th>b</th></tr>" in markup
    assert "<tr><td>1</td><td>x</td></tr>" in markup
    assert "<ul>\n<li>one\n<ul>\n<li>two\n</ul>\n</ul>\n<ol>\n<li>three\n</ol>" in markup
    assert "<p>said</p>" in markup
    assert "red" in markup
    assert "{" not in markup
    assert "<pre>open</pre>" in markup


def test_an_event_of_indico_with_minutes_and_talks():
    (document,) = export(
        {
            "results": [
                {
                    "id": "40466",
                    "title": "Trigger meeting",
                    "url": "https://indico.example/event/40466/",
                    "startDate": {"date": "2026-05-19", "time": "14:00:00", "tz": "Europe/Oslo"},
                    "room": "12-1",
                    "location": "Lab",
                    "chairs": [{"fullName": "Lund, Bo"}],
                    "description": "<p>Weekly</p>",
                    "note": {"html": "<p>All fine.</p>"},
                    "contributions": [
                        {"title": "Unplanned", "speakers": ["Eve"]},
                        {
                            "id": "2",
                            "title": "Second",
                            "startDate": {"date": "2026-05-19", "time": "15:00:00", "tz": "UTC"},
                            "duration": 20,
                            "speakers": [{"first_name": "Ada", "last_name": "Kroll"}],
                            "folders": [{"attachments": [{"title": "Slides"}, {}]}],
                            "note": {"html": "<h2>Minutes</h2><p>Noted.</p>"},
                            "subContributions": [{"title": "Part", "speakers": [3]}],
                        },
                    ],
                    "sessions": [
                        {"contributions": [{"title": "First", "startDate": {"date": "2026-05-19"}}]}
                    ],
                }
            ]
        },
        "indico",
    )

    assert (document.id, document.author) == ("x:export.json#40466", "Bo Lund")
    assert str(document.updated_at) == "2026-05-19 14:00:00+00:00"
    assert texts(document, BlockKind.HEADING) == [
        "Minutes",
        "First",
        "Second (Ada Kroll)",
        "Minutes",
        "Part",
        "Unplanned (Eve)",
    ]
    assert (
        "starts | 2026-05-19 14:00 Europe/Oslo\nplace | 12-1, Lab\nchairs | Bo Lund"
        in document.text
    )
    assert (
        "Speaker: Ada Kroll. Starts: 2026-05-19 15:00 UTC. Duration: 20 min. Material: Slides"
        in (document.text)
    )
    assert path_of(document, "All fine.") == ("Minutes",)
    assert "Noted." in document.text


def test_names_are_joined():
    assert named([{"name": "a"}, "b", 3, {}], "name") == "a, b"

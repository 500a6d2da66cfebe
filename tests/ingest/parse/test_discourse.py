import json
from datetime import UTC, datetime

import pytest

from ingest.errors import ParseError
from ingest.model import BlockKind
from ingest.parse import parse
from tests.ingest.parse.pages import FETCHED, page, path_of, texts


def post(number, cooked, **fields):
    return {
        "id": 100 + number,
        "post_number": number,
        "post_type": 1,
        "username": f"user{number}",
        "name": f"User {number}",
        "created_at": f"2026-02-0{number}T10:00:00.000Z",
        "cooked": cooked,
        **fields,
    }


def topic(*posts, **fields):
    value = {
        "id": 7,
        "title": "How to renew the proxy?",
        "slug": "how-to-renew",
        "created_at": "2026-02-01T10:00:00.000Z",
        "post_stream": {"posts": list(posts), "stream": [100 + at for at in range(len(posts))]},
        **fields,
    }
    (document,) = parse(page(json.dumps(value), "forum:t/7", "discourse"))
    return document


def test_each_post_is_a_section_with_author_date_and_its_own_address():
    document = topic(post(1, "<p>It expired.</p>"), post(2, "<p>Same <b>here</b>.</p>"))

    assert (document.id, document.title) == ("forum:t/7", "How to renew the proxy?")
    assert (document.author, document.updated_at) == (
        "User 1",
        datetime(2026, 2, 2, 10, tzinfo=UTC),
    )
    assert texts(document) == [
        "field | value\ntitle | How to renew the proxy?\ncreated | 2026-02-01",
        "Post by User 1, 2026-02-01",
        "It expired.",
        "Post by User 2, 2026-02-02",
        "Same here.",
    ]
    assert [section.anchor for section in document.sections] == ["", "/1", "/2"]


@pytest.mark.parametrize(
    "mark",
    [
        {"accepted_answer": {"post_number": 3, "username": "user3"}},
        {"accepted_answers": [{"post_number": 3, "username": "user3"}]},
    ],
)
def test_the_solution_stands_right_after_the_question(mark):
    document = topic(
        post(1, "<p>Why?</p>"), post(2, "<p>Hm.</p>"), post(3, "<p>So.</p>"), closed=True, **mark
    )

    assert texts(document, BlockKind.HEADING) == [
        "Question by User 1, 2026-02-01",
        "Solution by User 3, 2026-02-03",
        "Post by User 2, 2026-02-02",
    ]
    assert "solved | yes\nclosed | yes" in document.text
    assert [section.anchor for section in document.sections] == ["", "/1", "/3", "/2"]


def test_a_solution_marked_on_the_post_counts_and_a_question_is_never_its_own():
    document = topic(
        post(1, "<p>Why?</p>", accepted_answer=True), post(2, "<p>So.</p>", accepted_answer=True)
    )

    assert texts(document, BlockKind.HEADING) == [
        "Question by User 1, 2026-02-01",
        "Solution by User 2, 2026-02-02",
    ]


def test_what_not_every_reader_sees_is_left_out():
    document = topic(
        post(1, "<p>Question.</p>"),
        post(2, "<p>By a moderator.</p>", post_type=2),
        post(3, "<p>closed this topic</p>", post_type=3),
        post(4, "<p>Whispered among staff.</p>", post_type=4),
        post(5, "<p>Flagged.</p>", hidden=True),
        post(6, "<p>Deleted.</p>", deleted_at="2026-02-07T00:00:00Z"),
        post(7, "<p>(post deleted by author)</p>", user_deleted=True),
        post(8, "<p> </p>"),
        "odd",
    )

    assert texts(document, BlockKind.PROSE) == ["Question.", "By a moderator."]
    assert texts(document, BlockKind.HEADING)[-1] == "Post by User 2, 2026-02-02"


def test_quotes_go_and_what_markup_hides_is_kept():
    document = topic(
        post(
            1,
            """<aside class="quote no-group" data-username="bo" data-post="1">
            <div class="title">bo:</div><blockquote><p>Quoted words.</p></blockquote></aside>
            <p>Mine, with <span class="math">m_W</span>.</p><div class="math">E = mc^2</div>
            <details class="elided"><summary>...</summary><p>Old mail.</p>
            <aside class="quote"><p>x</p></aside></details>
            <blockquote><p>Typed by hand.</p></blockquote>
            <div class="lightbox-wrapper"><a class="lightbox" href="/p.png"><img src="/p.png">
            <div class="meta"><span class="filename">plot</span> 800×600</div></a></div>
            <aside class="onebox githubblob" data-onebox-src="https://git.example/x"><article>
            <h4><a href="https://git.example/x">grid/proxy.py</a></h4><pre>code</pre></article></aside>
            <aside class="onebox"><a href="https://git.example/y">y</a></aside>
            <pre><code class="lang-bash">voms-proxy-init</code></pre>""",
        )
    )

    assert texts(document)[2:] == [
        "Mine, with $m_W$.",
        "$E = mc^2$",
        "Typed by hand.",
        "grid/proxy.py: https://git.example/x",
        "https://git.example/y",
        "voms-proxy-init",
    ]
    assert document.blocks[-1].kind is BlockKind.CODE


def test_headings_in_a_post_lie_below_it():
    document = topic(post(1, "<h2>Setup</h2><p>Do this.</p>"))

    assert path_of(document, "Do this.") == ("Post by User 1, 2026-02-01", "Setup")


def test_fields_that_are_missing_or_odd_are_no_trouble():
    odd = {"cooked": "<p>Hello.</p>", "post_number": None, "created_at": "soon", "name": ""}
    document = topic(odd, tags=[{"name": "grid"}, "proxy"], category_name="Computing", title=None)

    assert texts(document)[1:] == ["Post by unknown", "Hello."]
    assert "category | Computing\ntags | grid, proxy" in document.text
    assert document.updated_at == FETCHED
    assert document.sections[-1].anchor == ""


@pytest.mark.parametrize("value", [[], {}, {"post_stream": []}, {"post_stream": {"posts": 1}}, 7])
def test_another_thing_is_no_topic(value):
    with pytest.raises(ParseError, match="holds no topic of Discourse"):
        parse(page(json.dumps(value), "forum:t/7", "discourse"))

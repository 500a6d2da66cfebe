"""What the bot writes: whatever a page or a model says, it pings nobody and loads nothing."""

import re
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.addresses import safe_url
from web.bots.words import UNSUPPORTED, spoken
from web.mattermost.asked import Asked, What, asked_in, commanded
from web.mattermost.nouns import channel_of, member_of, post_of, posts_of
from web.mattermost.words import CUT, LONGEST, MARKDOWN, answer, draft, escaped, hits, sources

T = TypeVar("T")

HOSTILE = (
    "@all @channel @here @ada ![x](https://evil.example/p.png) [y](https://evil.example) "
    "<https://evil.example> https://evil.example/a.png www.evil.example :tada: #tag ~town-square "
    "**bold** `code` <img src=x> | a | b | > quoted"
)
MENTION = re.compile(r"(?<!\w)@(all|channel|here|ada)")
"""As Mattermost finds names: a sign and a name with nothing in between."""
CODE = re.compile(r"(`+).+?\1", re.DOTALL)
LINK = re.compile(r"(?<!\\)\]\(")
IMAGE = re.compile(r"(?<!\\)!\[|(?<!\\)!(?=\[)")


def outside_code(text: str) -> str:
    return CODE.sub(" ", text)


def harmless(text: str, links: int = 0) -> None:
    bare = outside_code(text)
    assert not MENTION.search(bare)
    assert len(LINK.findall(bare)) == links
    assert not IMAGE.search(bare)
    assert not re.search(r"(?<![(<\w])(https?://|www\.)", bare)
    assert not re.search(r":(?=[\w+-]*[a-zA-Z])[\w+-]+:", bare)
    assert not re.search(r"(?<![\\\w])#\w", bare)


def test_nothing_hostile_does_anything():
    harmless(escaped(HOSTILE))
    harmless(draft(HOSTILE))
    assert "`https://evil.example/a.png`" in escaped(HOSTILE)


@given(st.text("@#:![]()<>`*~_\\|\n\t ahltp/.wevil\u202e\u200b", max_size=60))
def test_no_text_pings_links_or_loads(text):
    for shown in (escaped(text), draft(text)):
        bare = outside_code(shown)
        assert not re.search(r"@(?=[\w@])", bare)
        assert not LINK.search(bare.replace("\\\\", ""))
        assert "\u202e" not in shown
    assert "\n" not in escaped(text)


@pytest.mark.parametrize(
    "line", ["- a", "1. a", "12) a", "+ a", "= a", "# a", "> a", "* a", "--- "]
)
def test_no_line_begins_a_list_a_heading_or_a_quote(line):
    shown = draft(f"x\n{line}").splitlines()[1]
    assert shown[0] in "\\&" or shown[1:3].strip("0123456789").startswith("\\")


def test_mail_addresses_stay_whole_and_ping_nobody():
    assert escaped("Ask ada.l@example.org now") == "Ask `ada.l@example.org` now"


def test_links_lead_only_to_pages_of_the_web():
    assert MARKDOWN.link("a [b]", "https://x.example/a b?q=(1)>") == (
        "[a \\[b\\]](<https://x.example/a%20b?q=%281%29%3E>)"
    )
    for address in ("javascript:alert(1)", "", "file:///etc/passwd", "http://[", "data:,x"):
        assert MARKDOWN.link("words", address) == "words"
    assert safe_url("HTTPS://x.example") == "HTTPS://x.example"


def told(**other):
    citation = {
        "marker": 1, "document_id": "d1", "title": HOSTILE, "url": "https://wiki.example/a",
        "source": "wiki", "section": ["A"], "page": 3, "quote": HOSTILE, "start": 0, "end": 9,
        "updated_at": "2026-03-02T09:30:00+00:00", "standing": {}, "also": [],
    }  # fmt: skip
    return {
        "question": "?", "status": "answered", "answer": HOSTILE,
        "sentences": [
            {"text": HOSTILE, "citations": [1], "supported": True},
            {"text": "Perhaps.", "citations": [], "supported": False},
        ],
        "citations": [citation], "passages": [{**citation, "text": HOSTILE}],
        "notices": [{"kind": "old", "text": HOSTILE, "citations": [1]}], "contacts": [], **other,
    }  # fmt: skip


def test_an_answer_has_its_own_links_and_no_others():
    shown = answer(told())

    # The sign of the sentence, that of the notice, and the source itself.
    harmless(shown.replace("(<https://wiki.example/a>)", "(<>)"), links=3)
    assert f"Perhaps. {UNSUPPORTED}" in shown
    assert "page 3 (2 March 2026)" in shown


def test_what_is_not_found_names_the_nearest_pages_and_people():
    contact = {"name": "Petra @all", "why": "wrote it", "url": "https://x.example/p"}
    shown = answer(told(status="not_found", answer="Not said.", contacts=[contact]))

    assert shown.startswith("Not said.")
    assert "The nearest pages:" in shown
    assert "](<https://x.example/p>) wrote it" in shown
    harmless(shown.replace("(<https://", "(<"), links=2)


def test_an_answer_that_is_too_long_is_cut_at_a_sentence_with_the_way_to_the_rest():
    sentence = {"text": "It is so. " * 20, "citations": [1], "supported": True}
    long = told(sentences=[sentence] * 200, notices=[])

    shown = answer(long, "https://docent.example/c/1")
    bare = answer(long)

    assert len(shown) <= LONGEST
    assert f"{CUT} [Read it whole](<https://docent.example/c/1>)" in shown
    assert "1. [" in shown
    assert shown.partition(" …")[0].endswith((".", ">)"))
    assert f"{CUT}\n" in bare
    many = [{**told()["citations"][0], "marker": n, "title": "T" * 3000} for n in range(1, 13)]
    assert len(answer(told(citations=many))) <= LONGEST
    assert len(draft("word " * 10_000)) <= LONGEST


def test_hits_and_sources_are_lists_of_our_own():
    hit = {**told()["passages"][0], "text": "x " * 500}
    shown = hits([hit, {**hit, "url": ""}])

    assert shown.startswith("1. [")
    assert len(shown) < 2000
    assert hits([]) == "Nothing was found that you may read."
    assert sources([("wiki @all", 3)]).endswith("- wiki `@all`: 3") is False
    assert ": 3" in sources([("wiki", 3)])
    assert sources([]) == "There is no document that you may read."


@given(st.text("abc @<>&[]*_.", max_size=40))
def test_what_was_said_is_read_back_without_its_signs(text):
    words = " ".join(text.split())
    sentence = {"text": words, "citations": [1], "supported": True}
    shown = answer(told(sentences=[sentence], notices=[]))
    if words and "@" not in words:
        assert spoken(shown) == words.strip()


def sure(found: T | None) -> T:
    """What was found, which it must be."""
    assert found is not None
    return found


def test_what_is_asked_is_told_from_how_it_is_asked():
    assert asked_in("Hey @Docent: who?", "docent", direct=False) == Asked(What.ANSWER, "Hey : who?")
    assert asked_in("@docent link", "docent", direct=False) == Asked(What.LINK)
    assert asked_in("unlink.", "docent", direct=True) == Asked(What.UNLINK)
    assert asked_in("> said\n", "docent", direct=True) == Asked(What.HELP)
    assert asked_in("@docent.", "docent", direct=False) == Asked(What.HELP)
    assert asked_in("see @docent.dev", "docent", direct=False) is None
    assert asked_in("```\n@docent x\n```", "docent", direct=False) is None
    assert sure(asked_in("@docent what is `x`?", "docent", direct=False)).text == "what is `x`?"
    assert commanded("private Who?") == Asked(What.PRIVATE, "Who?")
    assert commanded("search") == Asked(What.ANSWER, "search")
    assert commanded("sources of light") == Asked(What.ANSWER, "sources of light")
    assert commanded(" ") == Asked(What.HELP)
    assert Asked(What.ANSWER, "a").digest != Asked(What.ANSWER, "b").digest


@pytest.mark.parametrize(
    "record",
    ["{", "[]", {}, {"id": "x"}, {"id": "p" * 26, "channel_id": "c" * 26, "user_id": "../../../x"}],
)
def test_what_has_another_shape_is_no_post(record):
    assert post_of(record) is None


def test_records_of_a_real_server_are_read():
    post = {
        "id": "p" * 26, "create_at": 5, "update_at": 6, "delete_at": 0, "user_id": "u" * 26,
        "channel_id": "c" * 26, "root_id": "", "message": "x", "type": "", "props": None,
    }  # fmt: skip
    assert sure(post_of(post)).thread == "p" * 26
    assert post_of({**post, "root_id": "bad"}) is None
    assert post_of({**post, "message": None}) is None
    assert sure(post_of({**post, "create_at": True})).created == 0
    assert sure(post_of({**post, "props": {"docent": {"question": "no id"}}})).mark is None
    assert sure(post_of({**post, "props": {"docent_asked": {"by": "no id"}}})).quoted is None
    assert posts_of({"posts": {"a": post, "b": {}}})[0].id == "p" * 26
    assert posts_of([]) == []
    assert sure(channel_of({"id": "c" * 26, "type": "D", "name": "not__ids"})).pair == frozenset()
    assert channel_of({"id": "c" * 26, "team_id": "bad"}) is None
    assert sure(member_of({"user_id": "u" * 26, "roles": "channel_guest"})).guest
    assert member_of({"user_id": "u" * 26, "delete_at": 9}) is None

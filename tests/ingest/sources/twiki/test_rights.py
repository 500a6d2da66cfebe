"""Who may read; feeds and lists as they are written."""

from datetime import UTC, datetime

import pytest

from ingest.source_settings import TwikiSettings
from ingest.sources.twiki.lists import feed_topics, linked_topics
from ingest.sources.twiki.rights import (
    RENDERED,
    UNCLEAR,
    Rights,
    access_of,
    topic_rights,
    web_rights,
)
from tests.ingest.sources.twiki.conftest import GROUPS

ACCESS = [
    # what the topic sets, what the web sets, who may read it
    ("", "", {"collaboration"}),
    ("   * Set ALLOWTOPICVIEW = Main.ShiftGroup", "", {"shifters"}),
    ("   * Set ALLOWTOPICVIEW = ShiftGroup", "", {"shifters"}),
    ("   * Set ALLOWTOPICVIEW = %USERSWEB%.ShiftGroup, %MAINWEB%.TriggerOpsGroup", "",
     {"shifters", "trigger-ops"}),
    ("   * Set ALLOWTOPICVIEW = <nop>ShiftGroup Main.TriggerOpsGroup", "",
     {"shifters", "trigger-ops"}),
    ("\t* Set ALLOWTOPICVIEW = ShiftGroup,\n      TriggerOpsGroup\nText", "",
     {"shifters", "trigger-ops"}),
    ("   * Set ALLOWTOPICVIEW = ShiftGroup\n   * Set ALLOWTOPICVIEW = TriggerOpsGroup", "",
     {"trigger-ops"}),
    ("<!--\n   * Set ALLOWTOPICVIEW = ShiftGroup\r\n-->", "", {"shifters"}),
    ("   * #Set ALLOWTOPICVIEW = ShiftGroup", "", {"collaboration"}),
    ("* Set ALLOWTOPICVIEW = ShiftGroup", "", {"collaboration"}),
    ("   * Set ALLOWTOPICCHANGE = ShiftGroup", "", {"collaboration"}),
    ("   * Set ALLOWTOPICVIEW = Main.UnknownGroup", "", set()),
    ("   * Set ALLOWTOPICVIEW = Main.NobodyGroup", "", set()),
    ("   * Set ALLOWTOPICVIEW =", "   * Set ALLOWWEBVIEW = ShiftGroup", {"shifters"}),
    ("   * Set ALLOWTOPICVIEW = *", "   * Set ALLOWWEBVIEW = ShiftGroup", {"collaboration"}),
    ("   * Set ALLOWTOPICVIEW = AllUsersGroup", "   * Set DENYWEBVIEW = *", {"collaboration"}),
    ("   * Set ALLOWTOPICVIEW = Main.AllAuthUsersGroup", "", {"members"}),
    ("   * Set ALLOWTOPICVIEW = + TriggerOpsGroup", "   * Set ALLOWWEBVIEW = ShiftGroup",
     {"trigger-ops"}),
    ('%META:PREFERENCE{name="ALLOWTOPICVIEW" type="Set" value="%25USERSWEB%25.ShiftGroup"}%', "",
     {"shifters"}),
    ('   * Set ALLOWTOPICVIEW = *\n%META:PREFERENCE{name="ALLOWTOPICVIEW" value="ShiftGroup"}%', "",
     {"shifters"}),
    ('%META:FIELD{name="ALLOWTOPICVIEW" attributes="S" title="x" value="ShiftGroup"}%', "",
     {"shifters"}),
    ('%META:FIELD{name="ALLOWTOPICVIEW" attributes="" title="x" value="ShiftGroup"}%', "",
     {"collaboration"}),
    ("   * Local ALLOWTOPICVIEW = ShiftGroup", "", set()),
    ("   * Set DENYTOPICVIEW = Main.JoeDoe", "", set()),
    ("   * Set DENYTOPICVIEW = JoeDoe\n   * Set ALLOWTOPICVIEW = ShiftGroup", "", set()),
    ("   * Set DENYTOPICVIEW = *", "", set()),
    ("   * Set DENYTOPICVIEW = NobodyGroup", "", {"collaboration"}),
    ("   * Set DENYTOPICVIEW = %USERSWEB%.WikiGuest", "", {"collaboration"}),
    ("   * Set DENYTOPICVIEW = TWikiGuest\n   * Set ALLOWTOPICVIEW = ShiftGroup", "", {"shifters"}),
    ("   * Set DENYTOPICVIEW =", "   * Set ALLOWWEBVIEW = ShiftGroup", {"shifters"}),
    ("", "   * Set ALLOWWEBVIEW = ShiftGroup", {"shifters"}),
    ("", "   * Set ALLOWWEBVIEW =", {"collaboration"}),
    ("", "   * Set DENYWEBVIEW = Main.JoeDoe", set()),
    ("   * Set ALLOWTOPICVIEW = ShiftGroup", "   * Set DENYWEBVIEW = Main.JoeDoe", {"shifters"}),
    ("", "   * Local ALLOWWEBVIEW = ShiftGroup", set()),
    ("   * Set ALLOWTOPICVIEW = *", "   * Set FINALPREFERENCES = X, ALLOWTOPICVIEW", set()),
    ("", "   * Set FINALPREFERENCES = ALLOWTOPICVIEW, DENYTOPICVIEW", {"collaboration"}),
]  # fmt: skip


def rights_settings(**changed):
    given = {
        "kind": "twiki",
        "url": "https://wiki.example.org/bin",
        "webs": ["Main"],
        "default_access": ["collaboration"],
        "signed_in": ["members"],
        "groups": GROUPS,
    }
    return TwikiSettings.model_validate(given | changed)


@pytest.mark.parametrize(("topic", "web", "groups"), ACCESS)
def test_settings_of_topic_and_web_decide_who_may_read(topic, web, groups):
    assert access_of(topic_rights(topic), web_rights(web), rights_settings()) == groups


def test_who_everybody_is_depends_on_the_wiki():
    public = rights_settings(default_access=["public"])
    guests_denied = topic_rights("   * Set DENYTOPICVIEW = WikiGuest")
    assert access_of(Rights(), Rights(), public) == {"public"}
    assert access_of(guests_denied, Rights(), public) == {"members"}
    assert access_of(guests_denied, Rights(), rights_settings(default_access=[])) == frozenset()
    opened = Rights(deny="")
    web = Rights(allow="ShiftGroup")
    old = rights_settings(empty_deny_opens=True)
    assert access_of(opened, web, rights_settings()) == {"shifters"}
    assert access_of(opened, web, old) == {"collaboration"}


def test_a_web_inside_another_inherits_and_overrides():
    outer = web_rights(
        "   * Set ALLOWWEBVIEW = ShiftGroup\n   * Set FINALPREFERENCES = DENYWEBVIEW"
    )
    inherits = web_rights("Nothing", outer)
    overrides = web_rights("   * Set ALLOWWEBVIEW = TriggerOpsGroup", outer)
    may_not = web_rights("   * Set DENYWEBVIEW = WikiGuest", outer)

    assert access_of(Rights(), inherits, rights_settings()) == {"shifters"}
    assert access_of(Rights(), overrides, rights_settings()) == {"trigger-ops"}
    assert access_of(Rights(), may_not, rights_settings()) == frozenset()
    assert access_of(Rights(), web_rights("", UNCLEAR), rights_settings()) == frozenset()


@pytest.mark.parametrize("rights", [Rights(), Rights("A, B", ""), UNCLEAR, RENDERED])
def test_rights_survive_in_a_version(rights):
    assert Rights.from_mark(rights.to_mark()) == rights


FEED = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel rdf:about="x"><title>x</title></channel>
<item><link>https://h/bin/view/Main/A?t=1</link><dc:date>2026-03-01T10:00Z</dc:date></item>
<item><link>https://h/bin/view/Main/B</link><description>a & b &nbsp; <b>
</description><dc:date>2026-02-01T10:00:30Z</dc:date></item>
<item><link>https://h/bin/view/Other/C</link><dc:date>2026-02-01T10:00:30Z</dc:date></item>
<item><link>https://h/bin/view/Main/D</link></item>
<item><link>http://[</link><dc:date>2026-02-01T10:00:30Z</dc:date></item>
</rdf:RDF>"""


def test_feeds_are_read_also_when_they_are_not_quite_right():
    now = datetime(2026, 3, 1, 10, 1, 59, tzinfo=UTC)

    topics = feed_topics(FEED.encode(), "Main", now)

    assert topics is not None
    assert {name: entry.mark for name, entry in topics.items()} == {
        "A": "2026-03-01T10:00:00Z~",
        "B": "2026-02-01T10:00:30Z",
    }
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="https://h/Main/Sub/E"/>'
        "<updated>2026-01-01T00:00:00Z</updated></entry></feed>"
    )
    assert list(feed_topics(atom.encode(), "Main/Sub", now) or ()) == ["E"]
    assert feed_topics(b"<html><body>No feed</body></html>", "Main", now) is None
    assert feed_topics(FEED[: FEED.index("<item>")].encode(), "Main", now) == {}


def test_a_list_page_names_the_topics_of_its_web_and_nothing_else():
    page = b"""<a href="/bin/view/Main/A">A</a> <A class='x' HREF='https://h/bin/view/Main/B'>B</A>
    <a href="/bin/view/Main/K%C3%A6lder">K</a> <a href="/bin/view/Main/A#Top">x</a>
    <a href="/bin/view/Main/C?rev=2">x</a> <a href="/bin/edit/Main/D">x</a> <a href="Main/E">x</a>
    <a href="/bin/view/Other/F">x</a> <a href="/bin/view/Main/">x</a> <a name="Main/G">x</a>"""

    assert linked_topics(page, "Main") == {"A", "B", "Kælder", "E"}

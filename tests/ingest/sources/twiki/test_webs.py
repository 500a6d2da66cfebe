"""Webs: refused, closed, inside each other."""

import pytest

from ingest.errors import SourceTrouble
from ingest.model import Unchanged
from tests.ingest.sources.twiki.conftest import ALL, Reader, closed, given, source_for
from tests.servers import Answer, Fault


def test_a_web_that_is_refused_closes_when_another_is_read(wiki, clock):
    reader = Reader(wiki, clock)
    reader.night()
    wiki.save("Main", "WebPreferences", "   * Set ALLOWWEBVIEW = Main.OtherGroup")

    run = reader.night()

    assert closed(run) == {i for i in ALL if i.startswith("wiki:Main/")}
    assert not run.removed
    assert set(run.ids(Unchanged)) == {"wiki:Ops/CrashBook", "wiki:Ops/PhoneList"}


def test_a_lost_sign_in_closes_nothing(wiki, clock, monkeypatch):
    reader = Reader(wiki, clock)
    reader.night()
    for web in ("Main", "Ops"):
        wiki.save(web, "WebPreferences", "   * Set DENYWEBVIEW = WikiGuest, TWikiGuest")
    wiki.password = "changed"

    with pytest.raises(SourceTrouble, match="Main is refused, and no other was read: check the"):
        reader.night()

    assert frozenset() not in reader.memory.access.values()
    with pytest.raises(SourceTrouble, match="not listed to the end"):
        source_for(wiki, clock).live_ids()


def test_a_single_web_closes_only_when_the_wiki_itself_says_so(wiki, clock):
    reader = Reader(wiki, clock, webs=["Main"])
    reader.night()
    wiki.save("Main", "WebPreferences", "   * Set ALLOWWEBVIEW = Main.OtherGroup")

    if wiki.foswiki:  # 403 is what a firewall says, too
        with pytest.raises(SourceTrouble, match="is refused"):
            reader.night()
    else:
        assert closed(reader.night()) == {i for i in ALL if i.startswith("wiki:Main/")}


def test_a_web_that_answers_with_an_error_removes_nothing(wiki, clock):
    reader = Reader(wiki, clock, webs=["Ops"])
    reader.night()
    wiki.remove("Ops", "PhoneList")
    for path in ("WebTopicList", "WebPreferences"):
        wiki.fault(f"/bin/view/Ops/{path}*", Fault.VANISHED)
        with pytest.raises(SourceTrouble, match=r"The web Ops cannot be read: wiki: .* 404"):
            reader.night()
        wiki.mend()
    answer = wiki.answer

    def bare(request):
        moved = request.path.endswith("/WebTopicList")
        return Answer("<p>Moved</p>") if moved else answer(request)

    wiki.answer = bare
    with pytest.raises(SourceTrouble, match=r"names no topics; is .* url the script folder"):
        reader.night()
    assert "wiki:Ops/PhoneList" in reader.memory.pages


def test_a_web_whose_preferences_alone_are_closed_is_read_and_closed_by_default(wiki, clock):
    wiki.save("Ops", "WebPreferences", "   * Set ALLOWTOPICVIEW = Main.OtherGroup")

    found = given(Reader(wiki, clock).night())

    assert found["wiki:Ops/CrashBook"].access == {"trigger-ops"}
    assert found["wiki:Ops/PhoneList"].access == frozenset()


def test_a_web_that_is_not_there_does_not_keep_the_others_from_being_read(wiki, clock):
    reader = Reader(wiki, clock, webs=["Nowhere", "Ops"])

    with pytest.raises(SourceTrouble, match=r"The web Nowhere cannot be read: wiki: .* (404|such)"):
        reader.night()

    assert set(reader.memory.pages) == {"wiki:Ops/CrashBook", "wiki:Ops/PhoneList"}


def test_webs_inside_webs_inherit_and_are_not_mixed_up(wiki, clock):
    wiki.save("Main", "WebPreferences", "   * Set ALLOWWEBVIEW = Main.ShiftGroup")
    wiki.save("Main/Old", "ShiftTypes", "---+ Old shifts")
    wiki.attach("Main/Old", "ShiftTypes", "old.pdf", b"%PDF-1.4 old")
    inner = {"wiki:Main/Old/ShiftTypes", "wiki:Main/Old/ShiftTypes/old.pdf"}
    reader = Reader(wiki, clock, webs=["Main", "Main.Old"])

    found = given(reader.night())

    assert found.keys() == {i for i in ALL if "Main" in i} | inner
    assert {page.access for page in found.values()} == {frozenset({"shifters"})}
    assert found["wiki:Main/Old/ShiftTypes"].url == f"{wiki.url}/bin/view/Main/Old/ShiftTypes"
    again = reader.night()
    assert set(again.ids(Unchanged)) == found.keys()
    assert not again.removed
    assert again.requests == 1 + 2 * 2
    assert reader.night(webs=["Main"]).removed == inner

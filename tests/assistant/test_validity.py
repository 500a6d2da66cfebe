"""Pages that hold before those that do not. Scores are worked out by hand."""

from datetime import UTC, datetime

import pytest

from assistant.retrieve import Retriever
from assistant.validity import ARCHIVED, BELOW, adjusted, asked_time, lineage
from ingest.access import ANYBODY, Reader
from ingest.index import Cover
from ingest.model import CURRENT, Standing
from ingest.settings import RetrievalSettings
from tests.fakes import HashEmbedder
from tests.ingest.corpus import build, document

SPRING = datetime(2026, 4, 1, tzinfo=UTC)
YEAR_BEFORE = datetime(2025, 4, 1, tzinfo=UTC)


def page(name, at=SPRING, standing=CURRENT, title="", part=""):
    return Cover(f"w:{name}{part}", f"w:{name}", f"https://w/{name}", title or name, at, standing)


MENU7 = page("Trigger/Menu2025v7.txt", YEAR_BEFORE)
MENU8 = page("Trigger/Menu2026v8.txt")


def test_the_newer_page_of_a_family_takes_the_place_of_the_older():
    # Menu v7 is a year older and loses a tenth: 0.72; that is the place of v8.
    found = adjusted(
        "What is the prescale?", {1: 0.8, 2: 0.5, 3: 0.6}, {1: MENU7, 2: MENU8, 3: MENU7}
    )

    assert found == pytest.approx({1: 0.72 * BELOW, 2: 0.72, 3: 0.54})


@pytest.mark.parametrize(
    "question",
    [
        "What is the prescale in 2025?",
        "What is the prescale in menu v7?",
        "What was the prescale?",
        "What did the archived menu say?",
    ],
)
def test_a_question_about_the_old_keeps_it_first(question):
    scores = {1: 0.8, 2: 0.5}
    assert adjusted(question, scores, {1: MENU7, 2: MENU8}) == scores


@pytest.mark.parametrize(
    "question",
    ["Which menu should I use for 2025 data?", "What was the newest prescale of 2025?"],
)
def test_asked_for_now_the_year_of_the_data_does_not_protect_the_old_page(question):
    found = adjusted(question, {1: 0.8, 2: 0.5}, {1: MENU7, 2: MENU8})
    assert found[2] > found[1]


def test_a_draft_of_the_same_year_gives_place_to_the_page():
    draft = page("IonRun2026Draft.txt", YEAR_BEFORE)
    found = adjusted(
        "What is expected of the ion run 2026?",
        {1: 0.8, 2: 0.7},
        {1: draft, 2: page("IonRun2026.txt")},
    )

    # Both are named by the year, so neither ages.
    assert found == pytest.approx({1: 0.8 * BELOW, 2: 0.8})


def test_a_page_that_says_it_was_superseded_gives_place_to_that_page():
    for address in ("w:Phones.txt", "https://w/Phones.txt"):
        old = page("Numbers.txt", standing=Standing(superseded_by=address))
        found = adjusted("Who is on call?", {1: 0.8, 2: 0.3}, {1: old, 2: page("Phones.txt")})
        assert found == pytest.approx({1: 0.8 * BELOW, 2: 0.8})


def test_a_page_that_says_it_supersedes_takes_the_place():
    new = page("Phones.txt", standing=Standing(supersedes="w:Numbers.txt"))
    found = adjusted("Who is on call?", {1: 0.8, 2: 0.3}, {1: page("Numbers.txt"), 2: new})
    assert found == pytest.approx({1: 0.8 * BELOW, 2: 0.8})


def test_two_pages_that_point_at_each_other_do_not_swap_twice():
    one = page("A.txt", standing=Standing(superseded_by="w:B.txt"))
    two = page("B.txt", standing=Standing(superseded_by="w:A.txt"))
    found = adjusted("Who is on call?", {1: 0.8, 2: 0.3}, {1: one, 2: two})
    assert found == pytest.approx({1: 0.8 * BELOW, 2: 0.8})


@pytest.mark.parametrize(
    "standing", [Standing(archived=True), Standing(superseded_by="w:Away.txt")]
)
def test_an_old_page_without_a_successor_at_hand_loses_a_little(standing):
    found = adjusted(
        "Who is on call?", {1: 0.8, 2: 0.3}, {1: page("A.txt", standing=standing), 2: page("B.txt")}
    )
    assert found == pytest.approx({1: 0.8 * ARCHIVED, 2: 0.3})


def test_an_archived_page_is_no_successor():
    newer = page("Menu2026.txt", standing=Standing(archived=True))
    found = adjusted(
        "Which prescale?", {1: 0.5, 2: 0.4}, {1: page("Menu2025.txt", YEAR_BEFORE), 2: newer}
    )
    assert found == pytest.approx({1: 0.45, 2: 0.4 * ARCHIVED})


def test_pages_age_against_the_newest_of_those_found_well():
    half = datetime(2025, 9, 30, 12, tzinfo=UTC)  # 182.5 days before SPRING
    far_newer = datetime(2030, 1, 1, tzinfo=UTC)
    covers = {
        1: page("A.txt", half),
        2: page("B.txt"),
        3: page("C.txt", None),
        4: page("D.txt", far_newer),
    }
    found = adjusted("Which limit?", {1: 0.8, 2: 0.7, 3: 0.6, 4: 0.3}, covers)

    # Half of a year is half of a tenth; without a date, or far off the best, it stays.
    assert found == pytest.approx({1: 0.76, 2: 0.7, 3: 0.6, 4: 0.3})


def test_asked_for_the_newest_age_weighs_more():
    covers = {1: page("A.txt", datetime(2026, 1, 1, tzinfo=UTC)), 2: page("B.txt")}
    found = adjusted("What is the latest limit?", {1: 0.8, 2: 0.7}, covers)

    # 90 days are half of the full age of 180, which costs half.
    assert found == pytest.approx({1: 0.6, 2: 0.7})


def test_without_dates_or_covers_nothing_changes():
    scores = {1: 0.8, 2: 0.7}
    assert adjusted("Which limit?", scores, {}) == scores
    assert adjusted("Which limit?", scores, {1: page("A.txt", None)}) == scores


def test_parts_of_one_page_are_no_family():
    one = page("Minutes2026.json", YEAR_BEFORE, part="#1")
    two = page("Minutes2026.json", SPRING, part="#2")
    found = adjusted("Which limit?", {1: 0.8, 2: 0.3}, {1: one, 2: two})
    assert found[1] > found[2]


@pytest.mark.parametrize(
    ("page_id", "family"),
    [
        ("w:Trigger/TriggerMenu2025v7.txt", "w:trigger/triggermenu"),
        ("w:Computing/GlobalTags.txt", "w:computing/globaltags"),
        ("d:computing/archive/ledger-v2.md", "d:computing/ledger"),
        ("d:releases/v3/building.md", "d:releases/building"),
        ("d:releases/v3/v3.1.0.md", ""),
        ("w:Notes/MER-CONF-2026-09.pdf", ""),
        ("w:Trigger/Threshold.txt", "w:trigger/threshold"),
    ],
)
def test_what_the_pages_of_a_family_have_in_common(page_id, family):
    assert lineage(page_id) == family


def test_the_time_that_a_question_asks_about():
    asked = asked_time("Since 2026A, which tag is recommended for v3.1 and Menu2026v8?")
    assert (set(asked.years), set(asked.versions)) == ({"2026"}, {"v3.1", "v8"})
    assert (asked.now, asked.newest, asked.past) == (True, False, False)
    assert asked_time("When is the menu frozen from mid-September 2026 on?").newest
    assert not asked_time("From which derivation on is it right?").newest


def test_a_search_shows_the_page_that_holds_first(tmp_path):
    embedder = HashEmbedder()
    hidden = {"access": frozenset({"staff"})}
    index = build(
        tmp_path,
        embedder,
        document("Menu2025", "muon prescale", updated_at=YEAR_BEFORE),
        document("Menu2026", "muon prescale in the new menu", updated_at=SPRING, **hidden),
    )
    retriever = Retriever(index, embedder, RetrievalSettings())
    found = [
        p.document_id for p in retriever.retrieve("muon prescale", Reader(frozenset({"staff"})))
    ]

    assert found == ["test:Menu2026", "test:Menu2025"]
    # A page that the reader may not see changes nothing for them.
    alone = retriever.retrieve("muon prescale", ANYBODY)
    assert [p.document_id for p in alone] == ["test:Menu2025"]
    with index.snapshot() as snapshot:
        rows = [int(row) for row in snapshot.rows]
        assert len(snapshot.covers(rows, ANYBODY)) == 1
        assert snapshot.covers([10**6], ANYBODY) == {}
    index.close()

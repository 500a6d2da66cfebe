from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ingest.index.visits import PageState
from ingest.model import Past, Standing
from ingest.state import Need, need, next_try, page_digest
from tests.ingest.corpus import page

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE = page("a", "Text.")


def test_a_page_is_parsed_again_when_anything_told_about_it_changes():
    same = page_digest(ONE)

    assert page_digest(replace(ONE, access=frozenset({"staff"}), version="7")) == same
    for change in (
        {"content": b"Other."},
        {"url": "https://a.example"},
        {"format": "markdown"},
        {"updated_at": NOW},
        {"author": "Ada"},
        {"standing": Standing(archived=True)},
    ):
        assert page_digest(replace(ONE, **change)) != same, change


def test_what_a_page_needs():
    known = {"test:a": PageState(b"digest", 1, "")}

    assert need("test:a", b"digest", 1, known) is Need.NOTHING
    assert need("test:a", b"digest", 2, known) is Need.ACCESS
    assert need("test:a", b"other", 1, known) is Need.PARSE
    assert need("test:b", b"digest", 1, known) is Need.PARSE


def test_a_failed_page_is_tried_again_after_one_two_four_hours_and_at_least_weekly():
    waits = [next_try(attempts, NOW) - NOW for attempts in (1, 2, 3, 8, 9, 1000)]

    assert [wait / timedelta(hours=1) for wait in waits] == [1, 2, 4, 128, 168, 168]


def test_a_page_is_wanted_when_its_version_changed_or_it_is_due_again():
    past = Past("", {"a": "1", "b": ""}, retry=frozenset({"a"}), waiting=frozenset({"c"}))

    assert past.wants("a", "1")
    assert past.wants("b", "")
    assert past.wants("new", "1")
    assert not past.wants("c", "2")
    assert not Past("", {"a": "1"}).wants("a", "1")
    assert Past("", {"a": "1"}).wants("a", "2")

"""What stands beside an answer."""

from dataclasses import replace
from datetime import UTC, datetime

from assistant.candidates import Candidates
from assistant.cite import cite
from assistant.extracts import extracts, quoted
from assistant.model import NoticeKind
from assistant.notices import missing, notices, settle
from ingest.model import Standing
from tests.assistant.passages import passage
from tests.fakes import HashEmbedder

NOW = datetime(2026, 9, 15, tzinfo=UTC)
QUESTION = "How long does the slow ramp of the solenoid take?"
HOUR = "The slow ramp of the solenoid takes 60 minutes."
MORE = "The slow ramp of the solenoid takes 75 minutes."


def page(text, title, year, month, **more):
    return replace(passage(text, title), updated_at=datetime(year, month, 1, tzinfo=UTC), **more)


def told(*pages, draft=None, sure=True):
    candidates = Candidates(pages, HashEmbedder())
    cited = cite(QUESTION, draft, candidates, 0.4) if draft else extracts(QUESTION, candidates)
    cited, disputes = settle(QUESTION, cited, candidates)
    return cited, notices(cited, disputes, candidates, NOW, sure=sure)


def test_of_two_pages_of_one_season_both_are_cited_and_the_conflict_is_told():
    cited, (notice,) = told(page(HOUR, "Ramps", 2026, 5), page(MORE, "Handbook", 2026, 7))

    assert (notice.kind, notice.citations) == (NoticeKind.CONFLICT, (1, 2))
    assert notice.text == (
        "“Ramps” (1 May 2026) and “Handbook” (1 July 2026) disagree; "
        "neither says that the other is old."
    )
    assert [citation.quote for citation in cited.citations] == [HOUR, MORE]


def test_only_the_newer_page_is_quoted_and_the_old_one_is_warned_of_and_cited():
    cited, (notice,) = told(page(HOUR, "Ramps", 2024, 5), page(MORE, "Handbook", 2026, 7))

    assert [citation.quote for citation in cited.citations] == [MORE, HOUR]
    assert [sentence.citations for sentence in cited.sentences] == [(1,)]
    assert cited.text == MORE
    assert (notice.kind, notice.citations) == (NoticeKind.OLD, (1, 2))
    assert "but is out of date" in notice.text


def test_a_dispute_moves_the_side_that_holds_before_the_other_and_leaves_the_rest():
    pages = (
        page("The slow ramp is rare.", "Rare", 2026, 7),
        page(HOUR, "Ramps", 2024, 5),
        page(MORE, "Handbook", 2026, 7),
    )
    candidates = Candidates(pages, HashEmbedder())
    rare, hour, more = (
        next(window for window in candidates.windows if window.text == text)
        for text in ("The slow ramp is rare.", HOUR, MORE)
    )
    cited, disputes = settle(QUESTION, quoted([rare, hour, more], candidates), candidates)
    (notice,) = notices(cited, disputes, candidates, NOW, sure=True)

    assert [citation.quote for citation in cited.citations] == [rare.text, MORE, HOUR]
    assert [citation.marker for citation in cited.citations] == [1, 2, 3]
    assert [sentence.citations for sentence in cited.sentences] == [(1,), (2,)]
    assert cited.text == f"{rare.text}\n{MORE}"
    assert (notice.kind, notice.citations) == (NoticeKind.OLD, (2, 3))


def test_what_a_model_said_from_an_old_page_gives_way_to_the_newer_one():
    said = "Ramping the solenoid slowly takes 60 minutes."
    pages = page(HOUR, "Ramps", 2024, 5), page(MORE, "Handbook", 2026, 7)
    cited, (notice,) = told(*pages, draft=said)

    assert [sentence.text for sentence in cited.sentences] == [MORE]
    assert (notice.kind, notice.citations) == (NoticeKind.NEWER, (2, 1))
    assert notice.text == (
        "“Handbook” (1 July 2026) is newer than “Ramps” (1 May 2024) and says something else."
    )


def test_a_dispute_about_what_the_answer_does_not_say_is_passed_over():
    pages = page(HOUR, "Ramps", 2026, 5), page(MORE, "Handbook", 2026, 7)
    candidates = Candidates((*pages, passage("The hall is blue.", "Hall")), HashEmbedder())
    blue = next(window for window in candidates.windows if "blue" in window.text)
    cited = quoted([blue], candidates)

    assert settle(QUESTION, cited, candidates) == (cited, ())


def test_an_unsure_answer_says_so():
    _, (notice,) = told(page(HOUR, "Ramps", 2026, 5), sure=False)

    assert (notice.kind, notice.citations) == (NoticeKind.UNSURE, ())


def test_a_page_that_says_that_it_is_old_or_that_nobody_changes_is_warned_of():
    archived = page(HOUR, "Ramps", 2026, 5, standing=Standing(archived=True))
    gone = page(HOUR, "Ramps", 2026, 5, standing=Standing(superseded_by="files:New"))
    texts = [
        told(given)[1][0].text
        for given in (archived, gone, page(HOUR, "Ramps", 2023, 9), page(HOUR, "Ramps", 2022, 8))
    ]

    assert texts == [
        "“Ramps” (1 May 2026) is archived and may no longer hold.",
        "“Ramps” (1 May 2026) was superseded by files:New.",
        "“Ramps” (1 September 2023) has not been changed for 3 years.",
        "“Ramps” (1 August 2022) has not been changed for 4 years.",
    ]
    assert told(page(HOUR, "Ramps", 2023, 10))[1] == ()
    assert told(replace(passage(HOUR, "Ramps"), updated_at=None))[1] == ()


def test_names_that_stand_nowhere_are_told():
    (notice,) = missing("What is the ramp of L1_MU8?", Candidates([passage(HOUR)]))

    assert (notice.kind, notice.text) == (
        NoticeKind.MISSING,
        "L1_MU8 does not occur in the documents found.",
    )

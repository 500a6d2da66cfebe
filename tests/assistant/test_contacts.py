"""Who is named for pages that came near."""

from dataclasses import replace
from datetime import UTC, datetime

from assistant.contacts import MOST, contacts
from assistant.model import Contact
from ingest.model import Block, BlockKind, Document, Section

PAGE = Document(
    id="wiki:Quotas",
    page_id="wiki:Quotas",
    source="wiki",
    title="Quotas",
    url="https://example.org/Quotas",
    format="twiki",
    text="Home has 20 GB.",
    sections=(Section(()),),
    blocks=(Block(BlockKind.PROSE, 0, 15, 0),),
    access=frozenset({"public"}),
    author="DmitriVolgarin",
    updated_at=datetime(2026, 5, 12, tzinfo=UTC),
)


def test_the_author_of_the_nearest_page_is_named_with_page_and_day():
    assert contacts([PAGE]) == (
        Contact("Dmitri Volgarin", "wrote “Quotas” (12 May 2026)", "https://example.org/Quotas"),
    )


def test_a_page_without_date_is_named_without_one():
    assert contacts([replace(PAGE, updated_at=None)])[0].why == "wrote “Quotas”"


def test_whom_a_page_names_itself_goes_before_who_wrote_it():
    page = replace(PAGE, text="Home has 20 GB.\n\nContact: Petra Lindqvorn, ~quay.\n")

    (contact,) = contacts([page])

    assert (contact.name, contact.why) == (
        "Petra Lindqvorn, ~quay",
        "is named as contact in “Quotas”",
    )


def test_the_first_line_under_a_heading_contact_names_somebody():
    text = "Contact\n\nFenna Drosteweg, ~ftag.\nNot on Fridays."
    sections = (Section(()), Section(("Rules", "Contact")))
    blocks = (Block(BlockKind.HEADING, 0, 7, 1), Block(BlockKind.PROSE, 9, len(text), 1))
    page = replace(PAGE, text=text, sections=sections, blocks=blocks)

    assert contacts([page])[0].name == "Fenna Drosteweg, ~ftag"


def test_a_paragraph_behind_the_word_contact_names_nobody():
    page = replace(PAGE, text="Contact: " + "the people of the storage group " * 4)

    assert contacts([page])[0].name == "Dmitri Volgarin"


def test_the_keeper_of_a_source_is_named_once_and_always_fits():
    pages = [replace(PAGE, author=f"Person {n}") for n in range(6)]
    told = contacts(pages, {"wiki": "https://chat.example.org/help", "mail": "nobody"})

    assert len(told) == MOST
    assert [contact.name for contact in told[:-1]] == ["Person 0", "Person 1", "Person 2"]
    assert told[-1] == Contact(
        "https://chat.example.org/help",
        "keeps the source wiki",
        "https://chat.example.org/help",
    )


def test_one_person_is_named_for_the_nearest_page_only():
    other = replace(PAGE, title="Tapes")

    assert [contact.why for contact in contacts([PAGE, other])] == ["wrote “Quotas” (12 May 2026)"]


def test_a_keeper_that_is_a_mail_address_has_no_link():
    told = contacts([replace(PAGE, author="")], {"wiki": "quay@example.org"})

    assert told == (Contact("quay@example.org", "keeps the source wiki"),)

from dataclasses import replace

import pytest

from ingest.model import CURRENT, Standing
from ingest.parse import parse
from ingest.parse.standing import merged, standing_of
from tests.ingest.parse.pages import one, page

LINKS = {
    "NewPage": "wiki:Main/NewPage",
    "the new manual": "docs:manual.md",
    "here": "docs:here.md",
    "latest version": "https://docs.example.org/latest/",
    "Host Certificates": "docs:certificates.md",
    "Host": "docs:host.md",
    "Jane": "docs:people/jane.md",
}
ARCHIVED = Standing(archived=True)


@pytest.mark.parametrize(
    "text",
    [
        "This page is obsolete.",
        "This topic has become completely out of date!",
        "Attention: this wiki page is no longer maintained.",
        "Please note that these instructions are outdated.",
        "Written in 2019. This document was archived on 2 May 2021.",
        "The content of this page is no longer up to date.",
        "This page is kept for historical reference.",
        "This guide is obsolete. Ask Jane about it.",
        "Page has been retired.",
        "You are viewing an old version of this documentation.",
        "You're reading the documentation for an outdated release of the tool.",
        "This documentation is for an older version of the framework.",
        "This is an archived copy of the manual.",
        "OBSOLETE - ask the experts",
        "DEPRECATED since 2020",
        "Warning: Archived",
        "archived",
        "This page has moved.",
        "Superseded",
    ],
)
def test_a_notice_without_an_address_archives_the_page(text):
    assert standing_of(text, LINKS) == ARCHIVED


@pytest.mark.parametrize(
    ("text", "successor"),
    [
        ("Page moved to Host Certificates.", "docs:certificates.md"),
        ("This topic has been superseded by NewPage.", "wiki:Main/NewPage"),
        ("SUPERSEDED by NewPage. Numbers of the old exchange.", "wiki:Main/NewPage"),
        ("SUPERSEDED for 2026 by NewPage.", "wiki:Main/NewPage"),
        ("Replaced by the new manual", "docs:manual.md"),
        ("This documentation has moved here.", "docs:here.md"),
        (
            "The documentation has migrated to https://docs.example.org/.",
            "https://docs.example.org/",
        ),
        ("This page was written by Jane. This page was moved to NewPage.", "wiki:Main/NewPage"),
        ("Old page\n\nMoved to: NewPage", "wiki:Main/NewPage"),
    ],
)
def test_a_page_that_moved_names_its_successor(text, successor):
    assert standing_of(text, LINKS) == Standing(superseded_by=successor)


@pytest.mark.parametrize(
    ("text", "successor"),
    [
        ("This page is obsolete, use NewPage instead.", "wiki:Main/NewPage"),
        ("This page, kept by Jane, is no news. This page is obsolete: see the new manual.",
         "docs:manual.md"),
        ("You are viewing an old version of this site. Click here to go to the newest one.",
         "docs:here.md"),
        ("You are browsing an outdated version. The latest version is 5.",
         "https://docs.example.org/latest/"),
        ("Warning: Obsolete\n\nPlease refer to the new manual.", "docs:manual.md"),
        ("This page is deprecated. NewPage instead.", "wiki:Main/NewPage"),
        ("Client of v2. No longer supported since the end of 2025; the present page is here.",
         "docs:here.md"),
    ],
)  # fmt: skip
def test_an_obsolete_page_may_name_its_successor_too(text, successor):
    assert standing_of(text, LINKS) == Standing(archived=True, superseded_by=successor)


@pytest.mark.parametrize(
    "text",
    [
        "Obsolete hardware is stored in building 4.",
        "OBSOLETE HARDWARE IS STORED IN BUILDING 4",
        "This page lists obsolete modules and where they were moved to.",
        "This tool is deprecated. See NewPage.",
        "The old page is obsolete, this one is current.",
        "This page may be out of date.",
        "This page is not obsolete.",
        "This page is outdated in parts.",
        "This page is obsolete for Run 3 only.",
        "This page will be archived next year.",
        "This page is obsolete?",
        "Is this page obsolete? Then say so.",
        "If this page is outdated, tell us.",
        'To retire a page, write "this topic is obsolete" at its top.',
        "Mark what is old by SUPERSEDED and a link to NewPage.",
        "Moved to 45 m in 2025.",
        "The detector has moved to NewPage.",
        "The gas system was replaced by a new one. See NewPage.",
        "This document is archived at Zenodo.",
        "Deprecated: 1.2",
        "Remove any deprecated packages that were previously installed:",
        "SUPERSEDED FOR 2026 ARE THE OLD CRATES",
        "The old crates are no longer supported since May.",
        "Crate 7 was switched off on 3 May.",
        "This page replaces a paper form.",
        "You are viewing the documentation of the development version.",
        "",
    ],
)
def test_a_page_that_talks_of_old_things_is_not_old(text):
    assert standing_of(text, LINKS) == CURRENT


def test_a_page_may_say_what_it_supersedes():
    assert standing_of("This page supersedes NewPage.", LINKS).supersedes == "wiki:Main/NewPage"


def test_a_page_about_what_was_switched_off_is_archived():
    told = "Warning: Ledger 2 was switched off on 31 March. See the new manual."
    after = Standing(archived=True, superseded_by="docs:manual.md")

    assert standing_of(told, LINKS, "Ledger 2") == after
    assert standing_of("The Ledger  2 has been discontinued.", {}, "Ledger 2") == ARCHIVED
    # Another thing, or one of which the page says more: that is no end of the page.
    assert standing_of(told, LINKS, "Ledger") == CURRENT
    assert standing_of(told, LINKS) == CURRENT
    assert standing_of("In May Ledger 2 was switched off for an hour.", {}, "Ledger 2") == CURRENT


def test_of_what_was_said_twice_the_first_address_holds():
    said = merged(Standing(superseded_by="a"), Standing(True, "b", "c"), Standing(supersedes="d"))

    assert said == Standing(archived=True, superseded_by="a", supersedes="c")


def test_a_notice_counts_near_the_top_only():
    body = "Muon chambers are read out every day. " * 40

    assert one(f"# Chambers\n\nThis page is obsolete.\n\n{body}", "markdown").standing == ARCHIVED
    assert one(f"# Chambers\n\n{body}\n\nThis page is obsolete.", "markdown").standing == CURRENT


def test_short_forms_count_above_the_first_section_only():
    top = "# Readout\n\nSUPERSEDED by the new crate.\n\n## Details\n\nOld and new."
    below = "# Readout\n\nTwo crates.\n\n## The old crate\n\nSUPERSEDED by the new crate."
    warned = "# Readout\n\n## Warning\n\nOBSOLETE\n\n## Details\n\nOld and new."

    assert one(top, "markdown").standing == ARCHIVED
    assert one(below, "markdown").standing == CURRENT
    assert one(warned, "markdown").standing == ARCHIVED


@pytest.mark.parametrize(
    ("title", "archived"),
    [
        ("Release series v2 (archived)", True),
        ("[OBSOLETE] Shift guide", True),
        ("Deprecated: the old shift guide", True),
        ("Obsolete modules", False),
        ("Deprecated", False),
        ("What was archived in 2020", False),
    ],
)
def test_titles(title, archived):
    assert one(f"# {title}\n\nText.", "markdown").standing.archived is archived


def test_markdown_links_lead_to_pages_of_the_same_source():
    def after(text, name="docs:security/certificates.md"):
        return one(f"# Old\n\n{text}", "markdown", name).standing.superseded_by

    assert after("Page moved to [Host *Certificates*](host/overview.md#top).") == (
        "docs:security/host/overview.md"
    )
    assert after("Page moved to [it](../%61.md).") == "docs:a.md"
    assert after("Page moved to [it](/a.md).", "site:/old/page") == "site:/a.md"
    assert after("Page moved to [it][new].\n\n[new]: https://x.example/new") == (
        "https://x.example/new"
    )
    # What is no address, or the page itself, is no successor.
    for target in ("javascript:alert(1)", "#below", "mailto:a@b", "certificates.md", "/", "..."):
        assert after(f"Page moved to [it]({target}).", "docs:certificates.md") in ("", "docs:...")
    assert after("Page moved to [it](..).", "docs:certificates.md") == ""


def test_call_outs_and_shortcodes():
    assert one('# A\n\n!!! warning "Archived"\n    No longer kept.', "markdown").standing.archived
    assert one("# A\n\n{{< obsolete >}}\n\nText.", "markdown").standing.archived
    assert one('# A\n\n{{% deprecated by="b" %}}\n\nText.', "markdown").standing.archived
    assert not one("# A\n\nWrite {{ obsolete }} there.", "markdown").standing.archived
    rst = "A\n=\n\n.. warning::\n\n   This page is obsolete, see `B <b.rst>`_.\n"
    assert one(rst, "rst", "docs:x/a.rst").standing == Standing(True, "docs:x/b.rst")


def test_twiki_topics_are_named_by_words_and_by_links():
    def after(text, name="wiki:Trigger/MenuOld.txt"):
        return one(f"---+ Menu\n\n{text}\n", "twiki", name).standing.superseded_by

    assert after("SUPERSEDED by [[MenuNew][the new menu]].") == "wiki:Trigger/MenuNew.txt"
    assert after("%RED%SUPERSEDED by MenuNew.%ENDCOLOR% Keep.") == "wiki:Trigger/MenuNew.txt"
    assert after("| This page has moved to Main.MenuNew. |") == "wiki:Main/MenuNew.txt"
    assert after("Moved to [[https://x.example/a][here]]") == "https://x.example/a"
    assert after("This topic moved to MenuNew", "wiki:Trigger/MenuOld") == "wiki:Trigger/MenuNew"
    assert after("This topic moved to [[a b c]]") == ""


def test_a_renamed_topic_supersedes_what_it_was():
    meta = '%META:TOPICMOVED{by="JaneDoe" date="1700000000" from="Main.Old" to="Main.Page"}%'

    assert one(f"Text.\n{meta}\n", "twiki").standing == Standing(supersedes="wiki:Main/Old.txt")
    assert one('Text.\n%META:TOPICMOVED{by="JaneDoe"}%\n', "twiki").standing == CURRENT
    assert one("Text of %META:TOPICMOVED{ here.\n", "twiki").standing == CURRENT


HTML = "<html><body>{}<main><h1>Guide</h1><p>{}</p></main></body></html>"
BANNER = (
    '<div class="md-banner md-banner--warning"{}><div>You\'re not viewing the latest version. '
    'You are viewing an old version. <a href="/latest/guide">Click here to go to the latest.</a>'
    "</div></div>"
)


def test_banners_of_documentation_themes_count_where_they_are_shown():
    shown = one(HTML.format(BANNER.format(""), "Text."), "html")
    hidden = one(HTML.format(BANNER.format(" hidden"), "Text."), "html")
    inside = one(HTML.format(f"<div hidden>{BANNER.format('')}</div>", "Text."), "html")
    news = one(HTML.format('<div class="md-banner">Meet us in May.</div>', "Text."), "html")

    assert shown.standing == Standing(True, "https://wiki.example.org/latest/guide")
    assert hidden.standing == inside.standing == news.standing == CURRENT


def test_html_links_are_addresses():
    said = one(HTML.format("", "This page has moved to <a href='b'>the <b>other</b></a>."), "html")

    assert said.standing == Standing(superseded_by="https://wiki.example.org/b")


@pytest.mark.parametrize(
    ("name", "archived"),
    [
        ("docs:archive/release/3.3/notes.md", True),
        ("docs:attic/notes.md", True),
        ("docs:releases/obsolete/v1/notes.md", True),
        ("docs:computing/archive/tape.md", False),
        ("docs:releases/3.3/notes.md", False),
        ("docs:3.3/archive/notes.md", False),
        ("docs:obsolete.md", False),
    ],
)
def test_a_place_for_old_versions_archives_what_lies_there(name, archived):
    assert one("# Notes\n\nText.", "markdown", name).standing.archived is archived


def test_what_the_source_says_holds_beside_what_the_page_says():
    told = replace(
        page("# A\n\nThis page is obsolete: see [B](b.md).", "docs:a.md", "markdown"),
        standing=Standing(superseded_by="docs:c.md"),
    )
    (document,) = parse(told)

    assert document.standing == Standing(archived=True, superseded_by="docs:c.md")


def test_in_a_mail_this_page_is_another_one():
    mail = "From a@b Mon Jan 1 00:00:00 2024\nSubject: x\n\nThis page is obsolete.\n"

    assert one(mail, "mbox").standing == CURRENT

from datetime import UTC, datetime

from ingest.model import BlockKind
from ingest.parse.tml import spaced
from tests.ingest.parse.pages import one, path_of, texts

HEAD = '%META:TOPICINFO{author="Main.AdaKroll" date="1710238920" format="1.1" version="3"}%\n'


def topic(body, name="wiki:Trigger/L1MuonTrigger.txt"):
    return one(HEAD + body, "twiki", name)


def test_author_date_and_title_come_from_the_topic():
    document = topic("---+!! Level-1 muons\nText.")

    assert document.title == "Level-1 muons"
    assert document.author == "AdaKroll"
    assert document.updated_at == datetime(2024, 3, 12, 10, 22, tzinfo=UTC)


def test_a_topic_without_heading_is_called_by_its_spaced_name():
    assert topic("Text.").title == "L1 Muon Trigger"
    assert spaced("HLTMenu_2026") == "HLT Menu 2026"


def test_headings_nest_and_have_the_anchors_of_the_wiki():
    document = topic("---+ Top\n---++ Rates & limits\n---+++ !!In 2026\nx")

    assert path_of(document, "x") == ("Rates & limits", "In 2026")
    assert [section.anchor for section in document.sections] == [
        "Top",
        "Rates_limits",
        "In_2026",
    ]


def test_tables_keep_header_spans_and_continued_lines():
    document = topic(
        "|  *Item*  | *Rate* | *Note* |\n| L1_MU4 | 12 kHz | [[Main.Mu][a|b]] |\n"
        "| ^ | 13 kHz || \n| L1_EM9 | 7 \\\n kHz | x |\n"
    )

    assert texts(document, BlockKind.TABLE) == [
        "Item | Rate | Note\nL1_MU4 | 12 kHz | a|b\nL1_MU4 | 13 kHz |\nL1_EM9 | 7 kHz | x"
    ]
    assert document.text[: document.blocks[0].header_end] == "Item | Rate | Note"


def test_marks_go_and_identifiers_stay():
    line = '*bold* _it_ =L1_MU4= ==x== __both__ a_b_c x*y*z (*in*) =p="(a)"= 5 * 3 * 2, 3 = 4 = 5'

    assert texts(topic(line)) == [
        'bold it L1_MU4 x both a_b_c x*y*z (in) p="(a)" 5 * 3 * 2, 3 = 4 = 5'
    ]


def test_links_become_their_labels_and_wikiwords_stay():
    body = (
        "See [[Sandbox.Topic][the label]], [[MainTopic]], WebHome, !NotLinked, "
        "[[%X%][y]] and a![x]."
    )

    assert texts(topic(body)) == ["See the label, MainTopic, WebHome, NotLinked, y and a![x]."]


def test_macros_are_dropped_but_inclusions_formulae_and_messages_are_told():
    body = (
        '%TOC{depth="2"}%\n%STARTINCLUDE%\n%INCLUDE{"Main.ShiftPlan" section="a"}%\n'
        '%SEARCH{"x" format="%FORMFIELD{"a"}%"}%\n%RED%hot%ENDCOLOR% 76% and %LATEX{"p_T"}%,'
        ' %$E=mc^2$%, %MAKETEXT{"Hello [_1]" args="x"}%, %Y% in %WEB%.%TOPIC%\n%A{ unclosed\n'
    )

    assert texts(topic(body)) == [
        "See Main.ShiftPlan.",
        "hot 76% and $p_T$, $E=mc^2$, Hello , yes in Trigger.L1MuonTrigger %A{ unclosed",
    ]


def test_what_is_escaped_is_text():
    assert texts(topic("Write =%<nop>TOC%= or !%TOC% and vector<float> but a<b.")) == [
        "Write %TOC% or %TOC% and vector<float> but a<b."
    ]


def test_verbatim_pre_and_code_are_kept_as_they_are():
    document = topic(
        "<verbatim>\n*a* <b> %X%\n</verbatim>\n<pre>\nx &lt; <b>y</b>\n</pre>\n"
        '%CODE{"cpp"}%\nint a = b<c>;\n%ENDCODE%\n<verbatim>open'
    )

    assert texts(document, BlockKind.CODE) == ["*a* <b> %X%", "x < y", "int a = b<c>;", "open"]


def test_lists_nest_and_definitions_are_lines():
    document = topic(
        "   * one\n     goes on\n      1 first\n      1 second\n   * two\n\n"
        "   $ HLT: High-level trigger\n   L1: hardware\n   * Set ALLOWTOPICVIEW = Main.Group\n"
    )

    assert texts(document, BlockKind.LIST) == [
        "- one goes on\n  1. first\n  2. second\n- two",
        "- HLT: High-level trigger\n- L1: hardware",
    ]
    assert "ALLOWTOPICVIEW" not in document.text


def test_forms_and_attachments_are_told_and_other_metas_are_not():
    document = topic(
        'Text.\n<!-- secret -->\n%META:FIELD{name="Owner" title="Owner" value="Ada &amp; Bo"}%\n'
        '%META:FILEATTACHMENT{name="plot.png" attr="" comment="Rate plot"}%\n'
        '%META:FILEATTACHMENT{name="hidden.png" attr="h" comment=""}%\n'
        '%META:PREFERENCE{name="A" value="b"}%\n%META:TOPICPARENT{name="WebHome"}%\n'
    )

    assert texts(document) == [
        "Text.",
        "name | value\nOwner | Ada & Bo",
        "- Attachment plot.png: Rate plot",
    ]


def test_embedded_html_is_read_like_html():
    document = topic(
        "#MyAnchor\n<table><tr><th>a</th></tr><tr><td>1</td></tr></table>\n"
        "one<br>two %BR% three\n-----\n<ul>\n<li> x </li>\n</ul>"
    )

    assert "- x" in texts(document, BlockKind.LIST)
    assert "one\ntwo\nthree" in texts(document, BlockKind.PROSE)


def test_escapes_in_meta_values_are_what_they_stand_for():
    form = 'name="Share" title="<nop>TopicShare" value="25%25 of %7ball%7d %_Q_%a%_Q_%%0ab"'
    (document,) = [topic("---+ Page\nText.\n%META:FIELD{" + form + "}%\n")]
    assert 'TopicShare | 25% of {all} "a" b' in document.text

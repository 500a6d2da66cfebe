"""What may stand in an answer, and what it quotes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.candidates import Candidates
from assistant.cite import NOTHING, cite, split
from ingest.errors import ModelError
from tests.assistant.passages import LATENCY, PHONES, QUOTA, passage
from tests.fakes import HashEmbedder

SUPPORT = 0.55


def cited(question, draft, *texts, embedder=None):
    passages = [passage(text, f"Page {n}", start=100 * n) for n, text in enumerate(texts)]
    return cite(question, draft, Candidates(passages, embedder), SUPPORT)


def test_a_sentence_that_the_passage_says_is_cited_with_exact_offsets():
    result = cited("What is the latency budget?", "The latency budget is 3.2 us.", PHONES, LATENCY)

    (sentence,), (citation,) = result.sentences, result.citations
    assert (sentence.supported, sentence.citations) == (True, (1,))
    assert citation.title == "Page 1"
    assert citation.quote == LATENCY[citation.start - 100 : citation.end - 100]
    assert citation.quote == "The latency budget of the Level-1 trigger is 3.2 us."


@pytest.mark.parametrize(
    "draft",
    [
        "The latency budget is 4.2 us.",
        "The latency budget is 3.2 ms.",
        "The latency budget of L1_MU4 is 3.2 us.",
        "The muon path does not use 1.95 us.",
    ],
)
def test_a_wrong_number_unit_name_or_denial_never_goes_out(draft):
    assert cited("What is the latency budget of the muon path?", draft, LATENCY) == NOTHING


def test_a_wrong_sentence_is_removed_and_the_right_one_stays():
    draft = "The latency budget is 3.2 us. The muon path uses 1.99 us of the budget."
    result = cited("What is the latency budget of the muon path?", draft, LATENCY)

    assert result.text == "The latency budget is 3.2 us."


def test_a_loose_sentence_stays_marked_while_the_most_is_carried():
    draft = "The latency budget is 3.2 us. Everybody likes elephants and bananas."
    result = cited("What is the latency budget?", draft, LATENCY)

    assert [sentence.supported for sentence in result.sentences] == [True, False]
    assert result.sentences[1].citations == ()


def test_loose_sentences_go_when_they_are_the_most():
    draft = "The latency budget is 3.2 us. Elephants like bananas. Giraffes eat leaves."
    result = cited("What is the latency budget?", draft, LATENCY)

    assert len(result.sentences) == 1


def test_a_value_from_the_row_beside_is_refused():
    question = "What is the phone of the HTC on-call?"
    assert cited(question, "The HTC on-call phone is 71033.", PHONES) == NOTHING
    right = cited(question, "The HTC on-call phone is 71035.", PHONES)
    assert right.citations[0].quote == "HTC on-call | 71035 | 07:00-23:00"


def test_a_value_from_the_column_beside_is_refused():
    table = "Item | Prescale | Rate (kHz)\nL1_MU4 | 40 | 0.9\nL1_MU6 | 12 | 1.3"
    assert cited("What is the rate of L1_MU4?", "The rate of L1_MU4 is 40 kHz.", table) == NOTHING
    assert cited("What is the rate of L1_MU4?", "The rate of L1_MU4 is 0.9 kHz.", table).citations


def test_two_rows_may_be_said_in_one_sentence_each_with_its_own_value():
    question = "What are the phones of the HTC and the CEC on-call?"
    draft = "The HTC on-call phone is {} and the CEC on-call phone is {}."
    assert cited(question, draft.format(71035, 71033), PHONES).citations
    assert cited(question, draft.format(71033, 71035), PHONES) == NOTHING


def test_a_later_piece_of_a_table_is_understood_by_its_header_row():
    piece = passage("HTC on-call | 71035", table_header="Function | Phone", start=40)
    result = cite("HTC phone?", "The phone of the HTC on-call is 71035.", Candidates([piece]), 0.5)

    (citation,) = result.citations
    assert (citation.quote, citation.start, citation.end) == ("HTC on-call | 71035", 40, 59)


def test_two_passages_may_carry_one_sentence():
    texts = ("Anna Berg leads the pixel group.", "The pixel group meets on Tuesday in room B.")
    draft = "Anna Berg leads the pixel group, which meets on Tuesday in room B."
    result = cited("Who leads the pixel group and when does it meet?", draft, *texts)

    assert result.sentences[0].citations == (1, 2)
    assert {citation.quote for citation in result.citations} == set(texts)


def test_the_same_window_keeps_its_marker():
    draft = "- The latency budget is 3.2 us.\n- The budget of latency is 3.2 us in the trigger."
    result = cited("What is the latency budget?", draft, LATENCY)

    assert [sentence.citations for sentence in result.sentences] == [(1,), (1,)]
    assert len(result.citations) == 1
    assert "\n" in result.text


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        ("The budget is 3.2 us [1].", "The budget is 3.2 us."),
        ("According to passage 2, the budget is 3.2 us.", "The budget is 3.2 us."),
        ("Excerpt 1 says that the budget is 3.2 us.", "The budget is 3.2 us."),
        ("The budget is 3.2 us (excerpt 3).", "The budget is 3.2 us."),
        ("The budget is 3.2 us, according to the documents.", "The budget is 3.2 us."),
        ("The **budget** is 3.2 us【2】.", "The budget is 3.2 us."),
        ("```\nquay quota\n```", "quay quota"),
        ("Answer: 3.2 us.", "3.2 us."),
    ],
)
def test_talk_about_passages_is_removed(draft, expected):
    assert [piece.text for piece in split(draft)] == [expected]


def test_a_restated_question_is_no_answer():
    assert cited("What is the latency budget?", "The latency budget is:", LATENCY) == NOTHING
    assert cited("What is the latency budget?", "The latency budget is.", LATENCY) == NOTHING


def test_a_yes_is_tied_to_what_the_question_asks():
    result = cited("Is the latency budget of the Level-1 trigger 3.2 us?", "Yes.", LATENCY)
    assert result.citations


def test_a_claim_that_a_near_sentence_denies_is_refused():
    texts = (
        "Between 2.4 and 2.6 there is no scale factor for muons.",
        "Scale factors for muons above 2.4 GeV are in the package.",
    )
    question = "Is there a scale factor for muons above 2.4?"
    assert cited(question, "Yes, there is a scale factor for muons above 2.4.", *texts) == NOTHING
    assert cited(question, "There is no scale factor for muons above 2.4.", texts[0]).citations


def test_a_sentence_about_something_else_is_no_answer():
    question = "Which coffee machine stands beside the barista of the cafeteria?"
    assert cited(question, "The muon path uses 1.95 us of it.", LATENCY) == NOTHING


def test_a_command_is_cited_by_its_line():
    result = cited("What shows the quota of the user area?", "Run `quay quota --area user`.", QUOTA)
    assert "quay quota --area user" in result.citations[0].quote


def test_nothing_is_cited_without_passages():
    assert cited("Anything?", "The latency budget is 3.2 us.") == NOTHING


class Away(HashEmbedder):
    def embed_query(self, text):
        msg = "The embedder is away."
        raise ModelError(msg)


def test_with_the_embedder_and_without_it_the_check_holds(caplog):
    question, right = "What is the latency budget?", "The latency budget is 3.2 us."
    assert cited(question, right, LATENCY, embedder=HashEmbedder()).citations
    assert cited(question, right, LATENCY, embedder=Away()).citations
    assert "checked by words alone" in caplog.text


@given(st.text(alphabet="The latency budget is 3.2 us. not\n|[1]-", max_size=80))
def test_whatever_is_said_each_citation_quotes_its_document(draft):
    result = cited("What is the latency budget?", draft, LATENCY)

    for citation in result.citations:
        assert citation.quote == LATENCY[citation.start : citation.end]
    assert [citation.marker for citation in result.citations] == list(
        range(1, len(result.citations) + 1)
    )
    used = {marker for sentence in result.sentences for marker in sentence.citations}
    assert used == {citation.marker for citation in result.citations}


def test_a_value_from_the_list_item_beside_is_refused():
    items = "- 2025: use grl_2025.json, 7 holes.\n- 2026: use grl_2026.json, 11 holes."
    question = "How many holes have 2025 and 2026?"
    draft = "The list of 2025 has {} holes and the list of 2026 has {} holes."
    assert cited(question, draft.format(7, 11), items).citations
    assert cited(question, draft.format(11, 7), items) == NOTHING


def test_the_header_of_a_passage_is_no_sentence():
    found = Candidates([passage(LATENCY, section=("Timing",))], HashEmbedder())
    header = "Level-1 muon trigger › Timing › 2026-03-14"
    said = "The latency budget of the Level-1 trigger is 3.2 us."
    question = "What is the latency budget?"

    cited = cite(question, f"{header}\n{said}", found, 0.4)

    assert [sentence.text for sentence in cited.sentences] == [said]
    assert cite(question, header, found, 0.4) == NOTHING

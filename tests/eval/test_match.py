import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.match import folded, is_document, says, without_markers


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("It runs at 40 MHz.", "40 mhz"),
        ("It runs at 40MHz.", "40 MHz"),
        ("It runs at 40\u202fMHz.", "40 MHz"),
        ("It runs at 40\u00a0MHz.", "40MHz"),
        ("a 40-MHz clock", "40 MHz"),
        ("It runs at 40MHz.", "40"),
        ("It runs at 40 MHz.", "40"),
        ("an efficiency of 95%", "95 %"),
        ("1,000 runs", "1000"),
        ("1\u2009000 runs", "1,000"),
        ("at 2·10³⁴", "10^34"),
        ("at −4 °C", "-4 °C"),
        ("between 3-4 shifts", "4"),
        ("the **Read-out  group**", "read out"),
        ("the read out", "read-out"),
        ("the item `L1_MU4`", "L1_MU4"),
        ("uses v2.3.", "v2.3"),
        ("Über die Brücke", "über"),
        ("Z->ee events", "Z->ee"),
        ("call +41 22", "+41"),
    ],
)
def test_a_key_is_found_however_it_is_written(text, key):
    assert says(text, [key])


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("It is 42.", "4"),
        ("It is 14.", "4"),
        ("It is 3.4.", "4"),
        ("It is 4.2.", "4"),
        ("It is -4.", "4"),
        ("-4 it is", "4"),
        ("At 8:30.", "30"),
        ("At 8:30.", "8"),
        ("the 4th", "4"),
        ("40 MHzz", "40 MHz"),
        ("L1_MU42", "L1_MU4"),
        ("XL1_MU4", "L1_MU4"),
        ("v2.3.1", "v2.3"),
        ("categories", "cat"),
        ("anything", " "),
        ("10,000", "10"),
    ],
)
def test_a_key_inside_something_longer_is_not_found(text, key):
    assert not says(text, [key])


def test_one_of_several_keys_is_enough():
    assert says("the silicon tracker", ["pixels", "tracker"])
    assert not says("the silicon tracker", [])


@given(st.text(alphabet="abcXYZ 0123456789.-,%µ", max_size=20))
def test_folding_twice_is_folding_once(text):
    assert folded(folded(text)) == folded(text)


@given(st.from_regex(r"[a-z]{1,6}( [a-z0-9]{1,5}){0,3}", fullmatch=True))
def test_a_key_is_found_in_itself_and_between_other_words(key):
    assert says(key, [key])
    assert says(f"Well, {key.upper()}, they say.", [key])


def test_markers_of_citations_are_no_numbers_of_the_answer():
    text = without_markers("At 40 MHz [4] in x[7].", [4])

    assert text == "At 40 MHz in x[7]."
    assert not says(text, ["4"])


@pytest.mark.parametrize(
    ("wanted", "document_id", "url"),
    [
        ("Trigger/Menu.txt", "twiki:Trigger/Menu.txt", ""),
        ("twiki:Trigger/Menu.txt", "twiki:Trigger/Menu.txt", ""),
        ("./Menu.txt", "twiki:Trigger/Menu.txt", ""),
        ("list.mbox", "mail:2024/list.mbox#3", ""),
        ("list.mbox#3", "mail:2024/list.mbox#3", ""),
        ("view/Main/WebHome", "t:x", "https://twiki.example/view/Main/WebHome#Intro"),
        ("issues/4", "g:x", "https://git.example/p/issues/4/"),
        ("Run plan.pdf", "i:x", "https://indico.example/Run%20plan.pdf"),
    ],
)
def test_a_document_is_known_by_the_end_of_its_id_or_url(wanted, document_id, url):
    assert is_document(wanted, document_id, url)


@pytest.mark.parametrize(
    ("wanted", "document_id"),
    [
        ("Menu.txt", "twiki:Trigger/OldMenu.txt"),
        ("Menu.txt", "twiki:Menu.txt/Other"),
        ("list.mbox#3", "mail:list.mbox#4"),
        ("", "twiki:Menu.txt"),
    ],
)
def test_another_document_is_not_taken_for_it(wanted, document_id):
    assert not is_document(wanted, document_id)

"""When a generation is enough, and what of it is kept."""

import pytest

from assistant.draft import Draft
from assistant.prompt import REFUSAL


def draft(text, max_tokens=1000):
    made = Draft(max_tokens)
    for word in text.split(" "):
        made.add(word + " ")
    return made


@pytest.mark.parametrize(
    "text", [REFUSAL, REFUSAL.lower(), f"{REFUSAL} But in general", f'"{REFUSAL}"', f" {REFUSAL}"]
)
def test_a_refusal_ends_the_draft(text):
    assert draft(text).refused
    assert draft(text).enough


@pytest.mark.parametrize(
    "text", ["The budget is 3.2 us.", "The documents do not", f"It is 3 us. {REFUSAL}", ""]
)
def test_anything_else_is_no_refusal(text):
    assert not draft(text).refused
    assert not draft(text).enough


def test_a_repetition_ends_the_draft_and_is_taken_out():
    made = draft("Use v2. Then stop. Use v2. ")
    assert made.enough
    assert made.tidy() == "Use v2. Then stop."


def test_a_model_that_runs_on_is_stopped():
    assert draft(" ".join(f"Sentence number {n}." for n in range(9))).enough
    assert draft("word " * 20, max_tokens=10).enough


def test_a_last_sentence_that_was_cut_short_is_dropped():
    made = draft("Use v2 here. Then one should", max_tokens=6)
    assert made.tidy() == "Use v2 here."


def test_a_whole_last_sentence_and_an_only_sentence_stay():
    assert draft("Use v2 here. Then stop", max_tokens=1000).tidy() == "Use v2 here. Then stop"
    assert draft("Use v2. Then stop.", max_tokens=4).tidy() == "Use v2. Then stop."
    assert draft("Use the tag", max_tokens=3).tidy() == "Use the tag"


def test_lines_are_kept():
    assert draft("- one\n- two").tidy() == "- one\n- two"

"""What is asked for, and whether a text holds such a thing."""

import pytest

from assistant.asked import Kind, asked_for, held, values


@pytest.mark.parametrize(
    ("question", "kinds"),
    [
        ("How long is the ramp?", {Kind.DURATION}),
        ("After how many days are files deleted?", {Kind.DURATION}),
        ("At what time is the meeting?", {Kind.CLOCK}),
        ("When does it take place?", {Kind.CLOCK, Kind.DATE}),
        ("Who signs when it is late?", {Kind.PERSON}),
        ("Which global tag is recommended?", {Kind.NAME}),
        ("How much energy may stand in the ring?", {Kind.ENERGY}),
        ("At which bias voltage is it operated?", {Kind.VOLTAGE}),
        ("What is the coolant temperature?", {Kind.TEMPERATURE}),
        ("What is the rate of L1_MU4?", {Kind.FREQUENCY}),
        ("What share of modules is dead?", {Kind.SHARE}),
        ("How much memory may a process use?", {Kind.BYTES}),
        ("How far is it?", {Kind.LENGTH}),
        ("How many cards are there?", {Kind.COUNT}),
        ("Why was it changed?", set()),
        ("What happens when it is full?", set()),
    ],
)
def test_the_words_of_a_question_tell_what_it_asks_for(question, kinds):
    assert set(asked_for(question)) == kinds


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        (Kind.DURATION, "60 minutes or 1 hour, and 2 GB", {"3600"}),
        (Kind.CLOCK, "every day 09:15", {"555"}),
        (Kind.DATE, "from 15 September 2026 on, Tuesday", {"15 september 2026", "tuesday"}),
        (Kind.PERSON, "It was signed by Petra Lindqvorn.", {"Petra Lindqvorn"}),
        (Kind.NAME, "L1_MU4 on run 337650 with 40 events", {"l1mu4", "337650"}),
        (Kind.TEMPERATURE, "inlet −18 C, module 5 °C", {"-18", "5"}),
        (Kind.SHARE, "84% (87 GB)", {"84"}),
        (Kind.BYTES, "6 GB of 6000 MB", {"6e+09"}),
        (Kind.COUNT, "12 cards in two racks", {"12", "2"}),
    ],
)
def test_values_are_found_by_kind_and_made_comparable(kind, text, told):
    assert values(text, kind) == told


def test_a_text_holds_what_is_asked_for_only_when_the_question_does_not_say_it_itself():
    question = "How long after the 20 minutes does it end?"

    assert held("It ends after 20 minutes.", question) is False
    assert held("It ends after 35 minutes.", question) is True
    assert held("It ends after 35 minutes.", "Why does it end?") is None

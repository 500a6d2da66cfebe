import pytest

from eval.judges.quantities import Quantity, quantities


def found(text: str) -> list[tuple[float, str]]:
    return [(quantity.value, quantity.what) for quantity in quantities(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("36 hours", [(129600.0, "time")]),
        ("1.5 days", [(129600.0, "time")]),
        ("One and a half days", [(129600.0, "time")]),
        ("2 and a half minutes", [(150.0, "time")]),
        ("three quarters of an hour", [(2700.0, "time")]),
        ("half an hour", [(1800.0, "time")]),
        ("at least a week before", [(604800.0, "time")]),
        ("5 working days", [(432000.0, "time")]),
        ("one hour", [(3600.0, "time")]),
        ("07:30", [(450.0, ":")]),
        ("40MHz", [(40e6, "Hz")]),
        ("6.8 GB/s", [(6.8e9, "B/s")]),
        ("-18 C", [(-18.0, "degree")]),
        ("1 200 e", [(1200.0, "electron")]),
        ("58,368 crystals", [(58368.0, "")]),
        ("Seven racks", [(7.0, "")]),
        ("1.6e34", [(1.6e34, "")]),
        # The unit of the second number is that of the first.
        ("2 to 5 minutes", [(120.0, "time"), (300.0, "time")]),
        ("25-30 GeV", [(25e9, "eV"), (30e9, "eV")]),
    ],
)
def test_numbers_are_read_with_their_units(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize("text", ["three fifths", "60%", "60 per cent"])
def test_shares_are_one_amount(text):
    (quantity,) = quantities(text)

    assert quantity.what == "share"
    assert quantity.value == pytest.approx(0.6)


@pytest.mark.parametrize(
    "text", ["L1_MU4", "v3.1.0", "p5310", "2026A", "one that goes", "the third station"]
)
def test_names_and_pronouns_hold_no_number(text):
    assert found(text) == []


def only(text: str) -> Quantity:
    (quantity,) = quantities(text)
    return quantity


def test_equal_amounts_agree_in_any_unit_and_with_a_bare_number_as_written():
    assert only("3.2 us").agrees(only("3200 ns"))
    assert only("17.04 fb-1").agrees(only("17040 pb-1"))
    assert only("40 GeV").agrees(only("40"))
    assert not only("40 GeV").agrees(only("40 MeV"))
    assert not only("190 s").agrees(only("190 minutes"))
    assert not only("3 GB").agrees(only("3 s"))


def test_a_number_in_words_is_known_as_such():
    assert only("three").spelled
    assert only("half an hour").spelled
    assert not only("-3").spelled

"""How often somebody may ask."""

import pytest

from web.limits import Limits, TooOften


async def test_each_has_a_limit_of_his_own():
    limits = Limits(asks=2, searches=3, asks_in_all=100)
    for _ in range(2):
        await limits.count("ask", "ada")
    with pytest.raises(TooOften, match=r"made 2 questions in .* again in \d+ s") as told:
        await limits.count("ask", "ada")
    assert 1 <= told.value.retry_after_s <= 120

    await limits.count("ask", "bob")
    for _ in range(3):
        await limits.count("search", "ada")
    with pytest.raises(TooOften, match="made 3 searches"):
        await limits.count("search", "ada")


async def test_all_together_have_one_too():
    limits = Limits(asks=10, searches=10, asks_in_all=3)
    for name in ("ada", "bob", "eve"):
        await limits.count("ask", name)
    with pytest.raises(TooOften, match="So many people ask"):
        await limits.count("ask", "ian")
    await limits.count("search", "ian")

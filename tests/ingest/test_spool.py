from datetime import UTC, datetime

from ingest.model import Cursor, Failure, Gone, Item, Page, Standing, Unchanged
from ingest.spool import Spool

PAGE = Page(
    "wiki:A",
    "wiki",
    "https://wiki.example/A",
    "twiki",
    b"\x00text",
    datetime(2026, 5, 1, 12, tzinfo=UTC),
    frozenset({"b", "a"}),
    "r12",
    Standing(archived=True, superseded_by="wiki:B"),
    "Ada",
)
ITEMS: list[Item] = [
    PAGE,
    Page("wiki:B", "wiki", "", "", b"", None, frozenset()),
    Unchanged("wiki:C", "wiki", frozenset({"public"}), "r1"),
    Failure("wiki:D", "wiki", "It said no.", forbidden=True),
    Gone("wiki:E", "wiki"),
    Cursor("wiki", '{"page": 3}'),
]


def test_every_kind_of_item_comes_back_as_it_was_after_the_process_ended(tmp_path):
    spool = Spool(tmp_path)
    numbers = [spool.put(item) for item in ITEMS]
    spool.close()

    again = Spool(tmp_path)
    assert [item for _, item in again.items("wiki")] == ITEMS
    assert [number for number, _ in again.items("wiki")] == numbers == sorted(numbers)
    assert list(again.items("docs")) == []
    again.close()


def test_what_is_done_is_forgotten_and_numbers_are_never_used_again(tmp_path):
    spool = Spool(tmp_path)
    first, second = spool.put(ITEMS[2]), spool.put(ITEMS[3])
    other = spool.put(Cursor("docs", "x"))
    spool.done("wiki", first)

    assert [number for number, _ in spool.items("wiki")] == [second]
    assert [number for number, _ in spool.items("docs")] == [other]
    spool.done("wiki", second)
    spool.done("docs", other)
    assert spool.put(ITEMS[4]) > other
    spool.close()

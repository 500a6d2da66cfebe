from dataclasses import dataclass

import pytest

from ingest.index.lexical import LexicalReader, fork, write


@dataclass
class Entry:
    row: int
    indexed: str
    access: int = 1


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "1"


def made(folder, *entries) -> LexicalReader:
    fork(None, folder)
    write(folder, entries, [])
    return LexicalReader(folder)


def rows(hits):
    return [row for row, _ in hits]


@pytest.mark.parametrize(
    "query", ["L1_MU4", "l1_mu4", "MU4", "ATLASRECTS-1234", "1234", "Z->ee", "v2.3.1", "2.3.1"]
)
def test_identifiers_are_found_whole_and_by_part(folder, query):
    reader = made(
        folder,
        Entry(1, "L1_MU4 is seeded by Z->ee candidates, see ATLASRECTS-1234 and v2.3.1"),
        Entry(2, "L1_MU6 has nothing of it, see ATLASRECTS-9999 and v2.3.2"),
    )
    assert rows(reader.search(query, 5, None))[0] == 1


def test_any_word_of_a_question_is_enough(folder):
    reader = made(folder, Entry(1, "storage quota of users"), Entry(2, "trigger menu"))

    assert rows(reader.search("how much quota may a physicist use?", 5, None)) == [1]


def test_scores_are_bm25_by_hand(folder):
    # Two documents of 2 terms each (average 2), so the length part is 1; the term stands once in
    # one of N = 2: idf = ln(1 + (2 - 1 + 0.5) / (1 + 0.5)) = ln 2, tf part = 2.2 / (1 + 1.2) = 1.
    reader = made(folder, Entry(1, "pixel tracker"), Entry(2, "muon chamber"))

    ((row, score),) = reader.search("pixel", 5, None)
    assert row == 1
    assert score == pytest.approx(0.6931, abs=1e-3)


def test_only_allowed_lists_are_ranked(folder):
    reader = made(
        folder, Entry(1, "secret quota", access=1), Entry(2, "open quota of many words", access=2)
    )
    assert rows(reader.search("quota", 1, [2])) == [2]
    assert reader.search("quota", 1, []) == []
    assert rows(reader.search("quota", 5, None, rows=[1])) == [1]
    assert reader.search("quota", 5, None, rows=[]) == []


@pytest.mark.parametrize("query", ['body:x OR *:* AND "', "access:1", "(((", "+quota -quota", "\\"])
def test_a_question_is_never_query_syntax(folder, query):
    reader = made(folder, Entry(1, "nothing of it here"))

    assert reader.search(query, 5, None) == []


def test_a_fork_leaves_the_old_generation_as_it_was(folder, tmp_path):
    old = made(folder, Entry(1, "pixel"), Entry(2, "muon"))
    new_folder = tmp_path / "2"
    fork(folder, new_folder)
    write(new_folder, [Entry(3, "pixel calorimeter")], [1])
    new = LexicalReader(new_folder)

    assert rows(old.search("pixel muon", 5, None)) == [1, 2]
    assert rows(new.search("pixel muon", 5, None)) == [2, 3]
    assert rows(LexicalReader(folder).search("pixel", 5, None)) == [1]

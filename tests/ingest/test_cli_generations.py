import json

import pytest
from typer.testing import CliRunner

from ingest.access import ANYBODY
from ingest.cli_generations import generations_app
from ingest.errors import IndexBusy, IndexMissing, IndexTrouble
from ingest.index import EmbeddedIndex
from tests.fakes import HashEmbedder
from tests.ingest.corpus import document, put, writer_at


@pytest.fixture
def embedder():
    return HashEmbedder()


@pytest.fixture
def house(tmp_path, embedder):
    """Three published days; the fourth was written and not published."""
    settings = '[index]\npath = "index"\nkeep = 3\n\n[embedder]\nmodel = "not-on-this-machine"\n'
    (tmp_path / "docent.toml").write_text(settings)
    for day in range(1, 5):
        with writer_at(tmp_path / "index", embedder, keep=3) as writer:
            put(
                writer, embedder, document("a", f"Text of day {day}."), document(f"b{day}", "More.")
            )
            writer.commit(publish=day < 4)
    return tmp_path


def run(house, *words, status=0):
    done = CliRunner().invoke(generations_app, [*words, "--config", str(house / "docent.toml")])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.output
    return done.stdout


def listed(house):
    told = json.loads(run(house, "list", "--json"))
    assert told["index"] == str(house / "index")
    return {g["number"]: g for g in told["generations"]}


def text(house, embedder):
    index = EmbeddedIndex(house / "index", embedder=embedder.name)
    with index.snapshot() as snapshot:
        chunks = snapshot.chunks([int(row) for row in snapshot.rows], ANYBODY)
        index.close()
        return next(c.chunk.text for c in chunks if c.chunk.document_id == "test:a")


def test_the_list_says_what_serves_what_is_newest_and_how_much_each_holds(house):
    found = listed(house)

    assert list(found) == [1, 2, 3, 4]
    assert [g["documents"] for g in found.values()] == [2, 3, 4, 5]
    assert [n for n, g in found.items() if g["serving"]] == [3]
    assert [n for n, g in found.items() if g["newest"]] == [4]
    assert [n for n, g in found.items() if g["published_at"] is None] == [4]
    assert all(g["created_at"].endswith("+00:00") for g in found.values())
    lines = run(house, "list").splitlines()
    assert any("3" in line and "serves" in line for line in lines)
    assert any("4" in line and "–" in line and "newest" in line for line in lines)


def test_publish_and_roll_back_need_no_embedder_and_move_readers(house, embedder):
    assert text(house, embedder) == "Text of day 3."

    assert run(house, "publish", "4") == "Generation 4 serves now instead of 3.\n"
    assert text(house, embedder) == "Text of day 4."
    assert run(house, "rollback") == "Generation 3 serves now instead of 4.\n"
    assert text(house, embedder) == "Text of day 3."
    told = json.loads(run(house, "rollback", "--json"))
    assert [g["number"] for g in told["generations"] if g["serving"]] == [2]
    assert text(house, embedder) == "Text of day 2."
    assert run(house, "publish", "2") == "Generation 2 serves, as it did before.\n"


def test_a_roll_back_passes_over_what_was_never_published(house, embedder):
    with writer_at(house / "index", embedder, keep=3) as writer:
        put(writer, embedder, document("a", "Text of day 5."))
        writer.commit()
    assert 4 not in listed(house)
    assert run(house, "rollback") == "Generation 3 serves now instead of 5.\n"


def test_what_cannot_be_published_or_rolled_back_to_is_said_and_nothing_moves(house, embedder):
    with pytest.raises(IndexTrouble, match=r"Generation 9 is not kept at .*; there are 1, 2, 3, 4"):
        run(house, "publish", "9")
    run(house, "prune")
    with pytest.raises(IndexTrouble, match=r"published before 3 is kept at .*; \[index\] keep"):
        run(house, "rollback")
    assert text(house, embedder) == "Text of day 3."


def test_prune_keeps_what_serves_and_the_newest(house):
    assert run(house, "prune") == "Kept 3, 4; dropped 1, 2.\n"
    assert run(house, "prune") == "Kept 3, 4; there was nothing to drop.\n"
    told = json.loads(run(house, "prune", "--json"))
    assert [g["number"] for g in told["generations"]] == [3, 4]


def test_a_writer_is_not_disturbed_and_the_list_needs_no_lock(house, embedder):
    with writer_at(house / "index", embedder, keep=3):
        with pytest.raises(IndexBusy):
            run(house, "rollback")
        assert len(listed(house)) == 4


@pytest.mark.parametrize("words", [("list",), ("publish", "1"), ("rollback",), ("prune",)])
def test_without_an_index_nothing_is_made(tmp_path, words):
    (tmp_path / "docent.toml").write_text('[index]\npath = "index"\n')

    with pytest.raises(IndexMissing, match="Run: docent ingest"):
        run(tmp_path, *words)
    assert not (tmp_path / "index").exists()


def test_an_index_whose_first_generation_was_not_published_can_be_published(tmp_path, embedder):
    (tmp_path / "docent.toml").write_text('[index]\npath = "index"\n')
    with writer_at(tmp_path / "index", embedder) as writer:
        put(writer, embedder, document("a", "Text of day 1."))
        writer.commit(publish=False)

    with pytest.raises(IndexTrouble, match="published before the first is kept"):
        run(tmp_path, "rollback")
    assert run(tmp_path, "publish", "1") == "Generation 1 serves now.\n"

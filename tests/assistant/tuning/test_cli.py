"""`docent tune` as people run it: pairs of the sample's kind, files that are none."""

import json

import pytest
from typer.testing import CliRunner

from assistant.tuning.cli import tune
from assistant.tuning.files import card_path, digest_of, read_pairs, write_pairs
from ingest.embed import embedder_from
from ingest.errors import DocentError
from ingest.settings import load_settings
from tests.assistant.tuning.test_pairs import DETECTORS, about
from tests.assistant.tuning.test_reranker import PAIRS
from tests.ingest.corpus import build

run = CliRunner()


def test_pairs_come_back_as_they_were_written(tmp_path):
    path = tmp_path / "pairs.jsonl"
    assert write_pairs(path, PAIRS) == digest_of(path)
    assert read_pairs(path) == PAIRS
    assert card_path(path).name == "pairs.card.json"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{}", r"Line 1 of .* is no pair: question: Field required"),
        ("nonsense", r"Line 1 of .* is no pair: the line: "),
        (json.dumps({"question": ""}), r"Line 1 of .* question: "),
    ],
)
def test_a_line_that_is_no_pair_is_named(tmp_path, line, said):
    path = tmp_path / "pairs.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(DocentError, match=said):
        read_pairs(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DocentError, match=r"pairs in .*nowhere.* `docent tune pairs` makes"):
        read_pairs(tmp_path / "nowhere")


@pytest.mark.models
def test_mining_writes_pairs_and_their_card(tmp_path):
    path = tmp_path / "docent.toml"
    path.write_text('[index]\npath = "index"\n')
    settings = load_settings(path)
    embedder = embedder_from(settings.embedder, settings.models)
    build(settings.index.path, embedder, *map(about, DETECTORS)).close()
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"question": "Raising the muon"}\n')
    out = tmp_path / "pairs.jsonl"
    given = ["pairs", "--out", str(out), "--config", str(path), "--measured", str(questions)]
    done = run.invoke(tune, [*given, "--licence", "test=CC-BY-4.0"])

    assert done.exit_code == 0, done.output
    card = json.loads(card_path(out).read_text())
    pairs = read_pairs(out)
    assert card["pairs"] == len(pairs) == sum(card["kinds"].values())
    assert card["embedder"] == embedder.name
    assert card["digest"] == digest_of(out)
    assert card["sources"] == {"test": len(pairs)}
    assert card["licences"] == {"test": "CC-BY-4.0"}
    assert card["measured"] == {str(questions): digest_of(questions)}
    assert f"{len(pairs)} pairs in " in done.output


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--licence", "wiki"], "write SOURCE=LICENCE"),
        (["--measured", "nowhere.jsonl"], "nowhere.jsonl is no file of questions"),
    ],
)
def test_bad_options_are_one_sentence(tmp_path, more, said):
    settings = tmp_path / "docent.toml"
    settings.write_text('[index]\npath = "index"\n')
    given = ["pairs", "--out", str(tmp_path / "p.jsonl"), "--config", str(settings), *more]
    with pytest.raises(DocentError, match=said):
        run.invoke(tune, given, catch_exceptions=False)

"""`docent tune embedder`, as typed."""

import json

import pytest
import typer
from typer.testing import CliRunner

from assistant.tuning.cli_embedder import begun_with, train_embedder
from assistant.tuning.files import write_pairs
from assistant.tuning.trained import read_trained
from ingest import registry
from ingest.errors import ModelError
from ingest.settings import ModelsSettings
from tests.assistant.tiny import tiny_embedder
from tests.assistant.tuning.test_embedder import OTHERS, PAIRS, THINGS
from tests.ingest.test_registry import trained

app = typer.Typer()
app.command()(train_embedder)


def test_a_training_from_a_file_of_pairs_to_a_model_that_can_be_registered(tmp_path):
    tiny_embedder(tmp_path / "base", (*THINGS, *OTHERS, "where", "is", "the"))
    pairs, out, config = tmp_path / "pairs.jsonl", tmp_path / "out", tmp_path / "docent.toml"
    digest = write_pairs(pairs, PAIRS)
    config.write_text('[models]\ndir = "kept"\n')
    given = [str(pairs), "--out", str(out), "--base", str(tmp_path / "base")]
    given += ["--batch", "40", "--look-every", "1", "--licence", "MIT", "--config", str(config)]

    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, done.output
    assert f"docent models register {out}/model --name NAME" in "".join(done.stdout.split("\n"))
    assert "Before: the answer is the nearest" in done.stderr
    told = read_trained(out / "model")
    assert (told.base, told.licence) == (str(tmp_path / "base"), "MIT")
    assert (told.data.digest, told.plan["batch"]) == (digest, 40)

    done = CliRunner().invoke(app, [*given, "--json"])  # all was done: it goes on from the end
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["steps"] == told.steps


def test_a_base_is_found_by_its_name_with_its_licence(tmp_path):
    models = ModelsSettings(dir=tmp_path / "kept")
    card = registry.register(trained(tmp_path / "o", kind="embedder"), "mine", models, command="")
    folder = str(registry.folder_of(card, models))
    assert begun_with("mine@1", models) == (folder, "Apache-2.0")
    assert begun_with("BAAI/some-base", models) == ("BAAI/some-base", "")
    with pytest.raises(ModelError, match="Run: docent models fetch all-MiniLM-L6-v2"):
        begun_with("all-MiniLM-L6-v2", models)

"""`docent models`, as typed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ingest.cli_models import models
from ingest.errors import ModelError

RUNNER = CliRunner()


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "docent.toml"
    file.write_text('[models]\ndir = "kept"\norigins = []\n[llm]\nmodel = "none"\n')
    return str(file)


def run(*arguments: str) -> str:
    result = RUNNER.invoke(models, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("command", [(), ("list",)])
def test_the_list_says_what_is_here_and_what_is_used(config, command):
    rows = json.loads(run(*command, "--config", config, "--json"))["models"]

    by_name = {row["name"]: row for row in rows}
    assert by_name["all-MiniLM-L6-v2"] == {
        "name": "all-MiniLM-L6-v2",
        "kind": "embedder",
        "licence": "Apache-2.0",
        "bytes": 91_567_913,
        "present": False,
        "default": True,
        "about": "English sentences to 384 numbers, up to 256 tokens",
    }
    assert [row["name"] for row in rows if row["default"]] == ["all-MiniLM-L6-v2"]


def test_the_list_is_a_table_for_people(config):
    assert "92 MB" in run("list", "--config", config)


def test_without_names_those_of_the_settings_are_fetched(config):
    with pytest.raises(ModelError, match="all-MiniLM-L6-v2 could not be fetched"):
        run("fetch", "--config", config)


def test_a_wrong_name_in_the_settings_is_an_error_not_nothing(tmp_path):
    file = tmp_path / "docent.toml"
    file.write_text('[embedder]\nmodel = "all-MiniLM"\n[llm]\nmodel = "none"\n')

    with pytest.raises(ModelError, match="no model named 'all-MiniLM'"):
        run("fetch", "--config", str(file))


def test_models_behind_a_server_and_paths_are_not_fetched(tmp_path):
    file = tmp_path / "docent.toml"
    file.write_text(
        f'[embedder]\nmodel = "{tmp_path}"\n[llm]\nmodel = "m"\nurl = "http://127.0.0.1:9/v1"\n'
    )

    assert run("fetch", "--config", str(file)) == ""


def test_verify_of_nothing_says_nothing(config):
    assert run("verify", "--config", config) == ""


@pytest.mark.models
def test_models_that_are_here_are_told_and_verified():
    assert run("fetch", "all-MiniLM-L6-v2") == "all-MiniLM-L6-v2: already here.\n"
    assert "every digest is right" in run("verify", "all-MiniLM-L6-v2")

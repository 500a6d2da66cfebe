"""What the documentation says is so: settings, commands, targets and links."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from typer.main import get_command

import docent
from ingest.settings import NightlySettings, Settings, load_settings
from ingest.source_settings import Auth, Rule, SourceSettings

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "deploy" / "README.md"]


def test_the_example_settings_are_valid_and_are_the_defaults():
    settings = load_settings(ROOT / "docent.example.toml")
    defaults = Settings()

    for name in Settings.model_fields:
        if name not in ("sources", "index", "models", "ingest", "nightly"):
            assert getattr(settings, name) == getattr(defaults, name), name
    raw = tomllib.loads((ROOT / "docent.example.toml").read_text())
    assert raw["index"]["path"] == str(defaults.index.path)
    assert raw["models"]["dir"] == str(defaults.models.dir)
    assert raw["nightly"].pop("reports") == str(defaults.nightly.reports)
    assert NightlySettings.model_validate(raw["nightly"]) == defaults.nightly


def test_the_example_settings_name_every_setting():
    text = (ROOT / "docent.example.toml").read_text()
    sections: list[type[BaseModel]] = [
        type(getattr(Settings(), name)) for name in Settings.model_fields if name != "sources"
    ]
    kinds = list(get_args(get_args(SourceSettings)[0]))
    signs = list(get_args(get_args(Auth)[0]))
    every: list[type[BaseModel]] = [*sections, *kinds, *signs, Rule]
    for section in every:
        for key in section.model_fields:
            assert re.search(
                rf"^(?:# )?{key} ?=|^\[\[?sources\.[a-z]+\.{key}\]|[{{ ]{key} = ", text, re.M
            ), key


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_the_documents_exist(document):
    known = set(get_command(docent.app).commands)  # type: ignore[attr-defined] # a click group
    text = document.read_text()
    named = set(re.findall(r"(?:^|`)(?:\$ )?docent ([a-z]+(?:-[a-z]+)?)", text, re.M))
    assert named <= known
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"`make ([a-z]+)`", text)) <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_to_files_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_changelog_has_a_place_for_what_comes():
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()


def test_no_help_text_holds_what_the_terminal_takes_for_markup():
    # `[signin]` in a help text is taken for a style by rich, and is not to be seen.
    commands = [get_command(docent.app)]
    seen = 0
    for command in commands:
        commands += getattr(command, "commands", {}).values()
        texts = [command.help, *(getattr(param, "help", None) for param in command.params)]
        for text in filter(None, texts):
            assert re.search(r"\[[a-z]", text) is None, f"docent {command.name}: {text}"
            seen += 1
    assert seen > 100

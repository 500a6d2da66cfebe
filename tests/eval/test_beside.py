"""Both sides of an index, asked the same questions."""

import io
import json
from typing import Any, cast

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from eval import cli
from eval.beside import measure, sentence
from eval.cli_tuned import beside
from eval.session import Choice
from ingest.beside import Parts, build, sides_of
from ingest.errors import IndexMissing
from ingest.pipeline import sync
from ingest.settings import Settings
from ingest.sides import Made
from tests.eval.test_found import MENU, OTHER, Index, everywhere, line
from tests.fakes import HashEmbedder
from tests.ingest.corpus import HerePool, ListSource, page, writer_at

QUIET = Console(file=io.StringIO())
QUESTIONS = [line(f"q{n}", "Trigger/Menu") for n in range(6)]
GOOD = {k: v for n in range(6) for k, v in everywhere(f"q{n}?", MENU).items()}
BAD = {k: v for n in range(6) for k, v in everywhere(f"q{n}?", OTHER).items()}


class Tuned(HashEmbedder):
    name = "tuned"


PARTS = Parts(lambda made: Tuned() if made.model == "tuned" else HashEmbedder(), HerePool())


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "docent.toml").write_text(
        '[index]\npath = "index"\n[embedder]\nmodel = "hash"\n[chunk]\nmax_chars = 300\n'
    )
    from ingest.settings import load_settings

    found = load_settings(tmp_path / "docent.toml")
    with writer_at(found.index.path, HashEmbedder()) as writer:
        sync([ListSource([page("a", "One.")])], writer, HashEmbedder(), HerePool())
        writer.commit()
    return found


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in QUESTIONS))
    return path


def opener(serving, other):
    """Gives an index that finds what the side's embedder is to find."""

    def opened(settings: Settings):
        return Index(other if settings.embedder.model == "tuned" else serving).opened(settings)

    return opened


def test_the_other_side_is_better_when_the_interval_excludes_nothing(settings, questions):
    build(settings, Made("tuned"), PARTS)
    verdict = measure(Choice(questions), settings, opener(BAD, GOOD), QUIET)
    assert verdict.better
    assert (verdict.change.before, verdict.change.after) == (0.0, 1.0)
    assert sentence(verdict).startswith("tuned is better by +1.000 [+1.000, +1.000] nDCG@10")
    assert verdict.serving.folder == settings.index.path

    verdict = measure(Choice(questions), settings, opener(GOOD, GOOD), QUIET)
    assert not verdict.better
    assert "tuned is not shown to be better by +0.000" in sentence(verdict)


def test_without_a_second_index_there_is_nothing_to_ask(settings, questions):
    with pytest.raises(IndexMissing, match="There is no second index to ask"):
        measure(Choice(questions), settings, opener(BAD, GOOD), QUIET)


def run(settings, questions, find, *more):
    """`docent eval beside`: one context brings what measures, the one above it what builds."""
    outer, inner = typer.Typer(), typer.Typer()
    inner.command()(beside)

    @inner.callback()
    def parts(context: typer.Context) -> None:
        context.obj = cast("Any", cli.Parts)(builder=None, assistant_from=None, opener=find)

    outer.add_typer(inner, name="eval")
    config = str(settings.index.path.parent / "docent.toml")
    given = ["eval", "beside", str(questions), "--config", config, *more]
    return CliRunner().invoke(outer, given, obj=PARTS)


def test_the_command_says_it_and_swaps_only_what_is_better(settings, questions):
    build(settings, Made("tuned"), PARTS)
    done = run(settings, questions, opener(GOOD, BAD), "--json")
    assert done.exit_code == 1, done.output
    told = json.loads(done.stdout)
    assert (told["better"], told["swapped"]) == (False, False)
    done = run(settings, questions, opener(BAD, GOOD))
    assert done.exit_code == 0, done.output
    assert "docent index swap" in done.output
    assert sides_of(settings)[0].made.model == "hash"

    done = run(settings, questions, opener(GOOD, BAD), "--swap")
    assert done.exit_code == 1, done.output
    assert sides_of(settings)[0].made.model == "hash"
    done = run(settings, questions, opener(BAD, GOOD), "--swap")
    assert done.exit_code == 0, done.output
    assert "tuned serves now." in done.output
    assert sides_of(settings)[0].made.model == "tuned"

"""`docent tune` as people run it: pairs of the sample's kind, files that are none."""

import json
from hashlib import sha256

import pytest
from typer.testing import CliRunner

from assistant.prompt import instructions
from assistant.tuning.cli import tune
from assistant.tuning.examples import read_examples, write_examples
from assistant.tuning.files import card_path, digest_of, read_pairs, write_pairs
from assistant.tuning.trained import data_of, read_trained
from docent import app
from ingest.embed import embedder_from
from ingest.errors import DocentError
from ingest.settings import load_settings
from tests.assistant.tiny_llm import tiny_llm, write_gguf
from tests.assistant.tuning.test_llm import EXAMPLES
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


# Language models ----------------------------------------------------------------------------------


def settings_of(folder):
    path = folder / "docent.toml"
    path.write_text('[index]\npath = "index"\n[llm]\nmodel = "none"\n')
    return path


def test_examples_come_back_as_they_were_written(tmp_path):
    path = tmp_path / "examples.jsonl"
    assert write_examples(path, EXAMPLES) == digest_of(path)
    assert read_examples(path) == EXAMPLES


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{}", r"Line 1 of .* is no example: messages: Field required"),
        (json.dumps({"messages": [{"role": "tool", "content": "x"}]}), r"messages\.0\.role"),
    ],
)
def test_a_line_that_is_no_example_is_named(tmp_path, line, said):
    path = tmp_path / "examples.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(DocentError, match=said):
        read_examples(path)
    with pytest.raises(DocentError, match=r"nowhere.* `docent tune data` makes"):
        read_examples(tmp_path / "nowhere")


@pytest.mark.models
def test_making_data_writes_examples_and_their_card(tmp_path):
    path = settings_of(tmp_path)
    settings = load_settings(path)
    embedder = embedder_from(settings.embedder, settings.models)
    build(settings.index.path, embedder, *map(about, DETECTORS)).close()
    out = tmp_path / "made" / "examples.jsonl"
    given = ["tune", "data", "--out", str(out), "--config", str(path), "--json"]
    done = run.invoke(app, [*given, "--licence", "test=CC-BY-4.0", "--missing", "0.5"])

    assert done.exit_code == 0, done.output
    card = json.loads(card_path(out).read_text())
    assert json.loads(done.stdout) == card
    examples = read_examples(out)
    assert len(examples) == sum(card["kinds"].values()) > 3
    assert sum(card["cases"].values()) == len(examples)
    assert card["digest"] == digest_of(out)
    assert card["prompt"] == sha256(instructions().encode()).hexdigest()
    assert card["answer"] == {"passages": 3, "passage_chars": 450, "model_may_refuse": True}
    assert card["licences"] == {"test": "CC-BY-4.0"}
    assert card["writer"] == ""
    assert data_of(out).answer == card["answer"]

    assert card["known"] == {}
    people = tmp_path / "people.jsonl"
    lines = ("Who opens the gate?", "Which colour has the gate?")
    people.write_text("".join(json.dumps({"question": line}) + "\n" for line in lines))
    taught = run.invoke(app, [*given, "--known", str(people)])
    card = json.loads(taught.stdout)
    assert card["kinds"]["known"] == 1  # of the odd line
    assert card["known"] == {str(people): digest_of(people)}

    spoken = run.invoke(app, given[:-1])
    assert f"{len(examples)} examples in {out}: " in spoken.stdout
    with pytest.raises(DocentError, match="--write needs a model"):
        run.invoke(app, [*given, "--write"], catch_exceptions=False)


def test_a_model_is_tuned_exported_and_made_whole_from_the_command_line(tmp_path):
    texts = [f"{m.content} {one.target}" for one in EXAMPLES for m in one.messages]
    model, tokenizer = tiny_llm(tmp_path / "publisher", texts)
    gguf = tmp_path / "tiny.gguf"
    write_gguf(model, tokenizer, gguf)
    examples, config = tmp_path / "examples.jsonl", settings_of(tmp_path)
    write_examples(examples, EXAMPLES)
    whole = run.invoke(app, ["tune", "base", str(gguf), "--out", str(tmp_path / "base")])
    assert whole.stdout.strip() == str(tmp_path / "base")

    short = ["--epochs", "0.2", "--max-tokens", "256", "--look-every", "1", "--rank", "2"]
    given = [str(examples), "--out", str(tmp_path / "tuned"), "--base", str(gguf)]
    done = run.invoke(app, ["tune", "llm", *given, *short, "--config", str(config), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["data"]["digest"] == digest_of(examples)
    assert told["base"] == str(gguf)
    adapter = tmp_path / "tuned" / "model"
    again = run.invoke(app, ["tune", "llm", *given, *short, "--config", str(config)])
    assert f"The adapter is in {adapter}" in again.stdout

    for form, said in (("gguf", "[llm] adapter = "), ("merged", "The merged model is in ")):
        out = tmp_path / form
        done = run.invoke(app, ["tune", "export", str(adapter), "--to", form, "--out", str(out)])
        assert said in done.stdout, done.output
        assert read_trained(out).kind == "llm"
    out = tmp_path / "more"
    given = ["tune", "export", str(adapter), "--to", "gguf", "--out", str(out), "--json"]
    assert json.loads(run.invoke(app, given).stdout)["model"] == str(out)

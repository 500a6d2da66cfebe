"""`docent models` of what was trained, as typed; and what an unversioned name means to an index."""

import json
from pathlib import Path

import pytest

from assistant.bootstrap import retrieval_from
from ingest import registry
from ingest.embed import embedder_from
from ingest.errors import DocentError, ModelError
from ingest.following import embedder_of
from ingest.index import writing
from ingest.pipeline import parts_of
from ingest.settings import load_settings
from tests.ingest.test_cli_models import run
from tests.ingest.test_registry import trained


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "docent.toml"
    file.write_text(
        '[models]\ndir = "kept"\norigins = []\n[llm]\nmodel = "none"\n[index]\npath = "index"\n'
        '[embedder]\nmodel = "collab"\n[retrieval]\nreranker = "orders"\n'
    )
    return str(file)


def typed(config: str, *words: str) -> str:
    return run(*words, "--config", config)


def test_a_model_goes_from_the_training_to_the_settings(config, tmp_path):
    folder = str(trained(tmp_path / "out"))
    told = typed(config, "register", folder, "--name", "orders", "--about", "For the shift crew.")
    assert "orders@1 is registered." in told
    assert "docent models promote orders@1" in told
    with pytest.raises(ModelError, match="No version of orders was promoted"):
        retrieval_from(load_settings(Path(config)))

    told = typed(config, "promote", "orders")
    assert "orders stands for orders@1 now." in told
    assert '[retrieval] reranker = "orders"' in told
    found = retrieval_from(load_settings(Path(config)))
    assert found.reranker == str(tmp_path / "kept" / "trained" / "orders" / "1")

    shown = typed(config, "show", "orders")
    for said in (
        "For the shift crew.",
        "all-MiniLM-L6-v2 (Apache-2.0)",
        "90 examples of dddddddddddd",
        "groups    staff",
        "wiki: CC-BY-4.0",
        "mean_rank 0.2500 → 0.5000",
        "seconds: 12.5; machine: 2 cores",
        "what the name stands for",
    ):
        assert said in shown
    assert "registered" in shown


def test_versions_go_forth_and_back_and_one_is_removed(config, tmp_path):
    for number in (1, 2):
        folder = str(trained(tmp_path / str(number), b"w%d" % number))
        told = typed(config, "register", folder, "--name", "orders", "--promote", "--json")
        assert json.loads(told)["version"] == number
        assert json.loads(told)["current"] is True
    assert json.loads(typed(config, "rollback", "orders", "--json"))["version"] == 1
    assert "orders stands for orders@2 now" in typed(config, "promote", "orders@2")
    assert "orders stands for orders@1 again" in typed(config, "rollback", "orders")
    with pytest.raises(ModelError, match="orders@1 is in use by the settings"):
        typed(config, "remove", "orders@1")
    assert typed(config, "remove", "orders@2") == "Removed: orders@2.\n"
    told = json.loads(typed(config, "show", "orders@1", "--json"))
    assert [one["name"] for one in told["models"]] == ["orders"]


def test_the_list_has_both_kinds_and_verify_reads_both(config, tmp_path):
    folder = str(trained(tmp_path / "out", kind="embedder"))
    told = typed(config, "register", folder, "--name", "collab")
    assert "Next: docent index next --embedder collab@1" in told
    told = typed(config, "promote", "collab")
    assert "docent index next --embedder collab@1" in told
    [row] = json.loads(typed(config, "list", "--json"))["trained"]
    assert (row["name"], row["current"]) == ("collab", True)
    assert "collab@1" in typed(config, "list")
    assert typed(config, "verify") == "collab@1: every digest is right.\n"
    weights = tmp_path / "kept" / "trained" / "collab" / "1" / "model.safetensors"
    weights.write_bytes(b"weighty and longer")
    with pytest.raises(ModelError, match="collab@1 is damaged"):
        typed(config, "verify", "collab")
    # What was trained comes from nowhere, so `fetch` without names passes it over.
    assert typed(config, "fetch") == ""


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("adapter.gguf", '[llm] adapter = "writer"'),
        ("whole.gguf", '[llm] model = "writer"'),
        ("adapter_model.safetensors", "writer/1, and name it as the server does in [llm] model"),
    ],
)
def test_what_to_do_with_an_llm_depends_on_its_files(config, tmp_path, file, said):
    folder = trained(tmp_path / "out", kind="llm", **{file.replace(".", "__"): b"G"})
    told = typed(config, "register", str(folder), "--name", "writer", "--promote")
    assert said in " ".join(told.split())


def test_what_is_not_there_is_named(config):
    with pytest.raises(ModelError, match="No model named 'other' is registered; registered are: n"):
        typed(config, "show", "other")


def test_without_mlflow_nothing_is_registered_where_it_is_asked_for(config, tmp_path):
    folder = str(trained(tmp_path / "out"))
    with pytest.raises(DocentError, match="--mlflow needs MLflow"):
        typed(config, "register", folder, "--name", "orders", "--mlflow", "http://m:5000")
    assert registry.names(load_settings(Path(config)).models) == []


def test_an_index_keeps_the_version_that_it_was_built_with(config, tmp_path):
    settings = load_settings(Path(config))
    for number in (1, 2):
        folder = trained(tmp_path / str(number), b"w%d" % number, "embedder")
        registry.register(folder, "collab", settings.models, command="")
    registry.promote("collab@1", settings.models)
    first = embedder_of(settings)  # no index yet: the promoted one
    with writing(settings.index.path, parts_of(first, 1000)) as writer:
        writer.commit()
    registry.promote("collab@2", settings.models)

    assert embedder_of(settings).name == first.name
    named = settings.embedder.model_copy(update={"model": "collab@2"})
    second = embedder_from(named, settings.models)
    assert second.name != first.name
    said = settings.model_copy(update={"embedder": named})
    assert embedder_of(said).name == second.name

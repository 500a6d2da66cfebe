"""Models that were trained, by name and version."""

import json
import threading
from pathlib import Path

import pytest

from assistant.tuning.trained import digest_of_folder
from ingest import registry
from ingest.catalogue import locate
from ingest.embed import embedder_from
from ingest.errors import ModelError
from ingest.settings import EmbedderSettings, ModelsSettings


def trained(folder: Path, weights: bytes = b"weights", kind: str = "reranker", **more) -> Path:
    """A folder as a training leaves it."""
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "1_Pooling" / "config.json").write_text('{"word_embedding_dimension": 4}')
    for name, content in more.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    told = {
        "kind": kind,
        "base": "all-MiniLM-L6-v2",
        "licence": "Apache-2.0",
        "digest": digest_of_folder(folder),
        "data": {"digest": "d" * 64, "groups": ["staff"], "licences": {"wiki": "CC-BY-4.0"}},
        "trained_on": 90,
        "held": 10,
        "before": {"mean_rank": 0.25},
        "after": {"mean_rank": 0.5},
        "steps": 7,
        "spent": {"seconds": 12.5, "cpu_joules": None, "machine": "2 cores"},
        "made": "2026-11-22T20:00:00+00:00",
        "curve": [[1, 0.5]],
    }
    (folder / "trained.json").write_text(json.dumps(told))
    return folder


@pytest.fixture
def models(tmp_path: Path) -> ModelsSettings:
    return ModelsSettings(dir=tmp_path / "kept")


def put(models: ModelsSettings, folder: Path, name: str = "collab") -> registry.Card:
    return registry.register(folder, name, models, command="docent models register")


def three(models: ModelsSettings, tmp_path: Path) -> list[registry.Card]:
    return [put(models, trained(tmp_path / str(n), b"w%d" % n)) for n in (1, 2, 3)]


def test_a_model_is_kept_with_all_that_is_known_of_it(models, tmp_path):
    folder = trained(tmp_path / "out", README__md=b"# A card")
    card = put(models, folder)

    assert card.full_name == "collab@1"
    assert registry.versions("collab", models) == [card]
    assert sorted(card.files) == ["1_Pooling/config.json", "model.safetensors"]
    assert card.bytes == len(b"weights") + 31
    assert card.training.data["licences"] == {"wiki": "CC-BY-4.0"}
    assert card.training.after == {"mean_rank": 0.5}
    kept = registry.folder_of(card, models)
    assert (kept / "README.md").read_bytes() == b"# A card"
    assert (kept / "trained.json").exists()
    # What is kept is its own: what becomes of the folder of the training does not matter.
    (folder / "model.safetensors").write_bytes(b"other")
    assert registry.checked(card, models) == kept
    assert not list((models.dir / "trained").glob(".partial-*"))


def test_a_name_stands_for_what_was_promoted_last_and_goes_back_step_by_step(models, tmp_path):
    first, second, third = three(models, tmp_path)
    with pytest.raises(ModelError, match=r"No version of collab was promoted; there are collab@1"):
        registry.find("collab", models)

    assert registry.promote("collab@1", models) == first
    assert registry.promote("collab@2", models) == second
    assert registry.promote("collab@2", models) == second  # changes nothing
    assert registry.promote("collab", models) == third
    assert registry.find("collab", models) == third
    assert registry.find("collab@1", models) == first

    assert registry.roll_back("collab", models) == second
    assert registry.roll_back("collab", models) == first
    with pytest.raises(ModelError, match="collab stood for no other version before"):
        registry.roll_back("collab", models)
    assert registry.current("collab", models) == 1


def test_a_version_that_was_removed_is_passed_over_on_the_way_back(models, tmp_path):
    first, _, third = three(models, tmp_path)
    for number in (1, 2, 3):
        registry.promote(f"collab@{number}", models)
    assert registry.remove("collab@2", models) == ["collab@2"]
    assert registry.roll_back("collab", models) == first
    registry.promote("collab", models)
    # Its number is not given again while its name goes on.
    assert put(models, trained(tmp_path / "new", b"new")).version == third.version + 1


def test_what_is_in_use_is_not_removed(models, tmp_path):
    three(models, tmp_path)
    registry.promote("collab@2", models)
    with pytest.raises(ModelError, match=r"collab stands for collab@2. Promote another"):
        registry.remove("collab@2", models)
    with pytest.raises(ModelError, match="collab@3 is in use by the settings"):
        registry.remove("collab@3", models, ["collab@3"])
    with pytest.raises(ModelError, match="collab@2 is in use by the settings"):
        registry.remove("collab", models, ["collab"])
    assert registry.remove("collab", models, ["other", "collab@9"]) == [
        "collab@1",
        "collab@2",
        "collab@3",
    ]
    assert registry.names(models) == []
    assert not (models.dir / "trained" / "collab").exists()


def test_a_model_that_was_changed_is_refused_where_it_is_used(models, tmp_path):
    card = put(models, trained(tmp_path / "out", kind="embedder"))
    registry.promote("collab", models)
    found = locate("collab", models)
    assert found == registry.folder_of(card, models) == locate("collab@1", models)
    assert embedder_from(EmbedderSettings(model="collab"), models).name.startswith("collab@")

    (found / "model.safetensors").write_bytes(b"weighty")  # as long as before
    with pytest.raises(ModelError, match=r"collab@1 is damaged: .*model.safetensors"):
        locate("collab", models)
    (found / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"collab@1 is damaged: .*model.safetensors"):
        registry.promote("collab@1", models)
    assert registry.remove("collab", models) == ["collab@1"]


def test_both_versions_of_an_embedder_have_names_of_their_own(models, tmp_path):
    for weights in (b"one", b"two"):
        put(models, trained(tmp_path / weights.decode(), weights, "embedder"))
    registry.promote("collab@1", models)
    names = [
        embedder_from(EmbedderSettings(model=named), models).name
        for named in ("collab", "collab@1", "collab@2")
    ]
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("collab@") for name in names)


def test_an_llm_is_the_one_gguf_file_it_holds(models, tmp_path):
    put(models, trained(tmp_path / "one", kind="llm", model__gguf=b"G"), "writer")
    registry.promote("writer", models)
    assert locate("writer", models).name == "model.gguf"
    put(models, trained(tmp_path / "none", kind="llm"), "adapter")
    registry.promote("adapter", models)
    with pytest.raises(ModelError, match=r"adapter@1 does not hold the one GGUF .* \[llm\] url"):
        locate("adapter", models)


@pytest.mark.parametrize("name", ["", "../up", "a b", "none", "feedback", "all-MiniLM-L6-v2", "@1"])
def test_some_names_cannot_be_used(models, tmp_path, name):
    with pytest.raises(ModelError, match=r"cannot name a model|means something else already"):
        put(models, trained(tmp_path / "out"), name)


def test_what_was_not_trained_here_or_was_changed_since_is_not_taken(models, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(ModelError, match=r"has no trained\.json"):
        put(models, folder)
    (folder / "trained.json").write_text('{"kind": "poem"}')
    with pytest.raises(ModelError, match="does not tell of a model: kind: Input should be"):
        put(models, folder)
    trained(folder)
    (folder / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(ModelError, match="is not what was trained: the digest"):
        put(models, folder)
    assert registry.names(models) == []
    trained(folder)
    put(models, folder)
    with pytest.raises(ModelError, match="collab is the name of a model of kind reranker"):
        put(models, trained(tmp_path / "other", kind="embedder"))


def test_what_is_not_there_is_named_with_what_is(models, tmp_path):
    put(models, trained(tmp_path / "out"))
    assert registry.find("other", models) is None
    assert registry.find("/some/path", models) is None
    assert registry.resolved("cross/encoder", models) == "cross/encoder"
    assert registry.resolved("collab@1", models) == str(locate("collab@1", models))
    with pytest.raises(ModelError, match="There is no collab@7; there are collab@1"):
        registry.find("collab@7", models)
    with pytest.raises(ModelError, match="There is no collab@7"):
        registry.remove("collab@7", models)
    for act in (registry.promote, registry.roll_back, registry.remove):
        with pytest.raises(ModelError, match="No model named 'other' is registered; registered ar"):
            act("other", models)


@pytest.mark.parametrize("file", ["1/card.json", "current.json"])
def test_a_file_of_the_registry_that_is_damaged_is_named(models, tmp_path, file):
    put(models, trained(tmp_path / "out"))
    registry.promote("collab", models)
    (models.dir / "trained" / "collab" / file).write_text("{")
    with pytest.raises(ModelError, match=rf"{file}.* cannot be read"):
        registry.find("collab", models)


def test_a_registration_that_was_killed_leaves_nothing_that_counts(models, tmp_path):
    left = models.dir / "trained" / ".partial-abc"
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"half")
    assert registry.names(models) == []
    put(models, trained(tmp_path / "out"))
    assert not left.exists()


def test_registrations_at_once_get_versions_of_their_own(models, tmp_path):
    folders = [trained(tmp_path / str(n), b"w%d" % n) for n in range(6)]
    threads = [threading.Thread(target=put, args=(models, folder)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [card.version for card in registry.versions("collab", models)] == [1, 2, 3, 4, 5, 6]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match=r"Models cannot be kept in .* Set \[models\] dir"):
        put(ModelsSettings(dir=tmp_path / "file"), trained(tmp_path / "out"))

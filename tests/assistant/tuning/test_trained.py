"""What is told of a trained model, and models that are no longer what was trained."""

import json
from dataclasses import replace

import pytest

from assistant.tuning.callbacks import installed
from assistant.tuning.spent import Meter, Spent
from assistant.tuning.trained import (
    Data,
    Trained,
    base_digest,
    data_of,
    digest_of_folder,
    read_trained,
    write_trained,
)
from ingest.energy import NotMeasured
from ingest.errors import ModelError


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "inner").mkdir(parents=True)
    (folder / "weights").write_bytes(b"1234")
    (folder / "inner" / "config").write_bytes(b"5678")
    return folder


def told(folder) -> Trained:
    return Trained(
        kind="embedder",
        model=str(folder),
        base="base",
        base_digest="b",
        licence="Apache-2.0",
        digest=digest_of_folder(folder),
        data=Data("d", ("staff",), {"wiki": "CC-BY-4.0"}),
        plan={"epochs": 2.0},
        trained_on=9,
        held=1,
        before={"loss": 2.0},
        after={"loss": 1.0},
        curve=((10, 1.5), (20, 1.0)),
        steps=20,
        spent=Spent(seconds=3.0, not_measured=("No counter.",), machine="2 cores"),
        made="2026-11-22T12:00:00+00:00",
    )


def test_what_is_told_comes_back_and_what_only_tells_is_no_part_of_the_digest(model):
    write_trained(model, told(model))
    (model / "README.md").write_text("A card.")
    assert read_trained(model) == told(model)


@pytest.mark.parametrize("name", ["weights", "inner/config"])
def test_a_model_with_another_file_is_refused(model, name):
    write_trained(model, told(model))
    (model / name).write_bytes(b"12")
    with pytest.raises(ModelError, match=r"model in .* is not what was trained"):
        read_trained(model)
    assert read_trained(model, check=False).steps == 20


def test_a_folder_that_tells_nothing_or_nonsense_is_refused(model):
    with pytest.raises(ModelError, match=r"has no trained\.json"):
        read_trained(model)
    (model / "trained.json").write_text('{"kind": "table"}')
    with pytest.raises(ModelError, match=r"does not tell of a model: kind: "):
        read_trained(model)
    (model / "trained.json").write_text("nonsense")
    with pytest.raises(ModelError, match=r"does not tell of a model: it: "):
        read_trained(model)


def test_data_is_told_with_the_card_beside_it(tmp_path):
    file, card = tmp_path / "pairs.jsonl", tmp_path / "pairs.card.json"
    file.write_text("")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert data_of(file) == Data(empty)
    card.write_text(json.dumps({"digest": empty, "groups": ["staff"], "licences": {"wiki": ""}}))
    assert data_of(file) == Data(empty, ("staff",), {"wiki": ""})
    file.write_text("more")
    with pytest.raises(ModelError, match=r"is not the file that .*pairs\.card\.json tells of"):
        data_of(file)
    card.write_text("{")
    with pytest.raises(ModelError, match="or its card, cannot be read"):
        data_of(file)


def test_a_base_is_told_by_its_files_or_by_its_revision(model):
    class Config:
        _commit_hash = "abc"

    assert base_digest(str(model), Config()) == digest_of_folder(model)
    assert base_digest("org/name", Config()) == "abc"
    assert base_digest("org/name", object()) == ""


class Joules:
    """A counter that tells one more joule at each look, and goes away in the end."""

    def __init__(self, looks: int = 99) -> None:
        self.told = 0.0
        self.looks = looks

    def joules(self) -> float:
        if self.told == self.looks:
            raise OSError
        self.told += 1
        return self.told


def none() -> Joules:
    msg = "There is no such counter."
    raise NotMeasured(msg)


def test_costs_of_the_parts_of_a_training_are_added():
    before = Spent(seconds=100.0, cpu_joules=7.0, not_measured=("There is no such counter.",))
    spent = Meter(before, cpu=Joules, gpu=none).spent()
    assert spent.cpu_joules == 8.0
    assert spent.gpu_joules is None
    assert 100.0 <= spent.seconds < 110.0
    assert spent.not_measured == ("There is no such counter.",)
    assert "cores" in spent.machine


def test_no_sum_is_told_where_a_part_was_not_measured():
    assert Meter(Spent(seconds=5.0), cpu=Joules, gpu=none).spent().cpu_joules is None


def test_a_counter_that_goes_away_leaves_what_it_told():
    meter = Meter(cpu=lambda: Joules(looks=2), gpu=none)
    assert [meter.spent().cpu_joules for _ in range(4)] == [1.0, 2.0, 2.0, 2.0]


def test_another_kind_is_another(model):
    write_trained(model, replace(told(model), kind="llm"))
    assert read_trained(model).kind == "llm"


def test_what_trains_and_is_not_installed_is_named():
    installed("torch")
    with pytest.raises(ModelError, match=r"no_such_one is not installed.*docent\[tune\]"):
        installed("torch", "no_such_one")

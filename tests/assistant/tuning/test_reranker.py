"""A real training, of a cross-encoder of two thousand weights."""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from assistant.rerank import CrossEncoded, LocalJudge
from assistant.tuning.pairs import Kind, Pair
from assistant.tuning.reranker import Plan, measured, split, train
from assistant.tuning.trained import read_trained
from ingest.errors import ModelError
from tests.assistant.tiny import tiny_cross_encoder

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

THINGS = ("muon", "quota", "shift", "pixel", "tile", "strip")
PLAN = Plan(epochs=6, batch=20, rate=5e-3, max_tokens=16, look_every=10)


def pair(number: int, asked: tuple[str, str]) -> Pair:
    """What answers says "the", and what does not has two things as well: even this model can."""
    others = [two for two in itertools.combinations(THINGS, 2) if two != asked]
    return Pair(
        question=f"where is {' '.join(asked)}",
        answer=f"the {' '.join(asked)}",
        others=tuple(f"is {' '.join(two)}" for two in others[number % 10 :][:4]),
        kind=Kind.HEADING,
        document_id=f"test:{number}",
        source="test",
    )


PAIRS = [pair(n, two) for n, two in enumerate(list(itertools.combinations(THINGS, 2)) * 6)]


@pytest.fixture
def base(tmp_path: Path) -> str:
    folder = tmp_path / "base"
    tiny_cross_encoder(folder, words=(*THINGS, "where", "is", "the"))
    return str(folder)


class Killed(BaseException):
    """The machine took the process away."""


def test_training_helps_and_goes_on_after_a_kill_to_the_same(base, tmp_path):
    lines: list[str] = []
    whole = train(base, PAIRS, tmp_path / "whole", PLAN, lines.append)

    assert whole.after["mean_rank"] > whole.before["mean_rank"]
    assert whole.after["first"] > whole.before["first"]
    assert [step for step, _ in whole.curve][:2] == [10, 20]
    assert lines[0].startswith("Before: the answer comes first in ")
    assert any(line.startswith("Step 10 of ") for line in lines)

    def kill(line: str) -> None:
        if line.startswith("Step 20 of ") and "held-out" in line:
            raise Killed

    with pytest.raises(Killed):
        train(base, PAIRS, tmp_path / "killed", PLAN, kill)
    again = train(base, PAIRS, tmp_path / "killed", PLAN)

    assert again.after["mean_rank"] == pytest.approx(whole.after["mean_rank"], rel=0.02)
    assert again.steps == whole.steps
    assert again.curve == pytest.approx(np.array(whole.curve), rel=0.02)
    assert read_trained(tmp_path / "killed" / "model") == again
    assert again.held == len(split(PAIRS)[1])

    # What comes out is what the settings take.
    judge = LocalJudge(again.model)
    assert all(0 <= worth <= 1 for worth in judge("where is muon quota", ["the muon quota"]))
    assert CrossEncoded(judge, 5)

    # A checkpoint that is not what was saved, and one of another training, are refused.
    last = max((tmp_path / "killed" / "checkpoints").glob("checkpoint-*"), key=_step)
    weights = last / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match=rf"{last} is damaged: model.safetensors"):
        train(base, PAIRS, tmp_path / "killed", PLAN)
    with pytest.raises(ModelError, match="are of another training"):
        train(base, PAIRS[:-1], tmp_path / "killed", PLAN)


def _step(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def test_a_checkpoint_that_was_not_finished_is_passed_over(base, tmp_path):
    (tmp_path / "out" / "checkpoints" / "checkpoint-10").mkdir(parents=True)
    (tmp_path / "out" / "checkpoints" / "checkpoint-10" / "model.safetensors").write_bytes(b"half")

    short = Plan(epochs=1, batch=100, max_tokens=16, look_every=2)
    assert train(base, PAIRS, tmp_path / "out", short).steps > 0


def test_a_document_is_learnt_from_or_held_out():
    learnt, held = split(PAIRS)
    assert not {one.document_id for one in learnt} & {one.document_id for one in held}
    assert len(learnt) + len(held) == len(PAIRS)
    assert 3 <= len(held) <= 18  # a tenth of 90 documents, by their digests


def test_too_few_pairs_are_refused(base, tmp_path):
    with pytest.raises(ModelError, match=r"4 pairs are too few: \d of them"):
        train(base, PAIRS[:4], tmp_path / "out", PLAN)


def test_a_base_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match="nowhere"):
        train(str(tmp_path / "nowhere"), PAIRS, tmp_path / "out", PLAN)


def test_a_model_that_says_one_thing_of_all_knows_nothing(base):
    class Same:
        def predict(self, asked, show_progress_bar):
            return np.zeros(len(asked))

    held = measured(cast("CrossEncoder", Same()), PAIRS[:5])
    assert held.first == 0.0
    assert held.mean_rank == pytest.approx(0.2)

"""A real training, of an embedder of two thousand weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from assistant.tuning.embedder import Plan, measured, train
from assistant.tuning.pairs import Kind, Pair
from assistant.tuning.trained import Data, read_trained
from ingest.embed import LocalEmbedder
from ingest.errors import ModelError
from tests.assistant.tiny import tiny_embedder

THINGS = ("muon", "quota", "shift", "pixel", "tile", "strip")
OTHERS = ("ring", "disk", "night", "chip", "plate", "wire")
"""What answers says the partner of what is asked, which nothing but the pairs can teach."""
PLAN = Plan(
    epochs=5, batch=16, at_once=8, rate=1e-2, max_tokens=16, look_every=5, dims=(8,), negatives=2
)


def pair(number: int) -> Pair:
    said = [OTHERS[(number + more) % 6] for more in range(5)]
    return Pair(
        question=f"where is {THINGS[number % 6]} {number // 6}",
        answer=f"the {said[0]} {number // 6}",
        others=(f"the {said[1]}", f"the {said[2]}", f"the {said[3]}", f"the {said[4]}"),
        kind=Kind.HEADING,
        document_id=f"test:{number}",
        source="test",
    )


PAIRS = [pair(number) for number in range(90)]


@pytest.fixture
def base(tmp_path: Path) -> str:
    words = (*THINGS, *OTHERS, "where", "is", "the", *map(str, range(15)))
    tiny_embedder(tmp_path / "base", words)
    return str(tmp_path / "base")


class Killed(BaseException):
    """The machine took the process away."""


def test_training_helps_and_goes_on_after_a_kill_to_the_same(base, tmp_path):
    lines: list[str] = []
    data = Data("d" * 64, ("staff",), {"wiki": "CC-BY-4.0"})
    whole = train(
        base,
        PAIRS,
        tmp_path / "whole",
        PLAN,
        lines.append,
        data=data,
        licence="Apache-2.0",
        called="tiny",
    )

    assert whole.after["mean_rank"] > whole.before["mean_rank"]
    assert whole.after["mean_rank@8"] > whole.before["mean_rank@8"]
    assert lines[0].startswith("Before: the answer is the nearest for ")
    assert any(line.startswith("Step 5 of ") for line in lines)
    assert whole.kind == "embedder"
    assert (whole.base, whole.licence) == ("tiny", "Apache-2.0")
    assert whole.data.groups == ("staff",)
    assert read_trained(tmp_path / "whole" / "model") == replace(whole, plan=read_plan(whole))

    def kill(line: str) -> None:
        if line.startswith("Step 10 of ") and "held-out" in line:
            raise Killed

    with pytest.raises(Killed):
        train(base, PAIRS, tmp_path / "killed", PLAN, kill)
    again = train(base, PAIRS, tmp_path / "killed", PLAN)

    assert again.curve[-1][1] == pytest.approx(whole.curve[-1][1], rel=0.02)
    assert again.after["mean_rank"] == pytest.approx(whole.after["mean_rank"], rel=0.02)
    assert again.steps == whole.steps

    # What comes out is what the settings take, with the window of its base.
    made, first = LocalEmbedder(Path(again.model), "tuned"), LocalEmbedder(Path(base), "tuned")
    assert made.name != first.name
    assert made.dim == first.dim == 16
    assert np.linalg.norm(made.embed_query("where is muon")) == pytest.approx(1.0, rel=1e-5)

    # Shorter vectors are the beginnings of the whole ones, under another name.
    short = LocalEmbedder(tmp_path / "killed" / "model-8", "tuned")
    assert short.name != made.name
    assert short.dim == 8
    cut = made.embed_query("where is muon")[:8]
    assert short.embed_query("where is muon") == pytest.approx(cut / np.linalg.norm(cut), abs=1e-5)
    assert read_trained(tmp_path / "killed" / "model-8").after == again.after

    # A checkpoint that is not what was saved, and one of another training, are refused.
    last = max((tmp_path / "killed" / "checkpoints").glob("checkpoint-*"), key=_step)
    weights = last / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match=rf"{last} is damaged: model.safetensors"):
        train(base, PAIRS, tmp_path / "killed", PLAN)
    with pytest.raises(ModelError, match="are of another training"):
        train(base, PAIRS[:-1], tmp_path / "killed", PLAN)


def read_plan(trained):
    """A tuple comes back out of JSON as a list."""
    return {**trained.plan, "dims": list(trained.plan["dims"])}


def _step(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def test_what_the_base_wants_before_its_texts_is_there_in_training_too(tmp_path):
    from assistant.tuning.embedder import _prompts

    words = (*THINGS, "where", "is", "the", "query", "passage")
    model = tiny_embedder(tmp_path / "base", words)
    assert _prompts(model, 1) is None
    model.prompts = {"query": "query: ", "passage": "passage: "}
    told = {"question": "query: ", "answer": "passage: ", "other_1": "passage: "}
    assert _prompts(model, 1) == told


def test_ranks_are_among_the_negatives_and_the_answers_of_other_pages():
    places = {
        "q": (1, 0), "a": (3, 4), "b": (0, 1), "near": (1, 0.1), "far": (0, -1),
        "p": (0, 1), "same": (1, 0.01),
    }  # fmt: skip

    class Plane:
        """Knows where each text lies."""

        def encode_query(self, texts, show_progress_bar):
            return np.array([places[text] for text in texts])

        encode_document = encode_query

    def of(question: str, answer: str, nearer: int, document: str) -> Pair:
        others = ("near",) * nearer + ("far",) * (4 - nearer)
        return Pair(question, answer, others, Kind.TITLE, document, "test")

    # `q` has one negative nearer than its answer; `b`, of another page, and `same`, of its own
    # page, are the other answers. `p` asks for `b`, and nothing is nearer.
    pairs = [of("q", "a", 1, "x"), of("p", "b", 0, "y"), of("q", "same", 0, "x")]
    found = measured(cast("Any", Plane()), pairs, dims=(1,))
    # q→a: rank 2 (near); p→b: 1; q→same: 1.
    assert found["first"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["mean_rank"] == pytest.approx((0.5 + 1 + 1) / 3, abs=1e-4)
    # With the first number alone: q lies at 1, and so do a, near and same (as near counts as
    # nearer), p and b at 0, where nothing is told from anything: `a`, `same` and four negatives.
    assert found["mean_rank@1"] == pytest.approx((1 / 2 + 1 / 7 + 1 / 1) / 3, abs=1e-4)


def test_more_dimensions_than_there_are_are_refused(base, tmp_path):
    plan = Plan(dims=(32,), look_every=2)
    with pytest.raises(ModelError, match="have 16 numbers; --dims 32 is more"):
        train(base, PAIRS, tmp_path / "out", plan)


def test_a_base_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match="nowhere"):
        train(str(tmp_path / "nowhere"), PAIRS, tmp_path / "out", PLAN)

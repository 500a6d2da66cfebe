"""`docent eval gate`: margins over runs made by hand, and over real runs of a broken index."""

import json
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assistant.answer import Assistant
from eval import margins
from eval.build import index_of
from eval.cli import Parts, eval_app
from eval.compare import compare
from eval.datasets import read_collection
from eval.runs import AnswersRun, read_run
from ingest.chunk import chunk
from tests.eval.kept import cited, retrieval, row, written
from tests.eval.test_datasets import beir
from tests.fakes import HashEmbedder

RIGHT = [row(f"q{n}") for n in range(20)]


def gate(*words: object):
    return CliRunner().invoke(eval_app, ["gate", *map(str, words)])


@pytest.fixture
def rows(tmp_path):
    """Twenty right answers; and how a run looks in which so many are not."""

    def with_wrong(count: int) -> Path:
        path = tmp_path / f"{count}.jsonl"
        return written(path, *(row(f"q{n}", "incomplete") for n in range(count)), *RIGHT[count:])

    return with_wrong


def test_a_run_may_be_worse_by_its_margin_and_not_by_more(rows):
    # The margin of right answers and of required facts is 0.05: one of twenty.
    assert gate(rows(0), rows(0)).exit_code == 0
    assert gate(rows(0), rows(1)).exit_code == 0
    closed = gate(rows(0), rows(2))

    assert closed.exit_code == 1
    assert "The gate is closed: right (worse by 0.100, 0.05 allowed), required_facts" in (
        closed.stdout
    )
    # What was lost is named beside it.
    assert "2 came out differently" in closed.stdout
    assert "right, 1/1 facts  incomplete, 0/1 facts" in closed.stdout


def test_a_better_run_passes(rows):
    opened = gate(rows(2), rows(0))

    assert opened.exit_code == 0
    assert "The gate is open" in opened.stdout
    assert "came out differently" not in opened.stdout


def test_what_should_be_small_may_not_grow(tmp_path):
    refused = [row("q0", "wrong_refusal"), row("q1", "wrong_refusal"), *RIGHT[2:]]
    closed = gate(written(tmp_path / "a.jsonl", *RIGHT), written(tmp_path / "b.jsonl", *refused))

    line = next(text for text in closed.stdout.splitlines() if text.startswith("wrong_refusal"))
    assert line.split() == [
        *("wrong_refusal", "20", "0.000", "0.100", "+0.100", "[+0.000,", "+0.250]"),
        *("0.05", "WORSE"),
    ]


def test_one_failed_question_is_too_many(tmp_path):
    many = [row(f"q{n}") for n in range(100)]
    a = written(tmp_path / "a.jsonl", *many)
    b = written(tmp_path / "b.jsonl", *many[:-1], row("q99", "failed"))

    told = json.loads(gate(a, b, "--json").stdout)

    assert [one["name"] for one in told["limits"] if not one["holds"]] == ["failed"]
    assert (told["kind"], told["passed"]) == ("gate", False)
    assert told["comparison"]["parts"][0]["lost"] == ["q99"]


def test_margins_can_be_given_and_dropped(rows):
    a, b = rows(0), rows(2)

    assert gate(a, b, "--margin", "right=0.1", "--margin", "required_facts=off").exit_code == 0
    assert gate(a, rows(1), "--margin", "right=0.01").exit_code == 1
    # One without a default is checked when it is named.
    told = json.loads(gate(a, b, "--margin", "incomplete = 0.02", "--json").stdout)
    assert {one["name"]: one["holds"] for one in told["limits"]}["incomplete"] is False


@pytest.mark.parametrize(
    "margin", ["right", "right=", "right=-1", "right=nan", "right=inf", "up=1"]
)
def test_a_margin_that_cannot_be_used_is_told(rows, margin):
    result = gate(rows(0), rows(0), "--margin", margin)

    assert result.exit_code == 2
    assert f"docent: --margin {margin!r}" in result.stderr


def test_a_run_that_lacks_questions_is_no_run_to_judge(tmp_path, rows):
    part = written(tmp_path / "part.jsonl", *RIGHT[:5], row("q5", digest="another"))

    refused = gate(rows(0), part)
    judged = gate(rows(0), part, "--partly")

    assert refused.exit_code == 2
    assert "does not have all" in refused.stderr
    assert "q6, q7" in refused.stderr
    assert judged.exit_code == 0
    assert "5 questions in pairs" in judged.stdout
    assert "their lines changed in between: q5" in judged.stderr
    # More than the baseline has is no trouble.
    assert gate(part, written(tmp_path / "more.jsonl", *RIGHT[:5], row("q5", digest="another"),
                              row("new"))).exit_code == 0  # fmt: skip


def test_files_that_cannot_be_used_are_2(tmp_path, rows):
    assert gate(rows(0), tmp_path / "none.jsonl").exit_code == 2
    assert gate(rows(0), retrieval(tmp_path / "r.json", h={"m": {"1": 1.0}})).exit_code == 2


def test_a_baseline_of_nothing_can_hold_nothing_back(tmp_path):
    nothing = written(tmp_path / "a.jsonl", row("q1", "wrong_refusal"), row("q2", "failed"))

    result = gate(nothing, nothing)

    assert result.exit_code == 2
    assert "baseline of nothing" in result.stderr


def test_a_measure_that_the_run_has_lost_altogether_is_worse(tmp_path):
    a = written(tmp_path / "a.jsonl", row("q1", citations=(cited("s", carries=True),)))
    b = written(tmp_path / "b.jsonl", row("q1"))

    closed = gate(a, b)

    assert closed.exit_code == 1
    assert "citation_precision (nothing left to measure)" in closed.stdout


def test_each_arm_of_retrieval_has_its_limits(tmp_path):
    good = {"nDCG@10": {"1": 0.5, "2": 0.5}, "P@1": {"1": 1.0, "2": 0.0}}
    less = {"nDCG@10": {"1": 0.5, "2": 0.44}, "P@1": {"1": 1.0, "2": 0.0}}
    a = retrieval(tmp_path / "a.json", dense=good, hybrid=good)
    b = retrieval(tmp_path / "b.json", dense=less, hybrid=good, reranked=good)

    closed = gate(a, b)

    assert closed.exit_code == 1
    # 0.97 / 2 against 0.5.
    assert "gate is closed: dense nDCG@10 (worse by 0.030, 0.02 allowed)." in closed.stdout
    assert "hybrid nDCG@10" in closed.stdout
    assert gate(a, b, "--margin", "nDCG@10=0.03").exit_code == 0
    lost = gate(b, a)
    assert lost.exit_code == 2
    assert "reranked" in lost.stderr


def test_defaults_of_measures_that_are_not_there_are_passed_over(tmp_path):
    run = read_run(retrieval(tmp_path / "a.json", h={"nDCG@10": {"1": 1.0}}))

    assert margins.margins_from((), compare(run, run)) == {"nDCG@10": 0.02, "failed": 0.0}


# A broken chunker --------------------------------------------------------------------------------

PAGES = {
    "trigger": ("Trigger menu", "The first-level trigger reads the calorimeter and the muon system "
                "at every crossing and accepts events at 112 kHz."),
    "quota": ("Storage", "Every member has a home folder on the shared disk of the institute, and "
              "its quota amounts to 250 GB."),
    "magnet": ("Solenoid", "The superconducting coil around the inner tracker is ramped twice a "
               "year and provides a field of 3.8 T."),
    "shift": ("Shifts", "People who watch the detector meet in the control room, where the night "
              "shift begins at 23:00."),
    "gas": ("Gas system", "The mixture of the drift chambers is renewed by the gas system day and "
            "night with a flow of 40 litres per hour."),
    "board": ("Collaboration board", "Institutes send one delegate each, who elects the chair, and "
              "the board meets in Geneva in October."),
}  # fmt: skip
QUESTIONS = {
    "trigger": ("At which rate does the trigger accept events?", "112 kHz"),
    "quota": ("What is the quota of a home folder?", "250 GB"),
    "magnet": ("Which field does the superconducting coil provide?", "3.8 T"),
    "shift": ("When does the night shift begin?", "23:00"),
    "gas": ("Which flow does the gas system have?", "40 litres per hour"),
    "board": ("Where does the board meet in October?", "Geneva"),
}


def beheaded(document, max_chars):
    """A chunker that keeps the first 40 characters of a document."""
    first = chunk(document, max_chars)[0]
    end = min(first.end, first.start + 40)
    return [
        replace(
            first,
            id=f"{document.id}@{first.start}-{end}",
            end=end,
            text=document.text[first.start : end],
        )
    ]


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """The pages as a collection with judgements, and as a file of questions with facts."""
    root = tmp_path_factory.mktemp("pages")
    corpus = [{"_id": name, "title": t, "text": text} for name, (t, text) in PAGES.items()]
    queries = [{"_id": name, "text": text} for name, (text, _) in QUESTIONS.items()]
    beir(root / "pages", corpus, queries, [(name, name, "1") for name in PAGES])
    asked = [
        {
            "id": name,
            "question": text,
            "class": "lookup",
            "documents": [name],
            "facts": [{"text": fact, "keys": [fact]}],
        }
        for name, (text, fact) in QUESTIONS.items()
    ]
    (root / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in asked))
    return root


class Shop:
    """The real commands over a real index; the embedder is a fake, the chunker as it is told."""

    def __init__(self, root: Path, cut) -> None:
        self.root, self.cut = root, cut

    @contextmanager
    def builder(self, folder, documents, settings):
        with index_of(folder, documents, HashEmbedder(), settings, self.cut) as built:
            yield built

    def run(self, *words: object) -> str:
        with ExitStack() as opened:

            def assistant_from(settings):
                documents = read_collection(self.root / "pages").documents()
                folder = self.root / f"index-{self.cut.__name__}"
                built = opened.enter_context(self.builder(folder, documents, settings))
                return Assistant(built.searcher, HashEmbedder(), None, settings.answer)

            parts = Parts(self.builder, assistant_from)
            done = CliRunner().invoke(eval_app, [str(word) for word in words], obj=parts)
        assert done.exit_code == 0, done.output
        return done.stdout


@pytest.fixture(scope="module")
def runs(collection):
    """Chunker → rows of answers and a measurement of retrieval."""
    found = {}
    for cut in (chunk, beheaded):
        shop = Shop(collection, cut)
        rows = collection / f"{cut.__name__}.jsonl"
        shop.run("answers", collection / "questions.jsonl", "--out", rows, "--llm", "none")
        measured = collection / f"{cut.__name__}.json"
        measured.write_text(shop.run("retrieval", "--beir", collection / "pages", "--json"))
        found[cut] = (rows, measured)
    return found


def test_an_index_with_a_broken_chunker_fails_the_gate_of_answers(runs):
    closed = gate(runs[chunk][0], runs[beheaded][0])

    assert closed.exit_code == 1
    assert "The gate is closed: right (worse by" in closed.stdout
    assert "required_facts (worse by" in closed.stdout


def test_an_index_with_a_broken_chunker_fails_the_gate_of_retrieval(runs):
    closed = gate(runs[chunk][1], runs[beheaded][1])

    assert closed.exit_code == 1
    assert "hybrid nDCG@10 (worse by" in closed.stdout


@pytest.mark.parametrize("kind", [0, 1])
def test_the_sound_index_passes_against_itself_and_against_the_broken_one(runs, kind):
    assert gate(runs[chunk][kind], runs[chunk][kind]).exit_code == 0
    assert gate(runs[beheaded][kind], runs[chunk][kind]).exit_code == 0


def test_the_sound_index_answers_what_is_asked(runs):
    run = read_run(runs[chunk][0])

    assert isinstance(run, AnswersRun)
    assert [one.outcome for one in run.rows.values()] == ["right"] * len(QUESTIONS)

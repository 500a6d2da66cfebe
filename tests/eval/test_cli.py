import json
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from assistant.model import Answer, Question
from eval.build import Ready, index_of
from eval.cli import Parts, eval_app
from eval.datasets import file_digest, read_collection
from eval.tracking import read_record
from ingest.errors import DocentError, IndexMissing
from ingest.index import EmbeddedIndex
from ingest.settings import Settings
from tests.eval.test_answers import GOOD, REFUSAL, Scripted
from tests.eval.test_datasets import QUESTION, beir
from tests.fakes import HashEmbedder

UNANSWERABLE = {"id": "u1", "question": "Who won?", "class": "unanswerable"}


@contextmanager
def builder(folder, documents, settings):
    with index_of(folder, documents, HashEmbedder(), settings) as built:
        yield built


class Assistants:
    """Makes scripted assistants, and keeps the settings each was asked for."""

    def __init__(self) -> None:
        self.settings: list[Settings] = []
        self.made: list[Scripted] = []

    def __call__(self, settings: Settings) -> Scripted:
        self.settings.append(settings)
        self.made.append(Scripted(self.reply))
        return self.made[-1]

    @staticmethod
    def reply(question: Question) -> Answer:
        return REFUSAL if "won" in question.text else GOOD


@pytest.fixture
def assistants() -> Assistants:
    return Assistants()


@pytest.fixture
def docent(assistants, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DOCENT_CONFIG", raising=False)

    def call(*words: object) -> Result:
        arguments = [str(word) for word in words]
        return CliRunner().invoke(eval_app, arguments, obj=Parts(builder, assistants))

    return call


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    rows = (QUESTION | {"documents": ["Trigger/Menu.txt"]}, UNANSWERABLE)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_retrieval_prints_a_table_and_json_prints_the_same_numbers(docent, tmp_path):
    folder = beir(tmp_path / "tiny")

    plain = docent("retrieval", "--beir", folder)
    exact = json.loads(docent("retrieval", "--beir", folder, "--json").stdout)

    assert plain.exit_code == 0
    assert "tiny/test: 3 documents, 2 queries; fake-64; 2 chunks indexed" in plain.stdout
    mean = exact["arms"]["hybrid"]["measures"]["nDCG@10"]["mean"]
    assert f"hybrid    {mean:.3f}" in plain.stdout
    # What is not a result goes elsewhere.
    assert "1 documents have neither title nor text" in plain.stderr
    assert "Searching: 2/2" in plain.stderr


def test_another_split_is_another_file(docent, tmp_path):
    folder = beir(tmp_path / "tiny")

    result = docent("retrieval", "--beir", folder, "--split", "dev")

    assert isinstance(result.exception, DocentError)
    assert "dev.tsv cannot be read" in str(result.exception)


@pytest.fixture
def over_index(tmp_path, monkeypatch):
    """Calls the command over an index that is there, of documents that anybody may read."""
    monkeypatch.chdir(tmp_path)
    embedder = HashEmbedder()
    documents = read_collection(beir(tmp_path / "tiny")).documents()
    with index_of(tmp_path / "index", documents, embedder, Settings()):
        pass

    @contextmanager
    def opener(settings):
        with closing(EmbeddedIndex(tmp_path / "index", embedder=embedder.name)) as index:
            yield Ready(index, embedder, settings)

    def call(*words: object) -> Result:
        parts = Parts(builder, Assistants(), opener)
        return CliRunner().invoke(eval_app, ["retrieval", *map(str, words)], obj=parts)

    return call


def test_retrieval_searches_the_index_that_is_there_for_the_documents_of_a_file(
    over_index, tmp_path
):
    facts = [{"text": "40", "keys": ["40 MHz"]}]
    lines = [
        {"id": "a", "question": "Trigger runs", "documents": ["beir:d1"], "facts": facts},
        {"id": "b", "question": "Who won?"},
        {"id": "c", "question": "Only a title", "documents": ["beir:d2"], "facts": facts},
    ]
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))

    plain = over_index("--questions", path)
    exact = json.loads(over_index("--questions", path, "--half", "dev", "--json").stdout)

    assert plain.exit_code == 0
    assert "questions.jsonl: 2 questions, 2 documents; fake-64; 2 chunks" in plain.stdout
    assert "P@1 by class of question" in plain.stdout
    assert "1 questions that no document answers were not searched for." in plain.stderr
    assert exact["arms"]["reranked"]["per_query"]["P@1"] == {"a": 1, "c": 1}
    assert exact["generation"] == 1


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--beir", "tiny", "--questions", "q.jsonl"),
        ("--beir", "tiny", "--half", "dev"),
        ("--beir", "tiny", "--class", "vague"),
        ("--beir", "tiny", "--as-standalone"),
    ],
)
def test_retrieval_measures_one_thing_with_its_own_options(docent, words):
    result = docent("retrieval", *words)

    assert isinstance(result.exception, DocentError)
    assert "Say what to measure: --beir FOLDER with --split, or --questions FILE" in str(
        result.exception
    )


def test_retrieval_without_an_index_says_so(docent, questions, tmp_path):
    settings = tmp_path / "docent.toml"
    settings.write_text(f'[index]\npath = "{tmp_path / "none"}"\n')

    result = docent("retrieval", "--questions", questions, "--config", settings)

    assert isinstance(result.exception, IndexMissing)


def test_answers_prints_tables(docent, questions):
    result = docent("answers", questions)

    assert result.exit_code == 0
    assert "2 questions: 1 answered, 1 not_found" in result.stdout
    assert "answerable: right (answered, all required facts)" in result.stdout
    assert "Asking: 2/2" in result.stderr


def test_a_half_is_every_other_line_and_classes_can_be_chosen(docent, assistants, questions):
    plain = docent("answers", questions, "--half", "dev")
    docent("answers", questions, "--half", "test")
    docent("answers", questions, "--class", "lookup", "--class", "unanswerable")

    assert "questions.jsonl, dev half" in plain.stdout
    texts = [[question.text for question in made.questions] for made in assistants.made]
    assert texts == [["How fast?"], ["Who won?"], ["How fast?", "Who won?"]]


def test_a_choice_that_leaves_no_question_is_told(docent, questions):
    unknown = docent("answers", questions, "--class", "vague", "--class", "lookup")
    empty = docent("answers", questions, "--class", "lookup", "--half", "test")

    assert str(unknown.exception) == (
        f"{questions} has no question of class 'vague'. It has: lookup, unanswerable."
    )
    assert str(empty.exception) == f"{questions} has no such question in its test half."


def test_the_oracle_is_not_asked_what_no_document_answers(docent, assistants, questions):
    result = docent("answers", questions, "--arm", "oracle")

    assert [question.text for question in assistants.made[0].questions] == ["How fast?"]
    assert "1 questions that no document answers are not asked." in result.stderr
    assert "arm oracle" in result.stdout


def test_without_parts_of_the_tests_the_real_arms_are_asked(tmp_path, questions, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DOCENT_CONFIG", raising=False)

    result = CliRunner().invoke(eval_app, ["answers", str(questions), "--arm", "none", "--no-llm"])

    assert "The arm `none` is the model alone" in str(result.exception)


def test_a_follow_up_can_be_asked_in_full(docent, assistants, tmp_path):
    path = tmp_path / "follow.jsonl"
    path.write_text(json.dumps(QUESTION | {"standalone": "How fast is L1?"}) + "\n")

    told = json.loads(docent("answers", path, "--as-standalone", "--json").stdout)

    assert [question.text for question in assistants.made[0].questions] == ["How fast is L1?"]
    assert told["run"]["standalone"] is True


def test_the_cost_is_told_with_what_is_not_measured(docent, questions):
    result = docent("answers", questions)

    assert "Cost of 2 questions" in result.stdout
    assert "Not measured. CO₂: not estimated; name the grid's country" in result.stdout


def test_an_extra_that_is_not_there_is_told_before_anything_is_asked(
    docent, assistants, questions, monkeypatch
):
    for library, options in {
        "codecarbon": ["--country", "CHE"],
        "mlflow": ["--mlflow", "x"],
    }.items():
        monkeypatch.setitem(sys.modules, library, None)

        result = docent("answers", questions, *options)

        assert "not installed. Run: pip install 'docent[" in str(result.exception)
    assert not assistants.made


def test_answers_as_json_names_what_was_asked_of_what(docent, questions):
    told = json.loads(docent("answers", questions, "--json", "--llm", "none").stdout)

    assert told["kind"] == "answers"
    assert told["dataset"]["name"] == "questions.jsonl"
    assert told["settings"]["llm"]["model"] == "none"
    assert told["shares"]["right"]["count"] == 1
    assert told["shares"]["right_refusal"]["count"] == 1
    assert told["resumed"] == 0
    assert told["run"]["dataset"]["digest"] == told["dataset"]["digest"] == file_digest(questions)
    assert told["run"]["cost"]["questions"] == 2
    assert told["run"]["ended"] >= told["run"]["started"]


def test_models_are_loaded_before_the_first_question_is_timed(docent, assistants, questions):
    docent("answers", questions)

    assert assistants.made[0].warmed_before == 0


def test_the_model_of_the_settings_is_used_unless_another_is_named(docent, assistants, questions):
    docent("answers", questions)
    docent("answers", questions, "--llm", "other")
    docent("answers", questions, "--llm", "tuned@http://127.0.0.1:1/v1", "--concurrency", 2)

    assert [(settings.llm.model, settings.llm.urls) for settings in assistants.settings] == [
        (Settings().llm.model, ()),
        ("other", ()),
        ("tuned", ("http://127.0.0.1:1/v1",)),
    ]


def test_groups_can_be_given_for_all_questions(docent, assistants, questions):
    docent("answers", questions, "--as", "a", "--as", "b", "--limit", 1)

    [asked] = assistants.made[0].questions
    assert asked.reader.groups == {"a", "b"}


def test_rows_are_written_and_a_run_goes_on_where_it_was(docent, assistants, questions, tmp_path):
    rows = tmp_path / "rows.jsonl"

    docent("answers", questions, "--out", rows, "--limit", 1)
    first = rows.read_text()
    rows.write_text(first + '{"cut')
    told = json.loads(docent("answers", questions, "--out", rows, "--resume", "--json").stdout)

    assert told["resumed"] == 1
    assert told["questions"] == 2
    assert [question.text for question in assistants.made[1].questions] == ["Who won?"]
    lines = rows.read_text().splitlines(keepends=True)
    assert lines[0] == first
    assert json.loads(lines[1])["outcome"] == "right_refusal"
    record = read_record(rows)
    assert record is not None
    assert [again.kept for again in record.resumed] == [1]
    assert record.cost is not None
    assert record.cost.questions == 1


def test_a_record_is_beside_the_rows_before_the_first_question(
    docent, assistants, questions, tmp_path
):
    rows = tmp_path / "rows.jsonl"
    seen = []

    def reply(question: Question) -> Answer:
        seen.append(read_record(rows))
        return GOOD

    assistants.reply = reply
    docent("answers", questions, "--out", rows, "--limit", 1)

    [during], after = seen, read_record(rows)
    assert during is not None
    assert after is not None
    assert during.ended is None
    assert after.ended is not None
    assert during.started == after.started


def test_a_run_that_cannot_be_gone_on_with_keeps_its_rows(docent, assistants, questions, tmp_path):
    rows = tmp_path / "rows.jsonl"
    docent("answers", questions, "--out", rows)
    before = rows.read_text()

    other = docent("answers", questions, "--out", rows, "--resume", "--as", "g")
    arm = docent("answers", questions, "--out", rows, "--resume", "--arm", "oracle")

    assert "since it began, groups changed" in str(other.exception)
    assert "made with the arm 'retrieval', not 'oracle'" in str(arm.exception)
    assert rows.read_text() == before
    assert len(assistants.made) == 1


def test_a_run_is_handed_to_mlflow_when_asked(docent, questions, tmp_path, mlflow):
    result = docent("answers", questions, "--out", tmp_path / "rows.jsonl", "--mlflow", "http://x")

    [client] = mlflow.made
    assert client.uri == "http://x"
    assert client.metrics["right"] == 1.0
    assert client.artifacts == [str(tmp_path / "rows.jsonl")]
    assert "MLflow took it as run r1." in result.stderr


def test_a_run_does_not_write_over_another(docent, assistants, questions, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("precious\n")

    result = docent("answers", questions, "--out", rows)

    assert str(result.exception) == (
        f"{rows} exists. Go on with it by --resume, or give another --out."
    )
    assert rows.read_text() == "precious\n"
    assert not assistants.made


def test_going_on_needs_a_file(docent, questions):
    result = docent("answers", questions, "--resume")

    assert str(result.exception) == "--resume needs --out FILE, the file of the run to go on with."

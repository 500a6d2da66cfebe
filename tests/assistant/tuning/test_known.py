"""Questions that people answered: half of a file is learnt, the other half is kept from it."""

import json

import pytest

from assistant.model import Turn
from assistant.prompt import REFUSAL
from assistant.tuning.asks import Kind
from assistant.tuning.known import read_known
from assistant.tuning.raft import Case, Why
from ingest.access import ANYBODY
from ingest.errors import DocentError
from tests.assistant.tuning.test_raft import PAGES, STAFF, maker
from tests.fakes import HashEmbedder
from tests.ingest.corpus import build, document

QUOTA = {
    "question": "How large is the quota of a group?",
    "groups": [],
    "documents": ["quota"],
    "answer": "The quota of a group is 40 TB.",
}
NOBODY_KNOWS = {"question": "Which colour has the quota of a group?", "documents": []}
KEPT = {"question": "Who opens the gate?", "documents": ["faq"], "answer": "The guard."}


@pytest.fixture
def index(tmp_path):
    lunch = document(
        "secret",
        "The staff eats lunch in building 7 at 12:15, as the quota of seats allows.",
        title="Lunch of the staff",
        access=frozenset({"staff"}),
    )
    made = build(tmp_path / "index", HashEmbedder(), *PAGES, lunch)
    yield made
    made.close()


def file_of(tmp_path, *lines):
    path = tmp_path / "questions.jsonl"
    text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def learnt(index, tmp_path, *lines, **more):
    """What was made of lines that each stand in the development half."""
    apart = [one for line in lines for one in (line, KEPT)]
    halves = read_known(file_of(tmp_path, *apart))
    one = maker(index, known=halves.known, measured=halves.measured, **more)
    made = [example for example in one.examples(100) if example.kind is Kind.KNOWN]
    return one.tally, made


def test_odd_lines_may_be_learnt_and_even_ones_are_measured_by(tmp_path):
    # The blank line counts: the halves are those of `docent eval answers`, which go by the line.
    halves = read_known(file_of(tmp_path, QUOTA, KEPT, NOBODY_KNOWS, "", QUOTA))
    assert [one.question.text for one in halves.known] == [
        QUOTA["question"],
        NOBODY_KNOWS["question"],
        QUOTA["question"],
    ]
    assert [one.answer for one in halves.known] == [QUOTA["answer"], "", QUOTA["answer"]]
    assert halves.measured == (KEPT["question"],)


def test_a_line_keeps_its_readers_groups_and_what_was_said_before(tmp_path):
    before = [{"role": "user", "content": "What is Quay?"}]
    line = QUOTA | {"groups": ["staff"], "history": before, "facts": [], "class": "follow-up"}
    (one,) = read_known(file_of(tmp_path, line)).known
    assert one.question.reader == STAFF
    assert one.question.history == (Turn("user", "What is Quay?"),)


def test_documents_without_an_answer_in_words_teach_nothing(tmp_path):
    assert read_known(file_of(tmp_path, QUOTA | {"answer": " "})) == read_known(
        file_of(tmp_path, "")
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "Line 1 of .* is no question: the line: Invalid JSON"),
        ({"question": ""}, "Line 1 of .* is no question: question: "),
        ({"question": "?", "history": [{"role": "system", "content": "x"}]}, r"history\.0\.role"),
    ],
)
def test_a_line_that_is_no_question_is_named(tmp_path, line, told):
    with pytest.raises(DocentError, match=told):
        read_known(file_of(tmp_path, line))
    with pytest.raises(DocentError, match=r"The questions in .*nowhere cannot be read"):
        read_known(tmp_path / "nowhere")


def test_a_question_is_learnt_with_the_answer_of_people(index, tmp_path):
    tally, (example,) = learnt(index, tmp_path, QUOTA)
    assert (example.question, example.target) == (QUOTA["question"], QUOTA["answer"])
    assert (example.case, example.document_id) == (Case.GOLD, "test:quota")
    assert "The quota of a group is 40 TB" in example.messages[-1].content
    assert example.messages[-1].content.endswith(QUOTA["question"])
    assert tally.kept[Kind.KNOWN] == 1


def test_what_nobody_could_answer_is_refused(index, tmp_path):
    _, (example,) = learnt(index, tmp_path, NOBODY_KNOWS)
    assert (example.target, example.case) == (REFUSAL, Case.MISSING)
    assert "<excerpt 1>" in example.messages[-1].content


def test_a_follow_up_is_learnt_as_it_is_asked(index, tmp_path):
    before = [{"role": "user", "content": "How large is the quota of a group?"}]
    line = QUOTA | {"question": "And whom does it ask for more?", "history": before}
    line["answer"] = "The convener of the group asks for more by mail."
    _, (example,) = learnt(index, tmp_path, line)
    asked = example.messages[-1].content
    assert "Earlier question: How large is the quota of a group?\nQuestion: And whom" in asked


def test_the_half_that_is_measured_by_is_never_learnt(index, tmp_path):
    tally, made = learnt(index, tmp_path, KEPT | {"question": "Who opens the gate now?"})
    assert made == []
    assert tally.dropped[Why.LIKE_A_TEST] >= 1


def test_an_answer_that_the_passages_do_not_carry_is_not_learnt(index, tmp_path):
    tally, made = learnt(index, tmp_path, QUOTA | {"answer": "The quota of a group is 50 TB."})
    assert made == []
    assert tally.dropped[Why.NOT_CARRIED] == 1


def test_a_question_sees_what_its_own_reader_may_read(index, tmp_path):
    lunch = {"question": "Where does the staff eat lunch?", "documents": ["secret"]}
    told = lunch | {"groups": ["staff"], "answer": "The staff eats lunch in building 7 at 12:15."}

    tally, made = learnt(index, tmp_path, told, reader=ANYBODY)
    assert made == []
    assert tally.dropped[Why.NOT_FOR_THEM] == 1
    _, (example,) = learnt(index, tmp_path, told, reader=STAFF)
    assert example.document_id == "test:secret"
    # The same asked by the public has no answer, though the one who tunes could read it.
    hidden = {"question": lunch["question"], "documents": []}
    _, (refused,) = learnt(index, tmp_path, hidden, reader=STAFF)
    assert refused.target == REFUSAL
    assert "building 7" not in refused.messages[-1].content

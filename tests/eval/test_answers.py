import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from assistant.model import (
    Answer,
    Citation,
    Notice,
    NoticeKind,
    Passage,
    Question,
    Sentence,
    Status,
    Turn,
)
from eval.answers import Asking, Row, read_rows, run, score
from eval.datasets import AskedQuestion
from ingest.access import ANYBODY
from ingest.errors import DocentError

PAGE = "twiki:Trigger/Menu.txt"
URL = "https://twiki.example/Trigger/Menu"
ASKING = Asking("m")


def asked(name: str = "s1", **changes: object) -> AskedQuestion:
    line = {
        "id": name,
        "question": "How fast is L1?",
        "class": "lookup",
        "documents": ["Trigger/Menu.txt"],
        "facts": [
            {"text": "40 MHz", "keys": ["40 MHz"]},
            {"text": "of muons", "keys": ["muon", "muons"], "required": False},
        ],
    }
    return AskedQuestion.model_validate(line | changes)


def unanswerable(name: str = "u1") -> AskedQuestion:
    return asked(name, documents=[], facts=[])


def passage(document_id: str = PAGE) -> Passage:
    return Passage(
        chunk_id=f"{document_id}@0-9",
        document_id=document_id,
        title="Menu",
        url=URL,
        source="twiki",
        section=(),
        text="text",
        start=0,
        end=9,
        page=None,
        updated_at=None,
        score=0.5,
    )


def citation(marker: int, quote: str, document_id: str = PAGE, url: str = "") -> Citation:
    return Citation(
        marker=marker,
        document_id=document_id,
        title="Trigger menu",
        url=url,
        source="twiki",
        section=("Rates",),
        page=None,
        quote=quote,
        start=0,
        end=len(quote),
        updated_at=None,
    )


def answered(*sentences: Sentence, citations: tuple[Citation, ...] = (), **changes) -> Answer:
    return Answer(
        question="How fast is L1?",
        status=changes.pop("status", Status.ANSWERED),
        text=" ".join(sentence.text for sentence in sentences),
        sentences=sentences,
        citations=citations,
        passages=(passage(),),
        model="fake",
        timings={"first_token_ms": 30.0, "total_ms": 50.0},
        **changes,
    )


GOOD = answered(
    Sentence("L1 runs at 40 MHz [1].", (1,), supported=True),
    citations=(citation(1, "L1 runs at 40 MHz."),),
)
REFUSAL = Answer(
    question="How fast is L1?",
    status=Status.NOT_FOUND,
    text="Not found. Nearest: 40 MHz muons.",
    passages=(passage(),),
)


def test_an_answer_with_every_required_fact_is_right():
    row = score(asked(), GOOD, ASKING, 50.0)

    assert row.outcome == "right"
    assert [fact.covered for fact in row.facts] == [True, False]
    assert row.document_cited
    assert row.document_retrieved
    assert (row.first_token_ms, row.total_ms) == (30.0, 50.0)
    assert row.status == "answered"


def test_an_answer_without_a_required_fact_is_incomplete():
    answer = answered(Sentence("Muons run fast.", (), supported=True))

    row = score(asked(), answer, ASKING, 1.0)

    assert row.outcome == "incomplete"
    assert [fact.covered for fact in row.facts] == [False, True]
    assert not row.document_cited


def test_extracts_are_answers_too():
    answer = answered(
        Sentence("L1 runs at 40 MHz.", (1,), supported=True),
        citations=(citation(1, "L1 runs at 40 MHz."),),
        status=Status.EXTRACTS,
    )

    assert score(asked(), answer, ASKING, 1.0).outcome == "right"
    assert score(unanswerable(), answer, ASKING, 1.0).outcome == "wrong_answer"


def test_a_refusal_is_right_or_wrong_and_covers_no_fact():
    wrong = score(asked(), REFUSAL, ASKING, 1.0)
    right = score(unanswerable(), REFUSAL, ASKING, 1.0)

    assert wrong.outcome == "wrong_refusal"
    assert not any(fact.covered for fact in wrong.facts)
    assert not wrong.document_cited
    assert wrong.document_retrieved
    assert right.outcome == "right_refusal"
    assert not right.document_retrieved


def test_an_answer_to_what_cannot_be_answered_is_wrong():
    assert score(unanswerable(), GOOD, ASKING, 1.0).outcome == "wrong_answer"


def test_the_number_of_a_citation_is_not_a_fact():
    answer = answered(
        Sentence("It is fast [4].", (4,), supported=True), citations=(citation(4, "It is fast."),)
    )
    question = asked(facts=[{"text": "four", "keys": ["4"]}])

    assert score(question, answer, ASKING, 1.0).outcome == "incomplete"


def test_a_document_may_be_named_by_its_url():
    answer = answered(
        Sentence("L1 runs at 40 MHz.", (1,), supported=True),
        citations=(citation(1, "x", document_id="other", url=URL + "#Rates"),),
    )

    assert score(asked(documents=["Trigger/Menu"]), answer, ASKING, 1.0).document_cited
    assert not score(asked(documents=["Menu2"]), answer, ASKING, 1.0).document_cited


def test_each_citation_is_judged_alone_and_each_sentence_with_all_of_its_citations():
    answer = answered(
        Sentence("L1 runs at 40 MHz and HLT at 1 kHz.", (1, 2), supported=True),
        Sentence("L1 runs at 40 MHz.", (1,), supported=True),
        Sentence("L1 runs at 50 MHz.", (1, 9), supported=False),
        Sentence("So they say.", (), supported=False),
        citations=(citation(1, "L1 runs at 40 MHz."), citation(2, "HLT runs at 1 kHz.")),
    )

    row = score(asked(), answer, ASKING, 1.0)

    assert [(pair.marker, pair.carries) for pair in row.citations] == [
        (1, False),  # half of the sentence
        (2, False),
        (1, True),
        (1, False),  # another number
        (9, False),  # leads nowhere
    ]
    assert row.citations[3].missing == ("50",)
    assert row.sentences == 4
    assert row.sentences_cited == 3
    assert row.sentences_carried == 2
    assert row.sentences_marked == 2


@pytest.mark.parametrize("sentence", ["Rates are 40 MHz.", "The trigger menu has 40 MHz."])
def test_title_and_headings_belong_to_what_is_cited(sentence):
    answer = answered(Sentence(sentence, (1,), supported=True), citations=(citation(1, "40 MHz"),))

    assert score(asked(), answer, ASKING, 1.0).citations[0].carries


def tempting() -> AskedQuestion:
    return asked(wrong=[{"text": "50 MHz", "keys": ["50 MHz"]}])


def dated(document_id: str, year: int) -> Passage:
    return replace(passage(document_id), updated_at=datetime(year, 5, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("sentence", "year", "said"),
    [
        ("L1 runs at 50 MHz [1].", 2026, True),
        ("L1 runs at 40 MHz [1].", 2026, False),
        ("L1 runs at 40 MHz instead of 50 MHz [1].", 2026, False),
        ("In 2025 L1 runs at 50 MHz [1].", 2026, False),
        ("In 2025 L1 runs at 50 MHz [1].", 2025, True),  # nothing that was found is newer
    ],
)
def test_a_wrong_fact_is_said_unless_its_sentence_marks_it(sentence, year, said):
    answer = replace(
        answered(Sentence(sentence, (1,), True), citations=(citation(1, "x"),)),
        passages=(dated(PAGE, 2020), dated("new", year)),
    )

    [wrong] = score(tempting(), answer, ASKING, 1.0).wrong

    assert (wrong.text, wrong.said, wrong.warned) == ("50 MHz", said, False)


@pytest.mark.parametrize(
    ("kind", "markers", "warned"),
    [("newer", (1,), True), ("newer", (2,), False), ("unsure", (1,), False)],
)
def test_a_notice_warns_of_a_wrong_fact_when_it_is_about_what_its_sentence_cites(
    kind, markers, warned
):
    answer = answered(
        Sentence("L1 runs at 50 MHz.", (1,), supported=True),
        Sentence("HLT runs at 1 kHz.", (2,), supported=True),
        citations=(citation(1, "x"), citation(2, "y")),
        notices=(Notice(NoticeKind(kind), "Look out.", markers),),
    )

    row = score(tempting(), answer, ASKING, 1.0)

    assert (row.wrong[0].said, row.wrong[0].warned) == (True, warned)
    assert row.notices == (kind,)


def test_a_wrong_fact_said_twice_and_warned_of_once_is_not_warned_of():
    answer = answered(
        Sentence("L1 runs at 50 MHz.", (1,), supported=True),
        Sentence("So 50 MHz.", (), supported=True),
        citations=(citation(1, "x"),),
        notices=(Notice(NoticeKind.OLD, "It is old.", (1,)),),
    )

    assert not score(tempting(), answer, ASKING, 1.0).wrong[0].warned


def test_a_refusal_and_a_failure_say_nothing_wrong_and_an_answer_without_sentences_may():
    refusal = replace(REFUSAL, text="Not found. Nearest: 50 MHz.")
    bare = Answer(question="?", status=Status.ANSWERED, text="It is 50 MHz.")

    assert not score(tempting(), refusal, ASKING, 1.0).wrong[0].said
    assert score(tempting(), bare, ASKING, 1.0).wrong[0].said


def test_two_citations_that_carry_a_sentence_only_together_are_both_precise():
    both = "L1 runs at 40 MHz and HLT at 1 kHz."
    answer = answered(
        Sentence(both, (1, 2, 3), supported=True),
        Sentence("L1 runs at 40 MHz.", (1, 3), supported=True),
        Sentence("L1 runs at 60 MHz.", (1,), supported=True),
        citations=(
            citation(1, "L1 runs at 40 MHz."),
            citation(2, "HLT runs at 1 kHz."),
            citation(3, "Bananas are yellow."),
        ),
    )

    row = score(asked(), answer, ASKING, 1.0)

    assert [(pair.marker, pair.precise) for pair in row.citations] == [
        (1, True),
        (2, True),
        (3, False),
        (1, True),
        (3, False),
        (1, False),  # the sentence is not carried at all
    ]
    assert row.citations[0].heading == "Trigger menu\nRates"


def test_the_first_citation_and_the_place_of_the_first_right_passage_are_kept():
    answer = replace(
        answered(
            Sentence("L1 runs at 40 MHz.", (2, 1), supported=True),
            citations=(citation(1, "x", "old"), citation(2, "y"), citation(3, "z", "old")),
        ),
        passages=(passage("a"), passage("a"), replace(passage("b"), url="", also=(URL,))),
    )
    question = asked(documents=["Trigger/Menu"])

    row = score(asked(), answer, ASKING, 1.0)
    copy = score(question, replace(answer, passages=answer.passages[2:]), ASKING, 1.0)
    right = score(asked(), GOOD, ASKING, 1.0)

    assert (row.first_cited, row.first_right, row.cited) == ("old", False, ("old", PAGE))
    assert (row.document_cited, row.retrieved) == (True, ("a", "a", "b"))
    # `b` is shown in the place of a copy that has the wanted address.
    assert copy.gold_rank == 1
    assert (right.first_cited, right.first_right) == (PAGE, True)
    none = score(asked(documents=["Other"]), answer, ASKING, 1.0)
    assert (none.gold_rank, none.document_retrieved) == (None, False)


def test_a_copy_does_not_make_the_first_citation_right():
    other = replace(citation(1, "L1 runs at 40 MHz.", "old"), also=(URL,))
    answer = answered(Sentence("L1 runs at 40 MHz.", (1,), True), citations=(other,))

    row = score(asked(documents=["Trigger/Menu"]), answer, ASKING, 1.0)

    assert (row.document_cited, row.first_right) == (True, False)


def test_score_tokens_half_and_arm_are_kept():
    question = asked().model_copy(update={"line": 4})
    asking = Asking("m", arm="oracle", standalone=True)
    answer = replace(GOOD, score=0.7, prompt_tokens=900, completion_tokens=20)

    row = score(question, answer, asking, 1.0)

    assert (row.score, row.prompt_tokens, row.completion_tokens) == (0.7, 900, 20)
    assert (row.half, row.arm, row.standalone) == ("test", "oracle", True)


class Scripted:
    """Answers by a function, and remembers what it was asked and how many at once."""

    def __init__(self, reply: Callable[[Question], Answer]) -> None:
        self.reply = reply
        self.questions: list[Question] = []
        self.at_once = self.most = 0
        self.warmed_before: int | None = None
        """How many questions had been asked when the models were loaded."""

    def warm(self) -> None:
        self.warmed_before = len(self.questions)

    async def ask(self, question: Question) -> Answer:
        self.questions.append(question)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        for _ in range(5):
            await asyncio.sleep(0)
        self.at_once -= 1
        return self.reply(question)


async def test_a_question_is_asked_with_its_groups_and_its_history():
    assistant = Scripted(lambda question: GOOD)
    question = asked(groups=["muon"], history=[{"role": "user", "content": "What is L1?"}])

    [row] = await run([question], assistant, ASKING)

    assert assistant.questions[0].text == "How fast is L1?"
    assert assistant.questions[0].reader.groups == {"muon"}
    assert assistant.questions[0].history == (Turn("user", "What is L1?"),)
    assert row.llm == "m"
    assert row.total_ms is not None
    assert row.total_ms > 0


async def test_a_follow_up_can_be_asked_in_full_and_another_question_stays_as_it_is():
    assistant = Scripted(lambda question: GOOD)
    history = [{"role": "user", "content": "What is L1?"}]
    follow = asked("f", question="How fast?", history=history, standalone="How fast is L1?")
    plain = asked("p", history=history)

    rows = await run([follow, plain], assistant, Asking("m", standalone=True))

    first, second = assistant.questions
    assert (first.text, first.history) == ("How fast is L1?", ())
    assert len(second.history) == 1
    assert [row.question for row in rows] == ["How fast is L1?", "How fast is L1?"]
    assert rows[0].digest == follow.digest


async def test_a_question_without_groups_is_asked_by_the_public():
    assistant = Scripted(lambda question: GOOD)

    await run([asked()], assistant, ASKING)

    assert assistant.questions[0].reader == ANYBODY


async def test_given_groups_take_the_place_of_those_on_the_lines():
    assistant = Scripted(lambda question: GOOD)

    await run([asked(groups=["muon"])], assistant, Asking("m", frozenset({"all"})))

    assert assistant.questions[0].reader.groups == {"all"}


async def test_a_question_that_raises_is_a_row_and_the_others_go_on():
    def reply(question: Question) -> Answer:
        if question.reader.groups:
            msg = "The model went away."
            raise DocentError(msg)
        return GOOD

    kept: list[Row] = []
    rows = await run(
        [asked("bad", groups=["g"]), asked("good")], Scripted(reply), ASKING, keep=kept.append
    )

    assert [row.outcome for row in rows] == ["failed", "right"]
    assert rows[0].reason == "DocentError: The model went away."
    # What it owes is still counted.
    assert [fact.covered for fact in rows[0].facts] == [False, False]
    assert rows[0].arm == "retrieval"
    assert kept == rows


async def test_what_stands_in_for_a_silent_model_is_not_counted_as_its_answer():
    stand_in = replace(GOOD, status=Status.EXTRACTS, trouble="The model at http://m has no 'm'.")

    (row,) = await run([asked()], Scripted(lambda question: stand_in), ASKING)

    assert (row.outcome, row.reason) == ("failed", "The model at http://m has no 'm'.")
    assert [fact.covered for fact in row.facts] == [False, False]

    (row,) = await run(
        [asked()], Scripted(lambda question: stand_in), replace(ASKING, stand_ins=True)
    )
    assert (row.outcome, row.status) == ("right", "extracts")


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_no_more_are_asked_at_once_than_allowed_and_rows_keep_their_order(concurrency):
    assistant = Scripted(lambda question: GOOD)
    questions = [asked(str(n)) for n in range(7)]

    rows = await run(questions, assistant, ASKING, concurrency=concurrency)

    assert assistant.most == concurrency
    assert [row.id for row in rows] == [question.id for question in questions]


def written(path, *rows: Row, cut: str = "") -> None:
    path.write_text("".join(row.model_dump_json() + "\n" for row in rows) + cut)


def test_rows_of_a_broken_off_run_are_read_back(tmp_path):
    row = score(asked(), GOOD, ASKING, 1.0)
    written(tmp_path / "rows.jsonl", row, cut='{"id": "s2", "ki')

    assert read_rows(tmp_path / "rows.jsonl", [asked(), asked("s2")], ASKING) == [row]


def test_rows_that_failed_changed_or_left_are_asked_again(tmp_path):
    good = score(asked("changed"), GOOD, ASKING, 1.0)
    left = score(asked("left"), GOOD, ASKING, 1.0)
    failed = good.model_copy(update={"id": "s1", "digest": asked().digest, "outcome": "failed"})
    written(tmp_path / "rows.jsonl", good, left, failed)

    assert (
        read_rows(tmp_path / "rows.jsonl", [asked("changed", answer="new"), asked()], ASKING) == []
    )


def test_without_an_earlier_file_there_are_no_rows(tmp_path):
    assert read_rows(tmp_path / "none.jsonl", [asked()], ASKING) == []


def test_rows_of_another_model_or_another_kind_of_file_are_refused(tmp_path):
    path = tmp_path / "rows.jsonl"
    written(path, score(asked(), GOOD, ASKING, 1.0))
    with pytest.raises(DocentError, match="line 1: made with the model 'm', not 'n'"):
        read_rows(path, [asked()], Asking("n"))

    with pytest.raises(DocentError, match="made with the arm 'retrieval', not 'oracle'"):
        read_rows(path, [asked()], Asking("m", arm="oracle"))
    with pytest.raises(DocentError, match="made with standalone False, not True"):
        read_rows(path, [asked()], Asking("m", standalone=True))

    path.write_text('{"id": 1}\n')
    with pytest.raises(DocentError, match="line 1: this is not a row of an earlier run"):
        read_rows(path, [asked()], ASKING)

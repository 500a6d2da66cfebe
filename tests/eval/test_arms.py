"""The same question with nothing and with the best, through the real assistant."""

import asyncio

import pytest

from assistant.answer import Assistant
from assistant.model import Answer, Question, Status, Turn
from assistant.prompt import REFUSAL
from eval.answers import Asking, run
from eval.arms import ALONE, DEPTHS, Alone, GoldFinder, Oracle, Refusing, arm_from, askable
from ingest.access import ANYBODY, Reader
from ingest.errors import DocentError, IndexMissing, ModelError
from ingest.settings import AnswerSettings, Settings
from tests.assistant.passages import LATENCY, PHONES, QUOTA, FakeFinder, passage
from tests.eval.test_answers import asked
from tests.fakes import FakeLLM, HashEmbedder

LATENCY_Q = Question("What is the latency budget of the Level-1 trigger?")
PHONES_Q = Question("What is the phone number of the trigger on-call?")
RIGHT = "The latency budget of the Level-1 trigger is 3.2 us."


class DeepFinder(FakeFinder):
    """Keeps how deep it was asked to look."""

    def __init__(self, *passages, **more):
        super().__init__(*passages, **more)
        self.depths: list[int | None] = []

    def retrieve(self, text: str, reader: Reader, k: int | None = None, also=(), only=None):
        self.depths.append(k)
        return super().retrieve(text, reader, k)


def oracle(finder, gold, *replies, k=8):
    around = GoldFinder(finder, k)
    made = Assistant(around, HashEmbedder(), FakeLLM(*replies), AnswerSettings())
    return Oracle(made, gold)


async def test_the_model_alone_is_given_the_conversation_and_cites_nothing():
    llm = FakeLLM("It is 3.2 us.")
    history = (Turn("user", "What is L1?"), Turn("assistant", "A trigger."))

    answer = await Alone(llm, 99).ask(Question("How long does it take?", history=history))

    assert [(m.role, m.content) for m in llm.calls[0]] == [
        ("system", ALONE),
        ("user", "What is L1?"),
        ("assistant", "A trigger."),
        ("user", "How long does it take?"),
    ]
    assert (answer.status, answer.text, answer.model) == (
        Status.ANSWERED,
        "It is 3.2 us.",
        "fake-llm",
    )
    assert (len(answer.citations), len(answer.passages), len(answer.sentences)) == (0, 0, 0)
    assert answer.timings["first_token_ms"] > 0
    assert answer.completion_tokens == 4


@pytest.mark.parametrize("reply", [REFUSAL, f"{REFUSAL} But perhaps 3.2 us.", ""])
async def test_a_model_alone_that_does_not_know_has_refused(reply):
    llm = FakeLLM(reply)

    assert (await Alone(llm, 99).ask(LATENCY_Q)).status is Status.NOT_FOUND
    assert llm.closed == 1


async def test_a_model_that_is_away_is_a_failure_of_the_question():
    [row] = await run([asked()], Alone(FakeLLM(), 99), Asking("m", arm="none"))

    assert (row.outcome, row.arm) == ("failed", "none")
    with pytest.raises(ModelError):
        await Alone(FakeLLM(), 99).ask(LATENCY_Q)


def test_the_model_alone_is_loaded_ahead():
    warmed = []

    class Cold(FakeLLM):
        async def warm(self, messages=()):
            warmed.extend(messages)

    Alone(Cold(), 99).warm()

    assert [message.content for message in warmed] == [ALONE]


async def test_the_oracle_gives_passages_of_the_right_documents_only_in_their_order():
    finder = DeepFinder(
        passage(QUOTA, "Quota"),
        passage(PHONES, "Phones"),
        passage(LATENCY),
        passage("Call 71022 at night.", "Phones", start=500),
    )
    made = oracle(finder, {PHONES_Q: ["files:Phones"], LATENCY_Q: ["Level-1 muon trigger"]}, RIGHT)

    first = await made.ask(LATENCY_Q)
    second = await made.ask(PHONES_Q)

    assert [p.title for p in first.passages] == ["Level-1 muon trigger"]
    assert first.text.splitlines()[0] == RIGHT
    assert [(p.title, p.start) for p in second.passages] == [("Phones", 0), ("Phones", 500)]
    assert finder.depths == [DEPTHS[0], DEPTHS[0]]


async def test_the_oracle_looks_deeper_for_what_is_not_near_the_top_and_gives_what_there_is():
    finder = DeepFinder(passage(LATENCY))
    made = oracle(finder, {LATENCY_Q: ["Level-1 muon trigger", "Gone"]}, RIGHT)

    answer = await made.ask(LATENCY_Q)

    assert finder.depths == list(DEPTHS)
    assert [p.title for p in answer.passages] == ["Level-1 muon trigger"]


async def test_the_oracle_does_not_show_a_reader_what_is_not_theirs():
    finder = DeepFinder(passage(LATENCY), group="trigger")

    answer = await oracle(finder, {LATENCY_Q: ["Level-1 muon trigger"]}).ask(LATENCY_Q)

    assert (answer.passages, answer.status) == ((), Status.NOT_FOUND)


async def test_questions_asked_at_once_have_each_their_own_right_documents():
    finder = FakeFinder(passage(PHONES, "Phones"), passage(LATENCY))
    gold = {LATENCY_Q: ["Level-1 muon trigger"], PHONES_Q: ["Phones"]}
    made = oracle(finder, gold, RIGHT, RIGHT)

    answers = await asyncio.gather(made.ask(PHONES_Q), made.ask(LATENCY_Q))

    assert [answer.passages[0].title for answer in answers] == ["Phones", "Level-1 muon trigger"]


async def test_what_was_right_for_one_question_is_forgotten_after_it():
    finder = FakeFinder(passage(LATENCY))
    around = GoldFinder(finder, 8)
    made = Assistant(around, HashEmbedder(), FakeLLM(RIGHT), AnswerSettings())

    answer = await Oracle(made, {LATENCY_Q: ["Level-1 muon trigger"]}).ask(LATENCY_Q)

    assert len(answer.passages) == 1
    assert around.retrieve("latency", ANYBODY) == []


def test_outside_of_a_question_nothing_is_right_and_all_else_is_the_finders():
    finder = DeepFinder(passage(LATENCY))
    around = GoldFinder(finder, 8)

    assert around.retrieve("latency", ANYBODY) == []
    assert finder.depths == []
    assert around.document("files:x", ANYBODY) is None
    assert around.counts(ANYBODY).documents == 1


def test_no_more_passages_are_given_than_asked_for():
    around = GoldFinder(FakeFinder(*(passage("x", start=n) for n in range(5))), 3)

    given = []

    class Plain:
        def warm(self) -> None:
            """Loads nothing."""

        async def ask(self, question: Question) -> Answer:
            given.extend([around.retrieve("x", ANYBODY), around.retrieve("x", ANYBODY, 2)])
            return Answer(question.text, Status.NOT_FOUND, "")

    made = Oracle(Plain(), {LATENCY_Q: ["Level-1 muon trigger"]})
    made.warm()
    asyncio.run(made.ask(LATENCY_Q))

    assert [len(passages) for passages in given] == [3, 2]


def test_the_oracle_is_asked_only_what_a_document_answers():
    questions = [asked("a"), asked("u", documents=[], facts=[])]

    assert [one.id for one in askable(questions, "oracle")] == ["a"]
    assert [one.id for one in askable(questions, "none")] == ["a", "u"]


async def test_a_model_that_always_refuses_leaves_extracts_where_the_passages_are_clear():
    finder = FakeFinder(passage(LATENCY), passage(QUOTA))
    made = Assistant(finder, HashEmbedder(), Refusing(), AnswerSettings())
    doubted = Assistant(finder, HashEmbedder(), Refusing(), AnswerSettings(warn_below=1.0))

    clear, thin = await made.ask(LATENCY_Q), await doubted.ask(LATENCY_Q)

    assert clear.status is Status.EXTRACTS
    assert RIGHT in clear.text
    assert thin.status is Status.NOT_FOUND


def test_an_arm_is_made_from_the_settings():
    far = Settings.model_validate({"llm": {"model": "m", "url": "http://127.0.0.1:9"}})
    silent = Settings.model_validate({"llm": {"model": "none"}})

    assert isinstance(arm_from(far, [], Asking("m", arm="none")), Alone)
    with pytest.raises(DocentError, match=r"the model alone, and \[llm\] model is 'none'"):
        arm_from(silent, [], Asking("none", arm="none"))


@pytest.mark.models
@pytest.mark.parametrize("arm", ["retrieval", "oracle", "refusal"])
def test_the_arms_over_an_index_need_one(arm, tmp_path):
    nowhere = {"llm": {"model": "none"}, "index": {"path": tmp_path}}

    with pytest.raises(IndexMissing):
        arm_from(Settings.model_validate(nowhere), [asked()], Asking("none", arm=arm))

"""The whole way of a question, with a finder and a model that behave."""

import asyncio
import threading
from contextlib import aclosing

import pytest

from assistant.answer import AWAY, CHECKING, NOT_FOUND, QUOTED, Assistant
from assistant.model import Answer, Found, Question, Status, Token, Turn
from assistant.prompt import REFUSAL, instructions
from ingest.access import Reader
from ingest.errors import ModelError
from ingest.settings import AnswerSettings
from tests.assistant.passages import LATENCY, PHONES, FakeFinder, passage
from tests.fakes import FakeLLM, HashEmbedder

QUESTION = "What is the latency budget of the Level-1 trigger?"
RIGHT = "The latency budget of the Level-1 trigger is 3.2 us."


def assistant(*replies, finder=None, llm=None, embedder=None, max_tokens=220):
    finder = finder or FakeFinder(passage(LATENCY), passage(PHONES, "Phones"))
    llm = llm or FakeLLM(*replies)
    return Assistant(finder, embedder or HashEmbedder(), llm, AnswerSettings(), max_tokens)


def silent(finder=None):
    finder = finder or FakeFinder(passage(LATENCY))
    return Assistant(finder, HashEmbedder(), None, AnswerSettings())


def said(answer: Answer) -> str:
    """What the model said; extracts follow on lines of their own."""
    return answer.text.splitlines()[0]


async def events(made, question=QUESTION, **more):
    async with aclosing(made.stream(Question(question, **more))) as stream:
        return [event async for event in stream]


async def test_passages_come_first_then_the_draft_then_the_checked_answer():
    first, *tokens, last = await events(assistant(RIGHT))

    assert isinstance(first, Found)
    assert [p.title for p in first.passages] == ["Level-1 muon trigger", "Phones"]
    assert "".join(token.text for token in tokens if isinstance(token, Token)).strip() == RIGHT
    assert isinstance(last, Answer)
    assert (last.status, said(last), last.model) == (Status.ANSWERED, RIGHT, "fake-llm")
    assert last.citations[0].quote == RIGHT
    assert last.passages == first.passages
    assert list(last.timings) == ["retrieve_ms", "first_token_ms", "total_ms"]
    assert sorted(last.timings.values()) == list(last.timings.values())


async def test_an_answer_says_how_many_tokens_it_took_where_the_model_tells():
    llm = FakeLLM(RIGHT)
    told = await assistant(llm=llm).ask(Question(QUESTION))
    untold = await silent().ask(Question(QUESTION))

    words = sum(len(message.content.split()) for message in llm.calls[0])
    assert (told.prompt_tokens, told.completion_tokens) == (words, len(RIGHT.split()))
    assert (untold.prompt_tokens, untold.completion_tokens) == (None, None)


async def test_ask_gives_the_answer_alone():
    assert said(await assistant(RIGHT).ask(Question(QUESTION))) == RIGHT


# Shares a word or two with the passages, so the model is asked, but they are not about it.
VAGUE = "How long is the muon path in metres, and who laid it?"


@pytest.mark.parametrize(
    "reply", [REFUSAL, "", "The muon path has 42 metres.", "Elephants like bananas."]
)
async def test_what_the_passages_do_not_carry_is_not_found(reply):
    answer = await assistant(reply).ask(Question(VAGUE))

    assert (answer.status, answer.text) == (Status.NOT_FOUND, NOT_FOUND)
    assert answer.sentences == answer.citations == ()
    assert len(answer.passages) == 2


@pytest.mark.parametrize(
    "reply", [REFUSAL, "", "The latency budget is 4.2 us.", "Elephants like bananas."]
)
async def test_a_useless_draft_beside_clear_evidence_gives_extracts_that_say_so(reply):
    answer = await assistant(reply).ask(Question(QUESTION))

    assert answer.status is Status.EXTRACTS
    assert answer.text.startswith(QUOTED)
    assert answer.citations[0].quote == RIGHT
    assert "4.2" not in answer.text


async def test_the_model_is_stopped_at_a_refusal():
    llm = FakeLLM(f"{REFUSAL} However, one might say that it is 3.2 us.")
    _, *tokens, _ = await events(assistant(llm=llm))

    assert "However" not in "".join(token.text for token in tokens if isinstance(token, Token))
    assert llm.closed == 1


async def test_a_reader_who_leaves_stops_the_model():
    llm = FakeLLM(RIGHT)
    async with aclosing(assistant(llm=llm).stream(Question(QUESTION))) as stream:
        async for event in stream:
            if isinstance(event, Token):
                break

    assert llm.closed == 1


async def test_the_model_is_not_asked_about_a_name_that_nobody_knows():
    llm = FakeLLM(RIGHT)
    answer = await assistant(llm=llm).ask(Question("What is the latency budget of L1_MU5?"))

    assert answer.status is Status.NOT_FOUND
    assert llm.calls == []


async def test_a_model_that_is_away_leaves_cited_extracts():
    answer = await assistant(ModelError("The server does not answer.")).ask(Question(QUESTION))

    assert answer.status is Status.EXTRACTS
    assert answer.trouble == "The server does not answer."
    assert answer.text.startswith(AWAY)
    assert answer.citations[0].quote == RIGHT
    assert answer.sentences[0].citations == (1,)


class BreaksOff(FakeLLM):
    async def stream(self, messages, usage=None):
        yield "The latency "
        msg = "The server broke off."
        raise ModelError(msg)


async def test_a_model_that_breaks_off_leaves_extracts_and_nothing_of_its_draft():
    answer = await assistant(llm=BreaksOff()).ask(Question(QUESTION))
    assert answer.status is Status.EXTRACTS
    assert answer.trouble == "The server broke off."


async def test_without_a_model_there_are_extracts():
    made = silent()
    answer = await made.ask(Question(QUESTION))

    assert made.model == answer.model == answer.trouble == ""
    assert answer.status is Status.EXTRACTS
    assert "first_token_ms" not in answer.timings


async def test_without_a_model_a_question_about_something_else_is_not_found():
    answer = await silent().ask(Question("What is the capital of France?"))
    assert answer.status is Status.NOT_FOUND


async def test_a_follow_up_is_searched_with_the_question_before():
    finder = FakeFinder(passage(LATENCY))
    llm = FakeLLM("The muon path uses 1.95 us of it.")
    history = (Turn("user", QUESTION), Turn("assistant", RIGHT))

    answer = await assistant(finder=finder, llm=llm).ask(
        Question("And for the muon path?", history=history)
    )

    assert finder.asked == [f"{QUESTION} And for the muon path? {RIGHT}"]
    assert llm.calls[0][1].content.endswith("Question: And for the muon path?")
    assert (answer.question, answer.status) == ("And for the muon path?", Status.ANSWERED)


async def test_a_reader_of_another_group_gets_nothing_and_the_model_is_not_asked():
    llm = FakeLLM(RIGHT)
    finder = FakeFinder(passage(LATENCY), group="muons")
    made = assistant(finder=finder, llm=llm)

    answer = await made.ask(Question(QUESTION))
    member = Reader(frozenset({"muons"}))

    assert (answer.status, answer.passages, llm.calls) == (Status.NOT_FOUND, (), [])
    assert (await made.counts(Reader())).documents == 0
    assert (await made.counts(member)).documents == 1
    assert len(await made.search("anything", member, 5)) == 1
    assert await made.document("files:x", member) is None


async def test_a_model_that_runs_on_is_cut_and_its_last_sentence_dropped():
    answer = await assistant(f"{RIGHT} It is also the case that", max_tokens=14).ask(
        Question(QUESTION)
    )
    assert said(answer) == RIGHT


class WarmLLM(FakeLLM):
    async def warm(self, messages=()):
        self.calls.append(tuple(messages))


def test_warming_loads_the_models_and_reads_the_fixed_part_of_the_prompt():
    llm = WarmLLM()
    assistant(llm=llm).warm()
    assert llm.calls[0][0].content == instructions()


class Away(HashEmbedder):
    def embed_query(self, text):
        msg = "The embedder is away."
        raise ModelError(msg)


def test_warming_goes_on_without_an_embedder(caplog):
    assistant(embedder=Away()).warm()
    assert "by words alone" in caplog.text


async def test_answers_go_on_without_an_embedder():
    assert said(await assistant(RIGHT, embedder=Away()).ask(Question(QUESTION))) == RIGHT


class Slow(HashEmbedder):
    """Compares meanings only when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Semaphore(0)
        self.go = threading.Event()

    def embed_documents(self, texts, progress=lambda n: None):
        self.asked.release()
        assert self.go.wait(30)
        return super().embed_documents(texts, progress)


async def test_a_search_does_not_wait_for_the_checks_of_answers():
    embedder = Slow()
    made = assistant(*[RIGHT] * 3, embedder=embedder)
    asking = [asyncio.create_task(made.ask(Question(QUESTION))) for _ in range(3)]
    for _ in range(CHECKING):
        await asyncio.to_thread(embedder.asked.acquire)
    try:
        found = await asyncio.wait_for(made.search("latency", Reader(frozenset())), 30)
    finally:
        embedder.go.set()

    assert [one.title for one in found] == ["Level-1 muon trigger", "Phones"]
    assert [said(await one) for one in asking] == [RIGHT] * 3

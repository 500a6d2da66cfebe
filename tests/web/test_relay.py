"""Two servers of one database: an answer outlives its server, and is read where its reader is."""

import asyncio
import json
from datetime import timedelta
from http import HTTPStatus

import pytest
from sqlalchemy import update

from assistant.model import Question
from ingest.access import ANYBODY
from ingest.errors import IndexTrouble
from tests.web.conftest import client_of
from tests.web.documents import DOCUMENTS
from tests.web.fake import FakeAssistant
from web import relay
from web.answers import Asked, begin
from web.bootstrap import opened
from web.line import Line
from web.relay import Beats, OwnStreams, TakenOver
from web.state.rows import UnderwayRow
from web.who import local_caller

QUESTION = "At how many GeV does the L1_MU4 trigger fire?"
HOLD = "hold the L1_MU4 trigger"
ADA = local_caller(ANYBODY)
"""Whoever asks without a sign-in."""


@pytest.fixture
async def other(settings, assistant):
    """The services of another server of the same database and index."""
    async with opened(settings, FakeAssistant(list(DOCUMENTS)), ANYBODY) as services:
        yield services


async def dead(services, question=QUESTION, **asked):
    """A question that a server took before it died, a minute ago; the id of its answer."""
    begun = await services.state.conversations.begin(ADA.user_id, question, asked=asked or None)
    await aged(services)
    return begun.answer_id


async def aged(services):
    long_ago = services.state.database.clock() - timedelta(minutes=1)
    async with services.state.database.write() as connection:
        await connection.execute(update(UnderwayRow).values(beat_at=long_ago))


async def events_of(services, answer_id, last=""):
    """What a reader is told who comes here: (id, name, data) of each event."""
    async with client_of(services) as client:
        response = await client.get(
            f"/api/v1/streams/{answer_id}", headers={"Last-Event-ID": last} if last else {}
        )
    assert response.status_code == HTTPStatus.OK, response.text
    told = []
    for block in response.text.replace("\r\n", "\n").split("\n\n"):
        lines = (line for line in block.splitlines() if line[:1] not in ("", ":"))
        fields = dict(line.split(": ", 1) for line in lines)
        if "event" in fields:
            told.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
    return told


async def asking(services, question):
    """A question that is being answered here; the id of its answer, and the request."""

    async def ask():
        async with client_of(services) as client:
            return await client.post("/api/v1/ask", json={"question": question})

    request = asyncio.create_task(ask())
    while not services.streams.running:
        await asyncio.sleep(0)
    [answer_id] = services.streams.mine()
    return answer_id, request


async def test_elsewhere_a_reader_is_told_the_answer_when_it_is_there(services, assistant, other):
    assistant.pause = 0.02
    answer_id, request = await asking(services, QUESTION)

    told = await events_of(other, answer_id)

    answer = (await request).json()
    assert [name for _, name, _ in told] == ["answer"]
    data = told[0][2]
    assert data["answer"] == answer["answer"]
    ids = ("conversation_id", "question_id", "answer_id", "message_id")
    assert [data[key] for key in ids] == [answer[key] for key in ids]
    assert other.assistant.asked == []
    # And as often as anybody comes back for it, also to a server that was started since.
    assert await events_of(other, answer_id) == told


async def test_the_answer_of_a_dead_server_is_written_where_its_reader_comes(other):
    answer_id = await dead(other, filter={"sources": ["twiki"]}, history=[])

    told = await events_of(other, answer_id, last=f"{answer_id}:17")

    # The draft is not repeated: half of it was shown.
    assert [name for _, name, _ in told] == ["stream", "passages", "answer"]
    assert told[0][2]["stream_id"] == told[0][2]["answer_id"] == answer_id
    assert told[-1][2]["message_id"] == answer_id
    assert other.assistant.asked[0].text == QUESTION
    assert other.assistant.asked[0].filter.sources == {"twiki"}
    # Its events have numbers of their own, by which a reader goes on once more.
    label, _, number = told[1][0].rpartition(":")
    again = await events_of(other, answer_id, last=f"{label}:{number}")
    assert [name for _, name, _ in again] == ["answer"]
    assert len(other.assistant.asked) == 1


async def test_a_follow_up_is_taken_over_with_its_conversation(other):
    first = await other.state.conversations.begin(ADA.user_id, "Who?")
    await other.state.conversations.finish(ADA.user_id, first, "Draft of nobody.")
    second = await other.state.conversations.begin(
        ADA.user_id, QUESTION, conversation_id=first.conversation_id
    )
    await aged(other)

    await events_of(other, second.answer_id)

    assert [turn.content for turn in other.assistant.asked[0].history] == ["Who?"]


async def test_a_server_without_room_leaves_it_to_others(other, services):
    answer_id = await dead(other)
    other.line = Line(slots=1, waiting=0)
    place = other.line.enter()

    assert await relay.take_over(other, ADA, answer_id) is None
    place.leave()
    other.streams.closing = True
    assert await relay.take_over(other, ADA, answer_id) is None
    assert isinstance(await relay.take_over(services, ADA, answer_id), TakenOver)
    other.streams.closing = False
    assert await relay.take_over(other, ADA, answer_id) is None


async def test_who_reads_elsewhere_keeps_an_answer_going(settings, assistant, other):
    streams = OwnStreams(grace_s=0.2)
    async with opened(settings, assistant, ANYBODY, streams=streams) as services:
        begun = await services.state.conversations.begin(ADA.user_id, HOLD)
        unread = await services.state.conversations.begin(ADA.user_id, HOLD)
        assert begun
        assert unread
        for one in (begun, unread):
            begin(services, Asked(ADA, Question(HOLD, ANYBODY), one))
        assert await other.state.underway.want(ADA.user_id, begun.answer_id)
        await Beats(services.state, streams).once()

        while unread.answer_id in streams.mine():
            await asyncio.sleep(0.01)

        assert list(streams.mine()) == [begun.answer_id]
        assert [name for _, name, _ in await events_of(other, unread.answer_id)] == ["error"]


async def test_an_answer_can_be_stopped_at_any_server(services, assistant, other):
    answer_id, request = await asking(services, HOLD)
    async with client_of(other) as client:
        assert (await client.delete(f"/api/v1/streams/{answer_id}")).status_code == 204

    await Beats(services.state, services.streams).once()

    assert (await request).json()["detail"] == "The answer was stopped."
    assert assistant.closed == 1
    async with client_of(other) as client:
        assert (await client.delete(f"/api/v1/streams/{answer_id}")).status_code == 204
        assert (await client.delete("/api/v1/streams/nothing")).status_code == 404
    [(_, name, data)] = await events_of(other, answer_id)
    assert (name, data["detail"]) == ("error", relay.CUT_OFF)


async def test_an_answer_whose_question_is_removed_ends_with_a_sentence(services, other):
    answer_id, request = await asking(services, HOLD)
    reading = asyncio.create_task(events_of(other, answer_id))
    while not await services.state.underway.beat([answer_id]):
        await asyncio.sleep(0.01)  # until the other server has said that it is wanted
    [conversation] = await other.state.conversations.page(ADA.user_id)
    await other.state.conversations.delete(ADA.user_id, conversation.id)

    await services.streams.stop_all(ADA.user_id)
    await request
    async with client_of(other) as client:
        gone = await client.get(f"/api/v1/streams/{answer_id}")

    assert [name for _, name, _ in await reading] == ["error"]
    assert gone.status_code == HTTPStatus.NOT_FOUND


async def test_a_reader_waits_while_the_index_cannot_be_read(services, assistant, other, caplog):
    answer_id, request = await asking(services, QUESTION)
    await request
    other.assistant.failure = IndexTrouble("The index is away.")
    reading = asyncio.create_task(events_of(other, answer_id))
    while "waits for an answer of another server: The index is away." not in caplog.text:
        await asyncio.sleep(0.01)

    other.assistant.failure = None

    assert [name for _, name, _ in await reading] == ["answer"]

"""Several servers of one model: who is asked, who rests, and what a failure looks like."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest

from assistant.engines import llm_from
from assistant.fleet import Fleet, well_by
from assistant.llm import Message, Usage
from ingest.errors import ModelError
from ingest.settings import LLMSettings, ModelsSettings
from tests.servers.model import ModelServer

ASK = (Message("user", "Rate?"),)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class One:
    """A server that says its name; `fails_after` so many words it breaks off."""

    def __init__(self, name: str, fails_after: int | None = None) -> None:
        self.name = name
        self.fails_after = fails_after
        self.is_well = True
        self.asked = 0
        self.probed = 0
        self.open = 0

    async def stream(
        self, messages: Sequence[Message], usage: Usage | None = None
    ) -> AsyncGenerator[str]:
        self.asked += 1
        self.open += 1
        try:
            for number, word in enumerate((self.name, " says ", "so")):
                if number == self.fails_after:
                    raise ModelError(f"{self.name} is away.")
                yield word
        finally:
            self.open -= 1

    async def well(self) -> bool:
        self.probed += 1
        return self.is_well


def fleet(*servers: One, clock: Clock | None = None) -> Fleet:
    return Fleet([(one, one.well) for one in servers], clock or Clock())


async def said(llm: Fleet) -> str:
    return "".join([piece async for piece in llm.stream(ASK)])


async def test_the_least_busy_is_asked():
    a, b, c = One("a"), One("b"), One("c")
    llm = fleet(a, b, c)

    async with aclosing(llm.stream(ASK)) as first, aclosing(llm.stream(ASK)) as second:
        assert await anext(first) == "a"
        assert await anext(second) == "b"
        assert await said(llm) == "c says so"
        await first.aclose()
        assert await said(llm) == "a says so"

    assert (a.asked, b.asked, c.asked) == (2, 1, 1)


async def test_who_stops_reading_stops_the_server_and_frees_its_place():
    a, b = One("a"), One("b")
    llm = fleet(a, b)
    stream = llm.stream(ASK)
    await anext(stream)

    await stream.aclose()

    assert a.open == 0
    assert await said(llm) == "a says so"


async def test_another_answers_where_one_is_away_and_it_rests_longer_each_time():
    a, b, clock = One("a", fails_after=0), One("b"), Clock()
    llm = fleet(a, b, clock=clock)

    assert await said(llm) == "b says so"
    clock.now += 1.9
    assert await said(llm) == "b says so"
    assert (a.asked, a.probed) == (1, 0)  # it rests for 2 s

    clock.now += 0.2
    assert await said(llm) == "b says so"
    assert (a.asked, a.probed) == (2, 1)  # it said that it was well, and was not: now for 4 s
    clock.now += 3.9
    assert await said(llm) == "b says so"
    assert a.asked == 2

    a.fails_after = None
    clock.now += 0.2
    assert await said(llm) == "a says so"
    assert await said(llm) == "a says so"
    assert a.probed == 2  # one that has served is not asked how it is


async def test_a_server_that_is_not_well_is_passed_over():
    a, b, clock = One("a", fails_after=0), One("b"), Clock()
    llm = fleet(a, b, clock=clock)
    await said(llm)
    a.is_well = False
    clock.now += 2.1

    assert await said(llm) == "b says so"

    assert (a.asked, a.probed) == (1, 1)
    clock.now += 2.1
    assert await said(llm) == "b says so"
    assert a.probed == 1  # and rests 4 s


async def test_when_all_rest_all_are_tried_and_each_is_heard():
    a, b = One("a", fails_after=0), One("b", fails_after=0)
    llm = fleet(a, b)
    for _ in range(2):
        with pytest.raises(ModelError, match=r"^a is away\. b is away\.$"):
            await said(llm)

    b.fails_after = None
    assert await said(llm) == "b says so"


async def test_the_longest_rest_is_a_minute():
    a, b, clock = One("a", fails_after=0), One("b"), Clock()
    llm = fleet(a, b, clock=clock)
    for _ in range(10):
        await said(llm)
        clock.now += 61
    assert a.asked == 10


async def test_what_was_begun_is_not_said_twice():
    a, b = One("a", fails_after=1), One("b")
    llm = fleet(a, b)
    got = []

    async def read() -> None:
        async for piece in llm.stream(ASK):
            got.append(piece)

    with pytest.raises(ModelError, match="a is away"):
        await read()

    assert got == ["a"]
    assert b.asked == 0
    assert await said(llm) == "b says so"


def far(*urls: str) -> Fleet:
    found = llm_from(LLMSettings(model="m", url=urls, timeout_s=20), ModelsSettings())
    assert isinstance(found, Fleet)
    return found


async def test_real_servers_one_of_which_is_killed_and_comes_back():
    with ModelServer(text="from the first") as a, ModelServer(text="from the second") as b:
        llm = far(a.url, b.url)
        assert llm.name == "m"
        assert await said(llm) == "from the first "
        a.kill()
        assert await said(llm) == "from the second "
        assert not await well_by(a.url)()
        b.kill()
        with pytest.raises(ModelError, match=rf"{b.url} does not answer.*{a.url} does not answer"):
            await said(llm)
        b.start()
        assert await said(llm) == "from the second "


@pytest.mark.parametrize("knows", [True, False])
async def test_a_server_is_well_that_answers_at_all(knows):
    with ModelServer(text="hello") as server:
        server.model.knows_health = knows
        assert await well_by(server.url)()


def test_one_address_in_a_list_is_one_server():
    one = llm_from(LLMSettings(model="m", url=("http://a.example:1",)), ModelsSettings())
    assert one is not None
    assert not isinstance(one, Fleet)

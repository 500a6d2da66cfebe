"""Generations over HTTP, and how much Docent is used."""

import pytest

from ingest.access import ANYBODY
from ingest.settings import IndexSettings
from tests.ingest.corpus import document, put, writer_at
from tests.web.admin.conftest import calling, told


@pytest.fixture
def three(index, settings, embedder):
    for number in (2, 3):
        with writer_at(settings.index.path, embedder, keep=3) as writer:
            put(writer, embedder, document(f"page{number}", "quota"))
            writer.commit()


def serving(found):
    (number,) = [one["number"] for one in found["generations"] if one["serving"]]
    return number


async def test_what_is_kept_is_listed(three, services):
    found = (await told(services, "/generations"))["generations"]

    assert [(one["number"], one["documents"]) for one in found] == [(3, 5), (2, 4), (1, 3)]
    assert [one["newest"] for one in found] == [True, False, False]


async def test_one_is_published_and_rolled_back(three, services):
    async with calling(services) as client:
        assert serving((await client.post("/generations/rollback")).json()) == 2
        assert (await services.assistant.counts(ANYBODY)).documents == 3  # one of four is closed
        assert serving((await client.post("/generations/3/publish")).json()) == 3
        assert serving((await client.post("/generations/1/publish")).json()) == 1
        before = await client.post("/generations/rollback")
        missing = await client.post("/generations/9/publish")

    assert (before.status_code, missing.status_code) == (404, 404)
    assert serving(await told(services, "/generations")) == 1


async def test_while_somebody_writes_nothing_is_published(three, services, settings, embedder):
    with writer_at(settings.index.path, embedder, keep=3):
        async with calling(services) as client:
            refused = await client.post("/generations/1/publish")

    assert refused.status_code == 409
    assert str(settings.index.path) not in refused.text


async def test_usage_is_told_by_the_hour(services):
    usage = services.state.usage
    usage.count("ask.answered", 3)
    usage.took("ask.total_ms", 1200)
    services.state.database.clock.pass_(hours=2)
    usage.count("ask.answered")
    found = await told(services, "/usage?days=1")

    assert [(one["hour"], one["name"], one["count"]) for one in found["hours"]] == [
        ("2026-03-02T09:00:00+00:00", "ask.answered", 3),
        ("2026-03-02T09:00:00+00:00", "ask.total_ms", 1),
        ("2026-03-02T11:00:00+00:00", "ask.answered", 1),
    ]
    assert (found["hours"][1]["p50_ms"], found["hours"][0]["p50_ms"]) == (1500, None)
    services.state.database.clock.pass_(days=3)
    assert (await told(services, "/usage?days=1"))["hours"] == []


async def test_before_the_first_index_there_is_nothing_but_sources_to_run(services, settings):
    empty = IndexSettings(path=settings.index.path / "none")
    services.settings = services.settings.model_copy(update={"index": empty})
    found = await told(services, "/sources")
    async with calling(services) as client:
        refused = [
            (await client.post(path)).status_code
            for path in ("/generations/rollback", "/generations/1/publish")
        ]

    assert (await told(services, "/generations"))["generations"] == []
    assert (found["generation"], found["newest"]) == (None, None)
    assert [one["condition"] for one in found["sources"]] == ["never", "never"]
    assert refused == [404, 404]

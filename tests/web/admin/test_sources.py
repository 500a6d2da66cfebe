"""Sources, runs and nights."""

import asyncio
import json
import os
import sys
from datetime import timedelta

import pytest

from ingest.index import visits
from ingest.model import Failure, Page
from tests.ingest.corpus import writer_at
from tests.web.admin.conftest import START, a_run, calling, told
from web.admin.runner import STOPPED, Run, Runner, RunState, command_for

FAILED = (
    ("wiki:open", "public", "https://wiki.example.org/open answers 500."),
    ("wiki:closed", "staff", "https://wiki.example.org/closed answers 500."),
    ("wiki:new", "", "https://wiki.example.org/new answers 404."),
)
REPORT = {"source": "wiki", "new": 3, "changed": 1, "unchanged": 7, "removed": 2, "seconds": 4.5}


@pytest.fixture
def with_runs(index, settings, embedder):
    """What three sources left behind; one of them is no longer in the settings."""
    with writer_at(settings.index.path, embedder) as writer:
        for page_id, group, reason in FAILED:
            if group:
                page = Page(page_id, "wiki", "", "text", b"x", None, frozenset({group}))
                visits.save_page(writer.db, page, b"digest")
            again = START + timedelta(hours=1)
            visits.save_failure(writer.db, Failure(page_id, "wiki", reason), START, again)
        visits.save_run(writer.db, "wiki", START, REPORT, well=True)
        stopped = {"source": "board", "trouble": "The server answers 503."}
        visits.save_run(writer.db, "board", START, stopped, well=False)
        visits.save_run(writer.db, "gone", START, {}, well=True)
        writer.commit()


async def test_each_source_says_how_it_is(with_runs, services):
    found = await told(services, "/sources")
    board, gone, wiki = found["sources"]

    assert (found["generation"], found["newest"]) == (1, 1)
    assert (board["condition"], board["trouble"]) == ("trouble", "The server answers 503.")
    assert board["last_success"] is None
    assert (gone["condition"], gone["kind"]) == ("dropped", "")
    assert (wiki["condition"], wiki["kind"], wiki["keeper"]) == ("failing", "files", "wiki people")
    assert (wiki["documents"], wiki["chunks"], wiki["failed"]) == (2, 2, 3)
    assert (wiki["new"], wiki["changed"], wiki["removed"], wiki["seconds"]) == (3, 1, 2, 4.5)
    assert wiki["next_try"] == "2026-03-02T10:30:00+00:00"


@pytest.mark.parametrize(
    ("role", "groups", "named"),
    [
        ("maintainer", "", {"wiki:open"}),
        ("maintainer", "staff", {"wiki:open", "wiki:closed"}),
        ("admin", "", {"wiki:open", "wiki:closed", "wiki:new"}),
    ],
)
async def test_a_failed_page_is_named_to_those_who_may_read_it(
    with_runs, services, role, groups, named
):
    found = await told(services, "/sources", role, groups=groups)
    wiki = found["sources"][2]

    assert {one["page_id"] for one in wiki["failures"]} == named
    assert wiki["failed"] == 3
    for page_id, _, reason in FAILED:
        assert (reason in json.dumps(found)) == (page_id in named)


async def test_a_source_that_never_ran_says_so(services):
    found = await told(services, "/sources")

    assert {one["name"]: one["condition"] for one in found["sources"]} == {
        "board": "never", "wiki": "never",
    }  # fmt: skip


def begun(runner: Runner) -> Run:
    run = runner.start("wiki", "Mai")
    assert run
    return run


async def finished(how, *, clock=lambda: START):
    runner = Runner(a_run(how), clock=clock)
    run = begun(runner)
    await runner.ended()
    return run


ENDED = json.dumps(json.dumps({"generation": 7, "sources": [{**REPORT, "failed": []}]}))


async def test_a_run_that_ends_well():
    run = await finished(f"print({ENDED})")

    assert (run.state, run.message, run.generation) == (RunState.WELL, "", 7)
    assert (run.progress, run.report["new"]) == ("wiki: 12 pages parsed", 3)
    assert (run.started_at, run.finished_at) == (START, START)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"trouble": "The server answers 503."}, "The server answers 503."),
        (
            {"kept_back": 40},
            "40 pages that are no longer at the source were kept: more than max_removed.",
        ),
    ],
)
async def test_a_run_whose_source_had_trouble(more, message):
    ended = json.dumps(json.dumps({"generation": 7, "sources": [{**REPORT, **more}]}))
    run = await finished(f"print({ended}); sys.exit(1)")

    assert (run.state, run.message) == (RunState.TROUBLE, message)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("print('docent: There is no such thing.', file=sys.stderr); sys.exit(1)",
         "There is no such thing."),
        ("print('[]')", "wiki: 12 pages parsed"),
        ("print(json.dumps({'generation': 1, 'sources': []}))", "wiki: 12 pages parsed"),
        ("print('y' * 3_000_000, file=sys.stderr); sys.exit(3)", "y" * 999),
    ],
)  # fmt: skip
async def test_a_run_that_fails_says_the_last_thing_that_it_was_told(how, message):
    run = await finished(how)

    assert (run.state, run.message, run.generation) == (RunState.FAILED, message, None)


async def test_a_run_that_says_nothing_and_one_that_cannot_begin(tmp_path):
    for command, message in (
        ((sys.executable, "-c", "raise SystemExit(5)"), "It ended with status 5."),
        ((str(tmp_path / "none"),), "It cannot be started: No such file or directory."),
    ):
        runner = Runner(command)
        run = begun(runner)
        await runner.ended()
        assert (run.state, run.message) == (RunState.FAILED, message)
        assert run.finished_at is not None


@pytest.fixture
def ready(tmp_path):
    """A pipe that a run opens when it is where the test wants it, and the words that do so."""
    pipe = tmp_path / "ready"
    os.mkfifo(pipe)
    return pipe, f"open({str(pipe)!r}, 'w').close()"


async def test_one_run_at_a_time_and_a_stopped_server_stops_it(ready):
    pipe, says = ready
    runner = Runner(a_run(f"import signal; {says}; signal.pause()"))
    first = begun(runner)
    assert runner.start("board", "Mai") is None
    assert runner.running is first
    await asyncio.to_thread(pipe.read_bytes)
    await runner.close()

    assert (first.state, first.message) == (RunState.FAILED, STOPPED)
    assert [run.state for run in runner.runs] == [RunState.FAILED]
    assert runner.runs == (first,)


async def test_a_run_that_does_not_listen_is_killed(ready):
    pipe, says = ready
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    runner = Runner(a_run(f"{deaf}; {says}\nwhile True: signal.pause()"), grace_s=0.05)
    run = begun(runner)
    await asyncio.to_thread(pipe.read_bytes)
    await runner.close()

    assert run.state is RunState.FAILED


async def test_a_maintainer_starts_a_run_and_reads_how_it_goes(services, runner):
    async with calling(services, "maintainer") as client:
        begun = await client.post("/sources/wiki/run")
        assert begun.status_code == 202
        assert begun.json()["state"] == "running"
        second = await client.post("/sources/board/run")
        assert (second.status_code, second.json()["detail"][:20]) == (409, "Another run is going")
        assert (await client.get("/runs")).json()["running"]["id"] == begun.json()["id"]
        await runner.ended()
        after = (await client.get("/runs")).json()
        nowhere = await client.post("/sources/nowhere/run")

    assert after["running"] is None
    (run,) = after["runs"]
    assert (run["by"], run["state"], run["progress"]) == ("Mai", "failed", "wiki: 12 pages parsed")
    assert nowhere.status_code == 404


async def test_nights_are_told_without_names_of_pages(services, sourced):
    folder = sourced.nightly.reports
    folder.mkdir()
    night = {
        "started": "2026-03-02T01:00:00+00:00", "outcome": "held", "why": "It falls too far.",
        "served": 3, "newest": 4, "seconds": 61.5, "sources": [{"pages": {"new": ["secret:page"]}}],
    }  # fmt: skip
    (folder / "nightly-2026-03-02T010000Z.json").write_text(json.dumps(night))
    (folder / "nightly-2026-03-01T010000Z.json").write_text("not json")
    found = await told(services, "/runs")

    assert [one["outcome"] for one in found["nights"]] == ["held"]
    assert "secret" not in json.dumps(found)


async def test_the_command_is_the_one_of_the_shell(tmp_path):
    config = tmp_path / "docent.toml"
    config.write_text("")
    runner = Runner(command_for(config))
    run = begun(runner)
    await runner.ended()

    assert run.message == "There is no source in the settings. Add [sources.NAME]."
    assert command_for(None)[-1] == "--json"
    await runner.close()

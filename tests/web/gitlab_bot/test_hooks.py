"""Webhooks that are taken, and those that are refused: secret, replay, age, flood, shape."""

import json
from datetime import timedelta

import pytest

from tests.servers.gitlab_bot import SECRET, Hook
from tests.web.gitlab_bot.conftest import ISSUE, MUONS, REQUEST
from web.bots.door import HookRefused
from web.gitlab_bot.gitlab import Place
from web.gitlab_bot.hooks import MAX_BODY, Heard, Hooks


class Clock:
    def __init__(self, server) -> None:
        self.server = server

    def __call__(self):
        return self.server.moment


@pytest.fixture
def hooks(server) -> Hooks:
    return Hooks(SECRET, "docent", 5, Clock(server))


def take(hooks: Hooks, hook: Hook) -> Heard | None:
    lowered = {name.lower(): value for name, value in hook.headers.items()}
    hooks.check(lowered)
    return hooks.take(lowered, hook.body)


def refusal(hooks: Hooks, hook: Hook) -> HookRefused:
    with pytest.raises(HookRefused) as refused:
        take(hooks, hook)
    return refused.value


def asked(server, text="@docent Who?", **more):
    return server.write(MUONS, "issues", 7, text, **more)


def changed(hook: Hook, **parts) -> Hook:
    body = json.loads(hook.body)
    for name, value in parts.items():
        if isinstance(value, dict):
            body[name] = {**body[name], **value}
        else:
            body[name] = value
    return Hook(json.dumps(body).encode(), {**hook.headers, "Idempotency-Key": "other"})


def test_a_comment_that_calls_is_heard(server, hooks):
    hook = asked(server)
    number = json.loads(hook.body)["object_attributes"]["id"]

    assert take(hooks, hook) == Heard(ISSUE, number)


def test_a_comment_at_a_merge_request_is_heard(server, hooks):
    hook = server.write(MUONS, "merge_requests", 3, "/docent pages")

    heard = take(hooks, hook)
    assert heard
    assert heard.place == REQUEST


@pytest.mark.parametrize("text", ["Thanks!", "`@docent` is a bot"])
def test_a_comment_that_calls_nobody_is_let_go(server, hooks, text):
    assert take(hooks, asked(server, text)) is None


@pytest.mark.parametrize(
    "parts",
    [{"project_id": MUONS}, {"object_attributes": {"target_project_id": MUONS}}],
    ids=["of a comment", "of a merge request"],
)
def test_the_project_may_be_told_elsewhere(server, hooks, parts):
    body = json.loads(changed(asked(server), **parts).body)
    del body["project"]["id"]
    heard = take(hooks, Hook(json.dumps(body).encode(), {"X-Gitlab-Token": SECRET}))

    assert heard
    assert heard.place == ISSUE


def test_a_system_note_is_let_go(server, hooks):
    assert take(hooks, asked(server, "mentioned @docent", system=True)) is None


@pytest.mark.parametrize("kind", ["push", "pipeline", "wiki_page", ""])
def test_other_kinds_are_let_go(server, hooks, kind):
    assert take(hooks, changed(asked(server), object_kind=kind)) is None


def test_a_comment_at_a_commit_is_let_go(server, hooks):
    body = json.loads(asked(server).body)
    del body["issue"]
    assert take(hooks, Hook(json.dumps(body).encode(), {"X-Gitlab-Token": SECRET})) is None


def test_an_issue_is_heard_when_it_is_opened_or_its_description_changes(server, hooks):
    server.change(MUONS, "issues", 7, description="@docent what is this?")

    def hook(action, **changes):
        return server.thing_hook(MUONS, "issues", 7, action, changes=changes)

    assert take(hooks, hook("open")) == Heard(ISSUE)
    assert take(hooks, hook("update", labels={})) is None
    server.moment += timedelta(seconds=1)
    assert take(hooks, hook("update", description={})) == Heard(ISSUE)


def test_a_merge_request_is_heard_when_there_are_new_commits(server, hooks):
    def hook(action, **more):
        server.moment += timedelta(seconds=1)
        return server.thing_hook(MUONS, "merge_requests", 3, action, **more)

    assert take(hooks, hook("open")) == Heard(REQUEST, pushed=True)
    assert take(hooks, hook("update", oldrev="e59094b8")) == Heard(REQUEST, pushed=True)
    assert take(hooks, hook("update")) is None
    assert take(hooks, hook("merge")) is None


@pytest.mark.parametrize("given", ["", "wrong", SECRET[:-1], SECRET + "x", "\udcff", "ü"])
def test_a_wrong_secret_is_refused_before_anything_is_read(server, hooks, given):
    hook = Hook(b"\xff no JSON", {"X-Gitlab-Token": given})

    assert refusal(hooks, hook).status == 401
    assert refusal(hooks, Hook(asked(server).body, {})).status == 401


def test_a_replay_is_refused(server, hooks):
    hook = asked(server)
    take(hooks, hook)

    assert refusal(hooks, hook).status == 409


def test_a_replay_with_another_key_is_refused(server, hooks):
    hook = asked(server)
    take(hooks, hook)

    assert refusal(hooks, hook.with_(Idempotency_Key="fresh")).status == 409


def test_another_body_with_a_key_that_came_is_refused(server, hooks):
    first, second = asked(server), asked(server)
    take(hooks, first)

    key = first.headers["Idempotency-Key"]
    assert (
        refusal(hooks, Hook(second.body, {**second.headers, "Idempotency-Key": key})).status == 409
    )


def test_a_replay_is_refused_also_when_it_was_forgotten(server, hooks):
    hook = asked(server)
    take(hooks, hook)

    server.moment += timedelta(minutes=14)
    assert refusal(hooks, hook).status == 409
    server.moment += timedelta(hours=24)
    take(hooks, asked(server))
    assert refusal(hooks, hook).status == 409


@pytest.mark.parametrize(
    ("age", "status"), [(-301, 409), (-300, 0), (0, 0), (900, 0), (901, 409), (10**8, 409)]
)
def test_only_what_is_of_now_is_read(server, hooks, age, status):
    hook = asked(server)
    server.moment += timedelta(seconds=age)

    if status:
        assert refusal(hooks, hook).status == status
    else:
        assert take(hooks, hook)


@pytest.mark.parametrize("moment", ["2026-11-02T09:00:00Z", "2026-11-02T10:00:00+01:00"])
def test_dates_as_newer_servers_write_them(server, hooks, moment):
    assert take(hooks, changed(asked(server), object_attributes={"updated_at": moment}))


@pytest.mark.parametrize("moment", ["yesterday", "2026-11-02 09:00:00", 17, None])
def test_without_a_date_it_is_refused(server, hooks, moment):
    dates = {"updated_at": moment, "created_at": moment}
    assert refusal(hooks, changed(asked(server), object_attributes=dates)).status == 422


def test_a_flood_is_refused_with_the_time_to_wait(server, hooks):
    for _ in range(5):
        take(hooks, asked(server))

    refused = refusal(hooks, asked(server))
    assert refused.status == 429
    assert 1 <= refused.retry_after_s <= 60
    server.project(31, "lab/other")
    server.add(31, "issues", 1)
    assert take(hooks, server.write(31, "issues", 1, "@docent Who?"))


def test_all_projects_together_are_limited_too(server, hooks):
    for number in range(100, 111):
        server.project(number, f"lab/p{number}")
        server.add(number, "issues", 1)
    for number in range(100, 110):
        for _ in range(5):
            take(hooks, server.write(number, "issues", 1, "@docent Who?"))

    assert refusal(hooks, server.write(110, "issues", 1, "@docent Who?")).status == 429


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"[" * 100_000, b"\xff"])
def test_what_is_no_webhook_is_refused(hooks, body):
    assert refusal(hooks, Hook(body, {"X-Gitlab-Token": SECRET})).status == 422


@pytest.mark.parametrize(
    "parts",
    [
        {"issue": {"iid": "7"}},
        {"issue": {"iid": True}},
        {"issue": {"iid": -7}},
        {"issue": {"iid": 2**63}},
        {"project": {"id": "../../admin"}},
        {"object_attributes": {"id": None}},
        {"project": 12, "project_id": None, "object_attributes": {"project_id": None}},
    ],
)
def test_ids_that_are_none_are_refused(server, hooks, parts):
    assert refusal(hooks, changed(asked(server), **parts)).status == 422


@pytest.mark.parametrize("length", [str(MAX_BODY + 1), "-1", "many"])
def test_a_body_that_is_too_long_is_not_read(server, hooks, length):
    assert refusal(hooks, asked(server).with_(Content_Length=length)).status == 413


def test_the_memory_of_webhooks_is_bounded(server):
    hooks = Hooks(SECRET, "docent", 100, Clock(server), most_kept=4)
    first = asked(server)
    for hook in (first, asked(server), asked(server)):
        take(hooks, hook)  # two marks each

    assert take(hooks, first)


def test_a_place_knows_its_address():
    assert Place(3, "issues", 4).path == "projects/3/issues/4"

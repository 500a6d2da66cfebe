import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from ingest.errors import FetchError, SourceTrouble
from ingest.model import Page, Unchanged
from ingest.parse import parse
from ingest.source_settings import JiraSettings
from ingest.sources.jira import JiraSource, access_of
from tests.ingest.sources.memory import Memory
from tests.servers import Fault, client_for, json_answer, settings_for
from tests.servers.jira import JiraServer, comment, made_issue, sample_issues, updated

STAFF = frozenset({"staff"})
PROJECTS = {"TRIG": ["staff"]}
API = "/rest/api/2/search*"


def source_of(server, **settings):
    chosen = {"kind": "jira", "groups": PROJECTS, **settings}
    told = settings_for(server, JiraSettings, **chosen)
    return JiraSource("jira", told, client_for(told))


def run(server, memory=None, **settings):
    """One run, after those that the memory knows."""
    return (memory or Memory()).run(source_of(server, **settings))


def pages_of(run):
    return [item for item in run.items if isinstance(item, Page)]


def ids(*numbers):
    return sorted(f"jira:TRIG-{number}" for number in numbers)


@pytest.fixture(params=["data center", "cloud"])
def cloud(request):
    return request.param == "cloud"


def test_a_first_run_gives_every_issue_of_the_sample(cloud):
    issues = sample_issues()
    with JiraServer(issues, cloud=cloud) as server:
        source = source_of(server, cloud=cloud, default_access=["staff"])
        first = Memory().run(source)
        live = set(source.live_ids())

    assert first.ids(Page) == sorted(f"jira:{issue['key']}" for issue in issues)
    assert live == set(first.ids(Page))
    assert source.requests == 1
    photon = next(page for page in pages_of(first) if page.id == "jira:MERRECO-1234")
    assert photon.url == f"{server.url}/browse/MERRECO-1234"
    assert photon.updated_at == datetime(2026, 6, 10, 12, tzinfo=UTC)
    assert photon.access == STAFF
    (document,) = parse(photon)
    assert (document.id, document.url) == (photon.id, photon.url)
    title = "Photon isolation in the end-cap wrong by a constant offset"
    assert document.title == f"MERRECO-1234: {title}"
    for told in ("Fixed", "Egamma", "v3.1.0", "relates to | MERRECO-1236", "Fix is in MR 3377."):
        assert told in document.text


def test_a_second_run_with_nothing_new_asks_twice_and_fetches_nothing(cloud):
    memory = Memory()
    with JiraServer([made_issue(n) for n in range(1, 31)], cloud=cloud) as server:
        run(server, memory, cloud=cloud)
        second = run(server, memory, cloud=cloud)

    assert second.requests == 2
    assert second.ids(Page) == []
    assert second.ids(Unchanged) == ids(*range(1, 31))
    assert second.removed == set()
    assert set(memory.access.values()) == {STAFF}


def test_one_changed_one_added_one_removed_and_one_restricted_land_exactly(cloud):
    memory = Memory()
    groups = {**PROJECTS, "Experts": ["trigger-experts"]}
    with JiraServer([made_issue(n) for n in range(1, 31)], cloud=cloud) as server:
        run(server, memory, cloud=cloud, groups=groups)
        server.change("TRIG-3", summary="Another trouble")
        server.add(made_issue(99, "2026-11-02T08:00:00.000+0000"))
        server.remove("TRIG-7")
        server.level("TRIG-9", "Experts")
        second = run(server, memory, cloud=cloud, groups=groups)

    assert second.ids(Page) == ids(3, 99)
    assert b"Another trouble" in memory.pages["jira:TRIG-3"].content
    assert second.removed == {"jira:TRIG-7"}
    assert second.ids(Unchanged) == ids(*({*range(1, 31)} - {3, 7}))
    restricted = {page for page, access in memory.access.items() if access != STAFF}
    assert restricted == {"jira:TRIG-9"}
    assert memory.access["jira:TRIG-9"] == {"trigger-experts"}
    assert second.requests == 2


def test_another_mapping_in_the_settings_reaches_issues_that_did_not_change():
    memory = Memory()
    with JiraServer([made_issue(1), made_issue(2)]) as server:
        run(server, memory)
        second = run(server, memory, groups={"TRIG": ["experts"]})

    assert second.ids(Page) == []
    assert set(memory.access.values()) == {frozenset({"experts"})}


@pytest.mark.parametrize(
    ("key", "fields", "expected"),
    [
        ("TRIG-1", {}, STAFF),
        ("TRIG-1", {"security": None}, STAFF),
        ("DAQ-1", {}, {"everybody"}),
        ("TRIG-1", {"security": {"name": "Experts"}}, {"experts"}),
        ("DAQ-1", {"security": {"name": "Experts"}}, {"experts"}),
        ("TRIG-1", {"security": {"name": "Unheard of"}}, set()),
        ("TRIG-1", {"security": {"name": "TRIG"}}, STAFF),
        ("TRIG-1", {"security": {}}, set()),
        ("TRIG-1", {"security": {"name": ["Experts"]}}, set()),
        ("TRIG-1", {"security": "Experts"}, set()),
        ("TRIG-1", {"security": {"name": "Nobody"}}, set()),
    ],
)
def test_who_may_read_an_issue(key, fields, expected):
    settings = JiraSettings.model_validate(
        {
            "kind": "jira",
            "url": "https://jira.example",
            "groups": {**PROJECTS, "Experts": ["experts"], "Nobody": []},
            "default_access": ["everybody"],
        }
    )

    assert access_of({"key": key, "fields": fields}, settings) == expected


def test_without_settings_everything_is_closed():
    settings = JiraSettings.model_validate({"kind": "jira", "url": "https://jira.example"})

    assert access_of({"key": "TRIG-1", "fields": {}}, settings) == frozenset()
    assert access_of({"key": "TRIG-1", "fields": None}, settings) == frozenset()


def said(page):
    return [one["body"] for one in json.loads(page.content)["fields"]["comment"]["comments"]]


def test_comments_that_the_search_cuts_are_all_read():
    many = {"comments": [comment(n, f"word {n}") for n in range(250)]}
    few = {"comments": [comment(900, "one")]}
    issues = [made_issue(1, comment=many), made_issue(2, comment=few)]
    with JiraServer(issues, comments=20) as server:
        first = run(server)

    long, short = pages_of(first)
    assert said(long) == [f"word {n}" for n in range(250)]
    assert said(short) == ["one"]
    assert first.requests == 4
    assert server.asked("*/issue/TRIG-1/comment") == 3


def test_what_not_every_reader_of_an_issue_may_read_is_left_out():
    restricted = {"visibility": {"type": "role", "value": "Developers"}}
    comments = [
        comment(1, "for all"),
        comment(2, "for some", **restricted),
        comment(3, "inside the desk", jsdPublic=False),
        comment(4, "also for all", jsdPublic=True),
    ]
    other = {"key": "SEC-1", "fields": {"summary": "A secret plan", "status": {"name": "Open"}}}
    links = [{"type": {"outward": "blocks"}, "outwardIssue": other}]
    issue = made_issue(
        1,
        comment={"comments": comments},
        issuelinks=links,
        parent=other,
        subtasks=[other],
        security={"name": "Experts"},
    )
    with JiraServer([issue]) as server:
        first = run(server, groups={"Experts": ["experts"]})

    (page,) = pages_of(first)
    assert said(page) == ["for all", "also for all"]
    assert b"secret plan" not in page.content
    assert b"Experts" not in page.content
    assert "blocks | SEC-1\npart of | SEC-1\nhas part | SEC-1" in parse(page)[0].text


def test_an_issue_whose_comments_cannot_be_read_fails_alone_and_is_tried_again_when_due():
    cut = {"comments": [comment(1, "a"), comment(2, "b")]}
    memory = Memory()
    with JiraServer([made_issue(n, comment=cut) for n in (1, 2, 3)], comments=1) as server:
        server.fault("*/issue/TRIG-1/comment", Fault.FORBIDDEN)
        server.fault("*/issue/TRIG-2/comment", Fault.VANISHED)
        first = run(server, memory)
        assert [(failure.page_id, failure.forbidden) for failure in first.failures] == [
            ("jira:TRIG-1", True),
            ("jira:TRIG-2", False),
        ]
        assert first.failures[1].reason.startswith("The comments of TRIG-2 cannot be read: ")
        assert first.ids(Page) == ids(3)

        server.mend()
        memory.patient = True
        waited = run(server, memory)
        assert (waited.ids(Page), waited.ids(Unchanged), waited.removed) == ([], ids(3), set())
        memory.patient = False
        assert run(server, memory).ids(Page) == ids(1, 2)


def test_an_issue_that_is_restricted_and_cannot_be_read_is_restricted_all_the_same():
    cut = {"comments": [comment(1, "a"), comment(2, "b")]}
    memory = Memory()
    with JiraServer([made_issue(1, comment=cut)], comments=1) as server:
        run(server, memory)
        server.change("TRIG-1", security={"name": "Experts"})
        server.fault("*/comment", Fault.VANISHED)
        second = run(server, memory)

    assert [failure.page_id for failure in second.failures] == ids(1)
    assert memory.access == {"jira:TRIG-1": frozenset()}
    assert memory.failed == set(ids(1))


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "Europe/Oslo"])
def test_the_time_zone_of_the_account_loses_nothing(zone):
    memory = Memory()
    with JiraServer([made_issue(n) for n in (1, 2)], zone=zone) as server:
        run(server, memory)
        server.clock = updated(server.issues["TRIG-2"])
        server.change("TRIG-1", summary="A minute later")
        second = run(server, memory)

    assert (second.ids(Page), second.requests) == (ids(1), 2)
    assert server.asked("*key+in*") == 0


def test_a_killed_run_goes_on_where_it_was(cloud):
    memory = Memory()
    with JiraServer([made_issue(n) for n in range(1, 31)], cloud=cloud, most=10) as server:
        killed = memory.run(source_of(server, cloud=cloud), stop_after=16)
        rest = run(server, memory, cloud=cloud)

    assert (killed.ids(Page), killed.requests) == (ids(*range(1, 16)), 2)
    assert rest.ids(Page) == ids(*range(16, 31))
    assert rest.removed == set()
    # In the cloud from a day before the last of the first page on: three pages, and three of the
    # listing of all. In Data Center pages overlap by one: from the ninth on, and four.
    assert rest.requests == (6 if cloud else 7)


def test_a_killed_run_over_issues_of_one_day_does_not_begin_with_that_day():
    memory = Memory()
    day = "2026-05-01T12:00:00.000+0000"
    with JiraServer([made_issue(n, day) for n in range(1, 31)], most=10) as server:
        memory.run(source_of(server), stop_after=23)
        rest = run(server, memory)

    assert rest.ids(Page) == ids(*range(22, 31))
    assert [request.query["startAt"] for request in server.requests[3:5]] == ["18", "27"]


def test_issues_that_change_or_vanish_while_they_are_listed_are_neither_lost_nor_doubled():
    with JiraServer([made_issue(n) for n in range(1, 41)], most=10) as server:

        def disturb(request):
            turn = server.asked(API)
            if turn == 2:
                for number in range(1, 6):
                    server.change(f"TRIG-{number}", summary="Moved to the end")
            if turn == 3:
                server.remove("TRIG-11")
            if turn == 4:
                server.add(made_issue(50, "2026-11-30T00:00:00.000+0000"))

        server.before = disturb
        first = run(server)

    # TRIG-11 was gone before it was shown: the third question went back to the beginning.
    states = [(page.id, page.version) for page in pages_of(first)]
    assert len(states) == len(set(states))
    assert first.ids(Page) == sorted(
        ids(*({*range(1, 41), 50} - {11})) + ids(*range(1, 6))  # those in both their states
    )


def test_the_listing_of_all_finds_what_the_updates_did_not_tell():
    memory = Memory()
    issues = [made_issue(n) for n in range(1, 61)]
    with JiraServer(issues[56:]) as server:
        run(server, memory)
        # They became visible without being updated; one of them is deleted meanwhile.
        for issue in issues[:56]:
            server.add(issue)

        def disturb(request):
            if "key in" in request.query["jql"] and "TRIG-30" in server.issues:
                server.remove("TRIG-30")

        server.before = disturb
        second = run(server, memory)

    assert second.ids(Page) == ids(*({*range(1, 57)} - {30}))
    # Updates and the listing; 50 keys with the one that is gone, which are halved six times:
    # 25 and 25, 12 and 13, 6 and 6, 3 and 3, 1 and 2, 1 and 1; then the other six.
    assert second.requests == 2 + 1 + 6 * 2 + 1


@pytest.mark.parametrize(
    ("jql", "asked"),
    [
        ("project in (TRIG)", "(project in (TRIG)) ORDER BY updated ASC, key ASC"),
        ("", '(updated >= "1970-01-02 00:00") ORDER BY updated ASC, key ASC'),
    ],
)
def test_the_query_of_the_settings_bounds_everything(cloud, jql, asked):
    strange = {**made_issue(5), "key": "DAQ-5"}
    with JiraServer([made_issue(1), strange], cloud=cloud) as server:
        first = run(server, cloud=cloud, jql=jql)

    assert server.requests[0].query["jql"] == asked
    assert first.ids(Page) == (ids(1) if jql else ["jira:DAQ-5", "jira:TRIG-1"])


def test_a_query_with_an_order_is_refused():
    told = {"kind": "jira", "url": "https://jira.example"}
    with pytest.raises(ValidationError, match="must not contain ORDER BY"):
        JiraSettings.model_validate({**told, "jql": "project = A Order  by created"})
    quoted = """summary ~ "order by" OR summary ~ 'order by'"""
    assert JiraSettings.model_validate({**told, "jql": quoted}).jql == quoted


def test_a_sign_in_that_jira_does_not_take_is_not_an_empty_jira(monkeypatch):
    monkeypatch.setenv("JIRA_TOKEN", "old")
    auth = {"kind": "token", "env": "JIRA_TOKEN"}
    with JiraServer([made_issue(1)], token="new") as server:
        with pytest.raises(SourceTrouble, match="did not take the sign-in"):
            run(server, auth=auth)
        monkeypatch.setenv("JIRA_TOKEN", "new")
        assert run(server, auth=auth).ids(Page) == ids(1)


class Odd(JiraServer):
    """Says what a function says."""

    def __init__(self, say, **more):
        super().__init__(**more)
        self.say = say

    def answer(self, request):
        return json_answer(self.say(request))


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ([], "is not an object"),
        ({"total": 1}, "has no list of issues"),
        ({"issues": []}, "does not say how many"),
        ({"issues": [], "total": 3}, "ends at 0 of 3 issues"),
        ({"issues": [{"fields": {}}], "total": 1}, "the key 'None'"),
        ({"issues": [{"key": "../../admin"}], "total": 1}, "the key '../../admin'"),
        ({"issues": [7], "total": 1}, "the key 'None'"),
    ],
)
def test_a_listing_that_is_none_ends_the_run_of_the_source(answer, what):
    with Odd(lambda request: answer) as server, pytest.raises(SourceTrouble, match=what):
        run(server)


def test_a_listing_that_never_settles_ends_the_run_of_the_source():
    numbers = iter(range(10_000))

    def restless(request):
        return {"issues": [made_issue(next(numbers)) for _ in range(3)], "total": 1000}

    def far(request):
        start = int(request.query["startAt"])
        return {
            "issues": [made_issue(next(numbers)) for _ in range(400 if not start else 3)],
            "total": 100_000,
        }

    with Odd(far) as server, pytest.raises(SourceTrouble, match="faster than it can be read"):
        run(server)
    with Odd(restless) as server, pytest.raises(SourceTrouble, match="faster than it can be read"):
        run(server)


@pytest.mark.parametrize("token", [{}, {"nextPageToken": "same"}])
def test_a_cloud_that_does_not_go_on_ends_the_run_of_the_source(token):
    answer = {"issues": [made_issue(1)], "isLast": False, **token}
    with Odd(lambda request: answer, cloud=True) as server:
        with pytest.raises(SourceTrouble, match="goes on without saying where"):
            run(server, cloud=True)
        assert len(server.requests) <= 2


def test_issues_without_a_date_are_fetched_each_time():
    dateless = made_issue(1)
    del dateless["fields"]["updated"]
    memory = Memory()
    with Odd(lambda request: {"issues": [dateless], "total": 1}) as server:
        run(server, memory)
        assert memory.pages["jira:TRIG-1"].version == ""
        assert memory.pages["jira:TRIG-1"].updated_at is None
        assert run(server, memory).ids(Page) == ids(1)


def test_a_server_that_gives_one_issue_at_a_time_is_read_to_its_end():
    with JiraServer([made_issue(n) for n in range(1, 5)], most=1) as server:
        first = run(server)

    assert (first.ids(Page), first.requests) == (ids(1, 2, 3, 4), 4)


def test_an_unreadable_listing_ends_the_run_and_an_unreadable_cursor_begins_anew():
    with JiraServer([made_issue(1)]) as server:
        server.fault(API, Fault.SERVER_ERROR)
        with pytest.raises(FetchError):
            run(server)
        server.mend()
        assert run(server, Memory(cursor="{")).ids(Page) == ids(1)
        source = source_of(server)
        assert set(source.live_ids()) == set(ids(1))
        assert source.requests == 1


def test_a_refused_question_for_keys_ends_the_run_unless_a_key_is_gone():
    memory = Memory()
    with JiraServer([made_issue(9)]) as server:
        run(server, memory)
        server.add(made_issue(1))
        server.fault("*key+in*", Fault.SERVER_ERROR)
        with pytest.raises(FetchError):
            run(server, memory)


def test_comments_that_never_come_do_not_hold_up_the_others():
    first_ones = {"comments": [comment(1, "a"), comment(2, "b")], "total": 3}

    def say(request):
        if request.path.endswith("/comment"):
            return {"comments": [], "total": 3}
        return {"issues": [made_issue(1, comment=first_ones)], "total": 1}

    with Odd(say) as server:
        first = run(server)

    assert said(pages_of(first)[0]) == ["a", "b"]
    assert first.requests == 2

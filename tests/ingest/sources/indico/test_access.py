"""Who may read events, talks and attachments."""

import pytest

from ingest.model import Page
from ingest.parse import parse
from ingest.sources.indico.rights import attachment_access, event_access, talk_access
from tests.ingest.sources.indico.conftest import PUBLIC, STAFF, run, settings
from tests.ingest.sources.memory import Memory
from tests.servers.indico import IndicoServer, attached, folder, made_event, talk

MAPPED = settings(trigger=["trig"], category_7=["staff"], category_1=["lab"], category_4=[])
ADA = MAPPED.model_copy(update={"groups": {**MAPPED.groups, "ada@x.example": frozenset({"ada"})}})


@pytest.mark.parametrize(
    ("event", "categories", "expected"),
    [
        ({"hasAnyProtection": False}, "7 1 0", PUBLIC),
        ({"hasAnyProtection": False, "allowed": {"groups": ["trigger"]}}, "7", PUBLIC),
        ({"hasAnyProtection": True}, "7 1 0", STAFF),
        ({"hasAnyProtection": True}, "8 1 0", {"lab"}),
        ({"hasAnyProtection": True}, "4 1 0", set()),
        ({"hasAnyProtection": True}, "8 0", set()),
        ({"hasAnyProtection": True}, "", set()),
        ({"hasAnyProtection": None}, "7", STAFF),
        ({"hasAnyProtection": "no"}, "8", set()),
        ({}, "7 1", STAFF),
        ({}, "8", set()),
        ({"visibility": {"name": "Everywhere"}}, "8", set()),
        (
            {"hasAnyProtection": True, "allowed": {"groups": ["trigger"], "users": []}},
            "7",
            {"trig"},
        ),
        ({"hasAnyProtection": True, "allowed": {"groups": ["others"]}}, "7", set()),
        (
            {"allowed": {"groups": ["trigger"], "users": ["ada@x.example", "bo@x.example"]}},
            "7",
            {"trig", "ada"},
        ),
        ({"hasAnyProtection": True, "allowed": {"users": [], "groups": []}}, "7", set()),
        ({"hasAnyProtection": True, "allowed": None}, "7", set()),
        ({"hasAnyProtection": True, "allowed": {"groups": "trigger", "users": [3]}}, "7", set()),
    ],
)
def test_who_may_read_an_event(event, categories, expected):
    assert event_access(event, categories.split(), ADA) == expected


@pytest.mark.parametrize(
    ("talk", "event", "own", "expected"),
    [
        ({}, {}, PUBLIC, PUBLIC),
        ({"allowed": {"groups": ["a"]}}, {"allowed": {"groups": ["a"]}}, STAFF, STAFF),
        ({"allowed": {"groups": ["trigger"]}}, {"allowed": {"groups": ["a"]}}, STAFF, {"trig"}),
        ({"allowed": {"groups": ["trigger"]}}, {}, PUBLIC, {"trig"}),
        ({"allowed": {"groups": ["others"]}}, {}, PUBLIC, set()),
        ({"allowed": {"groups": []}}, {"allowed": {"groups": ["a"]}}, STAFF, set()),
        ({"allowed": {"groups": []}}, {}, PUBLIC, PUBLIC),
    ],
)
def test_who_may_read_a_talk(talk, event, own, expected):
    assert talk_access(talk, event, own, MAPPED) == expected


@pytest.mark.parametrize(
    ("protected", "event", "owner", "categories", "expected"),
    [
        ((False, False), {}, PUBLIC, "7", PUBLIC),
        ((False, False), {}, STAFF, "7", STAFF),
        ((True, False), {}, PUBLIC, "7", STAFF),
        ((False, True), {}, PUBLIC, "7", STAFF),
        ((None, False), {}, PUBLIC, "7", STAFF),
        ((False, None), {}, PUBLIC, "8", set()),
        ((True, True), {}, {"trig"}, "7", {"trig"}),
        ((True, True), {}, frozenset(), "7", set()),
        ((True, True), {"allowed": {"groups": ["trigger"]}}, {"trig"}, "7", set()),
        ((True, False), {"allowed": {"groups": []}}, PUBLIC, "7", set()),
        ((False, False), {"allowed": {"groups": []}}, PUBLIC, "7", PUBLIC),
    ],
)
def test_who_may_read_an_attachment(protected, event, owner, categories, expected):
    attachment, of = ({"is_protected": told} for told in protected)

    found = attachment_access(attachment, of, event, owner, categories.split(), MAPPED)

    assert found == expected


def test_what_not_every_reader_of_an_event_may_read_stands_apart_or_is_left_out():
    readers = {"users": [], "groups": ["all"]}
    few = {"users": [], "groups": ["few"]}
    secret = attached(60, "secret-plan.pdf", protected=True)
    open_talk = talk(1, "Open", "Kroll, Ada", allowed=readers)
    closed_talk = talk(2, "Closed", "Lund, Bo", allowed=few, description="The plan")
    event = made_event(
        5,
        "2026-05-19",
        hasAnyProtection=True,
        allowed=readers,
        creator={"fullName": "Kroll, Ada", "email": "ada@x.example", "emailHash": "5f1"},
        contributions=[open_talk, closed_talk],
        folders=folder(secret),
    )
    groups = {"all": ["staff"], "few": ["board"]}
    with IndicoServer([event], files={"secret-plan.pdf": b"%PDF"}) as server:
        server.manages.add("5")
        memory = Memory()
        first = run(server, memory, groups=groups)

        assert first.ids(Page) == [
            "indico:5",
            "indico:5/attachment/60/secret-plan.pdf",
            "indico:5/contribution/2",
        ]
        assert memory.access["indico:5"] == STAFF
        assert memory.access["indico:5/contribution/2"] == {"board"}
        assert memory.access["indico:5/attachment/60/secret-plan.pdf"] == frozenset()
        content = memory.pages["indico:5"].content
        for told in (b"secret-plan", b"Closed", b"x.example", b"emailHash", b"groups"):
            assert told not in content
        (apart,) = parse(memory.pages["indico:5/contribution/2"])
        assert apart.id == "indico:5/contribution/2"
        assert (apart.title, apart.author) == ("Meeting 5 › Closed (Bo Lund)", "Bo Lund")
        assert "The plan" in apart.text

        # Given its event's readers, it goes back among the others.
        server.events["5"]["contributions"][1]["allowed"] = readers
        server.events["5"]["description"] = "Changed"
        second = run(server, memory, groups=groups)
        assert second.removed == {"indico:5/contribution/2"}
        assert b"The plan" in memory.pages["indico:5"].content

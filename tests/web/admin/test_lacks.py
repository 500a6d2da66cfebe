"""What the documents lack, and what of them is worn."""

import numpy as np
import pytest

from assistant.model import Answer, Citation, Notice, NoticeKind, Status
from ingest.errors import ModelError
from tests.web.admin.conftest import START, calling, told
from web.admin.clusters import clusters
from web.admin.gaps import KEPT_VECTORS, Vectors
from web.state import GapState
from web.warned import warnings_of


def test_groups_by_hand():
    # Cosines: a·b 0.96, a·c 0.6, b·c 0.8; the mean of {a, b} to c is 0.7. d stands alone.
    vectors = np.array([[1, 0, 0], [0.96, 0.28, 0], [0.6, 0.8, 0], [0, 0, 1]], np.float32)

    assert clusters(vectors, near=0.65) == [[1, 0, 2], [3]]  # b is the most typical of the three
    assert clusters(vectors, near=0.75) == [[0, 1], [2], [3]]
    assert clusters(vectors, near=0.99) == [[0], [1], [2], [3]]
    assert clusters(vectors[:1]) == [[0]]


def test_a_group_grows_by_its_mean_and_not_by_its_nearest_member():
    # A chain of 45 degree steps: neighbours 0.71; after {a, b} the mean to c is 0.35.
    angle = np.pi / 4
    chain = np.array([[np.cos(n * angle), np.sin(n * angle)] for n in range(3)], np.float32)

    assert clusters(chain, near=0.6) == [[0, 1], [2]]


async def ask(services, *questions, nearest=("test:quota",), score=0.3):
    for question in questions:
        assert await services.state.gaps.record("local", question, nearest, score) is None
        services.state.database.clock.pass_(seconds=1)


@pytest.fixture
async def local(services):
    await services.state.users.local(groups=())


async def test_questions_that_ask_for_the_same_stand_together(services, local):
    await ask(services, "quota of tape storage", "where is parking", "tape storage quota of users")
    found = await told(services, "/gaps")
    first, second = found["groups"]

    assert (found["questions"], found["by_meaning"]) == (3, True)
    assert first["count"] == 2
    assert {one["question"] for one in first["questions"]} == {
        "quota of tape storage", "tape storage quota of users",
    }  # fmt: skip
    assert first["question"] in {one["question"] for one in first["questions"]}
    assert (second["question"], second["questions"][0]["score"]) == ("where is parking", 0.3)


async def test_the_nearest_pages_and_whom_to_ask_are_those_that_one_may_read(services, local):
    await ask(services, "quota of tape", nearest=("test:plan", "test:quota", "test:nowhere"))
    await ask(services, "quota of tape", nearest=("test:plan", "test:attic"))
    (public,) = (await told(services, "/gaps"))["groups"]
    (staff,) = (await told(services, "/gaps", groups="staff"))["groups"]

    assert [(one["title"], one["count"]) for one in public["pages"]] == [
        ("Old quotas", 1), ("Quotas", 1),
    ]  # fmt: skip
    assert staff["pages"][0]["title"] == "Secret plan"
    assert {one["name"] for one in public["contacts"]} == {"Ada Kroll", "Cy Mora", "wiki people"}
    assert "Bo Lund" in {one["name"] for one in staff["contacts"]}
    assert "plan" not in str(public)
    await services.settled()
    shown = await services.state.audit.page()
    assert {one.door for one in shown} == {"admin"}
    assert set(shown[-1].documents) == {"test:quota", "test:attic"}


async def test_what_is_settled_is_not_told_again(services, local):
    await ask(services, "quota of tape", "where is parking")
    (first, second) = (await told(services, "/gaps"))["groups"]
    async with calling(services) as client:
        ids = [first["questions"][0]["id"]]
        settled = await client.patch("/gaps", json={"ids": ids, "state": "done"})
        odd = await client.patch("/gaps", json={"ids": ids, "state": "lost"})
    left = await told(services, "/gaps")

    assert (settled.json(), odd.status_code) == ({"settled": 1}, 422)
    assert [one["question"] for one in left["groups"]] == [second["question"]]
    done = await services.state.gaps.since(START, state=GapState.DONE)
    assert [gap.question for gap in done] == [first["question"]]


async def test_older_questions_are_left_out(services, local):
    await ask(services, "quota of tape")
    services.state.database.clock.pass_(days=31)

    assert (await told(services, "/gaps"))["groups"] == []
    assert (await told(services, "/gaps?days=60"))["questions"] == 1


class Away:
    async def embed(self, texts):
        raise ModelError("The embedding server does not answer.")


async def test_without_an_embedder_equal_questions_stand_together(services, local, real, caplog):
    class Deaf(Away):
        document = real.document

    await ask(services, "Quota of tape", "where is parking", "quota  of TAPE")
    services.assistant = Deaf()
    found = await told(services, "/gaps")

    assert [one["count"] for one in found["groups"]] == [2, 1]
    assert found["by_meaning"] is False
    assert "by their words alone" in caplog.text


async def test_a_question_is_embedded_once():
    class Counting:
        asked: list[str] = []  # noqa: RUF012 - of this one test

        async def embed(self, texts):
            self.asked += texts
            return np.ones((len(texts), 2), np.float32)

    vectors, assistant = Vectors(), Counting()
    many = [f"question {n}" for n in range(40)]
    assert (await vectors.of([*many, many[0]], assistant)).shape == (41, 2)
    await vectors.of(many[:5], assistant)
    assert assistant.asked == many
    await vectors.of([f"other {n}" for n in range(KEPT_VECTORS)], assistant)
    assert len(vectors._kept) == KEPT_VECTORS


def cited(marker, name):
    return Citation(marker, f"test:{name}", name, "", "wiki", (), None, "q", 0, 1, None)


def test_warnings_about_pages_have_a_door_each():
    answer = Answer(
        "Which quota?", Status.ANSWERED, "50 GB.",
        citations=(cited(1, "quota"), cited(2, "attic"), cited(3, "quota")),
        notices=(
            Notice(NoticeKind.UNSURE, "Check."),
            Notice(NoticeKind.NEWER, "One is newer.", (1, 2)),
            Notice(NoticeKind.OLD, "It is old.", (3, 1)),
            Notice(NoticeKind.CONFLICT, "About what is not cited.", (9,)),
        ),
    )  # fmt: skip
    assert list(warnings_of(answer)) == [
        ("warned.newer", ("test:quota", "test:attic")),
        ("warned.old", ("test:quota",)),
    ]


async def test_worn_pages_are_told_to_those_who_may_read_all_of_them(services):
    audit = services.state.audit
    for _ in range(2):
        await audit.record("u", "warned.conflict", ("test:quota", "test:plan"))
    for _ in range(3):
        await audit.record("u", "warned.old", ("test:attic",))
    await audit.record("u", "warned.newer", ("test:quota", "test:attic"))
    await audit.record("u", "warned.old", ("test:gone",))
    await audit.record("u", "ask", ("test:attic",))

    public = (await told(services, "/stale"))["stale"]
    staff = (await told(services, "/stale", groups="staff"))["stale"]

    def short(found):
        return [(one["kind"], one["count"], [p["title"] for p in one["pages"]]) for one in found]

    assert short(public) == [("old", 3, ["Old quotas"]), ("newer", 1, ["Quotas", "Old quotas"])]
    assert short(staff)[1] == ("conflict", 2, ["Quotas", "Secret plan"])
    assert public[0]["pages"][0]["standing"]["archived"] is True
    assert {one["name"] for one in public[0]["contacts"]} == {"Cy Mora", "wiki people"}
    services.state.database.clock.pass_(days=31)
    assert (await told(services, "/stale"))["stale"] == []


async def test_what_readers_are_warned_of_reaches_the_maintainers(services, local):
    async with calling(services) as client:
        for _ in range(2):
            asked = await client.post(
                "http://localhost:8000/api/v1/ask", json={"question": "storage quota of a user"}
            )
            assert {one["kind"] for one in asked.json()["notices"]} >= {"old"}
    await services.settled()
    found = (await told(services, "/stale"))["stale"]

    assert "Old quotas" in {page["title"] for one in found for page in one["pages"]}
    assert {one["count"] for one in found} == {2}

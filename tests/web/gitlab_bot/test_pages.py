"""Pages that say otherwise than a merge request, and earlier issues that look like one."""

import pytest

from ingest.errors import ModelError
from ingest.model import BlockKind
from tests.servers.gitlab_bot import Effects
from tests.web.fake import FakeAssistant, a_document
from tests.web.gitlab_bot.conftest import MUONS, REQUEST, a_bot
from web.gitlab_bot.gitlab import Diff
from web.gitlab_bot.pages import Changed, changed_in, documentation

P = BlockKind.PROSE
HUNK = "@@ -1,3 +1,3 @@\n # Chiller\n-The chiller of the barrel runs at 14 kHz.\n"
NEW = "The chiller of the barrel runs at 16 kHz."
DIFF = {"old_path": "docs/chiller.md", "new_path": "docs/chiller.md", "diff": f"{HUNK}+{NEW}\n"}


def page(number: str, text: str, **more):
    return a_document(
        f"wiki:{number}", f"Page {number}", (P, text), url=f"https://wiki.example/{number}", **more
    )


WAS = page("Was", "The chiller of the barrel runs at 14 kHz.")
OTHER = page("Other", "The chiller of the barrel runs at 9 kHz.")
SAME = page("Same", "The chiller of the barrel runs at 16 kHz.")
FAR = page("Far", "The tracker of the endcap was read out at 40 MHz.")
SECRET = page("Secret", "The chiller of the barrel runs at 11 kHz.", access=frozenset({"board"}))
ITSELF = a_document(
    f"git:{MUONS}/files/docs/chiller.md",
    "Chiller",
    (P, "The chiller of the barrel runs at 14 kHz."),
)


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("README.md", True),
        ("a/b.RST", True),
        ("docs/INSTALL", True),
        ("src/main.py", False),
        ("docs/plot.png", False),
        ("docs", False),
    ],
)
def test_what_documentation_is(path, is_one):
    assert documentation(path) == is_one


def test_new_sentences_with_figures_are_compared():
    diff = (
        "@@ -1,4 +1,6 @@\n context with 7 words\n-Old: 3 s.\n"
        "+The [timeout](x.md) of `jobs` is 5 s. It was\n+never changed.\n+\n+- Wait for 12 min "
        "after each fill.\n+5 6\n context\n+No figure stands here at all.\n"
    )

    assert changed_in([Diff("docs/jobs.md", diff), Diff("src/jobs.py", "+x = 5 s later then")]) == [
        Changed("docs/jobs.md", "The timeout of jobs is 5 s.", "Old: 3 s."),
        Changed("docs/jobs.md", "Wait for 12 min after each fill.", "Old: 3 s."),
    ]


@pytest.fixture
def assistant() -> FakeAssistant:
    return FakeAssistant([WAS, OTHER, SAME, FAR, SECRET, ITSELF])


async def push(world, action="open", **more):
    world.server.moment = world.server.moment.replace(second=world.server.moment.second + 1)
    await world.tell(world.server.thing_hook(MUONS, "merge_requests", 3, action, **more))
    return world.said(REQUEST)


async def test_a_merge_request_lists_the_pages_that_disagree(world):
    world.server.diffs[MUONS, 3] = [DIFF]
    said = await push(world)

    assert len(said) == 1
    lines = said[0].splitlines()
    assert lines[2:6] == [
        "- [Page Was](<https://wiki.example/Was>) says, as this file did until now: "
        "“The chiller of the barrel runs at 14 kHz.”",
        f"  Here, in docs/chiller.md: “{NEW}”",
        "- [Page Other](<https://wiki.example/Other>) says: "
        "“The chiller of the barrel runs at 9 kHz.”",
        f"  Here, in docs/chiller.md: “{NEW}”",
    ]
    assert "Secret" not in said[0]
    assert "Same" not in said[0]
    assert world.server.effects == Effects()


async def test_the_list_is_corrected_and_not_repeated(world):
    world.server.diffs[MUONS, 3] = [DIFF]
    await push(world)
    await push(world, "update", oldrev="1")
    assert len(world.said(REQUEST)) == 1

    world.assistant.documents.remove(OTHER)
    assert "Other" not in (await push(world, "update", oldrev="2"))[0]
    world.assistant.documents.remove(WAS)
    said = await push(world, "update", oldrev="3")
    assert len(said) == 1
    assert "no page that says otherwise" in said[0]


async def test_nothing_is_said_unasked_where_nothing_disagrees(world):
    assert await push(world) == []
    world.server.diffs[MUONS, 3] = [{**DIFF, "new_path": "chiller.py"}]
    assert await push(world, "reopen") == []


async def test_members_of_one_board_see_the_pages_of_the_board(world):
    await world.link(1, 2, 3)
    world.server.diffs[MUONS, 3] = [DIFF]

    assert "Secret" in (await push(world))[0]


async def test_it_can_be_switched_off_and_asked_for(world):
    world.server.diffs[MUONS, 3] = [DIFF]
    off = world.services.settings.gitlab_bot.model_copy(update={"check_pages": False})
    world.services.settings = world.services.settings.model_copy(update={"gitlab_bot": off})
    world.bot = a_bot(world.services, world.server, [])
    assert await push(world) == []

    assert "Page Was" in (await world.ask("/docent pages", REQUEST))[0]
    assert "this is an issue" in (await world.ask("/docent pages"))[0]


async def test_without_figures_there_is_nothing_to_compare(world):
    assert "changes no figure" in (await world.ask("/docent pages", REQUEST))[0]


async def test_without_an_embedder_the_words_decide(world, assistant, monkeypatch):
    async def away(texts):
        raise ModelError("There is no embedder.")

    assistant.embed = away
    world.server.diffs[MUONS, 3] = [DIFF]
    assert "Page Was" in (await push(world))[0]


# Duplicates.

TITLE = "Chiller of the barrel stops after a power cut"


def issues(world, *titles: str, **more):
    for number, title in enumerate(titles, 1):
        world.server.add(MUONS, "issues", number, title=title, description="", **more)


async def test_earlier_issues_that_look_alike_are_named(world):
    issues(world, "Chiller of the barrel stops after power cut", "Plots of the rate are empty")
    world.server.change(MUONS, "issues", 1, state="closed")
    world.server.change(MUONS, "issues", 7, title=TITLE, description="")
    world.server.add(MUONS, "issues", 9, title=TITLE, description="")
    said = await world.ask("/docent duplicates")

    url = "https://gitlab.meridian.example/lab/muons/-/issues/1"
    assert said[0].splitlines()[2:-2] == [
        f"- [Chiller of the barrel stops after power cut](<{url}>) (closed)"
    ]


async def test_later_issues_are_not_named_either_way(world):
    """The index knows them as well."""
    world.server.add(MUONS, "issues", 9, title=TITLE, description="")
    world.server.change(MUONS, "issues", 7, title=TITLE, description="")
    for number in (7, 9):
        url = f"https://gitlab.meridian.example/lab/muons/-/issues/{number}"
        own = a_document(f"git:{MUONS}/issues/{number}", TITLE, (P, TITLE), url=url)
        world.assistant.documents.append(own)

    assert "no earlier issue" in (await world.ask("/docent duplicates"))[0]


@pytest.mark.parametrize("knows", [True, False], ids=["new server", "old server"])
async def test_confidential_issues_are_not_named(world, knows):
    world.server.knows_confidential = knows
    issues(world, TITLE, confidential=True)
    world.server.change(MUONS, "issues", 7, title=TITLE, description="")

    assert "no earlier issue" in (await world.ask("/docent duplicates"))[0]


async def test_issues_of_other_trackers_come_from_the_index(world):
    def issue(key, **more):
        return a_document(
            f"jira:{key}", TITLE, (P, TITLE), url=f"https://jira.example/browse/{key}", **more
        )

    world.assistant.documents += [
        issue("DAQ-1"),
        issue("DAQ-2", access=frozenset({"board"})),
        page("Chiller", TITLE),
    ]
    world.server.change(MUONS, "issues", 7, title=TITLE, description="")
    said = await world.ask("@docent duplicates")

    assert "browse/DAQ-1" in said[0]
    assert "DAQ-2" not in said[0]
    assert "wiki.example" not in said[0]
    await world.services.settled()
    (entry,) = await world.services.state.audit.page()
    assert (entry.door, entry.documents) == ("gitlab", ("jira:DAQ-1",))


async def test_searches_are_counted_too(world):
    world.services.limits = type(world.services.limits)(100, 1, 100)
    await world.ask("/docent duplicates")
    said = await world.ask("@docent duplicates")

    assert "1 searches in a minute, which is the limit" in said[1]
    assert "question is kept" in said[1]


async def test_mails_get_no_issues_of_the_project(world):
    issues(world, TITLE)
    world.server.change(
        MUONS, "issues", 7, title=TITLE, description="", service_desk_reply_to="x@y.example"
    )

    assert "no earlier issue" in (await world.ask("/docent duplicates"))[0]


async def test_duplicates_without_an_embedder_and_with_words_too_short_to_look_for(world):
    async def away(texts):
        raise ModelError("There is no embedder.")

    world.assistant.embed = away
    issues(world, "L1 of the barrel stops often", "Other words entirely")
    world.server.change(MUONS, "issues", 7, title="L1 of the barrel stops", description="")
    said = await world.ask("/docent duplicates")

    assert "issues/1>" in said[0]
    assert "issues/2>" not in said[0]


async def test_merge_requests_have_no_duplicates(world):
    assert "this is a merge request" in (await world.ask("/docent duplicates", REQUEST))[0]

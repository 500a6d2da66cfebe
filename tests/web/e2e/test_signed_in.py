"""The whole application where people sign in, at a real OpenID Connect provider, in a browser."""

import asyncio
import re
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Route, expect

from ingest.model import BlockKind
from tests.web.conftest import serving
from tests.web.documents import DOCUMENTS
from tests.web.e2e.conftest import ask, shot
from tests.web.fake import FakeAssistant, a_document
from tests.web.signin.conftest import listen, settings_for
from web.state import State
from web.state.database import FILE_NAME

QUESTION = "What is the L1_MU4 trigger budget in kEUR?"
SECRET = "The L1_MU4 trigger budget of this year is 731 kEUR."
OPEN_TO_ALL = "The L1_MU4 trigger 🧲 fires at 4 GeV in the barrel and needs two stations."
BUDGET = a_document(
    "wiki:Budget",
    "Money of the trigger",
    (BlockKind.PROSE, f"Asked often. What follows is for the collaboration. {'More. ' * 400}"),
    (BlockKind.PROSE, SECRET),
    url="https://wiki.example.org/Budget",
    access=frozenset({"collaboration"}),
)
NOT_PASSED = "the server responded with a status of"
"""The browser notes every refused request; that there were some is what is tested."""


@dataclass(frozen=True)
class Site:
    """The application behind the sign-in, its assistant and its database."""

    address: str
    assistant: FakeAssistant
    database: Path

    def expire_sessions(self) -> None:
        """What the clock does after `session_hours`."""
        with sqlite3.connect(self.database, timeout=20) as connection:
            changed = connection.execute("UPDATE sessions SET expires_at = created_at").rowcount
        connection.close()
        assert changed

    def feedback(self) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.database, timeout=20)
        told = connection.execute("SELECT helpful, text FROM feedback").fetchall()
        connection.close()
        return told


@pytest.fixture
def site(provider, settings, tmp_path, monkeypatch) -> Iterator[Site]:
    with listen() as free:
        port = free.getsockname()[1]
    client = provider.register(f"http://127.0.0.1:{port}")
    monkeypatch.setenv("DOCENT_SIGNIN_SECRET", client.secret)
    guarded = settings.model_copy(update={"signin": settings_for(provider.issuer, client.id)})
    assistant = FakeAssistant([*DOCUMENTS, BUDGET])
    with serving(guarded, assistant, port, heartbeat_s=0.05) as address:
        yield Site(address, assistant, tmp_path / FILE_NAME)


def test_somebody_signs_in_asks_stops_opens_a_citation_and_signs_out(signed_in, site: Site, watch):
    page = signed_in("ada")
    expect(page.locator(".account")).to_contain_text("Ada Reader")
    expect(page.get_by_role("link", name="Maintain")).to_have_count(0)

    ask(page, "hold the L1_MU4 trigger budget kEUR year")
    expect(page.locator(".draft .prose")).to_have_text(SECRET)
    shot(page, "streaming")
    page.locator("#stop").click()
    expect(page.locator(".turn .notice")).to_have_text("You stopped this answer.")
    assert site.assistant.ended.wait(10)

    ask(page, QUESTION)
    expect(page.locator(".checked")).to_contain_text(SECRET)
    page.locator(".checked .marker").first.click()
    mark = page.locator(".panel mark")
    expect(mark).to_have_text(f"Quoted: {SECRET}")
    expect(mark).to_be_in_viewport()
    shot(page, "citation")

    page.keyboard.press("Escape")
    page.locator(".account").click()
    page.get_by_role("menuitem", name="Sign out").click()
    # Ended at the provider too, which asks whether that is meant.
    page.get_by_role("button", name=re.compile("Yes", re.IGNORECASE)).click()
    expect(page.get_by_role("heading", name="Sign in to ask")).to_be_visible()
    assert page.url == f"{site.address}/"
    page.go_back()
    expect(page.locator("body")).not_to_contain_text(SECRET)
    page.goto(f"{site.address}/documents/wiki%3ABudget")
    expect(page.get_by_role("heading", name="Sign in to ask")).to_be_visible()
    page.locator("main").get_by_role("link", name="Sign in").click()
    expect(page.get_by_label("Account")).to_be_visible()
    watch.forgive(NOT_PASSED)


def test_conversations_facets_and_feedback_are_those_of_the_one_who_signed_in(
    signed_in, site: Site
):
    page = signed_in("ada")
    ask(page, QUESTION)
    expect(page.locator(".checked")).to_contain_text(SECRET)
    page.locator("#fresh").click()
    ask(page, "Who looks after the muon trigger?")
    expect(page.locator(".checked")).to_contain_text("Ines Okafor")

    page.locator(".side-line a", has_text="budget").click()
    expect(page.locator(".checked")).to_contain_text(SECRET)
    expect(page.locator(".question")).to_have_text([QUESTION])
    page.locator(".side-line a", has_text="looks after").click()
    expect(page.locator(".checked")).to_contain_text("Ines Okafor")

    page.get_by_role("button", name="Not helpful").click()
    page.get_by_label("What should it say?").fill("She has left.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".turn-actions [role=status]").first).to_contain_text("Thank you.")
    assert site.feedback() == [(0, "She has left.")]
    page.reload()
    no = page.get_by_role("button", name="Not helpful")
    expect(no).to_have_attribute("aria-pressed", "true")
    # Said again, it begins with what was said before.
    no.click()
    expect(page.get_by_label("What should it say?")).to_have_value("She has left.")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Helpful", exact=True).click()
    expect(no).to_have_attribute("aria-pressed", "false")
    page.locator(".side-line a", has_text="budget").click()
    expect(page.locator(".checked")).to_contain_text(SECRET)
    expect(page.get_by_role("button", name="Helpful", exact=True)).to_have_attribute(
        "aria-pressed", "false"
    )
    page.locator(".side-line a", has_text="looks after").click()
    expect(page.get_by_role("button", name="Helpful", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )

    sources = page.locator(".facets .check", has_text=re.compile(r"^wiki"))
    page.goto(f"{site.address}/search?q=trigger+budget")
    expect(page.locator(".hit .title").first).to_have_text("Money of the trigger")
    expect(sources.locator(".count")).to_have_text("1")
    sources.locator("input").check()
    expect(page.locator(".hit .title")).to_have_text(["Money of the trigger"])

    other = signed_in("ben", "/search?q=trigger+budget")
    expect(other.locator(".hit").first).to_be_visible()
    expect(other.locator(".facets .check", has_text="docs")).to_be_visible()
    expect(other.locator(".facets .check", has_text=re.compile(r"^wiki"))).to_have_count(0)
    expect(other.locator(".side-line")).to_have_count(0)


def test_a_list_that_comes_late_does_not_hide_the_new_conversation(signed_in, site: Site):
    page = signed_in("ada")
    late: list[Route] = []
    lists = "**/api/v1/conversations?*"
    page.route(lists, lambda route: late.append(route), times=1)
    with page.expect_request(lists):
        page.reload()

    ask(page, QUESTION)
    expect(page.locator(".checked")).to_contain_text(SECRET)
    expect(page.locator("#stop")).to_have_count(0)
    [before] = late
    before.fulfill(json={"conversations": [], "next": None})

    expect(page.get_by_role("button", name="Actions for")).to_be_visible()


def test_who_opens_a_shared_link_sees_only_what_he_may(signed_in, site: Site, watch):
    page = signed_in("ada")
    ask(page, QUESTION)
    expect(page.locator(".checked")).to_contain_text(SECRET)
    own = page.url
    page.get_by_role("button", name="Actions for").click()
    page.get_by_role("menuitem", name="Share").click()
    page.get_by_role("button", name="Make a link").click()
    link = page.locator("dialog input").input_value()

    # The link leads through the sign-in to itself.
    other = signed_in("ben", link.removeprefix(site.address))
    expect(other.locator("h1")).to_have_text(QUESTION)
    expect(other.locator(".checked")).to_contain_text(OPEN_TO_ALL)
    expect(other.locator("main")).to_contain_text(
        "Some parts are not shown: they rest on pages that you may not read."
    )
    shot(other, "shared-with-less")
    for part in (SECRET, "731", BUDGET.title, BUDGET.id, BUDGET.url):
        assert part not in other.content()
    other.goto(own)
    expect(other.locator("main .notice")).to_have_text("There is no such conversation.")

    # A fellow member sees all of it, until sharing ends.
    fellow = signed_in("olga", link.removeprefix(site.address))
    expect(fellow.locator(".checked")).to_contain_text(SECRET)
    page.get_by_role("button", name="End sharing").click()
    expect(page.get_by_role("button", name="Make a link")).to_be_visible()
    fellow.reload()
    expect(fellow.locator("main .notice")).to_have_text("There is no such conversation.")
    watch.forgive(NOT_PASSED)


def test_a_session_that_ends_in_mid_work_keeps_question_and_answers(signed_in, site: Site, watch):
    page = signed_in("ada")
    ask(page, QUESTION)
    expect(page.locator(".checked")).to_contain_text(SECRET)

    site.expire_sessions()
    ask(page, "Who looks after the muon trigger?")

    trouble = page.locator(".trouble")
    expect(trouble).to_contain_text("Your sign-in has expired.")
    expect(page.locator(".question").last).to_have_text("Who looks after the muon trigger?")
    expect(page.locator(".checked")).to_contain_text(SECRET)
    shot(page, "expired")
    # The provider still knows her: one click, and she is where she was.
    where = page.url
    trouble.get_by_role("link", name="Sign in").click()
    page.wait_for_url(where)
    expect(page.locator(".question")).to_have_text([QUESTION, "Who looks after the muon trigger?"])
    expect(page.locator(".checked")).to_contain_text(SECRET)
    page.get_by_role("button", name="Ask again").last.click()
    expect(page.locator(".checked").last).to_contain_text("Ines Okafor")
    assert len(site.assistant.asked) == 2
    watch.forgive(NOT_PASSED)


def cut_and_expire(site: Site) -> Callable[[Route], None]:
    """Lets the fourth word of an answer be the last that arrives, and ends the sign-in."""

    def cut(route: Route) -> None:
        events = route.fetch().text().replace("\r\n", "\n").split("\n\n")
        first = next(at for at, event in enumerate(events) if "event: token" in event)
        site.expire_sessions()
        route.fulfill(
            body="\n\n".join(events[: first + 4]) + "\n\n", content_type="text/event-stream"
        )

    return cut


def test_a_session_that_ends_in_mid_answer_keeps_the_answer_so_far(signed_in, site: Site, watch):
    page = signed_in("ada")
    page.route("**/api/v1/ask", cut_and_expire(site), times=1)
    ask(page, QUESTION)

    expect(page.locator(".trouble")).to_contain_text("Your sign-in has expired.")
    expect(page.locator(".draft .prose")).to_have_text("The L1_MU4 trigger budget")
    expect(page.locator(".draft .label")).to_have_text("Unfinished draft, not checked")
    page.locator(".trouble").get_by_role("link", name="Sign in").click()
    # The server has gone on meanwhile: the whole answer is there, and the question once.
    expect(page.locator(".checked")).to_contain_text(SECRET)
    expect(page.locator(".question")).to_have_text([QUESTION])
    expect(page.locator(".draft")).to_have_count(0)
    assert len(site.assistant.asked) == 1
    watch.forgive(NOT_PASSED)


def test_an_answer_that_ended_with_the_sign_in_says_so(signed_in, site: Site, watch):
    page = signed_in("ada")
    page.route("**/api/v1/ask", cut_and_expire(site), times=1)
    # The server did not come to its end either.
    ask(page, f"break {QUESTION}")
    expect(page.locator(".trouble")).to_contain_text("Your sign-in has expired.")
    page.locator(".trouble").get_by_role("link", name="Sign in").click()

    notice = page.locator(".turn .notice")
    expect(notice).to_have_text("Your sign-in ended before this answer was complete.")
    expect(page.locator(".draft .prose")).to_have_text(SECRET)
    page.reload()
    # Only that tab knew why.
    expect(notice).to_have_text("This answer ended before it was complete.")
    expect(page.locator("body")).not_to_contain_text("You stopped this answer.")
    watch.forgive(NOT_PASSED)


def link_code(site: Site, account: str, name: str) -> str:
    """What a bot tells somebody in a direct message."""

    async def made() -> str:
        state = await State.open(f"sqlite:///{site.database}")
        code = await state.links.code("mattermost", account, name)
        await state.close()
        return code

    # The browser's loop runs in this thread.
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(asyncio.run, made()).result()


def test_an_account_of_a_chat_is_linked_by_its_address_and_unlinked(signed_in, site: Site, watch):
    # The address leads through the sign-in to itself, and the code is seen no more.
    page = signed_in("ada", f"/link#{link_code(site, 'u' * 26, '@ada')}", lands="/link")
    asked = page.get_by_role("group", name="Linked accounts")
    expect(asked).to_contain_text("Mattermost: @ada")
    expect(asked).to_contain_text("whoever has the account then reads with your rights")
    shot(page, "link")
    page.get_by_role("button", name="Link this account").click()
    expect(page.get_by_role("status")).to_have_text(
        "The account is linked. You can close this page."
    )
    expect(page.get_by_role("listitem").filter(has_text="Mattermost: @ada")).to_be_visible()

    # Another one, which she does not know, is not linked.
    page.goto("about:blank")
    page.goto(f"{site.address}/link#{link_code(site, 'e' * 26, '@eve')}")
    expect(asked).to_contain_text("@eve")
    page.get_by_role("button", name="Do not link it").click()
    expect(page.get_by_role("status")).to_have_text("The account was not linked.")
    expect(page.locator("main")).not_to_contain_text("@eve")
    page.goto("about:blank")
    page.goto(f"{site.address}/link#used-or-guessed")
    expect(page.locator(".trouble")).to_contain_text("code")

    page.get_by_role("button", name="Unlink: Mattermost").click()
    expect(page.locator("main")).to_contain_text("You have no linked accounts.")
    watch.forgive(NOT_PASSED)


def test_a_program_is_let_in_by_the_code_that_it_shows(signed_in, site: Site, watch):
    with httpx.Client(base_url=site.address, timeout=60) as program:
        codes = [
            program.post("/auth/device", json={"name": f"Editor <b>{n}</b>"}).json() for n in (1, 2)
        ]

        def polled(number: int) -> httpx.Response:
            device = {"device_code": codes[number]["device_code"]}
            return program.post("/auth/device/token", json=device)

        page = signed_in("ada", "/device")
        page.get_by_label("The code that it shows").fill("ZZZZ-ZZZZ")
        page.get_by_role("button", name="Continue").click()
        expect(page.locator(".trouble")).to_be_visible()
        # As people type it.
        page.get_by_label("The code that it shows").fill(codes[0]["user_code"].lower())
        page.get_by_role("button", name="Continue").click()
        asked = page.get_by_role("group", name="Let a program in")
        expect(asked).to_contain_text("Editor <b>1</b> wants to be let in as you, for 90 days")
        expect(asked.get_by_role("listitem")).to_have_count(4)
        shot(page, "device")
        page.get_by_role("button", name="Let it in").click()
        expect(page.get_by_role("status")).to_contain_text("The program is let in.")

        token = polled(0).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert program.get("/api/v1/me", headers=bearer).json()["name"] == "Ada Reader"

        page.goto(f"{site.address}/device")
        page.get_by_label("The code that it shows").fill(codes[1]["user_code"])
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Refuse").click()
        expect(page.get_by_role("status")).to_have_text("The program was refused.")
        assert polled(1).json()["error"] == "access_denied"
    watch.forgive(NOT_PASSED)

"""`docent state`: what an operator does with the database."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from ingest.errors import DocentError, IndexMissing
from ingest.model import BlockKind
from tests.web.fake import FakeAssistant, a_document
from tests.web.state.conftest import sign_in
from web.cli_state import exported, state_app
from web.state import State, StateTrouble
from web.state.migrate import versions

OPEN = a_document("wiki:open", "Open page", (BlockKind.PROSE, "Everybody reads this."))
CLOSED = a_document(
    "wiki:closed",
    "Closed page",
    (BlockKind.PROSE, "The board reads this."),
    access=frozenset({"board"}),
)


@pytest.fixture
def house(tmp_path, sqlite_template):
    """A settings file, and beside the index that is not there yet, a database with two people."""
    (tmp_path / "docent.toml").write_text('[index]\npath = "index"\n[state]\naudit_days = 30\n')
    (tmp_path / "state.db").write_bytes(sqlite_template.read_bytes())

    async def fill():
        state = await State.open(f"sqlite:///{tmp_path / 'state.db'}")
        ada = await sign_in(state, "ada")
        ben = await sign_in(state, "ben")
        await state.audit.record(ada.id, "ask", ["d1"])
        await state.audit.record(ben.id, "search", ["d1", "d2"])
        await state.audit.record(ada.id, "ask", ["d2"])
        # The same address at another issuer.
        await state.users.sign_in(
            "https://b.example.org", "b", name="B", email=ben.email, groups=[], role="reader"
        )
        await state.close()
        return ada, ben

    return tmp_path, *asyncio.run(fill())


def run(folder, *words, status=0, typed=""):
    command = [*words, "--config", str(folder / "docent.toml")]
    done = CliRunner().invoke(state_app, command, input=typed)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.output
    return done.stdout


def test_tables_go_forth_and_back(house):
    folder, *_ = house

    assert run(folder, "downgrade", "0001") == "The tables are of version 0001.\n"
    assert run(folder, "upgrade") == f"The tables are of version {versions()[-1]}.\n"
    with pytest.raises(StateTrouble, match="There is no version 7"):
        run(folder, "downgrade", "7")


def test_somebody_is_erased_after_a_question(house):
    folder, ada, _ = house

    assert "Ada <ada@example.org>" in run(folder, "erase", ada.email, status=1, typed="n\n")
    told = run(folder, "erase", ada.email, typed="y\n")
    assert told.endswith("Erased: Ada <ada@example.org>, subject subject-of-ada.\n")

    with pytest.raises(DocentError, match=r"There is no account .* ada@example.org\."):
        run(folder, "erase", ada.email, "--yes")


def test_an_address_of_two_accounts_is_not_guessed_at(house):
    folder, _, ben = house

    with pytest.raises(DocentError, match=rf"^2 accounts are ben@.*name one by its id.*{ben.id}"):
        run(folder, "erase", ben.email, "--yes")
    run(folder, "erase", ben.id, "--yes")


def test_the_audit_log_is_printed_by_user_and_by_document(house):
    folder, ada, ben = house

    def shown(*options):
        entries = [json.loads(line) for line in run(folder, "audit", *options).splitlines()]
        return [(entry["user_id"], entry["documents"]) for entry in entries]

    assert shown() == [(ada.id, ["d2"]), (ben.id, ["d1", "d2"]), (ada.id, ["d1"])]
    assert shown("--user", "ada@example.org") == [(ada.id, ["d2"]), (ada.id, ["d1"])]
    assert shown("--document", "d1") == [(ben.id, ["d1", "d2"]), (ada.id, ["d1"])]
    assert shown("--document", "d1", "--limit", "1") == [(ben.id, ["d1", "d2"])]
    assert shown("--document", "d3") == []


def test_a_purge_says_what_it_removed(house):
    folder, *_ = house

    assert json.loads(run(folder, "purge")) == {
        "sessions": 0,
        "tokens": 0,
        "audit": 0,
        "usage": 0,
        "unanswered": 0,
    }


def test_an_export_needs_the_index_that_says_what_may_be_read(house):
    folder, ada, _ = house

    with pytest.raises(IndexMissing):
        run(folder, "export", ada.email)


async def test_an_export_withholds_what_the_user_may_no_longer_read(state, ada):
    begun = await state.conversations.begin(ada.id, "Who reads?")
    passage = {"document_id": CLOSED.id, "text": "The board reads this.", "also": []}
    citation = {"marker": 1, "document_id": CLOSED.id, "quote": "The board", "also": []}
    answer = {
        "answer": "The board reads this.",
        "sentences": [{"text": "The board reads this.", "citations": [1], "supported": True}],
        "citations": [citation],
        "passages": [passage],
        "notices": [],
        "contacts": [],
    }
    await state.conversations.finish(
        ada.id, begun, answer["answer"], answer=answer, documents=[OPEN.id, CLOSED.id]
    )
    assistant = FakeAssistant([OPEN, CLOSED])

    out = await exported(state, assistant, ada)

    assert "board" not in json.dumps(out).replace(CLOSED.id, "")
    assert CLOSED.id not in json.dumps(out)
    assert out["conversations"][0]["messages"][1]["documents"] == [OPEN.id]
    assert [entry.door for entry in await state.audit.page()] == ["account"]

    await state.accounts.erase(ada.id)
    with pytest.raises(DocentError, match="has been erased in the meantime"):
        await exported(state, assistant, ada)


def test_an_account_of_another_service_is_linked_and_unlinked(house):
    folder, ada, _ = house
    gitlab = ("gitlab:gitlab.example.org", "42")

    def whose():
        async def ask():
            state = await State.open(f"sqlite:///{folder / 'state.db'}")
            try:
                return await state.links.user_of(*gitlab)
            finally:
                await state.close()

        return asyncio.run(ask())

    said = run(folder, "link", *gitlab, ada.id, "--name", "akroll")
    assert said == f"{' '.join(gitlab)} is {ada.name} <{ada.email}>.\n"
    assert whose().id == ada.id
    assert run(folder, "unlink", *gitlab) == f"{' '.join(gitlab)} is nobody's now.\n"
    assert whose() is None
    with pytest.raises(DocentError, match="is linked with nobody"):
        run(folder, "unlink", *gitlab)
    with pytest.raises(DocentError, match="no account"):
        run(folder, "link", *gitlab, "nobody")

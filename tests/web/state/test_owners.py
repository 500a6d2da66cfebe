"""What belongs to another looks missing, whatever id of his is known."""

import inspect
from datetime import timedelta

from tests.web.state.conftest import START
from web.state import State
from web.state.database import Database

OF_NOBODY = {
    # Found by a secret, or by what the provider says.
    "sessions.find",
    "sessions.end",
    "sessions.end_at_provider",
    "tokens.verify",
    "tokens.used",
    "feedback.from_outside",
    "feedback.taken_back",
    # Asked and told by the service whose account it is.
    "links.code",
    "links.about",
    "links.user_of",
    "links.users_of",
    "links.forget",
    # Asked by a program that has a code and is nobody yet.
    "devices.begin",
    "devices.poll",
    "shares.open",
    # Who signs in, or what an operator does.
    "users.sign_in",
    "users.local",
    "users.seen",
    "users.named",
    # Whose tokens the provider has made.
    "users.of",
    "audit.page",
    "audit.tally",
    # Each note names whose it is.
    "audit.write",
    # A bot's own list of what it has heard; its service is the key.
    "pending.put",
    "pending.done",
    "pending.all",
    # A server speaks of answers that it writes itself, or that another one left behind.
    "underway.beat",
}
FOR_MAINTAINERS = {"review", "gaps", "usage"}


def test_every_method_takes_the_owner_first():
    owned = set()
    for noun, repository in _nouns():
        for name, method in inspect.getmembers(repository, inspect.isfunction):
            full = f"{noun}.{name}"
            if name.startswith("_") or full in OF_NOBODY:
                continue
            assert list(inspect.signature(method).parameters)[1] == "user_id", full
            owned.add(full)
    assert len(owned) > 15


def _nouns():
    state = State(Database("sqlite:////nowhere/state.db"))
    return [
        (noun, type(repository))
        for noun, repository in vars(state).items()
        if noun != "database" and noun not in FOR_MAINTAINERS
    ]


async def test_nothing_of_another_can_be_read_or_changed_with_ids_that_leaked(state, ada, ben):
    begun = await state.conversations.begin(ada.id, "Who?")
    await state.conversations.finish(ada.id, begun, "Ines.", answer={"answer": "Ines."})
    share = await state.shares.make(ada.id, begun.conversation_id)
    token, _ = await state.tokens.make(ada.id, "laptop", ["ask"], START + timedelta(days=1))
    await state.feedback.give(ada.id, begun.answer_id, helpful=True)
    conversations, hers = state.conversations, begun.conversation_id
    unanswered = await conversations.begin(ada.id, "Where?", conversation_id=hers)
    before = await state.accounts.export(ada.id)

    assert await conversations.get(ben.id, hers) is None
    assert await conversations.messages(ben.id, hers) == []
    assert await conversations.page(ben.id) == []
    assert await conversations.page(ben.id, query="Ines") == []
    assert await conversations.rename(ben.id, hers, "Mine") is None
    assert not await conversations.delete(ben.id, hers)
    assert await conversations.begin(ben.id, "And?", conversation_id=hers) is None
    assert (
        await conversations.begin(ben.id, "And?", conversation_id=hers, replaces=begun.question_id)
        is None
    )
    assert not await conversations.finish(ben.id, unanswered, "Forged.")
    assert await state.shares.make(ben.id, hers) is None
    assert not await state.shares.withdraw(ben.id, hers)
    assert await state.feedback.give(ben.id, begun.answer_id, helpful=False) is None
    assert not await state.feedback.withdraw(ben.id, begun.answer_id)
    assert await state.feedback.all(ben.id) == []
    assert await state.tokens.all(ben.id) == []
    assert not await state.tokens.revoke(ben.id, token.id)
    assert not await state.accounts.erase("nobody")
    assert await state.accounts.export("nobody") is None

    exported = await state.accounts.export(ben.id)
    assert (exported.conversations, exported.messages, exported.tokens) == ((), {}, ())
    assert (exported.feedback, exported.audit, exported.unanswered) == ((), (), ())
    assert await state.accounts.export(ada.id) == before
    assert (await state.shares.open(share.id)).title == "Who?"


async def test_a_question_of_ones_own_cannot_be_answered_into_a_conversation_of_another(
    state, ada, ben
):
    hers = await state.conversations.begin(ada.id, "Who?")
    his = await state.conversations.begin(ben.id, "Where?")

    mixed = type(hers)(his.conversation_id, hers.question_id, his.answer_id, ())

    assert not await state.conversations.finish(ben.id, mixed, "Forged.")

"""Accounts and sessions."""

from datetime import timedelta

from tests.web.state.conftest import START, sign_in


async def test_a_second_sign_in_is_the_same_account_with_what_the_claims_say_now(state, clock):
    first = await sign_in(state, "ada")
    clock.pass_(hours=1)

    second = await state.users.sign_in(
        first.issuer, first.subject, name="Ada L", email="", groups=["b", "a", "b"], role="admin"
    )

    assert second.id == first.id
    assert (second.name, second.email, second.role) == ("Ada L", "", "admin")
    assert second.groups == ("a", "b")
    assert (second.created_at, second.signed_in_at) == (START, START + timedelta(hours=1))
    assert await state.users.get(first.id) == second


async def test_the_same_subject_of_another_issuer_is_somebody_else(state, ada):
    other = await state.users.sign_in(
        "https://other.example.org", ada.subject, name="Ada", email="", groups=[], role="reader"
    )

    assert other.id != ada.id


async def test_the_local_account_is_one_and_has_the_known_id(state):
    first = await state.users.local(groups=["collaboration"])
    again = await state.users.local(groups=[])

    assert first.id == again.id == "local"
    assert (first.groups, again.groups) == (("collaboration",), ())


async def test_being_seen_is_written_down_at_most_every_five_minutes(state, ada, clock):
    clock.pass_(minutes=4)
    await state.users.seen(ada)
    early = await state.users.get(ada.id)
    clock.pass_(minutes=1)
    await state.users.seen(ada)
    late = await state.users.get(ada.id)

    assert early.seen_at == START
    assert late.seen_at == START + timedelta(minutes=5)
    assert late.signed_in_at == START


async def test_an_operator_finds_an_account_by_id_mail_or_subject(state, ada, ben):
    assert await state.users.named(ada.id) == [ada]
    assert await state.users.named("ben@example.org") == [ben]
    assert await state.users.named("subject-of-ben") == [ben]
    assert await state.users.named("nobody") == []
    assert await state.users.get("nobody") is None


async def test_a_session_is_found_by_its_secret_until_it_expires(state, ada, clock):
    secret = await state.sessions.begin(ada.id, lasts=timedelta(hours=10), oidc_sid="sid-1")

    session, user = await state.sessions.find(secret)
    assert (session.oidc_sid, user) == ("sid-1", ada)
    assert session.expires_at == START + timedelta(hours=10)

    clock.pass_(hours=10)
    assert await state.sessions.find(secret) is None


async def test_the_database_holds_no_secret(state, ada, url):
    secret = await state.sessions.begin(ada.id, lasts=timedelta(hours=1))
    _, text = await state.tokens.make(ada.id, "laptop", ["ask"], START + timedelta(days=1))

    async with state.database.read() as connection:
        for table in ("sessions", "tokens"):
            rows = await connection.exec_driver_sql(f"SELECT * FROM {table}")  # noqa: S608
            kept = repr(rows.all())
            assert secret not in kept
            assert text.rpartition("_")[2] not in kept


async def test_signing_out_ends_one_session_or_all(state, ada, ben):
    one = await state.sessions.begin(ada.id, lasts=timedelta(hours=1))
    two = await state.sessions.begin(ada.id, lasts=timedelta(hours=1))
    hers = await state.sessions.begin(ben.id, lasts=timedelta(hours=1))

    assert await state.sessions.end(one)
    assert not await state.sessions.end(one)
    assert await state.sessions.find(two)
    assert await state.sessions.end_all(ada.id) == 1
    assert await state.sessions.find(two) is None
    assert await state.sessions.find(hers)


async def test_the_provider_ends_a_session_or_all_of_a_subject(state, ada, ben):
    issuer = ada.issuer
    for sid in ("s1", "s2", "s3"):
        await state.sessions.begin(ada.id, lasts=timedelta(hours=1), oidc_sid=sid)
    kept = await state.sessions.begin(ben.id, lasts=timedelta(hours=1), oidc_sid="s1")

    assert await state.sessions.end_at_provider("https://other.example.org", sid="s2") == 0
    assert await state.sessions.end_at_provider(issuer, subject=ben.subject, sid="s2") == 0
    assert await state.sessions.end_at_provider(issuer, sid="s2") == 1
    assert await state.sessions.end_at_provider(issuer, subject=ada.subject) == 2
    assert await state.sessions.find(kept)

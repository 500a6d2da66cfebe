"""What a provider says is believed only if it holds."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from ingest.web_settings import SignInSettings
from tests.web.signin import forger as forging
from tests.web.signin.forger import CLIENT, NOW, a_key, part
from web.signin.attempt import Attempt
from web.signin.errors import ProviderAway, SignInError
from web.signin.oidc import LOGOUT_EVENT, LoggedOut, Provider

BACK = "https://docent.example.org/auth/callback"
SECRET = "a-client-secret-of-the-test"
ATTEMPT = Attempt.new("/")

IMPOSTOR = a_key("one")
"""Calls itself what the provider's key is called."""
NEXT = a_key("two")
"""The provider's next key."""


@dataclass
class Clock:
    ahead: timedelta = timedelta()

    def seconds(self):
        return NOW + self.ahead.total_seconds()


@pytest.fixture(scope="module")
def shared_forger():
    with forging.running() as found:
        yield found


@pytest.fixture
def forger(shared_forger):
    shared_forger.reset()
    return shared_forger


@pytest.fixture
def clock():
    return Clock()


def provider_for(forger, clock, **more):
    settings = SignInSettings(issuer=forger.issuer, client_id=CLIENT, **more)
    return Provider(settings, SECRET, clock=clock.seconds, timeout_s=20)


@pytest.fixture
def provider(forger, clock):
    return provider_for(forger, clock)


async def claims_of(provider, *, issuer=None, enough=True):
    return await provider.claims("code", issuer, ATTEMPT, BACK, lambda claims: enough)


async def test_what_holds_is_believed(forger, provider):
    forger.gives(forger.signed(forger.id_claims(ATTEMPT.nonce)))

    claims = await claims_of(provider)

    assert (claims["sub"], claims["groups"]) == ("ada", ["trigger"])
    assert forger.forms == [
        {
            "grant_type": "authorization_code",
            "code": "code",
            "redirect_uri": BACK,
            "code_verifier": ATTEMPT.verifier,
        }
    ]
    basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    assert forger.headers[1]["authorization"] == f"Basic {basic}"


async def test_the_secret_stands_in_the_form_where_the_provider_takes_it_there(forger, provider):
    forger.describe(token_endpoint_auth_methods_supported=["client_secret_post"])
    forger.gives(forger.signed(forger.id_claims(ATTEMPT.nonce)))

    await claims_of(provider)

    assert (forger.forms[0]["client_id"], forger.forms[0]["client_secret"]) == (CLIENT, SECRET)
    assert "authorization" not in forger.headers[1]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"iss": "https://evil.example"}, "not of the issuer, or not for Docent"),
        ({"iss": None}, "not of the issuer"),
        ({"aud": "another"}, "not for Docent"),
        ({"aud": ["another"]}, "not for Docent"),
        ({"aud": None}, "not for Docent"),
        ({"aud": [CLIENT, "another"]}, "missing_claim: azp"),
        ({"azp": "another"}, "invalid_claim: azp"),
        ({"nonce": "n"}, "invalid_claim: nonce"),
        ({"nonce": None}, "missing_claim: nonce"),
        ({"exp": NOW - 61}, "expired_token"),
        ({"exp": None}, "missing_claim: exp"),
        ({"exp": "tomorrow"}, "invalid_claim: exp"),
        ({"iat": NOW + 600}, "invalid_claim: iat"),
        ({"iat": None}, "missing_claim: iat"),
        ({"nbf": NOW + 600}, "invalid_claim: nbf|invalid_token: nbf"),
        ({"sub": None}, "missing_claim: sub"),
        ({"sub": ""}, "does not say who you are|invalid_claim: sub"),
        ({"at_hash": "x"}, "invalid_claim: at_hash"),
    ],
)
async def test_claims_that_do_not_hold(forger, provider, wrong, told):
    forger.gives(forger.signed(forger.id_claims(**{"nonce": ATTEMPT.nonce, **wrong})))

    with pytest.raises(SignInError, match=told):
        await claims_of(provider)


async def test_clocks_may_be_a_little_apart(forger, provider):
    forger.gives(forger.signed(forger.id_claims(ATTEMPT.nonce, exp=NOW - 20, iat=NOW + 20)))

    assert await claims_of(provider)


async def test_an_audience_of_its_own(forger, clock):
    provider = provider_for(forger, clock, audience="all-apps")
    forger.gives(forger.signed(forger.id_claims(ATTEMPT.nonce, aud="all-apps", azp=CLIENT)))
    assert await claims_of(provider)

    forger.gives(forger.signed(forger.id_claims(ATTEMPT.nonce)))
    with pytest.raises(SignInError, match="not for Docent"):
        await claims_of(provider)


def unsigned(forger, claims):
    return f"{part({'alg': 'none', 'kid': 'one'})}.{part(claims)}."


def signed_with_the_public_key(forger, claims):
    head = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(claims)}"
    made = hmac.digest(forger.key.as_pem(private=False), head.encode(), hashlib.sha256)
    return f"{head}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


def changed_afterwards(forger, claims):
    head, _, signature = forger.signed({**claims, "sub": "ben"}).split(".")
    return f"{head}.{part(claims)}.{signature}"


def signed_by_somebody_else(forger, claims):
    return forger.signed(claims, IMPOSTOR)


def signed_by_an_unknown_key(forger, claims):
    return forger.signed(claims, NEXT)


def signed_with_a_key_in_its_header(forger, claims):
    return forger.signed(claims, IMPOSTOR, jwk=IMPOSTOR.as_dict(private=False))


@pytest.mark.parametrize(
    "forged",
    [
        unsigned,
        signed_with_the_public_key,
        changed_afterwards,
        signed_by_somebody_else,
        signed_by_an_unknown_key,
        signed_with_a_key_in_its_header,
        lambda forger, claims: "no.token.atall",
        lambda forger, claims: "ä",
        lambda forger, claims: forger.signed(claims)[:-8],
    ],
)
async def test_signatures_that_do_not_hold(forger, provider, forged):
    forger.gives(forged(forger, forger.id_claims(ATTEMPT.nonce)))

    with pytest.raises(SignInError, match="signature does not hold"):
        await claims_of(provider)


async def test_a_method_that_is_not_allowed(forger, clock):
    forger.gives(forger.signed(forger.id_claims(ATTEMPT.nonce), alg="RS512"))

    with pytest.raises(SignInError, match="signature does not hold"):
        await claims_of(provider_for(forger, clock))
    assert await claims_of(provider_for(forger, clock, algorithms=("RS512",)))


async def test_keys_that_encrypt_or_are_of_an_unknown_kind_are_for_others(forger, provider):
    key = forger.key.as_dict(private=False)
    others = [{**key, "use": "enc"}, {"kty": "PQC", "kid": "one"}, {"kty": "oct", "k": "AAAA"}, 7]
    forger.gives(forger.signed(forger.id_claims(ATTEMPT.nonce)))
    forger.answers["/jwks"] = (200, {"keys": others})
    with pytest.raises(SignInError, match="signature does not hold"):
        await claims_of(provider)

    forger.answers["/jwks"] = (200, {"keys": [*others, key]})
    assert await claims_of(provider_for(forger, Clock()))


async def test_new_keys_are_learnt_and_unknown_ones_do_not_make_us_ask_on_and_on(
    forger, provider, clock
):
    forger.gives(forger.signed(forger.id_claims(ATTEMPT.nonce)))
    await claims_of(provider)
    forger.answers["/jwks"] = (200, {"keys": [NEXT.as_dict(private=False)]})
    forger.gives(forger.signed(forger.id_claims(ATTEMPT.nonce), NEXT))
    # The first keys are younger than ten seconds.
    with pytest.raises(SignInError, match="signature"):
        await claims_of(provider)

    clock.ahead = timedelta(seconds=11)

    assert await claims_of(provider)
    assert forger.asked.count("/jwks") == 2
    forger.gives(forger.signed(forger.id_claims(ATTEMPT.nonce), IMPOSTOR))
    for _ in range(3):
        with pytest.raises(SignInError, match="signature"):
            await claims_of(provider)
    assert forger.asked.count("/jwks") == 2


async def test_the_description_is_asked_for_once_an_hour_and_outlives_an_outage(
    forger, provider, clock
):
    address = "/.well-known/openid-configuration"
    for _ in range(3):
        url = await provider.authorization_url(ATTEMPT, BACK)
    assert url.startswith(f"{forger.issuer}/auth?")
    assert parse_qs(urlsplit(url).query)["client_id"] == [CLIENT]
    assert forger.asked == [address]

    clock.ahead = timedelta(minutes=61)
    forger.describe(authorization_endpoint=f"{forger.issuer}/new")
    assert (await provider.authorization_url(ATTEMPT, BACK)).startswith(f"{forger.issuer}/new?")

    clock.ahead = timedelta(minutes=122)
    forger.answers[address] = (500, "down")
    assert (await provider.authorization_url(ATTEMPT, BACK)).startswith(f"{forger.issuer}/new?")
    assert forger.asked == [address] * 3


@pytest.mark.parametrize(
    ("description", "told"),
    [
        ({"issuer": "https://other.example"}, "calls itself 'https://other.example' and not"),
        ({"token_endpoint": "http://auth.example/token"}, "token_endpoint is 'http://auth.ex"),
        ({"jwks_uri": ""}, "jwks_uri is None, which is no https address"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "no https address"),
        ({"end_session_endpoint": 7}, "end_session_endpoint is 7"),
    ],
)
async def test_a_description_that_cannot_be_used(forger, provider, description, told):
    forger.describe(**description)

    with pytest.raises(ProviderAway, match=told):
        await provider.authorization_url(ATTEMPT, BACK)


@pytest.mark.parametrize("told", [(200, "<html>"), (404, {}), (200, []), (302, {})])
async def test_what_is_no_description(forger, provider, told):
    forger.answers["/.well-known/openid-configuration"] = told

    with pytest.raises(ProviderAway):
        await provider.authorization_url(ATTEMPT, BACK)


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        ((500, "down"), ProviderAway, "does not answer as it should"),
        ((200, "<html>"), ProviderAway, "does not answer as it should"),
        ((200, []), SignInError, "."),
        ((400, {"error": "invalid_grant"}), SignInError, "does not take the answer .invalid_grant"),
        ((401, {"error": "invalid_client"}), SignInError, "invalid_client"),
        ((200, {"access_token": "at", "token_type": "Bearer"}), SignInError, "gave no token"),
    ],
)
async def test_what_the_token_endpoint_may_say(forger, provider, answer, error, told):
    forger.answers["/token"] = answer

    with pytest.raises(error, match=told):
        await claims_of(provider)


async def test_a_provider_that_promises_to_say_who_it_is_must_do_so(forger, provider):
    forger.gives(forger.signed(forger.id_claims(ATTEMPT.nonce)))
    assert await claims_of(provider, issuer=forger.issuer)
    with pytest.raises(SignInError, match="not of the sign-in server of Docent"):
        await claims_of(provider, issuer="https://evil.example")

    forger.describe(authorization_response_iss_parameter_supported=True)
    with pytest.raises(SignInError, match="not of the sign-in server of Docent"):
        await claims_of(provider_for(forger, Clock()))


async def test_userinfo_adds_what_the_id_token_does_not_tell(forger, provider):
    forger.gives(forger.signed(forger.id_claims(ATTEMPT.nonce, groups=None, email="a@x.example")))
    told = {"sub": "ada", "groups": ["daq"], "email": "other@x.example"}
    forger.answers["/me"] = (200, told)

    claims = await claims_of(provider, enough=False)

    assert claims["groups"] == ["daq"]
    assert claims["email"] == "a@x.example"
    assert forger.asked[-1] == "/me"
    assert forger.headers[-1]["authorization"] == "Bearer at"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((200, {"sub": "ben", "groups": ["daq"]}), SignInError),
        ((200, {"groups": ["daq"]}), SignInError),
        ((200, ["daq"]), SignInError),
        ((200, "a.signed.answer"), ProviderAway),
        ((503, {}), ProviderAway),
    ],
)
async def test_userinfo_about_somebody_else_or_nobody(forger, provider, answer, error):
    forger.gives(forger.signed(forger.id_claims(ATTEMPT.nonce)))
    forger.answers["/me"] = answer

    with pytest.raises(error):
        await claims_of(provider, enough=False)


async def test_without_userinfo_the_id_token_has_to_do(forger, provider):
    forger.describe(userinfo_endpoint="")
    forger.gives(forger.signed(forger.id_claims(ATTEMPT.nonce)))

    assert (await claims_of(provider, enough=False))["sub"] == "ada"


async def test_signing_out_at_the_provider(forger, provider):
    url = await provider.end_session_url("https://docent.example.org/")

    assert url == (
        f"{forger.issuer}/out?client_id=docent"
        "&post_logout_redirect_uri=https%3A%2F%2Fdocent.example.org%2F"
    )
    forger.describe(end_session_endpoint=f"{forger.issuer}/out?realm=m")
    url = await provider_for(forger, Clock()).end_session_url("https://docent.example.org/")
    assert url.startswith(f"{forger.issuer}/out?realm=m&client_id=docent&")
    forger.describe(end_session_endpoint="")
    assert await provider_for(forger, Clock()).end_session_url("https://x.example/") == ""


@pytest.mark.parametrize(
    ("claims", "out"),
    [
        ({}, LoggedOut("ada", "")),
        ({"sid": "s1"}, LoggedOut("ada", "s1")),
        ({"sid": "s1", "sub": None}, LoggedOut("", "s1")),
    ],
)
async def test_whom_a_logout_token_is_about(forger, provider, claims, out):
    token = forger.signed(forger.logout_claims(**claims), typ="logout+jwt")

    assert await provider.logged_out(token) == out


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"iss": "https://evil.example"}, "not of the issuer"),
        ({"aud": "another"}, "not for Docent"),
        ({"events": None}, "does not tell of a logout"),
        ({"events": {"other": {}}}, "does not tell of a logout"),
        ({"events": {LOGOUT_EVENT: True}}, "does not tell of a logout"),
        ({"events": [LOGOUT_EVENT]}, "does not tell of a logout"),
        ({"nonce": "n"}, "has a nonce"),
        ({"sub": None}, "names neither a person nor a session"),
        ({"sub": "", "sid": ""}, "names neither a person nor a session"),
        ({"sid": 7}, "has a sid that is no text"),
        ({"jti": None}, "has no id of its own"),
        ({"iat": None}, "from when till when"),
        ({"exp": None}, "from when till when"),
        ({"exp": True}, "from when till when"),
        ({"exp": NOW - 90}, "has expired"),
        ({"iat": NOW + 600}, "is not of now"),
        ({"iat": NOW - 700}, "is not of now"),
    ],
)
async def test_logout_tokens_that_do_not_hold(forger, provider, wrong, told):
    with pytest.raises(SignInError, match=told):
        await provider.logged_out(forger.signed(forger.logout_claims(**wrong)))


async def test_an_id_token_or_a_token_of_another_kind_signs_nobody_out(forger, provider):
    with pytest.raises(SignInError, match="does not tell of a logout"):
        await provider.logged_out(forger.signed(forger.id_claims(ATTEMPT.nonce)))
    with pytest.raises(SignInError, match="is a token of another kind"):
        await provider.logged_out(forger.signed(forger.logout_claims(), typ="at+jwt"))
    with pytest.raises(SignInError, match="signature"):
        await provider.logged_out(unsigned(forger, forger.logout_claims()))
    with pytest.raises(SignInError, match="no token"):
        await provider.logged_out("")


async def test_a_logout_token_is_good_for_once(forger, provider, clock):
    token = forger.signed(forger.logout_claims(exp=NOW + 5000))
    await provider.logged_out(token)

    with pytest.raises(SignInError, match="was here before"):
        await provider.logged_out(token)

    # So long as the token could hold, its id is remembered.
    clock.ahead = timedelta(minutes=10)
    with pytest.raises(SignInError, match="was here before"):
        await provider.logged_out(token)
    clock.ahead = timedelta(minutes=13)
    with pytest.raises(SignInError, match="is not of now"):
        await provider.logged_out(token)
    other = forger.logout_claims(iat=NOW + 780, exp=NOW + 900)
    assert await provider.logged_out(forger.signed(other))

import pytest

from ingest.errors import DocentError
from ingest.settings import Settings
from web.start import check_start, is_placeholder, sign_in_secret, state_url

SIGNIN = {"issuer": "https://auth.example.org/realms/meridian", "client_id": "docent"}
HTTPS = {"public_url": "https://docent.example.org"}
SECRET = "Zk3vQ9rT1xW7bN5mC2pL8sD4"


def settings(**sections):
    return Settings.model_validate(sections)


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("DOCENT_SIGNIN_SECRET", SECRET)
    monkeypatch.delenv("DOCENT_STATE_URL", raising=False)
    return SECRET


def test_on_this_machine_nothing_is_needed():
    check_start(settings(), "127.0.0.1", ["collaboration"])
    check_start(settings(server={"public_url": "http://localhost:8000"}), "localhost", [])


def test_on_other_addresses_people_sign_in_over_https():
    check_start(settings(signin=SIGNIN, server=HTTPS), "10.1.2.3", [])
    check_start(settings(signin=SIGNIN, server=HTTPS), "127.0.0.1", [])
    check_start(settings(signin=SIGNIN), "::1", [])


@pytest.mark.parametrize(
    ("sections", "host", "told"),
    [
        ({}, "10.1.2.3", "--host 10.1.2.3: without a sign-in, Docent listens on this machine only"),
        ({"server": HTTPS}, "10.1.2.3", "without a sign-in"),
        ({"signin": SIGNIN}, "10.1.2.3", "public_url must be the https address that people use"),
        (
            {"signin": SIGNIN, "server": {"public_url": "http://localhost:8000"}},
            "10.1.2.3",
            "public_url must be the https address",
        ),
        ({"server": HTTPS}, "127.0.0.1", "public_url is https://docent.example.org, but there is"),
    ],
)
def test_what_may_not_listen(sections, host, told):
    with pytest.raises(DocentError, match=told):
        check_start(settings(**sections), host, [])


def test_groups_of_the_command_line_and_a_sign_in_exclude_each_other():
    with pytest.raises(DocentError, match="--as is for a server without sign-in"):
        check_start(settings(signin=SIGNIN), "127.0.0.1", ["collaboration"])


def test_the_secret_comes_from_the_environment(monkeypatch, secret):
    assert sign_in_secret(settings(signin=SIGNIN)) == secret

    monkeypatch.setenv("OTHER", "another-long-one-of-9")
    other = settings(signin={**SIGNIN, "client_secret_env": "OTHER"})
    assert sign_in_secret(other) == "another-long-one-of-9"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("", "DOCENT_SIGNIN_SECRET is empty: set it to the client secret that https://auth.ex"),
        ("  ", "is empty"),
        ("Zk3vQ9", "is a placeholder or shorter than 16 characters"),
        ("change-me-change-me", "is a placeholder"),
        ("your-client-secret-here", "is a placeholder"),
        ("xxxxxxxxxxxxxxxxxxxxxxxx", "is a placeholder"),
    ],
)
def test_without_a_secret_it_does_not_start(monkeypatch, value, told):
    monkeypatch.setenv("DOCENT_SIGNIN_SECRET", value)

    with pytest.raises(DocentError, match=told) as error:
        check_start(settings(signin=SIGNIN), "127.0.0.1", [])
    assert "DOCENT_SIGNIN_SECRET" in str(error.value)
    assert value.strip() == "" or value not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "changeme", "ChangeMe!", "change_this", "secret", "secret123", "client-secret", "password",
        "<client secret>", "${SECRET}", "replace me", "some-secret", "aaaaaaaaaaaaaaaa", "docent",
        "test", "1234",
    ],
)  # fmt: skip
def test_placeholders(text):
    assert is_placeholder(text)


@pytest.mark.parametrize(
    "text", [SECRET, "secretary-of-the-muon-group", "4f1d8a9c0be27763", "a-9fKq_2LxTz81"]
)
def test_secrets(text):
    assert not is_placeholder(text)


def test_the_database_of_the_environment_goes_before_that_of_the_file(monkeypatch):
    given = settings(state={"url": "postgresql://docent@db.example/docent"})
    assert state_url(given) == "postgresql://docent@db.example/docent"
    assert state_url(settings()) == ""

    monkeypatch.setenv("DOCENT_STATE_URL", "sqlite:////var/docent/state.db")

    assert state_url(given) == "sqlite:////var/docent/state.db"


@pytest.mark.parametrize(
    ("url", "starts"),
    [
        ("postgresql://docent:changeme@db.example/docent", False),
        ("postgresql://docent:change%6De@db.example/docent", False),
        (f"postgresql://docent:{SECRET}@db.example/docent", True),
        ("postgresql://docent@db.example/docent", True),
        ("postgresql://[broken/docent", True),
    ],
)
def test_nor_with_a_placeholder_for_the_password_of_the_database(monkeypatch, url, starts):
    monkeypatch.setenv("DOCENT_STATE_URL", url)

    # One who tries things out on his own machine may have any password.
    check_start(settings(), "127.0.0.1", [])
    if starts:
        check_start(settings(signin=SIGNIN), "127.0.0.1", [])
    else:
        with pytest.raises(DocentError, match="password of the database in"):
            check_start(settings(signin=SIGNIN), "127.0.0.1", [])

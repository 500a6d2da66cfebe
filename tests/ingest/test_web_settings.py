import pytest
from pydantic import ValidationError

from ingest.errors import SettingsError
from ingest.settings import load_settings
from ingest.web_settings import ServerSettings, SignInSettings, StateSettings

ISSUER = "https://auth.example.org/realms/meridian"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://docent.example.org", "https://docent.example.org"),
        ("https://docent.example.org:8443/", "https://docent.example.org:8443"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("", ""),
    ],
)
def test_the_address_that_people_use(given, kept):
    assert ServerSettings(public_url=given).public_url == kept


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("http://docent.example.org", "must be an https address"),
        ("docent.example.org", "must be an https address"),
        ("http://localhost.example.org", "must be an https address"),
        ("https://user@docent.example.org", "without user"),
        ("https://docent.example.org/?a", "without user, [?] and #"),
        ("https://docent.example.org\\@evil.example", "must be an address such as"),
        ("https://", "must be an address such as"),
        ("https://example.org/docent", "must have no path"),
    ],
)
def test_what_cannot_be_an_address_is_refused(given, told):
    with pytest.raises(ValidationError, match=told):
        ServerSettings(public_url=given)


def test_an_issuer_is_kept_to_the_letter_since_it_is_compared_so():
    assert SignInSettings(issuer=ISSUER + "/", client_id="docent").issuer == ISSUER + "/"
    assert SignInSettings(issuer=ISSUER, client_id="docent").configured
    assert not SignInSettings().configured


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"issuer": ISSUER}, "issuer and client_id belong together"),
        ({"client_id": "docent"}, "issuer and client_id belong together"),
        ({"issuer": "http://auth.example.org", "client_id": "docent"}, "must be an https address"),
        ({"scopes": ["profile"]}, 'must contain "openid"'),
        ({"scopes": ["openid profile"]}, "should match pattern"),
        ({"algorithms": ["none"]}, "Input should be 'RS256'"),
        ({"algorithms": ["HS256"]}, "Input should be 'RS256'"),
        ({"algorithms": []}, "at least 1 item"),
    ],
)
def test_a_sign_in_that_cannot_work_is_refused(given, told):
    with pytest.raises(ValidationError, match=told):
        SignInSettings(**given)


@pytest.mark.parametrize(
    "url", ["", "sqlite+aiosqlite:////var/docent/state.db", "postgresql://docent@db.example/docent"]
)
def test_state_is_sqlite_or_postgresql(url):
    assert StateSettings(url=url).url == url
    with pytest.raises(ValidationError, match="should match pattern"):
        StateSettings(url="mysql://db.example/docent")


def test_a_wrong_setting_is_told_with_its_place(tmp_path):
    file = tmp_path / "docent.toml"
    file.write_text("[signin.roles]\nadmin = ['']\n[limits]\nslots = -1\n")

    with pytest.raises(SettingsError) as told:
        load_settings(file)

    assert f"{file}: [signin] roles.admin.0 is ''" in str(told.value)
    assert f"{file}: [limits] slots is -1: Input should be greater than or equal to 0." in str(
        told.value
    )


def test_a_file_of_an_authority_lies_beside_the_settings(tmp_path):
    file = tmp_path / "docent.toml"
    file.write_text("[signin]\nca_file = 'ca.pem'\n")

    assert load_settings(file).signin.ca_file == tmp_path / "ca.pem"

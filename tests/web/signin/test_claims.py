import pytest

from ingest.web_settings import SignInSettings
from web.signin.claims import names_at, person, tells_rights
from web.signin.errors import SignInError, SignInRefused
from web.who import Role

KEYCLOAK = {
    "sub": "f3a1",
    "name": "Ada Reader",
    "groups": ["/trigger", "/trigger/ops"],
    "realm_access": {"roles": ["user", "offline_access"]},
    "resource_access": {"docent": {"roles": ["keeper"]}, "app.example": {"roles": ["other"]}},
    "https://example.org/groups": ["daq"],
    "cern.roles": "shifter",
}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("groups", {"/trigger", "/trigger/ops"}),
        ("realm_access.roles", {"user", "offline_access"}),
        ("resource_access.docent.roles", {"keeper"}),
        # Dots may be part of a key.
        ("resource_access.app.example.roles", {"other"}),
        ("https://example.org/groups", {"daq"}),
        ("cern.roles", {"shifter"}),
        ("nothing", None),
        ("groups.deeper", None),
        ("realm_access.nothing", None),
        ("", None),
    ],
)
def test_names_are_found_where_the_settings_say(path, names):
    assert names_at(KEYCLOAK, path) == names


@pytest.mark.parametrize("told", [{"a": 1}, 7, True, ["a", 7], [["a"]]])
def test_what_is_no_list_of_names_signs_nobody_in(told):
    with pytest.raises(SignInError, match='claim "groups" is not a list of names'):
        names_at({"groups": told}, "groups")


def settings(**more):
    return SignInSettings.model_validate({"issuer": "https://a.example", "client_id": "d", **more})


def test_roles_come_of_groups_and_of_roles():
    roles = {"maintainer": ["keeper"], "admin": ["/trigger/ops"]}
    claim = "resource_access.docent.roles"

    def role_of(claims, **more):
        return person(claims, settings(roles_claim=claim, roles=roles, **more)).role

    assert role_of(KEYCLOAK) is Role.ADMIN
    assert role_of({**KEYCLOAK, "groups": []}) is Role.MAINTAINER
    assert role_of({"sub": "x"}) is Role.READER
    # A group that only begins like one of the settings is another group.
    assert role_of({"sub": "x", "groups": ["/trigger", "keepers", "KEEPER"]}) is Role.READER


def test_a_role_is_no_group():
    found = person(KEYCLOAK, settings(roles_claim="realm_access.roles"))

    assert found.groups == {"/trigger", "/trigger/ops"}


def test_who_may_come_in():
    only = settings(roles={"reader": ["collaboration"], "maintainer": ["docs"]})

    assert person({"sub": "x", "groups": ["collaboration"]}, only).role is Role.READER
    # Whoever keeps the documents need not be named twice.
    assert person({"sub": "x", "groups": ["docs"]}, only).role is Role.MAINTAINER
    with pytest.raises(SignInRefused, match="none of the groups that may use Docent"):
        person({"sub": "x", "groups": ["other"]}, only)


def test_the_name_is_the_best_that_is_told():
    def name_of(**claims):
        return person({"sub": "f3a1", **claims}, settings()).name

    assert name_of(name="Ada", preferred_username="ada") == "Ada"
    assert name_of(preferred_username="ada") == "ada"
    assert name_of() == "f3a1"
    assert len(name_of(name="x" * 1000)) == 300


def test_an_empty_list_tells_as_much_as_a_full_one():
    assert tells_rights({"groups": []}, settings())
    assert not tells_rights({}, settings())
    assert not tells_rights({"groups": []}, settings(roles_claim="realm_access.roles"))
    assert tells_rights(KEYCLOAK, settings(roles_claim="realm_access.roles"))

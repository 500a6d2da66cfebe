"""Sign-in pages and walls are recognised, and pages are not taken for them."""

import pytest

from ingest.outbound.walls import Wall, is_sign_in_address, wall_in
from tests.servers import CAPTCHA_PAGE, LOGIN_PAGE, SIGN_IN

PROSE = "<p>" + "The trigger decides which events are kept. " * 60 + "</p>"
BOX = """<form action="/bin/login/Main/WebHome" method="post" name="loginform">
<input name="username"><input type="password" name="password"><input type="submit" value="Log in">
</form>"""

SIGN_IN_PAGES = {
    "keycloak": LOGIN_PAGE,
    "keycloak with a long text": LOGIN_PAGE.replace("<h1>", PROSE + "<h1>"),
    "twiki": f"<html><body><h1>TWiki Login</h1>{BOX}</body></html>",
    "gitlab": """<!DOCTYPE html><html><body><form class="new_user" action="/users/sign_in">
        <input type="text" name="user[login]"><input type="password" name="user[password]">
        <button type="submit">Sign in</button></form></body></html>""",
    "jira": """<html><body><form action="/login.jsp" id="login-form"><input name="os_username">
        <input type="PASSWORD" name="os_password"></form></body></html>""",
    "indico, named by its button": """<html><form method="post"><input name="identifier">
        <input type="password" name="password"><button>Login with Indico</button></form></html>""",
    "shibboleth": """<html><form action="/idp/profile/SAML2/Redirect/SSO?execution=e1s1">
        <input name="j_username"><input type="password" name="j_password"></form></html>""",
    "saml on its way": """<html><body onload="document.forms[0].submit()"><form action="https://idp/">
        <input type="hidden" name="SAMLRequest" value="x"></form></body></html>""",
    "with much script": f"<html><script>{'x = 1; ' * 2000}</script>{BOX}</html>",
    "with many languages": f"<html><select>{'<option>Deutsch' * 400}</select>{BOX}</html>",
    "german": """<html><form><input type=password name=p><button>Anmelden</button></form></html>""",
    "broken off": "<html><body><form action=/login><input type=password><b",
}

CAPTCHA_PAGES = {
    "widget": CAPTCHA_PAGE,
    "recaptcha": '<html><div class="box g-recaptcha"></div></html>',
    "turnstile": "<html><div class=cf-turnstile></div></html>",
    "cloudflare": "<html><title>Just a moment...</title><script>window._cf_chl_opt={}</script>",
    "anubis": '<html><body><script id="anubis_challenge">{}</script>Making sure</body></html>',
    "incapsula": '<html><iframe src="/_Incapsula_Resource?incident_id=1"></iframe></html>',
    "datadome": '<html><script src="x"></script><iframe src="https://geo.captcha-delivery.com/c">'
    "</iframe></html>",
    "aws": "<html><script>window.gokuProps = {}</script></html>",
}

PAGES = {
    "plain": "<html><body><h1>Trigger</h1><p>Hello.</p></body></html>",
    "about passwords": "<html><body><h1>Log in</h1><p>Your password is asked for at the sign-in "
    "page. Never write it down.</p></body></html>",
    "shows a form as code": """<html><body><p>Log in with:</p><pre>&lt;form id="kc-form-login"
        action="/login"&gt;&lt;input type="password" name="j_password"&gt;
        &lt;input name="SAMLRequest"&gt;</pre></body></html>""",
    "with a login box in its corner": f"<html><body>{BOX}<h1>Trigger</h1>{PROSE}</body></html>",
    "registration": """<html><form action="/bin/register/Main" ><input name="Twk1LoginName">
        <input type="password" name="Twk1Password"><input type="password" name="Twk1Confirm">
        </form></html>""",
    "a search beside a word on signing in": """<html><form action="/search"><input name="q">
        </form><p>Sign in to see more; forgot your password?</p></html>""",
    "a password outside of forms": "<html><p>login</p><input type=password></html>",
    "an encrypted attachment": """<html><form action="/unlock"><input type=password name=p>
        <button>Open</button></form></html>""",
    "a contact form with captcha": """<html><form><input name="mail"><textarea name="t"></textarea>
        <div class="g-recaptcha"></div></form></html>""",
    "a long page with a captcha": f'<html><div class="h-captcha"></div>{PROSE}</html>',
    "cloudflare counting": """<html><p>Hi</p><script src="/cdn-cgi/challenge-platform/a.js">
        </script></html>""",
    "empty": "",
    "only a comment": "<!-- password -->",
    "null bytes": "<html>password\0</html>",
}


@pytest.mark.parametrize("page", SIGN_IN_PAGES.values(), ids=SIGN_IN_PAGES)
def test_sign_in_pages(page):
    assert wall_in({"content-type": "text/html; charset=utf-8"}, page.encode()) is Wall.SIGN_IN
    assert wall_in({}, page.encode()) is Wall.SIGN_IN


@pytest.mark.parametrize("page", CAPTCHA_PAGES.values(), ids=CAPTCHA_PAGES)
def test_captcha_pages(page):
    assert wall_in({"content-type": "text/html"}, page.encode()) is Wall.CAPTCHA


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_pages(page):
    assert wall_in({"content-type": "text/html"}, page.encode()) is None


def test_only_html_is_looked_at():
    for kind in ("application/json", "text/plain", "application/pdf", "text/markdown"):
        assert wall_in({"content-type": kind}, LOGIN_PAGE.encode()) is None
    assert wall_in({}, b"password " + LOGIN_PAGE.encode()) is None


def test_headers_that_say_it_themselves():
    assert wall_in({"cf-mitigated": "challenge"}, b"") is Wall.CAPTCHA
    assert wall_in({"x-amzn-waf-action": "captcha"}, b"") is Wall.CAPTCHA


def test_a_page_of_megabytes_is_no_form():
    assert wall_in({"content-type": "text/html"}, LOGIN_PAGE.encode() + b" " * 500_000) is None


@pytest.mark.parametrize(
    "hostile",
    [
        "<form>" * 50_000,
        "<a " * 100_000,
        "<!--" * 100_000,
        "<input type=password>" * 20_000,
        "&" * 400_000,
    ],
    ids=range(5),
)
def test_hostile_markup_is_looked_at_quickly(hostile):
    assert wall_in({"content-type": "text/html"}, b"password" + hostile.encode()) in (
        None,
        Wall.SIGN_IN,
    )


@pytest.mark.parametrize(
    ("asked", "target", "sign_in"),
    [
        ("https://wiki.example.org/bin/view/A", SIGN_IN, True),
        (
            "https://wiki.example.org/a",
            "https://login.microsoftonline.com/x/oauth2/authorize",
            True,
        ),
        ("https://wiki.example.org/a", "https://sso-dev.example.org/", True),
        ("https://wiki.example.org/a", "https://idp.example.org/profile/x", True),
        ("https://wiki.example.org/a", "https://cilogon.org/authorize", True),
        ("https://wiki.example.org/a", "https://other.example.org/x?SAMLRequest=abc", True),
        ("https://git.example.org/g/p", "https://git.example.org/users/sign_in", True),
        ("https://jira.example.org/browse/A-1", "https://jira.example.org/login.jsp?os=x", True),
        (
            "https://indico.example.org/event/1/",
            "https://indico.example.org/login/?next=/event/1",
            True,
        ),
        (
            "https://wiki.example.org/bin/view/A",
            "https://wiki.example.org/bin/login/A?origurl=x",
            True,
        ),
        ("https://w.example.org/a", "https://w.example.org/Shibboleth.sso/Login?target=a", True),
        ("https://docs.example.org/a", "https://docs.example.org/oauth2/start?rd=/a", True),
        (
            "https://forum.example.org/t/1",
            "https://forum.example.org/session/sso?return_path=/t/1",
            True,
        ),
        ("http://docs.example.org/", "https://docs.example.org/", False),
        ("https://docs.example.org/login", "https://docs.example.org/login/", False),
        ("https://docs.example.org/sso/setup", "https://docs.example.org/sso/setup/v2/", False),
        ("https://docs.example.org/a", "https://docs.example.org/blog/logins-of-2025/", False),
        ("https://docs.example.org/a", "https://cdn.example.org/a", False),
        ("https://docs.example.org/a", "https://authors.example.org/a", False),
        ("https://docs.example.org/a", "https://docs.example.org/catalogue/", False),
    ],
)
def test_redirects_to_a_sign_in(asked, target, sign_in):
    assert is_sign_in_address(asked, target) is sign_in

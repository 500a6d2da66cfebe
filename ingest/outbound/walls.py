"""Telling a page from what stands in front of it: a sign-in form, or a wall against programs.

Both come with status 200 as often as not. A page that only speaks of passwords is neither, and so
is a page with a login box in its corner: what counts is the forms, and how little else there is.
"""

import re
from collections.abc import Mapping
from enum import Enum
from urllib.parse import urlsplit

from lxml import etree


class Wall(Enum):
    """What an answer is instead of a page: what to call it, and the status to report."""

    SIGN_IN = ("a sign-in page", 401)
    CAPTCHA = ("a page that wants proof of a human", 429)

    def __init__(self, label: str, status: int) -> None:
        self.label, self.status = label, status


_SIGN_IN_PATH = re.compile(
    r"/(?:log-?in|sign[-_]?in|sso|saml2?|adfs|idp|wayf|oidc|openid-connect|shibboleth\.sso|cas)"
    r"(?:\.\w+)?(?:/|$)|/oauth2?/(?:start|authori[sz]e|sign_in)|/(?:auth/)?realms/",
    re.IGNORECASE,
)
_SIGN_IN_HOST = re.compile(
    r"(?:^|\.)(?:(?:ci)?log-?[io]n|sign-?in|sso|auth|idp|adfs|accounts?|keycloak|shib\w*)"
    r"\d*(?:-\w+)?\.",
    re.IGNORECASE,
)


def is_sign_in_address(asked: str, target: str) -> bool:
    """True when a redirect from one address to the other asks for a sign-in."""
    before, after = urlsplit(asked), urlsplit(target)
    if before.hostname != after.hostname and _SIGN_IN_HOST.search(after.hostname or ""):
        return True
    if "SAMLRequest=" in after.query:
        return True
    # A documentation page about signing in may well redirect to itself with a slash.
    return bool(_SIGN_IN_PATH.search(after.path)) and not _SIGN_IN_PATH.search(before.path)


LONG = 2000
"""Characters of text from which on a page is taken for one, whatever boxes it has."""
_LARGEST = 500_000
_HINTS = re.compile(
    rb"password|samlre|captcha|turnstile|anubis|challenge|incapsula|gokuprops|cf_chl|kc-form",
    re.IGNORECASE,
)
"""A page with none of these is none of ours: most pages need no closer look."""
_LOGIN_WORDS = re.compile(
    r"log[-_ ]?[io]n|sign[-_ ]?in|authenticat|\bsso\b|anmeld|connexion|connecter", re.IGNORECASE
)
_SIGN_IN_FIELDS = frozenset({"samlrequest", "samlresponse", "j_password"})
_SIGN_IN_FORMS = frozenset({"kc-form-login"})
_CAPTCHA_CLASS = re.compile(r"\b(?:g-recaptcha|h-captcha|cf-turnstile)\b")
_CAPTCHA_FRAME = re.compile(r"_Incapsula_Resource|captcha-delivery\.com|hcaptcha\.com/captcha")
_CAPTCHA_SCRIPT = re.compile(r"_cf_chl_opt|gokuProps|captcha-delivery\.com")
_CAPTCHA_IDS = frozenset({"anubis_challenge", "challenge-form", "px-captcha"})
_UNSAID = frozenset({"script", "style", "select", "optgroup", "option"})
_TYPED = frozenset({"text", "email", "search", "tel", "url", "number"})


def wall_in(headers: Mapping[str, str], content: bytes) -> Wall | None:
    """The wall that an answer is, if it is one. Names of headers in any case."""
    if headers.get("cf-mitigated") == "challenge" or headers.get("x-amzn-waf-action"):
        return Wall.CAPTCHA
    kind = headers.get("content-type", "").lower()
    html = "html" in kind or (not kind and content[:1024].lstrip()[:1] == b"<")
    if not html or len(content) > _LARGEST or not _HINTS.search(content):
        return None
    root = etree.fromstring(content, etree.HTMLParser(no_network=True, recover=True))
    if root is None:
        return None
    elements = [element for element in root.iter() if isinstance(element.tag, str)]
    forms = [element for element in elements if element.tag == "form"]
    short = _said(elements) < LONG
    if any(_is_sso(form) or (short and _is_login(form)) for form in forms):
        return Wall.SIGN_IN
    captcha = any(_asks_for_a_human(element) for element in elements)
    # A page with a box to write into is a form that a captcha protects, not a wall.
    if captcha and short and not any(_is_box(element) for element in elements):
        return Wall.CAPTCHA
    return None


def _said(elements: list[etree._Element]) -> int:
    own = sum(len((e.text or "").strip()) for e in elements if e.tag not in _UNSAID)
    return own + sum(len((e.tail or "").strip()) for e in elements)


def _is_sso(form: etree._Element) -> bool:
    names = {(field.get("name") or "").lower() for field in form.iter("input")}
    return form.get("id") in _SIGN_IN_FORMS or not names.isdisjoint(_SIGN_IN_FIELDS)


def _is_login(form: etree._Element) -> bool:
    """One password: registering and changing one need two."""
    passwords = [f for f in form.iter("input") if (f.get("type") or "").lower() == "password"]
    if len(passwords) != 1:
        return False
    says = [form.get(name) or "" for name in ("action", "id", "class", "name")]
    says += [
        field.get("value") or "" for field in form.iter("input") if field.get("type") == "submit"
    ]
    return bool(_LOGIN_WORDS.search(" ".join([*says, *form.itertext()])))


def _asks_for_a_human(element: etree._Element) -> bool:
    if element.get("id") in _CAPTCHA_IDS or _CAPTCHA_CLASS.search(element.get("class") or ""):
        return True
    if element.tag == "iframe":
        return bool(_CAPTCHA_FRAME.search(element.get("src") or ""))
    return element.tag == "script" and bool(_CAPTCHA_SCRIPT.search(element.text or ""))


def _is_box(element: etree._Element) -> bool:
    kind = (element.get("type") or "text").lower()
    return element.tag == "textarea" or (element.tag == "input" and kind in _TYPED)

"""Who may read a TWiki or Foswiki topic, from the settings in it and in its web's WebPreferences.

Both wikis decide in this order: DENYTOPICVIEW, ALLOWTOPICVIEW, DENYWEBVIEW, ALLOWWEBVIEW, else
everybody. No settings for reading hold for the whole site; a web inside another inherits them.
An access list cannot say "all but these": a denial of anybody but guests closes.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from ingest.model import PUBLIC, AccessList
from ingest.source_settings import TwikiSettings

_SET = re.compile(r"^(?:\t| {3})+\*\s+(Set|Local)\s+(\w+)\s*=\s*(.*)$")
_MORE = re.compile(r"^(?:\t| {3})+ *[^\s]")
_BULLET = re.compile(r"^(?:\t| {3})+\*")
_META = re.compile(r"^%META:([A-Z]+)\{(.*)\}%\s*$", re.MULTILINE)
_ARGUMENT = re.compile(r'([A-Za-z]\w*)="([^"]*)"')
# Only what the wikis themselves escape: `%USERSWEB%` must stay what it is.
_ESCAPED = re.compile(r"%(?:25|22|7[bBdD]|0[aAdD])")
_USERS_WEB = re.compile(r"^(?:Main|%USERSWEB%|%MAINWEB%)\.")
_EVERYBODY = {"*", "AllUsersGroup"}
_SIGNED_IN = {"AllAuthUsersGroup"}
_NOBODY = {"NobodyGroup"}
_GUESTS = {"WikiGuest", "TWikiGuest", "guest"}


@dataclass(frozen=True, slots=True)
class Rights:
    """Who may read a topic or web, by its own settings: None is unset, "" is set to nothing."""

    allow: str | None = None
    deny: str | None = None
    unclear: bool = False
    """Set in a way that the wikis understand differently, or (of a web) not to be read."""
    rendered: bool = False
    """Only the rendered page of the topic is known: it does not show what was set."""
    final: frozenset[str] = frozenset()
    """Names of settings that a web forbids its topics and inner webs to set."""

    def to_mark(self) -> str:
        """What a topic says as text on one line; empty when it says nothing."""
        told = {
            "allow": self.allow,
            "deny": self.deny,
            "unclear": self.unclear or None,
            "rendered": self.rendered or None,
        }
        said = {key: value for key, value in told.items() if value is not None}
        return json.dumps(said, separators=(",", ":")) if said else ""

    @classmethod
    def from_mark(cls, mark: str) -> "Rights":
        """What `to_mark` wrote."""
        return cls(**json.loads(mark)) if mark else cls()


UNSET = Rights()
UNCLEAR = Rights(unclear=True)
RENDERED = Rights(rendered=True)


def metas(text: str, kind: str) -> Iterator[dict[str, str]]:
    """The values of all `%META:KIND{name="..."}%` lines of a raw topic."""
    for found in _META.finditer(text):
        if found[1] == kind:
            pairs = _ARGUMENT.findall(found[2])
            yield {key: _ESCAPED.sub(lambda code: unquote(code[0]), v) for key, v in pairs}


def topic_rights(text: str) -> Rights:
    """What a raw topic sets for itself."""
    return _rights(text, "ALLOWTOPICVIEW", "DENYTOPICVIEW")


def web_rights(text: str, outer: Rights = UNSET) -> Rights:
    """What a raw WebPreferences sets, above what the web around it has set."""
    own = _rights(text, "ALLOWWEBVIEW", "DENYWEBVIEW")
    finals = dict(_settings(text)).get("FINALPREFERENCES", "")
    overruled = (own.allow is not None and "ALLOWWEBVIEW" in outer.final) or (
        own.deny is not None and "DENYWEBVIEW" in outer.final
    )
    return Rights(
        outer.allow if own.allow is None else own.allow,
        outer.deny if own.deny is None else own.deny,
        own.unclear or outer.unclear or overruled,
        final=outer.final | set(re.split(r"[,\s]+", finals)),
    )


def access_of(topic: Rights, web: Rights, settings: TwikiSettings) -> AccessList:
    """The groups of the sign-in that may read a topic; nobody where it cannot be told."""
    if topic.rendered:
        # Without a sign-in we are the guest: what we were shown, everybody is shown.
        return settings.rendered_access if settings.auth else settings.default_access
    overruled = (topic.allow is not None and "ALLOWTOPICVIEW" in web.final) or (
        topic.deny is not None and "DENYTOPICVIEW" in web.final
    )
    if topic.unclear or overruled:
        return frozenset()
    if topic.deny is not None and not _names(topic.deny) and settings.empty_deny_opens:
        return settings.default_access
    denied = _denied(topic.deny)
    allowed = _names(topic.allow)
    if not allowed:
        if web.unclear:
            return frozenset()
        denied |= _denied(web.deny)
        allowed = _names(web.allow) or ["*"]
    if not denied <= _GUESTS:
        return frozenset()
    return _granted(allowed, settings, guests=not denied)


def _granted(allowed: Iterable[str], settings: TwikiSettings, *, guests: bool) -> AccessList:
    table = {bare_name(name): groups for name, groups in settings.groups.items()}
    groups: set[str] = set()
    for name in allowed:
        if name in _EVERYBODY:
            groups |= settings.default_access
        elif name in _SIGNED_IN:
            groups |= settings.signed_in
        else:
            groups |= table.get(name, frozenset())
    if not guests and PUBLIC in groups:
        groups = groups - {PUBLIC} | settings.signed_in
    return frozenset(groups)


def _denied(value: str | None) -> set[str]:
    return set(_names(value)) - _NOBODY


def _names(value: str | None) -> list[str]:
    """Users and groups of a list, taken apart as the wikis do, without the name of their web."""
    plain = re.sub(r"<[^>]*>", "", value or "")
    # A leading + adds to the web's list where the site has that switched on. Whether it has is
    # not told, and without it fewer people may read.
    return [bare_name(name) for name in re.split(r"[,\s]+", plain) if name not in ("", "+")]


def bare_name(name: str) -> str:
    return _USERS_WEB.sub("", name.removeprefix("+"))


def _rights(text: str, allow: str, deny: str) -> Rights:
    values = dict(_settings(text))
    unclear = f"Local {allow}" in values or f"Local {deny}" in values
    return Rights(values.get(allow), values.get(deny), unclear=unclear)


def _settings(text: str) -> Iterator[tuple[str, str]]:
    """Settings as the wikis read them: bullets first, those in `%META` override them."""
    lines = text.replace("\r", "").split("\n")
    key, value = "", ""
    for line in lines:
        if found := _SET.match(line):
            if key:
                yield key, value
            key, value = _key(found[1], found[2]), found[3].strip()
        elif key and _MORE.match(line) and not _BULLET.match(line):
            value += " " + line.strip()
        elif key:
            yield key, value
            key = ""
    if key:
        yield key, value
    for values in metas(text, "PREFERENCE"):
        yield _key(values.get("type", "Set"), values.get("name", "")), values.get("value", "")
    for values in metas(text, "FIELD"):
        # A field of a form is a setting where its attributes have an S.
        if "S" in values.get("attributes", ""):
            yield values.get("name", ""), values.get("value", "")


def _key(kind: str, name: str) -> str:
    return f"Local {name}" if kind == "Local" else name

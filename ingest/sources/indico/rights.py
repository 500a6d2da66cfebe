"""Who may read what of an Indico, from what its export API tells: events, talks, attachments."""

from collections.abc import Mapping, Sequence
from typing import Any

from ingest.model import PUBLIC, AccessList
from ingest.source_settings import IndicoSettings

Record = Mapping[str, Any]
CLOSED: AccessList = frozenset()


def event_access(event: Record, categories: Sequence[str], settings: IndicoSettings) -> AccessList:
    """Who may read an event. `categories`: its own and those above it, nearest first.

    Public is public. Of a protected event its managers are told who may read it; others only see it
    or not, and then the nearest category that `groups` names (`category:1234`) says for whom the
    account stands. What is neither is closed.
    """
    if event.get("hasAnyProtection") is False:
        return frozenset({PUBLIC})
    if "allowed" in event:
        return _named(event["allowed"], settings)
    return _of_category(categories, settings)


def talk_access(
    talk: Record, event: Record, own: AccessList, settings: IndicoSettings
) -> AccessList:
    """Who may read a talk or session of an event that `own` may read: its own list if it has one.

    Such lists are told to managers. They are the event's own when nothing else was set.
    """
    allowed = talk.get("allowed")
    if allowed is None or _principals(allowed) == _principals(event.get("allowed")):
        return own
    return _named(allowed, settings)


def attachment_access(
    attachment: Record,
    folder: Record,
    event: Record,
    owner: AccessList,
    categories: Sequence[str],
    settings: IndicoSettings,
) -> AccessList:
    """Who may read an attachment of something that `owner` may read.

    Indico says whether an attachment is protected, alone or with its event, and never for whom. To
    an ordinary account it shows what the account may read; a manager's account sees everything, and
    nothing is known of the others.
    """
    if attachment.get("is_protected") is False and folder.get("is_protected") is False:
        return owner
    if "allowed" in event:
        return CLOSED
    return _of_category(categories, settings) if PUBLIC in owner else owner


def _named(allowed: Any, settings: IndicoSettings) -> AccessList:
    lists = (settings.groups.get(name, CLOSED) for name in _principals(allowed))
    return frozenset().union(*lists)


def _principals(allowed: Any) -> frozenset[str]:
    """Names of groups and addresses of users in `{"users": […], "groups": […]}`."""
    if not isinstance(allowed, Mapping):
        return frozenset()
    values = [allowed.get("users"), allowed.get("groups")]
    return frozenset(
        name
        for value in values
        for name in (value if isinstance(value, list) else [])
        if isinstance(name, str)
    )


def _of_category(categories: Sequence[str], settings: IndicoSettings) -> AccessList:
    names = (f"category:{number}" for number in categories)
    return next((settings.groups[name] for name in names if name in settings.groups), CLOSED)

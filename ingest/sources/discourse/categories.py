"""Categories of a Discourse forum: which are read, what they are called, and who may read them."""

from collections.abc import Mapping
from typing import Any

from ingest.errors import FetchError, SourceTrouble
from ingest.http import Client
from ingest.model import PUBLIC, AccessList
from ingest.source_settings import DiscourseSettings, Groups

_READING = frozenset({1, 2, 3})
"""Permissions: to create topics, to reply, to see. Each of them lets read."""
_EVERY_ACCOUNT = frozenset({"everyone", "trust_level_0", "logged_in_users"})
"""Automatic groups that every account belongs to."""
_MOST_PAGES = 200


def asked(client: Client, place: str, headers: Mapping[str, str]) -> Mapping[str, Any]:
    """The JSON object at an address.

    Raises:
        FetchError: there is none.
    """
    value = client.get(place, headers=headers).json()
    if not isinstance(value, Mapping):
        msg = f"{place} answered with something that is no JSON object."
        raise FetchError(msg)
    return value


def access_of(
    category: Mapping[str, Any],
    groups: Mapping[str, Groups],
    signed_in: Groups,
    *,
    is_open: bool | None,
) -> AccessList:
    """Who may read the topics of a category, as its `show.json` tells it to an administrator.

    `is_open` says that the forum asks nobody to sign in; None when it does not say.
    """
    restricted = category.get("read_restricted")
    if restricted is False:
        return frozenset({PUBLIC}) if is_open else signed_in
    given = category.get("group_permissions")
    if restricted is not True or not isinstance(given, list):
        return frozenset()
    names = {
        entry.get("group_name")
        for entry in given
        if isinstance(entry, Mapping) and entry.get("permission_type") in _READING
    }
    found = [groups[name] for name in names if isinstance(name, str) and name in groups]
    return frozenset().union(*found, signed_in if names & _EVERY_ACCOUNT else ())


class Categories:
    """All of a forum, asked for once a run; the restricted ones when they are needed."""

    def __init__(
        self, name: str, settings: DiscourseSettings, client: Client, headers: Mapping[str, str]
    ) -> None:
        self._name, self._settings, self._client, self._headers = name, settings, client, headers
        self._known: dict[int, Mapping[str, Any]] = {}
        self._access: dict[int, AccessList] = {}
        self._load()
        self._is_open = self._open()
        self._roots = [self._named(slug) for slug in settings.categories]

    def lists(self) -> list[str]:
        """Where the topics are listed."""
        if not self._roots:
            return ["latest.json"]
        return [f"c/{self._slugs(root)}/{root}/l/latest.json" for root in self._roots]

    def is_ours(self, category: int) -> bool:
        """True for a category that is to be read, or that lies in one."""
        return not self._roots or any(step in self._roots for step in self._line(category))

    def title(self, category: int) -> str:
        """Its name after those of the categories that it lies in."""
        names = [str(self._of(step).get("name", "")) for step in reversed(self._line(category))]
        return " / ".join(name for name in names if name)

    def counts(self) -> dict[str, int]:
        """How many topics the forum counts in each."""
        return {
            str(number): int(category["topic_count"])
            for number, category in self._known.items()
            if isinstance(category.get("topic_count"), int) and self.is_ours(number)
        }

    def access(self, category: int) -> AccessList:
        """Who may read its topics; nobody when the forum does not say."""
        if category not in self._access:
            given = self._of(category)
            if given.get("read_restricted") is True and "group_permissions" not in given:
                given = self._shown(category)
            self._access[category] = access_of(
                given, self._settings.groups, self._settings.signed_in, is_open=self._is_open
            )
        return self._access[category]

    def _load(self) -> None:
        site = self._needed("site.json")
        self._note(site.get("categories"))
        if self._known and not site.get("lazy_load_categories"):
            return
        # Forums with very many categories tell them page by page.
        for page in range(1, _MOST_PAGES):
            before = len(self._known)
            answer = self._needed(f"categories.json?include_subcategories=true&page={page}")
            listed = answer.get("category_list")
            self._note(listed.get("categories") if isinstance(listed, Mapping) else None)
            if len(self._known) == before:
                return

    def _needed(self, place: str) -> Mapping[str, Any]:
        try:
            return asked(self._client, place, self._headers)
        except FetchError as error:
            msg = f"{self._name}: the categories cannot be read: {error}"
            raise SourceTrouble(msg) from error

    def _note(self, given: Any) -> None:
        for category in given if isinstance(given, list) else []:
            if isinstance(category, Mapping) and isinstance(category.get("id"), int):
                self._known[category["id"]] = category
                self._note(category.get("subcategory_list"))

    def _open(self) -> bool | None:
        """Whether nobody has to sign in; None where the forum is too old to say."""
        try:
            told = asked(self._client, "site/basic-info.json", self._headers)
        except FetchError as error:
            if error.status in (403, 404):
                return None
            msg = f"{self._name}: whether the forum is open cannot be read: {error}"
            raise SourceTrouble(msg) from error
        required = told.get("login_required")
        return None if not isinstance(required, bool) else not required

    def _of(self, category: int) -> Mapping[str, Any]:
        if category not in self._known:
            self._known[category] = self._shown(category)
        return self._known[category]

    def _shown(self, category: int) -> Mapping[str, Any]:
        """A category with its permissions; empty when the account may not see it."""
        try:
            answer = asked(self._client, f"c/{category}/show.json", self._headers)
        except FetchError as error:
            if error.status in (403, 404, 410):
                return {}
            msg = f"{self._name}: who may read category {category} cannot be read: {error}"
            raise SourceTrouble(msg) from error
        shown = answer.get("category")
        return shown if isinstance(shown, Mapping) else {}

    def _line(self, category: int) -> list[int]:
        """The category and those that it lies in, upwards."""
        line = [category]
        while isinstance(parent := self._of(line[-1]).get("parent_category_id"), int):
            if parent in line:
                break
            line.append(parent)
        return line

    def _slugs(self, category: int) -> str:
        steps = reversed(self._line(category))
        return "/".join(str(self._of(step).get("slug") or f"{step}-category") for step in steps)

    def _named(self, slug: str) -> int:
        for number in sorted(self._known):
            path = self._slugs(number)
            if slug in (path, path.rpartition("/")[2]):
                return number
        shown = ", ".join(sorted(self._slugs(number) for number in self._known)[:20])
        msg = (
            f"{self._name}: there is no category {slug!r} for this account. Set "
            f"[sources.{self._name}] categories; the forum has {shown}."
        )
        raise SourceTrouble(msg)

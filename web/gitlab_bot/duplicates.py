"""Earlier issues that look like one: in the project itself, and in what everybody may read there.

Every member may read the issues of a project that are not confidential; other trackers are looked
up in the index, for the reader that all who see the answer share.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from anyio.to_thread import run_sync

from assistant.model import Passage
from assistant.words import identifiers, stems
from ingest.access import Reader
from ingest.errors import FetchError, ModelError
from ingest.sources.gitlab.api import Record
from web.gitlab_bot.gitlab import GitLab, Place
from web.services import Assistant

WORDS = 5
"""So many words of a title are looked for in the project."""
OF_EACH = 20
MOST = 5
LIKE = 0.65
"""Least cosine of two issues that are named. Two thirds of the pairs that people have linked reach
it, and an issue without a duplicate names about one other (eval/RESULTS.md, "Duplicates")."""
LIKE_WORDS = 0.2
"""The same where there is no embedder: the share of their words that two issues have in common."""
HEAD_CHARS = 600
"""As much of a description as says what the trouble is."""

_ISSUE = re.compile(r"/(?:-/)?(?:issues|work_items)/\d+(?:[?#]|$)|/browse/[A-Z][A-Z0-9_]+-\d+$")
_MARKUP = re.compile(r"```.*?(?:```|\Z)|!?\[([^\]]*)\]\([^)]*\)|[#>*_`|]+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Earlier:
    """An issue that may be the same."""

    title: str
    url: str
    closed: bool = False
    document_id: str = ""
    """Of what came from the index."""


class Duplicates:
    """Looks for earlier issues."""

    def __init__(self, assistant: Assistant, gitlab: GitLab) -> None:
        self._assistant = assistant
        self._gitlab = gitlab

    async def of(self, place: Place | None, thing: Record, reader: Reader) -> list[Earlier]:
        """Earlier issues that look like this one, the likest first; `place` is its own.

        Without it nothing is looked up in its project.

        Raises:
            FetchError: GitLab cannot be asked. DocentError: the index cannot be read.
        """
        asked = _text(thing)
        own = await run_sync(partial(self._in_project, place, _title(thing))) if place else []
        others = await self._assistant.search(asked[:HEAD_CHARS], reader, OF_EACH)
        found: dict[str, tuple[Earlier, str]] = {}
        for record in own:
            closed = record.get("state") == "closed"
            found[_url(record)] = Earlier(_title(record), _url(record), closed), _text(record)
        for passage in others:
            if _is_issue(passage):
                known = Earlier(passage.title, passage.url, document_id=passage.document_id)
                found[passage.url] = known, f"{passage.title}\n{passage.text}"
        found.pop("", None)
        earlier = [one for url, one in found.items() if not _later(url, _url(thing))]
        likes = await self._likes(asked, [text for _, text in earlier])
        named = [(like, one) for like, (one, _) in zip(likes, earlier, strict=True) if like > 0]
        ranked = [one for _, one in sorted(named, key=lambda pair: -pair[0])]
        return ranked[:MOST]

    def _in_project(self, place: Place, title: str) -> list[Record]:
        """Earlier issues of the project that have one of the telling words of the title."""
        found: dict[int, Record] = {}
        for word in _telling(title):
            try:
                records = self._gitlab.issues(place.project, word, OF_EACH)
            except FetchError as error:
                if error.status == 400:  # a word that this server does not search for
                    continue
                raise
            found.update({int(one["iid"]): one for one in records if int(one["iid"]) < place.iid})
        return list(found.values())

    async def _likes(self, asked: str, texts: Sequence[str]) -> list[float]:
        """How like the texts are; 0 where it is not enough to name them."""
        if not texts:
            return []
        measure: Callable[[int], float]
        try:
            vectors = await self._assistant.embed([asked, *texts])
        except ModelError:
            own = set(stems(asked))
            shares = [_share(own, set(stems(text))) for text in texts]
            measure, least = shares.__getitem__, LIKE_WORDS
        else:
            cosines = [float(vector @ vectors[0]) for vector in vectors[1:]]
            measure, least = cosines.__getitem__, LIKE
        likes = [measure(index) for index in range(len(texts))]
        return [like if like >= least else 0.0 for like in likes]


def _telling(title: str) -> list[str]:
    """The words of a title to look for: names before long words, and those before short ones."""
    names = identifiers(title)
    words = {word for word in re.findall(r"[\w-]{4,}", title) if stems(word)}
    ordered = sorted(words | names, key=lambda word: (word not in names, -len(word), word))
    return ordered[:WORDS]


def _share(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(1, len(one | other))


def _text(thing: Mapping[str, object]) -> str:
    """Title and beginning of an issue, without code and markup."""
    plain = _MARKUP.sub(r" \1 ", str(thing.get("description") or ""))
    return f"{_title(thing)}\n{' '.join(plain.split())[:HEAD_CHARS]}".strip()


def _title(thing: Mapping[str, object]) -> str:
    return str(thing.get("title") or "")


def _url(thing: Mapping[str, object]) -> str:
    return str(thing.get("web_url") or "")


def _later(url: str, own: str) -> bool:
    """Whether an address is of the same project's same or a later issue."""
    project, number = own.rpartition("/")[::2]
    other, iid = url.rpartition("/")[::2]
    return other == project and iid.isdecimal() and number.isdecimal() and int(iid) >= int(number)


def _is_issue(passage: Passage) -> bool:
    return _ISSUE.search(passage.url) is not None

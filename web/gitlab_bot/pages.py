"""Pages that say otherwise than what a merge request makes of the documentation.

Sentence by sentence, where a number, a time or an energy is new: pages that speak of the same and
have another one. The same rules as for answers (`assistant.conflicts`), and the same reader.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from anyio.to_thread import run_sync

from assistant.candidates import Candidates
from assistant.conflicts import LIKE_UNKNOWN, against
from assistant.model import Passage
from assistant.windows import sentence_ends
from assistant.words import numbers, stems
from ingest.access import Reader
from ingest.errors import ModelError
from web.gitlab_bot.gitlab import Diff
from web.services import Assistant

ENDINGS = frozenset({".md", ".markdown", ".rst", ".adoc", ".asciidoc", ".txt", ".tex", ".org"})
FOLDERS = frozenset({"doc", "docs", "documentation", "wiki"})
MOST_SENTENCES = 30
LEAST_WORDS = 3
PASSAGES = 8
MOST = 10
_DRAFT = "merge request"
_FIGURE = re.compile(r"(?<![A-Za-z_])[-−+]?\d[\d.,:]*")
_MARKUP = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|^\s*(?:[-*+#>]+|\d+[.)])\s+|[*`]+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Changed:
    """A sentence that a merge request makes, and what stood in its place."""

    path: str
    text: str
    before: str


@dataclass(frozen=True, slots=True)
class Disagrees:
    """A page that says otherwise."""

    changed: Changed
    title: str
    url: str
    document_id: str
    quote: str
    was: bool
    """It says what stood there until now."""


def documentation(path: str) -> bool:
    """Whether a file is one of those that people read to know how things are."""
    name = PurePosixPath(path)
    if name.suffix.lower() in ENDINGS:
        return True
    return name.suffix == "" and not FOLDERS.isdisjoint(part.lower() for part in name.parts[:-1])


def changed_in(diffs: Iterable[Diff]) -> list[Changed]:
    """The new sentences with figures in what changes of the documentation."""
    found = [
        Changed(diff.path, sentence, before)
        for diff in diffs
        if documentation(diff.path)
        for after, before in _hunks(diff.text)
        for sentence in _sentences(after)
        if sentence not in before and numbers(sentence, claims=True)
    ]
    telling = [one for one in found if len(set(stems(_bare(one.text)))) >= LEAST_WORDS]
    return telling[:MOST_SENTENCES]


async def disagreeing(
    assistant: Assistant, changes: Sequence[Changed], project: int, reader: Reader
) -> list[Disagrees]:
    """Pages that say otherwise; those first that say what stood there until now.

    Raises:
        DocentError: the index cannot be read.
    """
    found: dict[str, Disagrees] = {}
    for change in changes:
        passages = await assistant.search(change.text, reader, PASSAGES)
        others = [one for one in passages if not _is_itself(one, project, change.path)]
        for one in await _against(assistant, change, others):
            found.setdefault(one.document_id, one)
    return sorted(found.values(), key=lambda one: not one.was)[:MOST]


async def _against(
    assistant: Assistant, change: Changed, passages: Sequence[Passage]
) -> list[Disagrees]:
    if not passages:
        return []
    pairs = await run_sync(partial(_pairs, change, passages))
    told = []
    for mine, theirs, passage in pairs:
        if await _alike(assistant, mine, theirs):
            old = {number.value for number in numbers(change.before, claims=True)}
            was = bool(old & {number.value for number in numbers(theirs, claims=True)})
            told.append(
                Disagrees(change, passage.title, passage.url, passage.document_id, theirs, was)
            )
    return told


def _pairs(change: Changed, passages: Sequence[Passage]) -> list[tuple[str, str, Passage]]:
    title = re.sub(r"[-_]+", " ", PurePosixPath(change.path).stem)
    draft = Passage(
        _DRAFT, _DRAFT, title, "", "", (), change.text, 0, len(change.text), None, None, 1.0
    )
    candidates = Candidates([draft, *passages])
    return [
        (mine.text, theirs.text, candidates.passages[theirs.passage])
        for mine, theirs in against(_bare(change.text), candidates)
    ]


async def _alike(assistant: Assistant, one: str, other: str) -> bool:
    """Whether two sentences speak of the same; where there is no embedder, the words have to do."""
    try:
        vectors = await assistant.embed([one, other])
    except ModelError:
        return True
    return float(vectors[0] @ vectors[1]) >= LIKE_UNKNOWN


def _is_itself(passage: Passage, project: int, path: str) -> bool:
    """Whether a passage is of the changed file, as it was when it was read last."""
    rest = passage.document_id.partition(":")[2]
    if rest.startswith(f"{project}/files/"):
        return rest == f"{project}/files/{path}"
    return "/" in rest and (path == rest or path.endswith(f"/{rest}"))


def _hunks(diff: str) -> list[tuple[str, str]]:
    """What is added and what it takes the place of, run by run of changed lines."""
    found: list[tuple[str, str]] = []
    added: list[str] = []
    removed: list[str] = []
    for line in [*diff.splitlines(), " "]:
        if line.startswith("+"):
            added.append(line[1:])
        elif line.startswith("-"):
            removed.append(line[1:])
        else:
            if added:
                found.append(("\n".join(added), "\n".join(removed)))
            added, removed = [], []
    return found


def _sentences(text: str) -> list[str]:
    found = []
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*+#>|]|\d+[.)]\s))", text):
        plain = " ".join(_MARKUP.sub(r"\1", paragraph).split())
        begin = 0
        for end in sentence_ends(plain):
            found.append(plain[begin:end].strip())
            begin = end
    return [sentence for sentence in found if sentence]


def _bare(sentence: str) -> str:
    """A sentence without its figures: what it is about."""
    return " ".join(_FIGURE.sub(" ", sentence).split())

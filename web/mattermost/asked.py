"""Whether a post asks the bot, and what."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import sha256

MOST_CHARS = 4000

_QUOTED = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}(?P=fence)[^\n]*$|\Z)"
    r"|^ {0,3}>[^\n]*$|(?P<code>`+)[^`]+(?P=code)",
    re.DOTALL | re.MULTILINE,
)
"""Code and quotes: a name in there calls nobody, in Mattermost either."""


class What(StrEnum):
    """What somebody wants."""

    ANSWER = "answer"
    PRIVATE = "private"
    SEARCH = "search"
    SOURCES = "sources"
    LINK = "link"
    UNLINK = "unlink"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a post or a command asks. `text` is the question, or what is searched for."""

    what: What
    text: str = ""

    @property
    def digest(self) -> str:
        """Another question has another one."""
        return sha256(f"{self.what} {self.text}".encode()).hexdigest()[:16]


def asked_in(text: str, username: str, *, direct: bool) -> Asked | None:
    """What a post asks of the bot of that name; None where it does not call it.

    In a direct message every post calls it.

    >>> asked_in("Who runs it, @docent?", "docent", direct=False).text
    'Who runs it, ?'
    >>> asked_in("I like `@docent`.", "docent", direct=False) is None
    True
    """
    mention = _mention(username)
    if not direct and not mention.search(_QUOTED.sub(" ", text)):
        return None
    # Code may be what the question is about; only lines that quote somebody else are left out.
    whole = mention.sub(" ", re.sub(r"^ {0,3}>[^\n]*$", "", text, flags=re.MULTILINE))
    words = " ".join(whole.split()).strip(" ,:;")
    command = words.lower().rstrip("?!.")
    if command in ("", What.HELP):
        return Asked(What.HELP)
    if command in (What.LINK, What.UNLINK):
        return Asked(What(command))
    return Asked(What.ANSWER, words[:MOST_CHARS])


def commanded(text: str) -> Asked:
    """What stands behind a slash command.

    >>> commanded("search quota")
    Asked(what=<What.SEARCH: 'search'>, text='quota')
    """
    words = " ".join(text.split())[:MOST_CHARS]
    first, _, rest = words.partition(" ")
    if not words or words.lower() == What.HELP:
        return Asked(What.HELP)
    if rest and first.lower() in (What.PRIVATE, What.SEARCH):
        return Asked(What(first.lower()), rest)
    if not rest and first.lower() in (What.SOURCES, What.LINK, What.UNLINK):
        return Asked(What(first.lower()))
    return Asked(What.ANSWER, words)


@cache
def _mention(username: str) -> re.Pattern[str]:
    # Mattermost's names may hold dots and dashes; a sentence may end behind one.
    name = re.escape(username)
    return re.compile(rf"(?<![\w@/.-])@{name}(?![\w-]|\.\w)", re.IGNORECASE)

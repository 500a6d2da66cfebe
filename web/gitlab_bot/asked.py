"""Whether a comment asks the bot, and what."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

MOST_CHARS = 4000
COMMAND = "/docent"

_QUOTED = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}(?P=fence)[^\n]*$|\Z)"
    r"|^ {0,3}>{3}.*?(?:^ {0,3}>{3}\s*$|\Z)"
    r"|^ {0,3}>[^\n]*$|<!--.*?(?:-->|\Z)|(?P<code>`+)[^`]+(?P=code)",
    re.DOTALL | re.MULTILINE,
)
"""Code, quotes and what is not shown: a name in there calls nobody, in GitLab either."""
_LINE = re.compile(rf"^{COMMAND}(?![\w/-])[ \t]*(.*)$", re.MULTILINE | re.IGNORECASE)


class What(StrEnum):
    """What somebody wants."""

    ANSWER = "answer"
    DUPLICATES = "duplicates"
    PAGES = "pages"
    HELP = "help"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a comment asks. `text` is the question, or empty where the issue itself is it."""

    what: What
    text: str = ""


def asked_in(text: str, username: str) -> Asked | None:
    """What a comment asks of the bot of that name; None where it does not call it.

    >>> asked_in("@docent duplicates?", "docent").what.value
    'duplicates'
    >>> asked_in("I like `@docent`.", "docent") is None
    True
    """
    seen = _QUOTED.sub(" ", text)
    if line := _LINE.search(seen):
        return _meant(line[1])
    if not _mention(username).search(seen):
        return None
    # Code may be what the question is about; only lines that quote somebody else are left out.
    whole = re.sub(r"^ {0,3}>[^\n]*$", "", text, flags=re.MULTILINE)
    return _meant(_mention(username).sub(" ", whole))


def _meant(text: str) -> Asked:
    words = " ".join(text.split()).strip(" ,:;")
    first, _, rest = words.partition(" ")
    command = first.lower().rstrip("?!.")
    if not rest and command in (What.DUPLICATES, What.PAGES, What.HELP, What.LINK):
        return Asked(What(command))
    return Asked(What.ANSWER, words[:MOST_CHARS])


@cache
def _mention(username: str) -> re.Pattern[str]:
    # GitLab's names may hold dots and dashes, but end with neither: `@docent.` calls `docent`.
    name = re.escape(username)
    return re.compile(rf"(?<![\w/.@-])@{name}(?![\w-]|\.\w)", re.IGNORECASE)

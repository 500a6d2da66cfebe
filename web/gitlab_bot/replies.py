"""The bot's own sentences, and its lists. All but our own words is escaped."""

from collections.abc import Sequence

from web.gitlab_bot.duplicates import Earlier
from web.gitlab_bot.pages import Changed, Disagrees
from web.gitlab_bot.words import MARKDOWN, MOST_CHARS, escaped

SLOW = "Docent is still looking this up: other questions come first. The answer will stand here."
ONLY_ISSUES = "Docent looks for duplicates of issues only; this is a merge request."
ONLY_MERGE_REQUESTS = "Docent compares pages with a merge request only; this is an issue."
QUOTE_CHARS = 300


def later(why: str) -> str:
    """Not now, but the question is kept."""
    return (
        f"Docent cannot answer at the moment: {escaped(why)}\n\nThe question is kept and tried "
        "again every few minutes; the answer will stand here."
    )


def given_up(why: str) -> str:
    """Not now, and the question is not kept."""
    return f"Docent could not answer: {escaped(why)}\n\nPlease ask again later."


def help_for(username: str) -> str:
    """What one may ask."""
    name = f"`@{username}`"
    return (
        f"- {name} and a question: an answer from the documentation, with its sources\n"
        f"- {name} alone: the same for what this issue or merge request says\n"
        "- `/docent duplicates`: earlier issues that look like this one\n"
        "- `/docent pages`: pages that say otherwise than this merge request\n"
        "- `/docent link`: how your own rights are taken into account\n\n"
        "Answers are made of what everybody may read who sees them here."
    )


def link_for(service: str, user: int) -> str:
    """How somebody's groups become known. No code: everybody here would read it."""
    return (
        "Docent knows your groups when those who run it have linked your account. Sign in on its "
        f"page once, and send them this: `docent state link {service} {user}` with your mail "
        "address behind it."
    )


def duplicates(found: Sequence[Earlier]) -> str:
    """Earlier issues that look alike."""
    if not found:
        return "Docent found no earlier issue that looks like this one."
    lines = [f"- {MARKDOWN.link(one.title, one.url)}{' (closed)' * one.closed}" for one in found]
    return "\n".join(["These earlier issues look like this one:", "", *lines])[:MOST_CHARS]


def pages(found: Sequence[Disagrees], changes: Sequence[Changed]) -> str:
    """Pages that say otherwise than a merge request."""
    if not changes:
        return "This merge request changes no figure in the documentation."
    if not found:
        return "Docent found no page that says otherwise than this merge request."
    lines = ["These pages say otherwise than this merge request. Should they be changed too?", ""]
    for one in found:
        until_now = ", as this file did until now" if one.was else ""
        lines += [
            f"- {MARKDOWN.link(one.title, one.url)} says{until_now}: “{_short(one.quote)}”",
            f"  Here, in {escaped(one.changed.path)}: “{_short(one.changed.text)}”",
        ]
    return "\n".join(lines)[:MOST_CHARS]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return escaped(line if len(line) <= QUOTE_CHARS else f"{line[:QUOTE_CHARS]} …")

"""What the bot writes: Mattermost's Markdown, in which no word of a page or a model does anything.

`@all` would ping a whole channel, `![…]` and the preview of a link would load an image, `:name:`
show one, `#word` and `~channel` be links. All that is text here; links are only those we make.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from web.addresses import safe_url
from web.bots.words import (
    JOINER,
    MORE,
    Markdown,
    but_addresses,
    cut,
    day,
    place,
    printable,
    shortened,
)

LONGEST = 16_000
"""Characters of a post; the server takes 16383."""
LONGEST_TEXT = 11_000
"""Of the sentences of an answer; the rest is for its sources."""
EXCERPT_CHARS = 220
CUT = "This answer is longer than a post may be."
WAITING = "…"

_SIGNS = re.compile(r"([\\`*_\[\]()!|#~])")
_OPENING = re.compile(r"^(\s*)(?:(\d+)([.)])|([-+=>]))", re.MULTILINE)
"""What would make a list, a heading or a quote of a line."""
_NAMES = re.compile(r"([@#~])(?=[\w@#~])")
_EMOJI = re.compile(r":(?=[\w+-]*[A-Za-z+-][\w+-]*:)")
_ADDRESS = re.compile(
    r"\b(?:[a-z][a-z0-9+.-]*://|www\.|mailto:)[^\s`<>\"]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    re.IGNORECASE,
)


def escaped(text: str) -> str:
    """A text in one line that means nothing but itself."""
    return _inert(" ".join(printable(text).split()))


def lines(text: str) -> str:
    """A text of several lines that means nothing but itself, such as a draft."""
    return _inert("\n".join(line.rstrip() for line in printable(text).splitlines()))


MARKDOWN = Markdown(escaped)


def draft(text: str) -> str:
    """An answer that is still being written."""
    shown = lines(text)
    return (shown[: LONGEST_TEXT - len(MORE)] if len(shown) > LONGEST_TEXT else shown) + MORE


def answer(told: Mapping[str, Any], whole: str = "", note: str = "") -> str:
    """An answer as `assistant.render.answer_to_dict` gives it, with its sources below it.

    `whole` is where all of it can be read, should it be too long; `note` goes below it.
    """
    text, below = MARKDOWN.answer(told)
    body, shorter = cut(text, LONGEST_TEXT)
    if shorter:
        told_cut = f"{CUT} {MARKDOWN.link('Read it whole', whole)}" if safe_url(whole) else CUT
        below = [told_cut, "", *below]
    if note:
        below += ["", note]
    end, _ = cut("\n".join(below), LONGEST - len(body) - 2)
    return f"{body}\n\n{end}".rstrip()


def hits(found: Sequence[Mapping[str, Any]]) -> str:
    """What a search found, as `assistant.render.hits_to_dict` gives it."""
    if not found:
        return "Nothing was found that you may read."
    told = []
    for number, one in enumerate(found, start=1):
        excerpt = escaped(shortened(one["text"], EXCERPT_CHARS))
        page = f"{MARKDOWN.link(place(one), one['url'])}{day(one['updated_at'])}"
        told.append(f"{number}. {page}\n{excerpt}")
    return cut("\n".join(told), LONGEST)[0]


def sources(counted: Iterable[tuple[str, int]]) -> str:
    """The sources with the number of their documents that somebody may read."""
    told = [f"- {escaped(name)}: {number}" for name, number in counted]
    if not told:
        return "There is no document that you may read."
    return "\n".join(["Documents that you may read, by source:", "", *told])


def _inert(text: str) -> str:
    # As code an address stays whole for whoever copies it, and is neither link nor ping.
    return _OPENING.sub(_shut, but_addresses(_ADDRESS, _escaped, text))


def _shut(found: re.Match[str]) -> str:
    space, number, after, sign = found.groups()
    return f"{space}{number}\\{after}" if number else f"{space}\\{sign}"


def _escaped(text: str) -> str:
    plain = _EMOJI.sub(f":{JOINER}", _NAMES.sub(rf"\1{JOINER}", text))
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SIGNS.sub(r"\\\1", plain)

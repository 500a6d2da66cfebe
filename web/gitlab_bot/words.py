"""What the bot writes: GitLab's Markdown, in which no word of a page does anything.

A line that begins with `/` would be a command, `@somebody` a ping, `#12` a mark in another issue,
an address a link, `![…]` an image that every reader's browser loads. All that is text here.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from web.bots.words import JOINER, Markdown, but_addresses, cut, printable

MOST_CHARS = 20_000

_SIGNS = re.compile(r"([\\`*_{}\[\]()#!|<>~$^])")
_OPENING = re.compile(r"^(\d*)([/+=:.)-])")
"""What would make a command, a list or a heading of a line."""
_NAMES = re.compile(r"([@#!$&~%^])(?=[\w\"'\[@])")
_ADDRESS = re.compile(r"\b(?:[a-z][a-z0-9+.-]*://|www\.)[^\s`<>\"]+", re.IGNORECASE)
_MARK = re.compile(r"<!-- docent ([a-z]+-?\d*) ([0-9a-f]{16}) -->")


def escaped(text: str) -> str:
    """A text in one line that means nothing but itself."""
    line = " ".join(printable(text).split())
    # As code an address stays whole for whoever copies it, and is no link.
    return _OPENING.sub(r"\1\\\2", but_addresses(_ADDRESS, _escaped, line))


MARKDOWN = Markdown(escaped)


def answer(told: Mapping[str, Any]) -> str:
    """An answer as `assistant.render.answer_to_dict` gives it, with its sources below it."""
    text, below = MARKDOWN.answer(told)
    return cut("\n".join([text, "", *below]).rstrip(), MOST_CHARS)[0]


class Mark:
    """A sign in a comment of the bot, not shown: what it answers. GitLab is where this is kept."""

    def __init__(self, name: str, text: str) -> None:
        """`name` is what is answered, `text` what was asked: another question, another answer."""
        self.name = name
        self.digest = sha256(text.encode()).hexdigest()[:16]

    def on(self, text: str) -> str:
        """A comment with the sign."""
        return f"{text}\n\n<!-- docent {self.name} {self.digest} -->"


def marks_in(text: str) -> list[tuple[str, str]]:
    """Name and digest of the signs in a comment of the bot."""
    return _MARK.findall(text)


def _escaped(text: str) -> str:
    plain = _NAMES.sub(rf"\1{JOINER}", text).replace("&", "&amp;")
    return _SIGNS.sub(r"\\\1", plain)

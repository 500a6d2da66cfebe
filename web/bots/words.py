"""An answer as bots write it: Markdown with its sources below, in which only our own links work.

What makes a text mean nothing but itself differs from program to program: each bot brings its own
`escaped`, and has what is equal from here.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from web.addresses import safe_url

JOINER = "\N{WORD JOINER}"
"""Seen by nobody; between a sign and its name it makes them two words for the program."""
MOST_SOURCES = 12
QUOTE_CHARS = 240
NEAREST = 3
UNSUPPORTED = "(not found in any page)"
MORE = " …"

_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}

Told = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Markdown:
    """The parts of an answer in the Markdown of one program."""

    escaped: Callable[[str], str]
    """Makes one line of any text, which means nothing but itself."""

    def link(self, words: str, url: str) -> str:
        """A link where the address is one of the web; else only the words."""
        address = safe_url(url)
        return f"[{self.escaped(words)}](<{address}>)" if address else self.escaped(words)

    def answer(self, told: Told) -> tuple[str, list[str]]:
        """Of what `assistant.render.answer_to_dict` gives: the text, and the lines below it."""
        return self._not_found(told) if told["status"] == "not_found" else self._found(told)

    def _found(self, told: Told) -> tuple[str, list[str]]:
        shown = {one["marker"]: one for one in told["citations"][:MOST_SOURCES]}
        sentences = [self._sentence(one, shown) for one in told["sentences"]]
        text = " ".join(sentences)
        if told["status"] == "extracts":
            opening = told["answer"].partition("\n")[0]
            text = "\n".join([self.escaped(opening), *(f"- {one}" for one in sentences)])
        below: list[str] = []
        for notice in told["notices"]:
            noted = f"{self.escaped(notice['text'])}{self._signs(notice, shown)}"
            below += [f"**Note:** {noted}", ""]
        return text, [*below, *(self._source(one) for one in shown.values())]

    def _not_found(self, told: Told) -> tuple[str, list[str]]:
        below: list[str] = []
        for notice in told["notices"]:
            below += [f"**Note:** {self.escaped(notice['text'])}", ""]
        nearest = list({one["document_id"]: one for one in told["passages"]}.values())[:NEAREST]
        if nearest:
            pages = [f"- {self.link(place(one), one['url'])}" for one in nearest]
            below += ["The nearest pages:", *pages]
        if told["contacts"]:
            below += [*([""] if nearest else []), "You may ask:"]
        for one in told["contacts"]:
            below.append(f"- {self.link(one['name'], one['url'])} {self.escaped(one['why'])}")
        return self.escaped(told["answer"]), below

    def _sentence(self, one: Told, shown: Mapping[int, Told]) -> str:
        text = self.escaped(one["text"])
        return text + self._signs(one, shown) if one["supported"] else f"{text} {UNSUPPORTED}"

    def _signs(self, part: Told, shown: Mapping[int, Told]) -> str:
        told = [one for one in part["citations"] if one in shown]
        return "".join(f" {self.link(f'[{one}]', shown[one]['url'])}" for one in told)

    def _source(self, one: Told) -> str:
        page = f", page {int(one['page'])}" if one["page"] is not None else ""
        named = f"{self.link(place(one), one['url'])}{page}{day(one['updated_at'])}"
        return f"{one['marker']}. {named}: “{self.escaped(shortened(one['quote'], QUOTE_CHARS))}”"


def place(one: Told) -> str:
    """The title of a page, and the headings that lead to a part of it."""
    return " › ".join([one["title"], *[part for part in one["section"] if part != one["title"]]])


def day(moment: str | None) -> str:
    """The day of a moment in ISO 8601, in brackets; nothing for None."""
    return f" ({datetime.fromisoformat(moment):%-d %B %Y})" if moment else ""


def shortened(text: str, most: int) -> str:
    """A text in one line, cut between two words where it is longer."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[:most].rpartition(" ")[0] + MORE


def cut(text: str, most: int) -> tuple[str, bool]:
    """The text if it is short enough, else as much of it as ends with a line or a sentence."""
    if len(text) <= most:
        return text, False
    kept = text[: most - len(MORE)]
    # Not within a link or an escape: what is cut there would mean something else.
    ends = [kept.rfind(sign) + len(sign) - 1 for sign in (". ", ">) ") if sign in kept]
    ends.append(kept.rfind("\n"))
    return kept[: max(0, *ends)].rstrip() + MORE, True


def spoken(text: str) -> str:
    """What an answer says, without sources and signs, for the talk that goes on."""
    first = text.partition("\n\n")[0]
    bare = re.sub(r" ?\[\\\[\d+\\\]\]\(<[^>]*>\)", "", first)
    plain = re.sub(r"\\(.)", r"\1", bare).replace(JOINER, "").replace(UNSUPPORTED, "")
    for entity, sign in _ENTITIES.items():
        plain = plain.replace(entity, sign)
    return plain.strip()


def but_addresses(address: re.Pattern[str], escape: Callable[[str], str], text: str) -> str:
    """A text of which all is escaped but its addresses, which become code."""
    pieces, at = [], 0
    for found in address.finditer(text):
        pieces += [escape(text[at : found.start()]), f"`{found[0]}`"]
        at = found.end()
    return "".join([*pieces, escape(text[at:])])


def printable(text: str) -> str:
    """Without signs that turn the direction of a line or move a cursor."""
    return "".join(
        one if one == "\n" else " " if unicodedata.category(one) == "Cc" else one
        for one in text
        if one == "\n" or unicodedata.category(one) not in ("Cf", "Cs", "Co")
    )

"""What the bot writes: GitLab's Markdown, in which no word of a page does anything.

A line that begins with `/` would be a command, `@somebody` a ping, `#12` a mark in another issue,
an address a link, `![…]` an image that every reader's browser loads. All that is text here.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from web.addresses import safe_url

JOINER = "\N{WORD JOINER}"
"""Seen by nobody; between a sign and its name it makes them two words for GitLab."""
MOST_SOURCES = 12
MOST_CHARS = 20_000
QUOTE_CHARS = 240
NEAREST = 3
UNSUPPORTED = "(not found in any page)"

_SIGNS = re.compile(r"([\\`*_{}\[\]()#!|<>~$^])")
_OPENING = re.compile(r"^(\d*)([/+=:.)-])")
"""What would make a command, a list or a heading of a line."""
_NAMES = re.compile(r"([@#!$&~%^])(?=[\w\"'\[@])")
_ADDRESS = re.compile(r"\b(?:[a-z][a-z0-9+.-]*://|www\.)[^\s`<>\"]+", re.IGNORECASE)
_MARK = re.compile(r"<!-- docent ([a-z]+-?\d*) ([0-9a-f]{16}) -->")


def escaped(text: str) -> str:
    """A text in one line that means nothing but itself."""
    line = " ".join(_printable(text).split())
    pieces, at = [], 0
    for found in _ADDRESS.finditer(line):
        # As code an address stays whole for whoever copies it, and is no link.
        pieces += [_escaped(line[at : found.start()]), f"`{found[0]}`"]
        at = found.end()
    pieces.append(_escaped(line[at:]))
    return _OPENING.sub(r"\1\\\2", "".join(pieces))


def link(words: str, url: str) -> str:
    """A link where the address is one of the web; else only the words."""
    address = safe_url(url)
    return f"[{escaped(words)}](<{address}>)" if address else escaped(words)


def answer(told: Mapping[str, Any]) -> str:
    """An answer as `assistant.render.answer_to_dict` gives it, with its sources below it."""
    lines = _not_found(told) if told["status"] == "not_found" else _found(told)
    return "\n".join(lines)[:MOST_CHARS]


def _found(told: Mapping[str, Any]) -> list[str]:
    sources = {one["marker"]: one for one in told["citations"][:MOST_SOURCES]}
    sentences = [_sentence(one, sources) for one in told["sentences"]]
    if told["status"] == "extracts":
        opening = told["answer"].partition("\n")[0]
        lines = [escaped(opening), "", *(f"- {one}" for one in sentences)]
    else:
        lines = [" ".join(sentences)]
    for notice in told["notices"]:
        lines += ["", f"**Note:** {escaped(notice['text'])}{_signs(notice, sources)}"]
    if sources:
        lines += ["", *(_source(one) for one in sources.values())]
    return lines


def _not_found(told: Mapping[str, Any]) -> list[str]:
    lines = [escaped(told["answer"])]
    lines += [f"\n**Note:** {escaped(one['text'])}" for one in told["notices"]]
    nearest = {one["document_id"]: one for one in told["passages"]}
    if nearest:
        lines += ["", "The nearest pages:", ""]
        lines += [f"- {link(one['title'], one['url'])}" for one in list(nearest.values())[:NEAREST]]
    if told["contacts"]:
        lines += ["", "You may ask:", ""]
        for one in told["contacts"]:
            lines.append(f"- {link(one['name'], one['url'])} {escaped(one['why'])}")
    return lines


def _sentence(sentence: Mapping[str, Any], sources: Mapping[int, Mapping[str, Any]]) -> str:
    text = escaped(sentence["text"])
    return text + _signs(sentence, sources) if sentence["supported"] else f"{text} {UNSUPPORTED}"


def _signs(part: Mapping[str, Any], sources: Mapping[int, Mapping[str, Any]]) -> str:
    told = [one for one in part["citations"] if one in sources]
    return "".join(f" {link(f'[{one}]', sources[one]['url'])}" for one in told)


def _source(one: Mapping[str, Any]) -> str:
    place = " › ".join([one["title"], *[part for part in one["section"] if part != one["title"]]])
    page = f", page {int(one['page'])}" if one["page"] is not None else ""
    said = " ".join(one["quote"].split())
    said = said if len(said) <= QUOTE_CHARS else said[:QUOTE_CHARS].rpartition(" ")[0] + " …"
    named = link(place, one["url"])
    return f"{one['marker']}. {named}{page}{_day(one['updated_at'])}: “{escaped(said)}”"


def _day(moment: str | None) -> str:
    return f" ({datetime.fromisoformat(moment):%-d %B %Y})" if moment else ""


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


def spoken(text: str) -> str:
    """What a comment of the bot says, without sources and signs, for the talk that goes on."""
    first = text.partition("\n\n")[0]
    bare = re.sub(r" \[\\\[\d+\\\]\]\(<[^>]*>\)", "", first)
    return re.sub(r"\\(.)", r"\1", bare).replace(JOINER, "")


def _escaped(text: str) -> str:
    plain = _NAMES.sub(rf"\1{JOINER}", text).replace("&", "&amp;")
    return _SIGNS.sub(r"\\\1", plain)


def _printable(text: str) -> str:
    """Without signs that turn the direction of a line or move a cursor."""
    return "".join(
        " " if unicodedata.category(one) == "Cc" else one
        for one in text
        if one == "\n" or unicodedata.category(one) not in ("Cf", "Cs", "Co")
    )

"""What the bot writes: Mattermost's Markdown, in which no word of a page or a model does anything.

`@all` would ping a whole channel, `![…]` and the preview of a link would load an image, `:name:`
show one, `#word` and `~channel` be links. All that is text here; links are only those we make.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from web.addresses import safe_url

JOINER = "\N{WORD JOINER}"
"""Seen by nobody; between a sign and its name it makes them two words for Mattermost."""
LONGEST = 16_000
"""Characters of a post; the server takes 16383."""
LONGEST_TEXT = 11_000
"""Of the sentences of an answer; the rest is for its sources."""
MOST_SOURCES = 12
QUOTE_CHARS = 240
NEAREST = 3
EXCERPT_CHARS = 220
UNSUPPORTED = "(not found in any page)"
CUT = "This answer is longer than a post may be."
MORE = " …"
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
    return _inert(" ".join(_printable(text).split()))


def lines(text: str) -> str:
    """A text of several lines that means nothing but itself, such as a draft."""
    return _inert("\n".join(line.rstrip() for line in _printable(text).splitlines()))


def link(words: str, url: str) -> str:
    """A link where the address is one of the web; else only the words."""
    address = safe_url(url)
    return f"[{escaped(words)}](<{address}>)" if address else escaped(words)


def draft(text: str) -> str:
    """An answer that is still being written."""
    shown = lines(text)
    return (shown[: LONGEST_TEXT - len(MORE)] if len(shown) > LONGEST_TEXT else shown) + MORE


def answer(told: Mapping[str, Any], whole: str = "", note: str = "") -> str:
    """An answer as `assistant.render.answer_to_dict` gives it, with its sources below it.

    `whole` is where all of it can be read, should it be too long; `note` goes below it.
    """
    text, sources = _not_found(told) if told["status"] == "not_found" else _found(told)
    body, cut = _cut(text, LONGEST_TEXT)
    below = list(sources)
    if cut:
        told_cut = f"{CUT} {link('Read it whole', whole)}" if safe_url(whole) else CUT
        below = [told_cut, "", *below]
    if note:
        below += ["", note]
    end, _ = _cut("\n".join(below), LONGEST - len(body) - 2)
    return f"{body}\n\n{end}".rstrip()


def hits(found: Sequence[Mapping[str, Any]]) -> str:
    """What a search found, as `assistant.render.hits_to_dict` gives it."""
    if not found:
        return "Nothing was found that you may read."
    told = []
    for number, one in enumerate(found, start=1):
        excerpt = escaped(_shortened(one["text"], EXCERPT_CHARS))
        told.append(
            f"{number}. {link(_place(one), one['url'])}{_day(one['updated_at'])}\n{excerpt}"
        )
    return _cut("\n".join(told), LONGEST)[0]


def sources(counted: Iterable[tuple[str, int]]) -> str:
    """The sources with the number of their documents that somebody may read."""
    told = [f"- {escaped(name)}: {number}" for name, number in counted]
    if not told:
        return "There is no document that you may read."
    return "\n".join(["Documents that you may read, by source:", "", *told])


def spoken(text: str) -> str:
    """What a post of the bot says, without sources and signs, for the talk that goes on."""
    first = text.partition("\n\n")[0]
    bare = re.sub(r" ?\[\\\[\d+\\\]\]\(<[^>]*>\)", "", first)
    plain = re.sub(r"\\(.)", r"\1", bare).replace(JOINER, "").replace(UNSUPPORTED, "")
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _found(told: Mapping[str, Any]) -> tuple[str, list[str]]:
    shown = {one["marker"]: one for one in told["citations"][:MOST_SOURCES]}
    sentences = [_sentence(one, shown) for one in told["sentences"]]
    if told["status"] == "extracts":
        opening = told["answer"].partition("\n")[0]
        text = "\n".join([escaped(opening), *(f"- {one}" for one in sentences)])
    else:
        text = " ".join(sentences)
    below: list[str] = []
    for notice in told["notices"]:
        below += [f"**Note:** {escaped(notice['text'])}{_signs(notice, shown)}", ""]
    return text, [*below, *(_source(one) for one in shown.values())]


def _not_found(told: Mapping[str, Any]) -> tuple[str, list[str]]:
    below: list[str] = []
    for notice in told["notices"]:
        below += [f"**Note:** {escaped(notice['text'])}", ""]
    nearest = list({one["document_id"]: one for one in told["passages"]}.values())[:NEAREST]
    if nearest:
        below += ["The nearest pages:", *(f"- {link(_place(one), one['url'])}" for one in nearest)]
    if told["contacts"]:
        below += ["", "You may ask:"]
        below += [
            f"- {link(one['name'], one['url'])} {escaped(one['why'])}" for one in told["contacts"]
        ]
    return escaped(told["answer"]), below


def _sentence(sentence: Mapping[str, Any], shown: Mapping[int, Mapping[str, Any]]) -> str:
    text = escaped(sentence["text"])
    return text + _signs(sentence, shown) if sentence["supported"] else f"{text} {UNSUPPORTED}"


def _signs(part: Mapping[str, Any], shown: Mapping[int, Mapping[str, Any]]) -> str:
    told = [one for one in part["citations"] if one in shown]
    return "".join(f" {link(f'[{one}]', shown[one]['url'])}" for one in told)


def _source(one: Mapping[str, Any]) -> str:
    page = f", page {int(one['page'])}" if one["page"] is not None else ""
    said = escaped(_shortened(one["quote"], QUOTE_CHARS))
    return (
        f"{one['marker']}. {link(_place(one), one['url'])}{page}{_day(one['updated_at'])}: “{said}”"
    )


def _place(one: Mapping[str, Any]) -> str:
    return " › ".join([one["title"], *[part for part in one["section"] if part != one["title"]]])


def _shortened(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[:most].rpartition(" ")[0] + MORE


def _day(moment: str | None) -> str:
    return f" ({datetime.fromisoformat(moment):%-d %B %Y})" if moment else ""


def _cut(text: str, most: int) -> tuple[str, bool]:
    """The text if it is short enough, else as much of it as ends with a line or a sentence."""
    if len(text) <= most:
        return text, False
    kept = text[: most - len(MORE)]
    # Not within a link or an escape: what is cut there would mean something else.
    ends = [kept.rfind(sign) + len(sign) - 1 for sign in (". ", ">) ") if sign in kept]
    ends.append(kept.rfind("\n"))
    return kept[: max(0, *ends)].rstrip() + MORE, True


def _inert(text: str) -> str:
    pieces, at = [], 0
    for found in _ADDRESS.finditer(text):
        # As code an address stays whole for whoever copies it, and is neither link nor ping.
        pieces += [_escaped(text[at : found.start()]), f"`{found[0]}`"]
        at = found.end()
    pieces.append(_escaped(text[at:]))
    return _OPENING.sub(_shut, "".join(pieces))


def _shut(found: re.Match[str]) -> str:
    space, number, after, sign = found.groups()
    return f"{space}{number}\\{after}" if number else f"{space}\\{sign}"


def _escaped(text: str) -> str:
    plain = _EMOJI.sub(f":{JOINER}", _NAMES.sub(rf"\1{JOINER}", text))
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SIGNS.sub(r"\\\1", plain)


def _printable(text: str) -> str:
    """Without signs that turn the direction of a line or move a cursor."""
    return "".join(
        one if one == "\n" else " " if unicodedata.category(one) == "Cc" else one
        for one in text
        if one == "\n" or unicodedata.category(one) not in ("Cf", "Cs", "Co")
    )

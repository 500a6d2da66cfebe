"""A conversation as Markdown: each answer with its numbers, and its sources below.

What comes from pages and people is text here as anywhere: nothing of it can end a line, open a
link or begin a tag that is not ours.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from web.addresses import safe_url
from web.shown import NOT_SHOWN, Part

UNSUPPORTED = "(not found in any page)"
_SIGNS = re.compile(r"([\\`*_{}\[\]()#+!|<>~$&])")


def markdown(title: str, parts: Iterable[Part]) -> str:
    """The whole conversation."""
    lines = [f"# {escaped(title)}", ""]
    for part in parts:
        if part.role == "user":
            lines += [f"## {escaped(part.text)}", ""]
        elif part.answer is None:
            lines += [f"> {escaped(part.text)}", "", "(This answer was cut off.)", ""]
        else:
            lines += [*_answer(part.answer), ""]
        if part.withheld:
            lines += [f"*{NOT_SHOWN}*", ""]
    return "\n".join(lines)


def _answer(answer: Mapping[str, Any]) -> Iterator[str]:
    yield "".join(tagless(text) + signs for text, signs in pieces(answer))
    for notice in answer["notices"]:
        yield f"\n*{escaped(notice['text'])}*"
    if answer["citations"]:
        yield ""
    for one in answer["citations"]:
        url = safe_url(one["url"], keep="[]()")
        named = escaped(one["title"])
        yield f"{one['marker']}. " + (f"[{named}](<{url}>)" if url else named)
        yield f"   > {escaped(one['quote'])}"


def pieces(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The text of an answer in pieces, each with the signs that belong behind it."""
    text: str = answer["answer"]
    found: list[tuple[str, str]] = []
    at = 0
    for sentence in answer["sentences"]:
        begin = text.find(sentence["text"], at)
        if begin < 0:
            # A sentence that stands otherwise in the text still has its sources.
            return [(one["text"], _signs(one) + " ") for one in answer["sentences"]]
        end = begin + len(sentence["text"])
        found.append((text[at:end], _signs(sentence)))
        at = end
    return [*found, (text[at:], "")] if text[at:] else found


def _signs(sentence: Mapping[str, Any]) -> str:
    if not sentence["supported"]:
        return f" {UNSUPPORTED}"
    markers: Sequence[int] = sentence["citations"]
    return " " + "".join(f"[{marker}]" for marker in markers) if markers else ""


def escaped(text: str) -> str:
    """A text in one line of Markdown that means nothing but itself."""
    return _SIGNS.sub(r"\\\1", " ".join(text.split()))


def tagless(text: str) -> str:
    """What a model has written, with its lines, lists and formulas, but no tag, link or picture.

    As character references: a backslash before them takes nothing back (CommonMark 0.31, 2.5).
    """
    return text.translate({ord(sign): f"&#{ord(sign)};" for sign in "<[]"})

"""The Atlassian Document Format, in which the cloud's JIRA answers, to HTML for the walker.

A tree of nodes `{"type": …, "content": […], "attrs": {…}}`; text has `marks`. What is not known is
passed through by its content, so that a new kind of node costs its shape and not its text.
"""

import html
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.parse.clean import day, text_of

_TAGS = {
    "paragraph": "p",
    "bulletList": "ul",
    "orderedList": "ol",
    "listItem": "li",
    "taskList": "ul",
    "taskItem": "li",
    "decisionList": "ul",
    "decisionItem": "li",
    "blockquote": "blockquote",
    "codeBlock": "pre",
    "table": "table",
    "tableRow": "tr",
    "tableHeader": "th",
    "tableCell": "td",
    "panel": "div",
    "expand": "div",
    "nestedExpand": "div",
    "mediaSingle": "div",
    "caption": "p",
}
_ALONE = {"hardBreak": "<br>", "rule": "<hr>"}
_CARDS = ("inlineCard", "blockCard", "embedCard")


def html_from_adf(node: Any) -> str:
    """A document or any node of one as HTML; empty for what is none."""
    return "".join(_parts(node))


def _parts(node: Any) -> Iterator[str]:
    if not isinstance(node, Mapping):
        return
    kind = text_of(node, "type")
    if kind in _ALONE:
        yield _ALONE[kind]
        return
    tag = _heading(node) if kind == "heading" else _TAGS.get(kind)
    yield f"<{tag}>" if tag else ""
    tint = _tint(node)
    yield f'<font color="{html.escape(tint)}">' if tint else ""
    yield html.escape(_said(node, kind), quote=False)
    yield "</font>" if tint else ""
    content = node.get("content")
    for child in content if isinstance(content, list) else ():
        yield from _parts(child)
    yield f"</{tag}>" if tag else ""


def _tint(node: Mapping[str, Any]) -> str:
    """The colour that a mark gives to text: white on white is read by machines alone."""
    marks = node.get("marks")
    for mark in marks if isinstance(marks, list) else ():
        if isinstance(mark, Mapping) and text_of(mark, "type") == "textColor":
            return text_of(mark, "attrs", "color")
    return ""


def _said(node: Mapping[str, Any], kind: str) -> str:
    """The words of a node itself."""
    if kind == "text":
        return text_of(node, "text")
    if kind in ("mention", "status", "placeholder"):
        return text_of(node, "attrs", "text")
    if kind == "emoji":
        return text_of(node, "attrs", "text") or text_of(node, "attrs", "shortName")
    if kind in _CARDS:
        return text_of(node, "attrs", "url")
    if kind == "media":
        return text_of(node, "attrs", "alt")
    if kind in ("expand", "nestedExpand"):
        return text_of(node, "attrs", "title")
    if kind == "date":
        milliseconds = text_of(node, "attrs", "timestamp")
        return day(int(milliseconds) // 1000) if milliseconds.isdecimal() else ""
    return ""


def _heading(node: Mapping[str, Any]) -> str:
    level = text_of(node, "attrs", "level")
    return f"h{level}" if level in ("1", "2", "3", "4", "5", "6") else "h6"

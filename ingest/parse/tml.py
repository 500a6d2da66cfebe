"""TWiki markup (TML) to HTML, one pass over the lines, as the wikis themselves render it.

The result goes through the HTML walker, so that markup and the HTML that authors mix into it are
read by the same code. Nothing of it is ever shown.
"""

import html
import re
from collections.abc import Iterator

from ingest.parse.markdown import HTML_TAGS, escape_unknown_tags

_KEPT = re.compile(
    r"<(?P<tag>verbatim|pre)\b[^>]*>(?P<body>.*?)(?:</(?P=tag)>|\Z)"
    r"|%(?:BEGIN)?CODE(?:\{[^}\n]*\})?%(?P<code>.*?)(?:%END(?:OF)?CODE%|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HELD = re.compile("\x01(\\d+)\x01")
_MACRO_EDGE = re.compile(r"(?<![!>])%[A-Z][A-Z0-9_:]*\{|\}%")
_VARIABLE = re.compile(r"(?<!!)%([A-Z][A-Z0-9_:]*|[HIMNPQSTUXY])%")
_WORDS = {
    "VBAR": "&#124;",
    "BR": "<br>",
    "BB": "<br>",
    "NBSP": " ",
    "AMP": "&amp;",
    "SYSTEMWEB": "System",
    "TWIKIWEB": "TWiki",
    "MAINWEB": "Main",
    "USERSWEB": "Main",
    "WIKITOOLNAME": "TWiki",
    "Y": "yes",
    "X": "!",
    "ENDCOLOR": "</font>",
    "LT": "&lt;",
    "GT": "&gt;",
    "CARET": "^",
    "QUOT": '"',
}
_COLOURS = (
    "AQUA BLACK BLUE BROWN FUCHSIA GRAY GREEN LIME MAROON NAVY OLIVE ORANGE PINK PURPLE RED SILVER"
    " TEAL WHITE YELLOW"
)
# Kept as tags, so that the walker sees what is white on white.
_WORDS |= {name: f'<font color="{name.lower()}">' for name in _COLOURS.split()}
_HEADING = re.compile(r"^-{3}(\+{1,6})(?:!!)?[ \t]*(.*)$")
_BULLET = re.compile(r"^((?: {3}|\t)+)(\*|(?:\d+|[AaIi])\.?) (.*)$")
_DEFINITION = re.compile(r"^(?: {3}|\t)+(?:\$ ([^:\n]+?)|([^\s:$*|<][^\s:]*)):\s+(.*)$")
_SETTING = re.compile(r"^(?: {3}|\t)+\*\s+(?:Set|Local)\s+[A-Za-z_]\w*\s*=")
_ROW = re.compile(r"^\s*\|.*\|\s*$")
_ANCHOR = re.compile(r"^#([A-Z]\w*)(?:\s|$)")
_MARKS = tuple(
    re.compile(
        rf"(?<![^\s(>|]){re.escape(mark)}(?=[^\s{mark[0]}])([^\n]{{0,400}}?[^\s{mark[0]}]|)"
        rf"{re.escape(mark)}(?=$|[\s,.;:!?)<|])",
        re.MULTILINE,
    )
    for mark in ("__", "==", "*", "_", "=")
)
_LINK = re.compile(r"!?\[\[([^\[\]\n]{0,1000})\](?:\[([^\[\]\n]{1,1000})\])?\]")
_ESCAPED = re.compile(r"(?<![\w!])!(?=[A-Za-z%\[<*=_])")
_TAGS = HTML_TAGS | {"nop", "noautolink", "sticky", "literal"}


def spaced(topic: str) -> str:
    """A WikiWord as people read it: `L1MuonTrigger` gives `L1 Muon Trigger`."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", topic)
    return apart.replace("_", " ").strip()


def html_from_tml(text: str, *, topic: str = "", web: str = "") -> str:
    """A topic's text without its `%META` lines, as HTML."""
    held: list[str] = []

    def hold(found: re.Match[str]) -> str:
        held.append(_preformatted(found))
        return f"\x01{len(held) - 1}\x01"

    text = text.replace("\x01", "").replace("\r\n", "\n")
    text = _COMMENT.sub("", _KEPT.sub(hold, text))
    text = re.sub(r"\\[ \t]*\n[ \t]*", " ", text)
    text = _without_macros(text)
    names = {"TOPIC": topic, "INCLUDINGTOPIC": topic, "BASETOPIC": topic, "WEB": web}
    text = _VARIABLE.sub(lambda found: names.get(found[1], _WORDS.get(found[1], "")), text)
    text = escape_unknown_tags(text, _TAGS)
    body = "\n".join(_Lines().render(text))
    return _HELD.sub(lambda found: held[int(found[1])], body)


def _preformatted(found: re.Match[str]) -> str:
    if (found["tag"] or "").lower() == "pre":
        # Other than in <verbatim>, tags and entities mean something here.
        return f"<pre>{escape_unknown_tags(found['body'], _TAGS)}</pre>"
    return f"<pre>{html.escape(found['body'] or found['code'] or '')}</pre>"


def _without_macros(text: str) -> str:
    """Text without `%NAME{...}%`. Of inclusions and formulae the reader is told."""
    parts: list[str] = []
    end = 0
    for start, stop in _macro_spans(text):
        parts.append(text[end:start])
        parts.append(_told(text[start:stop]))
        end = stop
    parts.append(text[end:])
    whole = re.sub(r"%\$(.{1,2000}?)\$%", r"$\1$", "".join(parts))
    return re.sub(r"%(?:BEGIN|END)(?:LATEX|FIGURE|TABLE|LATEXPREAMBLE)(?:\{[^}\n]*\})?%", "", whole)


def _macro_spans(text: str) -> list[tuple[int, int]]:
    """Outermost macros with those inside them. One pass: unclosed ones cost nothing more."""
    spans: list[tuple[int, int]] = []
    opened: list[int] = []
    for edge in _MACRO_EDGE.finditer(text):
        if edge.group() != "}%":
            opened.append(edge.start())
        elif opened:
            start = opened.pop()
            while spans and spans[-1][0] > start:
                spans.pop()
            spans.append((start, edge.end()))
    return spans


def _told(macro: str) -> str:
    name, _, arguments = macro[1:-2].partition("{")
    first = re.match(r'\s*"([^"]*)"', arguments)
    if first is None:
        return ""
    if name == "INCLUDE":
        return f"See {first[1]}."
    if name == "MAKETEXT":
        return re.sub(r"\[_\d+\]|~(?=\[)", "", first[1])
    if name == "LATEX":
        return f"${html.escape(first[1])}$"
    return ""


class _Lines:
    """Renders line by line, keeping the lists and the table that are open."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._table: list[list[tuple[str, str]]] = []

    def render(self, text: str) -> Iterator[str]:
        """HTML lines of the topic."""
        for line in text.split("\n"):
            if _ROW.match(line):
                if not self._table:
                    # Inside a list a table is indented below its item; it ends the list.
                    yield from self._close_lists(0)
                self._table.append(_cells(line.strip()))
                continue
            yield from self._close_table()
            yield from self._line(line.replace("\t", "   "))
        yield from self._close_table()
        yield from self._close_lists(0)

    def _line(self, line: str) -> Iterator[str]:
        if _SETTING.match(line):
            return
        if heading := _HEADING.match(line):
            yield from self._close_lists(0)
            yield _heading(len(heading[1]), heading[2])
        elif bullet := _BULLET.match(line):
            kind = "ul" if bullet[2] == "*" else "ol"
            yield from self._item(len(bullet[1]) // 3, kind, _inline(bullet[3]))
        elif definition := _DEFINITION.match(line):
            term, told = _inline(definition[1] or definition[2]), _inline(definition[3])
            yield from self._item(max(len(self._open), 1), "ul", f"{term}: {told}")
        elif not line.strip():
            yield from self._close_lists(0)
            yield "<p></p>"
        elif re.match(r"^-{3,}\s*$", line):
            yield from self._close_lists(0)
        elif anchor := _ANCHOR.match(line):
            yield f'<a name="{anchor[1]}"></a>{_inline(line[anchor.end() :])}'
        else:
            if self._open and not line.startswith(" ") and not line.startswith("\x01"):
                yield from self._close_lists(0)
            yield _inline(line)

    def _item(self, depth: int, kind: str, text: str) -> Iterator[str]:
        yield from self._close_lists(depth)
        if len(self._open) == depth and self._open[-1] != kind:
            yield from self._close_lists(depth - 1)
        while len(self._open) < min(depth, 20):
            self._open.append(kind)
            yield f"<{kind}>"
        yield f"<li>{text}"

    def _close_lists(self, depth: int) -> Iterator[str]:
        while len(self._open) > depth:
            yield f"</{self._open.pop()}>"

    def _close_table(self) -> Iterator[str]:
        if not self._table:
            return
        yield "<table>"
        above: list[str] = []
        for row in self._table:
            above = [
                text if text != "^" or at >= len(above) else above[at]
                for at, (_, text) in enumerate(row)
            ]
            cells = (f"<{tag}>{text}</{tag}>" for (tag, _), text in zip(row, above, strict=True))
            yield f"<tr>{''.join(cells)}</tr>"
        yield "</table>"
        self._table = []


def _heading(level: int, text: str) -> str:
    shown = _inline(re.sub(r"^!!|!!\s*$", "", text).strip())
    plain = html.unescape(re.sub(r"<[^<>]{0,200}>", "", shown))
    anchor = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:32].rstrip("_")
    return f'<h{level} id="{anchor}">{shown}</h{level}>'


def _cells(line: str) -> list[tuple[str, str]]:
    """Cells of `| a | *b* |` as (tag, HTML); the second bar of `||` widens the cell before it."""
    cells: list[tuple[str, str]] = []
    # A bar inside [[...]] belongs to the link.
    for raw in re.split(r"\|(?![^\[\]|]{0,200}\]\])", line)[1:-1]:
        if raw == "" and cells:
            tag, text = cells[-1]
            cells.append((tag, text if tag == "th" else ""))
            continue
        text = raw.strip()
        bold = re.fullmatch(r"\*(?!\s)([^*]*)\*", text) or re.fullmatch(r"\*(?!\s)(.+)\*", text)
        if bold and len(text) > 2:
            cells.append(("th", _inline(bold[1].strip())))
        else:
            cells.append(("td", _inline(text)))
    return cells


def _inline(text: str) -> str:
    """Marks of one line: emphasis, links, escapes. Identifiers such as `L1_MU4` or `x*y*z` stay."""
    text = re.sub(r"%<nop(?:\s*/)?>", "%", text, flags=re.IGNORECASE)
    text = re.sub(r"</?(?:nop|noautolink|sticky|literal)\b\s*/?>", "", text, flags=re.IGNORECASE)
    text = _LINK.sub(_link, text)
    for mark in _MARKS:
        text = mark.sub(r"\1", text)
    return _ESCAPED.sub("", text)


def _link(found: re.Match[str]) -> str:
    if found.group().startswith("!"):
        return found.group()
    if found[2]:
        return found[2]
    target = found[1].strip()
    if " " in target and re.match(r"(https?|mailto|ftp):", target):
        return target.split(" ", 1)[1]
    return target

"""JIRA's wiki markup to HTML, line by line. All text is escaped: JIRA itself allows no HTML."""

import html
import re
from collections.abc import Iterator

_KEPT = re.compile(
    r"\{(?P<kind>code|noformat)(?::[^}\n]{0,200})?\}(?P<body>.*?)(?:\{(?P=kind)\}|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_HELD = re.compile("\x01(\\d+)\x01")
_TINT = re.compile("\x02([#\\w]*)\x02")
_MACRO = re.compile(
    r"\{(?:quote|panel|anchor|section|column|toc|info|tip|note|warning|expand)"
    r"(?::[^}\n]{0,300})?\}",
    re.IGNORECASE,
)
_COLOUR = re.compile(r"\{color(?::\s*(?P<name>[#\w]{1,40})\s*|:[^}\n]{0,300})?\}", re.IGNORECASE)
_LINE_BREAK = re.compile(r"\\\\(?=\s|$)", re.MULTILINE)
_HEADING = re.compile(r"^\s*h([1-6])\.\s*(.*)$")
_BULLET = re.compile(r"^\s*([*#-]{1,6})\s+(.*)$")
_LINK = re.compile(r"\[([^\[\]|\n]{1,500})(?:\|([^\[\]|\n]{1,1000}))?(?:\|[^\[\]\n]{0,100})?\]")
_IMAGE = re.compile(r"(?<!\w)!([^\s!|]{1,300}\.\w{1,5})(?:\|[^!\n]{0,200})?!")
_MARKS = tuple(
    re.compile(
        rf"(?<![\w{{\\]){re.escape(mark)}(?=[^\s{re.escape(mark)}])([^\n]{{0,400}}?[^\s]|)"
        rf"{re.escape(mark)}(?![\w])"
    )
    for mark in ("*", "_", "??", "+", "^", "~")
)
_MONO = re.compile(r"\{\{([^\n]{1,500}?)\}\}")


def html_from_jira(text: str) -> str:
    """JIRA markup as HTML for the walker."""
    held: list[str] = []

    def hold(found: re.Match[str]) -> str:
        held.append(f"<pre>{html.escape(found['body'])}</pre>")
        return f"\n\x01{len(held) - 1}\x01\n"

    text = re.sub("[\x01\x02]", "", text).replace("\r\n", "\n").replace("\r", "\n")
    text = _COLOUR.sub(_coloured, _MACRO.sub(" ", _KEPT.sub(hold, text)))
    body = "\n".join(_lines(_LINE_BREAK.sub("\n", text)))
    body = _HELD.sub(lambda found: held[int(found[1])], body)
    return _TINT.sub(lambda found: f'<font color="{found[1]}">' if found[1] else "</font>", body)


def _coloured(found: re.Match[str]) -> str:
    """A mark for `{color:white}`, which may hide text; a tag once all else is escaped."""
    return f" \x02{found['name'] or ''}\x02"


def _lines(text: str) -> Iterator[str]:
    opened: list[str] = []
    in_table = False
    for line in text.split("\n"):
        bullet, is_row = _BULLET.match(line), line.lstrip().startswith("|")
        if in_table and not is_row:
            yield "</table>"
        if not bullet and (opened and (is_row or not line.strip() or not line.startswith(" "))):
            yield from _close(opened, 0)
        if is_row:
            yield "" if in_table else "<table>"
            yield _row(line.strip())
        elif bullet and not re.fullmatch(r"-{4,}", line.strip()):
            yield from _item(opened, bullet[1], inline(bullet[2]))
        elif heading := _HEADING.match(line):
            yield f"<h{heading[1]}>{inline(heading[2])}</h{heading[1]}>"
        elif line.lstrip().startswith("bq. "):
            yield f"<p>{inline(line.lstrip()[4:])}</p>"
        elif not line.strip() or re.fullmatch(r"\s*-{4,}\s*", line):
            yield "<p></p>"
        else:
            # JIRA shows a line break where one was typed.
            yield f"{inline(line)}<br>"
        in_table = is_row
    if in_table:
        yield "</table>"
    yield from _close(opened, 0)


def _item(opened: list[str], marks: str, text: str) -> Iterator[str]:
    kind = "ol" if marks.endswith("#") else "ul"
    yield from _close(opened, len(marks))
    if len(opened) == len(marks) and opened[-1] != kind:
        yield from _close(opened, len(marks) - 1)
    while len(opened) < len(marks):
        opened.append(kind)
        yield f"<{kind}>"
    yield f"<li>{text}"


def _close(opened: list[str], depth: int) -> Iterator[str]:
    while len(opened) > depth:
        yield f"</{opened.pop()}>"


def _row(line: str) -> str:
    tag = "th" if line.startswith("||") else "td"
    # Bars inside [label|address] belong to the link.
    bare = _LINK.sub(_link, line)
    cells = re.split(r"\|\|?", bare.strip("|"))
    return "<tr>" + "".join(f"<{tag}>{inline(cell)}</{tag}>" for cell in cells) + "</tr>"


def inline(text: str) -> str:
    """One line without its marks, escaped. `L1_MU4` and `a*b*c` stay as they are."""
    text = _IMAGE.sub("", _LINK.sub(_link, text))
    text = _MONO.sub(r"\1", text)
    for mark in _MARKS:
        text = mark.sub(r"\1", text)
    return html.escape(re.sub(r"\\([*_{}\[\]!|^~+-])", r"\1", text), quote=False)


def _link(found: re.Match[str]) -> str:
    label, target = found[1].strip(), found[2]
    if target is not None:
        return label
    if label[:1] in "~^#":
        return label[1:]
    # Only addresses and issue keys are links; "[0]" or "[WARN]" is text.
    return label if re.match(r"(https?|mailto|ftp)://?|[A-Z]+-\d+$", label) else found.group()

"""From a tree of HTML elements to blocks. Markdown, TWiki and JIRA markup come through here too."""

import re
import warnings
from collections.abc import Iterator

from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning
from bs4.element import NavigableString, PageElement, PreformattedString, Tag

from ingest.parse.builder import DocumentBuilder, Item
from ingest.parse.clean import fold
from ingest.parse.cloaked import hides, mark_hidden, unseen

_DEEPEST = 150
"""Elements nested deeper than this are taken as flat text: no page for people needs more."""

_MOST_OPEN = 3000
# Elements that do not end by themselves, as <p> and <li> do when the next one begins.
_CONTAINERS = re.compile(
    r"<(/?)(?:div|span|b|i|em|strong|font|table|section|article|blockquote|ul|ol|dl|a|code)\b",
    re.IGNORECASE,
)
_MOST_COLUMNS = 200
_SKIPPED = frozenset(
    """
    style template head title nav footer aside iframe svg canvas button select option input
    textarea object embed audio video noscript meta link
    """.split()  # noqa: SIM905 - one word after the other reads better than a list
)
_BLOCKS = frozenset(
    """
    p div section article main body html header form fieldset figure figcaption address center
    details summary hgroup dialog legend hr blockquote tbody thead tfoot tr td th caption
    """.split()  # noqa: SIM905
)
_ROLES = frozenset({"navigation", "banner", "contentinfo", "search", "complementary"})
_NOISE = frozenset(
    """
    sidebar breadcrumb breadcrumbs navbar nav menu navigation pagination headerlink anchor-link
    skip-link sphinxsidebar rst-versions wy-nav-side wy-breadcrumbs edit-this-page edit-page-link
    cookie-banner toc md-sidebar md-nav md-header md-footer md-source-file md-tabs md-skip
    md-content__button twikitoc foswikitoc patterntoc foswikitopicactions twikitopicactions
    patterntoolbar patternhomepath foswikihomepath twikihomepath patterntopbar patternleftbar
    patternsidebar patternbottombar patternwebindicator patternmoved patterntopicaction
    patterntopicactions patternsimplelogo patternactionbuttons patternrevinfo foswikirevcomment
    foswikiaccesskey twikiaccesskey patternsearchresultcount foswikieditform twikieditform
    foswikihidden twikihidden foswikimakehidden twikimakehidden foswikiattachments
    patternattachments twikiattachments
    """.split()  # noqa: SIM905
)
# An id such as "menu" may name a section of the text: only ids that are of a skin count.
_NOISE_IDS = re.compile(r"(pattern|foswiki|twiki|md-|wy-|sphinx)|sidebar$", re.IGNORECASE)
_SENTENCE = re.compile(r"(?:\b[A-Za-z]{2,}[,.:]?\s+){4}")
"""Where the alternative text of a formula has one, it is no formula and nobody sees it."""
_ORDINALS = frozenset({"st", "nd", "rd", "th", "tm", "sm"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_BREAK = "\x00"
"""Stands for <br> in the running text until it is flushed; cannot come from a page."""


def soup_of(markup: str) -> BeautifulSoup:
    """Parsed HTML; mends what is broken in it.

    Raises:
        RecursionError: for thousands of elements inside each other, which take libxml2 minutes.
    """
    depth = 0
    for found in _CONTAINERS.finditer(markup):
        depth = max(depth - 1, 0) if found.group(1) else depth + 1
        if depth > _MOST_OPEN:
            raise RecursionError(_MOST_OPEN)
    with warnings.catch_warnings():
        # Pages in XHTML begin as XML does; people's browsers read them as HTML, and so do we.
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        soup = BeautifulSoup(markup.replace("\x00", ""), "lxml")
    mark_hidden(soup)
    return soup


def is_noise(tag: Tag) -> bool:
    """True for what nobody would call the text of a page: navigation, controls, hidden parts."""
    name = tag.name
    if name in _SKIPPED:
        return True
    if name == "script":
        return not str(tag.get("type", "")).startswith("math/tex")
    attributes = tag.attrs
    if not attributes:
        return name == "dialog"  # shown when it is opened
    if is_hidden(tag) or str(attributes.get("role", "")).lower() in _ROLES:
        return True
    own = str(attributes.get("id", ""))
    if own.lower() in _NOISE and _NOISE_IDS.match(own):
        return True
    return any(token.lower() in _NOISE for token in classes_of(tag))


def is_hidden(tag: Tag) -> bool:
    """True for an element that a browser does not show."""
    attributes = tag.attrs
    if "hidden" in attributes or hides(str(attributes.get("style", ""))):
        return True
    if str(attributes.get("aria-hidden", "")).lower() == "true" and tag.name != "math":
        return True
    if tag.name == "dialog":
        return "open" not in attributes
    coloured = "color" in attributes or "color" in str(attributes.get("style", "")).lower()
    return coloured and unseen(tag)


def classes_of(tag: Tag) -> list[str]:
    """Classes of an element."""
    return tag.get_attribute_list("class") if tag.has_attr("class") else []


def add_html(builder: DocumentBuilder, markup: str, *, shift: int = 0) -> None:
    """Add a piece of HTML to a document; headings are taken `shift` levels deeper."""
    if markup.strip():
        walker = Walker(builder, shift=shift)
        walker.walk(soup_of(markup))


class Walker:
    """Walks a tree once. Running text is gathered until a block begins or ends."""

    def __init__(self, builder: DocumentBuilder, *, shift: int = 0) -> None:
        self._builder = builder
        self._shift = shift
        self._text: list[str] = []
        self._items: list[Item] = []
        self._marker: str | None = None
        """Marker of the list item that has begun and has no text yet."""
        self._lists: list[Tag] = []
        self._quotes = 0
        self._depth = 0
        self._anchor = ""
        self._term = ""

    def walk(self, root: Tag) -> None:
        """Add everything below `root`."""
        self._children(root)
        self._flush()
        self._flush_items()

    def _children(self, tag: Tag) -> None:
        self._depth += 1
        for child in tag.children:
            self._element(child)
        self._depth -= 1

    def _element(self, node: PageElement) -> None:
        if isinstance(node, PreformattedString):
            return
        if isinstance(node, NavigableString):
            self._text.append(str(node))
        elif isinstance(node, Tag) and not is_noise(node):
            if self._depth > _DEEPEST:
                self._text.append(f" {flat_text(node)} ")
            else:
                self._tag(node)

    def _tag(self, tag: Tag) -> None:
        name = tag.name
        if name in _HEADINGS:
            self._heading(tag)
        elif name in ("ul", "ol", "dl", "menu"):
            self._list(tag)
        elif name in ("li", "dt", "dd"):
            self._list_item(tag)
        elif name == "table":
            self._table(tag)
        elif name == "pre":
            self._flush()
            self._flush_items()
            self._builder.code(code_text(tag))
        elif name == "form":
            self._form(tag)
        elif name == "header":
            self._header(tag)
        elif name in _BLOCKS:
            self._block(tag)
        else:
            self._inline(tag)

    def _block(self, tag: Tag) -> None:
        self._flush()
        self._quotes += tag.name == "blockquote"
        if tag.name in ("div", "section", "span") and tag.get("id"):
            self._anchor = str(tag["id"])
        self._children(tag)
        self._flush()
        self._quotes -= tag.name == "blockquote"

    def _inline(self, tag: Tag) -> None:
        name = tag.name
        if name == "br":
            self._text.append(_BREAK)
        elif name in ("sup", "script", "math"):
            self._text.append(special_text(tag, "".join(self._text[-1:])))
        else:
            if name == "a" and (own := tag.get("name") or tag.get("id")):
                self._anchor = str(own)
            self._children(tag)

    def _heading(self, tag: Tag) -> None:
        self._flush()
        text = fold(flat_text(tag)).rstrip("¶").strip()
        if self._quotes or self._lists:
            # A heading in a call-out must not close the section around it.
            self._text.append(text)
            self._flush()
            return
        self._flush_items()
        inner = tag.find(["a", "span"], attrs={"name": True}) or tag.find(["a", "span"], id=True)
        inner_anchor = str(inner.get("name") or inner.get("id")) if isinstance(inner, Tag) else ""
        anchor = str(tag.get("id") or "") or inner_anchor or self._anchor
        self._anchor = ""
        self._builder.heading(int(tag.name[1]) + self._shift, text, anchor)

    def _list(self, tag: Tag) -> None:
        self._flush()
        self._lists.append(tag)
        self._children(tag)
        self._flush()
        self._end_term()
        self._lists.pop()
        if not self._lists:
            self._flush_items()

    def _list_item(self, tag: Tag) -> None:
        self._flush()
        if tag.name == "dt":
            self._end_term()
            self._term = fold(flat_text(tag))
            return
        self._marker = "-"
        parent = self._lists[-1] if self._lists else None
        if tag.name == "li" and parent is not None and parent.name == "ol":
            self._marker = f"{_ordinal(tag, parent)}."
        self._children(tag)
        self._flush()
        self._marker = None

    def _end_term(self) -> None:
        """A term that nothing was said about stands alone."""
        if self._term:
            self._items.append(Item(self._term, max(len(self._lists) - 1, 0)))
            self._term = ""

    def _form(self, tag: Tag) -> None:
        """Wiki skins wrap editable tables, or the whole page, in a form; only those are kept."""
        tables = tag.find("tr") is not None
        if tables or tag.find(["p", "h1", "h2", "pre"]) is not None:
            self._block(tag)

    def _header(self, tag: Tag) -> None:
        for heading in tag.find_all(list(_HEADINGS), limit=3):
            self._heading(heading)

    def _table(self, tag: Tag) -> None:
        self._flush()
        rows = [row for row in rows_of(tag) if row]
        if _is_layout(tag, rows):
            self._children(tag)
            self._flush()
            return
        self._flush_items()
        if caption := tag.find("caption"):
            self._builder.prose(flat_text(caption))
        header, body = grid(tag, rows)
        self._builder.table(header, body)

    def _flush(self) -> None:
        """End the running paragraph or list item."""
        text = "".join(self._text)
        self._text.clear()
        term, lines = self._term, [fold(line) for line in text.split(_BREAK)]
        lines = [line for line in lines if line]
        if not lines:
            return
        if not self._lists and self._marker is None:
            self._builder.prose("\n".join(lines), lines=True)
            return
        joined = " ".join(lines)
        if term:
            joined, self._term = f"{term}: {joined}", ""
        depth = max(len(self._lists) - 1, 0)
        self._items.append(Item(joined, depth, self._marker or ""))
        self._marker = ""
        if not self._lists:
            self._flush_items()

    def _flush_items(self) -> None:
        if self._items:
            self._builder.items(self._items)
            self._items.clear()


def _ordinal(tag: Tag, parent: Tag) -> int:
    # Counted on the parent, so that a list of a million items is numbered in one pass.
    start = str(parent.get("start", "1"))
    count = int(str(parent.attrs.get("docent-count", "0"))) + 1
    parent.attrs["docent-count"] = str(count)
    return count - 1 + (int(start) if re.fullmatch(r"\d{1,6}", start) else 1)


def flat_text(tag: Tag) -> str:
    """All visible text below an element, on one line; no recursion, so depth does not matter."""
    parts: list[str] = []
    for node in visible(tag):
        if isinstance(node, NavigableString):
            parts.append(str(node))
        elif isinstance(node, Tag):
            if node.name in ("sup", "script", "math"):
                parts.append(special_text(node, "".join(parts[-1:])))
            elif node.name in _BLOCKS or node.name in ("br", "li", "table"):
                parts.append(" ")
    return " ".join("".join(parts).split())


def visible(tag: Tag) -> Iterator[PageElement]:
    """What stands below an element in reading order, but noise, comments and special elements."""
    stack: list[Iterator[PageElement]] = [iter(tag.children)]
    while stack:
        node = next(stack[-1], None)
        if node is None:
            stack.pop()
        elif isinstance(node, Tag):
            if is_noise(node):
                continue
            yield node
            if node.name not in ("sup", "script", "math"):
                stack.append(iter(node.children))
        elif not isinstance(node, PreformattedString):
            yield node


def special_text(tag: Tag, before: str) -> str:
    """Text of an element whose meaning is lost in plain text: powers and formulae."""
    if tag.name == "script":
        return f"${tag.get_text().strip()}$"
    alternative = str(tag.get("alttext", ""))
    if tag.name == "math" and alternative and not _SENTENCE.search(alternative):
        return f"${alternative}$"
    text = "".join(str(node) for node in visible(tag) if isinstance(node, NavigableString))
    power = re.fullmatch(r"[+\-−–]?[\w*+\-−]{1,8}", text.strip()) and before[-1:].isalnum()
    if tag.name == "sup" and power and text.strip().lower() not in _ORDINALS:
        return f"^{text.strip()}"
    return text


def code_text(tag: Tag) -> str:
    """Text of a `<pre>` with its line breaks, without line numbers and hidden parts."""
    parts: list[str] = []
    for node in visible(tag):
        if isinstance(node, NavigableString):
            parts.append(str(node))
        elif isinstance(node, Tag) and node.name == "br":
            parts.append("\n")
    return "".join(parts)


def rows_of(table: Tag) -> list[list[Tag]]:
    """Cells of a table's own rows; those of tables inside it are not looked at."""
    rows: list[list[Tag]] = []
    stack: list[Iterator[PageElement]] = [iter(table.children)]
    while stack:
        node = next(stack[-1], None)
        if node is None:
            stack.pop()
        elif not isinstance(node, Tag) or is_noise(node):
            continue
        elif node.name == "tr":
            cells = [cell for cell in node.children if isinstance(cell, Tag) and not is_noise(cell)]
            rows.append([cell for cell in cells if cell.name in ("td", "th")])
        elif node.name in ("tbody", "thead", "tfoot", "form"):
            stack.append(iter(node.children))
    return rows


def _is_layout(table: Tag, rows: list[list[Tag]]) -> bool:
    if table.get("role") == "presentation" or all(len(row) <= 1 for row in rows):
        return True
    if table.find(["table", "h1", "h2", "h3", "h4"]) is not None:
        return True
    return any(code_text(pre).strip().count("\n") >= 3 for pre in table.find_all("pre"))


def grid(table: Tag, rows: list[list[Tag]]) -> tuple[list[str] | None, list[list[str]]]:
    """Header row and rows of text; a cell that spans rows is told in each of them."""
    lines: list[list[str]] = []
    hanging: dict[int, tuple[int, str]] = {}
    for row in rows:
        line: list[str] = []
        for cell in row:
            _hang(line, hanging)
            text = flat_text(cell)
            down, across = _span(cell, "rowspan", 500), _span(cell, "colspan", 50)
            for step in range(across):
                if len(line) >= _MOST_COLUMNS:
                    break
                if down > 1:
                    hanging[len(line)] = (down - 1, text[:200] if step == 0 else "")
                line.append(text if step == 0 or cell.name == "th" else "")
        _hang(line, hanging)
        lines.append(line)
    named = [cell for cell in rows[0] if flat_text(cell)]
    parent = rows[0][0].parent.parent if rows[0][0].parent else None
    headed = parent is not None and parent.name == "thead" and parent is not table
    if named and (headed or all(cell.name == "th" for cell in named)):
        return lines[0], lines[1:]
    return None, lines


def _hang(line: list[str], hanging: dict[int, tuple[int, str]]) -> None:
    while (at := len(line)) in hanging:
        left, text = hanging.pop(at)
        line.append(text)
        if left > 1:
            hanging[at] = (left - 1, text)


def _span(cell: Tag, name: str, most: int) -> int:
    value = str(cell.get(name, "1")).strip()
    return min(max(int(value), 1), most) if re.fullmatch(r"\d{1,6}", value) else 1

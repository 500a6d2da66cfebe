"""reStructuredText, of Sphinx too: read by docutils without file inclusion or raw output."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import Directive, directives, roles
from docutils.parsers.rst.languages import en
from docutils.statemachine import StringList

from ingest.model import Document, Page
from ingest.parse.builder import DocumentBuilder, Item
from ingest.parse.clean import decode, moment

_CODE = frozenset(
    """
    code math code-block sourcecode ipython
    prompt testcode testoutput doctest graphviz jupyter-execute
    mermaid plot productionlist
    """.split()  # noqa: SIM905 - one word after the other reads better than a list
)
_DROPPED = frozenset(
    """
    toctree include literalinclude raw image contents sectnum highlight index meta currentmodule
    module default-role tabularcolumns sectionauthor codeauthor title target-notes autosummary
    bibliography only-html
    """.split()  # noqa: SIM905
)
_UNLABELLED = frozenset(
    {"only", "container", "div", "grid", "tab-set", "tabs", "rst-class", "compound"}
)
_SETTINGS = {
    "raw_enabled": False,
    "file_insertion_enabled": False,
    "halt_level": 5,
    "report_level": 5,
    "_disable_config": True,
    "smart_quotes": False,
    "syntax_highlight": "none",
    "doctitle_xform": True,
    "docinfo_xform": True,
    "sectsubtitle_xform": False,
    "line_length_limit": 50_000_000,
    "input_encoding": "unicode",
    "traceback": True,
}
_NAMED = re.compile(r"^\s*(?:\.\. +(?:\|[^|\n]{1,80}\| +)?)([A-Za-z][\w:.+-]{0,60}?) ?::", re.M)
_ROLED = re.compile(r"(?<![\w:]):([A-Za-z][\w:.+-]{0,60}):`|`:([A-Za-z][\w:.+-]{0,60}):(?!`)")


class _Unknown(Directive):
    """Any directive that docutils does not know: its arguments and its content are text."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar[Any] = None

    def run(self) -> Sequence[nodes.Node]:
        name = self.name.lower()
        if name in _DROPPED:
            return []
        if name in _CODE:
            # docutils has some of these, but refuses the options that Sphinx adds to them.
            lines = self.arguments if name == "math" else []
            text = "\n".join([*lines, *self.content])
            return [nodes.literal_block(text, text)] if text.strip() else []
        # What follows the first line without a blank one counts as argument, but is content.
        told, _, below = "\n".join(self.arguments).partition("\n")
        content = StringList([*below.split("\n"), "", *self.content], source="")
        found: list[nodes.Node] = []
        label = "" if name in _UNLABELLED else _label(name, told)
        if label:
            found.append(nodes.paragraph(label, label))
        holder = nodes.container()
        self.state.nested_parse(content, self.content_offset, holder)
        return [*found, *holder.children]


class _AnyOption(Mapping[str, Callable[[str], str]]):
    """An option table in which every option is allowed and none is looked at."""

    def __getitem__(self, key: str) -> Callable[[str], str]:
        return lambda argument: argument or ""

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 1


_Unknown.option_spec = _AnyOption()


def _label(name: str, told: str) -> str:
    short = name.rpartition(":")[2].replace("-", " ")
    if re.fullmatch(
        r"(auto)?(function|method|class|module|attribute|data|exception|decorator)", short
    ):
        return told
    if name.startswith(("py:", "cpp:", "c:", "js:")):
        return told
    return f"{short.capitalize()}: {told}" if told else f"{short.capitalize()}:"


def _any_role(
    _name: str,
    _rawtext: str,
    text: str,
    _lineno: int,
    _inliner: Any,
    _options: Any = None,
    _content: Any = None,
) -> tuple[list[Any], list[Any]]:
    plain = re.sub(r"\\(.)", r"\1", nodes.unescape(text))
    shown = re.sub(r"\s*<[^<>]*>\s*$", "", plain) or plain
    return [nodes.inline(plain, shown.lstrip("~!"))], []


def _know(text: str) -> None:
    """Register what this text uses and docutils lacks, so that no text of it is lost."""
    for name in {found.lower() for found in _NAMED.findall(text)}:
        standard = name in en.directives or name in directives._directive_registry  # type: ignore[attr-defined]  # no public way to ask
        if not standard or name in _DROPPED or name in _CODE:
            directives.register_directive(name, _Unknown)
    for found in _ROLED.findall(text):
        name = (found[0] or found[1]).lower()
        if name not in roles._role_registry and name not in en.roles:  # type: ignore[attr-defined]  # as above
            roles.register_local_role(name, _any_role)


def parse(page: Page) -> list[Document]:
    """The one document of a reStructuredText file."""
    builder = DocumentBuilder(page)
    add_rst(builder, decode(page))
    return [builder.build()]


def add_rst(builder: DocumentBuilder, text: str) -> None:
    """Add reStructuredText to a document."""
    _know(text)
    settings = {**_SETTINGS, "warning_stream": io.StringIO()}
    tree = publish_doctree(text, settings_overrides=settings)
    level = 0
    for promoted in tree.children:
        if isinstance(promoted, nodes.title | nodes.subtitle):
            # docutils lifts a lone top section to the title, and the next one to the subtitle.
            level += 1
            ids = (tree if level == 1 else promoted).get("ids") or [""]
            builder.heading(level, promoted.astext(), ids[0])
    _Walker(builder).walk(tree, level)


class _Walker:
    def __init__(self, builder: DocumentBuilder) -> None:
        self._builder = builder

    def walk(self, node: nodes.Element, level: int) -> None:
        """Add the children of a node; `level` is the number of sections around it."""
        for child in node.children:
            if isinstance(child, nodes.section):
                self._section(child, level + 1)
            elif isinstance(child, nodes.Text):
                self._builder.prose(child.astext())
            elif isinstance(child, nodes.Element):
                self._block(child, level)

    def _section(self, node: nodes.section, level: int) -> None:
        title = node.next_node(nodes.title)
        ids = node.get("ids") or [""]
        self._builder.heading(level, title.astext() if title else "", ids[0])
        self.walk(node, level)

    def _block(self, node: nodes.Element, level: int) -> None:
        if isinstance(node, nodes.Titular | nodes.comment | nodes.system_message | nodes.raw):
            return
        if isinstance(node, nodes.substitution_definition | nodes.target | nodes.Invisible):
            return
        if isinstance(node, nodes.docinfo):
            self._docinfo(node)
        elif isinstance(node, nodes.literal_block | nodes.doctest_block | nodes.math_block):
            self._builder.code(node.astext())
        elif isinstance(node, nodes.line_block):
            self._builder.prose(node.astext(), lines=True)
        elif isinstance(node, nodes.table):
            self._table(node)
        elif isinstance(node, nodes.bullet_list | nodes.enumerated_list):
            self._list(node, level)
        elif isinstance(node, nodes.definition_list | nodes.field_list | nodes.option_list):
            self._definitions(node)
        elif isinstance(node, nodes.Admonition):
            self._admonition(node, level)
        elif isinstance(node, nodes.TextElement):
            self._builder.prose(inline_text(node))
        else:
            self.walk(node, level)

    def _admonition(self, node: nodes.Element, level: int) -> None:
        title = node.children[0] if node.children else None
        if isinstance(title, nodes.title):
            self._builder.prose(f"{title.astext()}:")
        else:
            self._builder.prose(f"{node.tagname.capitalize()}:")
        self.walk(node, level)

    def _docinfo(self, node: nodes.Element) -> None:
        for child in node.children:
            text = child.astext()
            if isinstance(child, nodes.author):
                self._builder.author = text
            elif isinstance(child, nodes.date):
                self._builder.updated_at = moment(text)
            elif isinstance(child, nodes.field):
                self._builder.prose(": ".join(part.astext() for part in child.children))

    def _table(self, node: nodes.table) -> None:
        if title := node.next_node(nodes.title):
            self._builder.prose(title.astext())
        rows = []
        for row in node.findall(nodes.row):
            cells = [entry for entry in row.children if isinstance(entry, nodes.entry)]
            rows.append([inline_text(cell) for cell in cells])
        head = node.next_node(nodes.thead)
        if head is not None and rows:
            self._builder.table(rows[0], rows[1:])
        else:
            self._builder.table(None, rows)

    def _list(self, node: nodes.Element, level: int, depth: int = 0) -> None:
        """Items with their nested lists as one block, unless one holds code or a table."""
        if next(iter(node.findall(_is_rigid)), None) is None:
            self._builder.items(_items(node, depth))
            return
        for number, item in enumerate(node.children):
            marker = _marker(node, number)
            for part in item.children if isinstance(item, nodes.Element) else ():
                if isinstance(part, nodes.paragraph):
                    self._builder.items([Item(inline_text(part), depth, marker)])
                    marker = ""
                elif isinstance(part, nodes.bullet_list | nodes.enumerated_list):
                    self._list(part, level, depth + 1)
                elif isinstance(part, nodes.Element):
                    self._block(part, level)

    def _definitions(self, node: nodes.Element) -> None:
        if next(iter(node.findall(_is_rigid)), None) is None:
            pairs = [list(item.children) for item in node.children]
            lines = []
            for parts in pairs:
                texts = [inline_text(part) for part in parts if isinstance(part, nodes.Element)]
                lines.append(": ".join(text for text in texts if text))
            self._builder.items(lines)
            return
        for item in node.children:
            for part in item.children:
                if isinstance(part, nodes.definition | nodes.field_body | nodes.description):
                    self.walk(part, 0)
                else:
                    self._builder.items([part.astext()])


def _is_rigid(node: nodes.Node) -> bool:
    return isinstance(node, nodes.literal_block | nodes.doctest_block | nodes.table)


def _marker(node: nodes.Element, number: int) -> str:
    if isinstance(node, nodes.enumerated_list):
        return f"{int(node.get('start', 1)) + number}."
    return "-"


def _items(node: nodes.Element, depth: int) -> list[Item]:
    found: list[Item] = []
    for number, item in enumerate(node.children):
        marker = _marker(node, number)
        for part in item.children:
            if isinstance(part, nodes.bullet_list | nodes.enumerated_list):
                found.extend(_items(part, depth + 1))
            elif isinstance(part, nodes.Element):
                found.append(Item(inline_text(part), depth, marker))
                marker = ""
    return found


def inline_text(node: nodes.Element) -> str:
    """Text of a node on one line; what docutils could not resolve stays as it was written."""
    parts = []
    for text in node.findall(nodes.Text):
        parent = text.parent
        if isinstance(parent, nodes.image | nodes.raw | nodes.comment | nodes.system_message):
            continue
        parts.append(text.astext())
        if isinstance(parent, nodes.paragraph) and parent is not node:
            parts.append(" ")
    return " ".join("".join(parts).split())

"""Source code: what its comments say as prose, and the code in pieces by top-level definition."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ingest.model import Document, Page
from ingest.parse.builder import DocumentBuilder, file_name
from ingest.parse.clean import clean, decode
from ingest.parse.plain import add_code, add_text

_LARGE_CLASS = 60
"""A class of more lines is cut into its methods."""
_BRACED = frozenset(
    """
    c cc cpp cxx c++ h hh hpp hxx icc cu cuh java js jsx ts tsx go rs proto scala kt swift css
    """.split()  # noqa: SIM905 - one word after the other reads better than a list
)
_NOISE = re.compile(
    r"//[^\n]*|/\*.*?(?:\*/|\Z)|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.){1,8}'|`[^`]*`", re.DOTALL
)
_SYMBOL = re.compile(
    r"^\s*(?:export\s+|public\s+|pub\s+|static\s+|abstract\s+|final\s+|default\s+|typedef\s+)*"
    r"(?:(?:class|struct|enum(?:\s+class)?|union|interface|trait|impl|message|func|fn|function)\s+"
    r"(?:\([^()\n]{0,100}\)\s*)?(?:[A-Z_]{3,}\s+)?(?P<named>[\w:~]+)"
    r"|(?:[\w:<>,&*\[\]\s~]{0,200}?[\s&*])?(?P<called>[\w:~]+(?:operator\S{1,3})?)\s*\()",
    re.MULTILINE,
)
_WRAPPER = re.compile(r"\b(?:namespace\b[^;{}()]{0,200}|extern\s+\"C\"\s*|module\s+[\w.]+\s*)\Z")
_SKIPPED = frozenset({"if", "for", "while", "switch", "return", "do", "else", "catch", "try"})


class _Definition(NamedTuple):
    name: str
    start: int
    """First line, counted from 0, with the comment and decorators above."""
    end: int


def parse(page: Page) -> list[Document]:
    """The one document of a source file."""
    text = clean(decode(page))
    name = file_name(page)
    extension = name.rpartition(".")[2].lower()
    builder = DocumentBuilder(page, title=name)
    if extension in ("py", "pyi") and _add_python(builder, text):
        pass
    elif extension in _BRACED:
        _add_braced(builder, text)
    else:
        _add_other(builder, text)
    return [builder.build()]


def _add_python(builder: DocumentBuilder, text: str) -> bool:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    lines = text.split("\n")
    if told := ast.get_docstring(tree):
        add_text(builder, told)
    start = _body_start(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = _first_line(node, lines, start)
            _add_between(builder, lines[start:first])
            _add_definition(builder, node, lines, first, 1, node.name)
            start = node.end_lineno or first
    _add_between(builder, lines[start:])
    return True


def _body_start(tree: ast.Module) -> int:
    if ast.get_docstring(tree) is not None:
        return tree.body[0].end_lineno or 0
    return 0


_Def = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _first_line(node: _Def, lines: list[str], lowest: int) -> int:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
    while first > lowest and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return first


def _add_definition(
    builder: DocumentBuilder, node: _Def, lines: list[str], first: int, level: int, name: str
) -> None:
    builder.heading(level, name)
    if told := ast.get_docstring(node):
        add_text(builder, told)
    end = node.end_lineno or first + 1
    if not isinstance(node, ast.ClassDef) or end - first <= _LARGE_CLASS:
        builder.code("\n".join(lines[first:end]))
        return
    start = first
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            begins = _first_line(inner, lines, start)
            _add_between(builder, lines[start:begins])
            _add_definition(builder, inner, lines, begins, level + 1, f"{name}.{inner.name}")
            start = inner.end_lineno or begins
    _add_between(builder, lines[start:end])


def _add_between(builder: DocumentBuilder, lines: list[str]) -> None:
    if any(line.strip() for line in lines):
        add_code(builder, "\n".join(lines))


def _add_braced(builder: DocumentBuilder, text: str) -> None:
    lines = text.split("\n")
    start = _leading_comment(builder, lines)
    for found in _definitions(text):
        if found.start < start:
            continue
        _add_between(builder, lines[start : found.start])
        builder.heading(1, found.name)
        for comment in _comments(lines[found.start : found.end]):
            add_text(builder, comment)
        add_code(builder, "\n".join(lines[found.start : found.end]))
        start = found.end
    _add_between(builder, lines[start:])


def _add_other(builder: DocumentBuilder, text: str) -> None:
    lines = text.split("\n")
    start = _leading_comment(builder, lines)
    _add_between(builder, lines[start:])


@dataclass
class _Scan:
    """Where in the braces of a file we are."""

    depth: int = 0
    wrappers: int = 0
    opened: int = -1


def _definitions(text: str) -> Iterator[_Definition]:
    """Top-level `name ... { ... }`, those inside namespaces too."""
    # Same length, so that positions stay: comments and strings may hold braces.
    bare = _NOISE.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)
    line_of = _LineNumbers(text)
    lines = text.split("\n")
    scan = _Scan()
    statement = 0
    for found in re.finditer(r"[{};]", bare):
        at = found.start()
        if found.group() == "{":
            if scan.depth == 0 and _WRAPPER.search(bare[max(statement, at - 300) : at]):
                scan.wrappers += 1
                statement = at + 1
            else:
                scan.opened = at if scan.depth == 0 else scan.opened
                scan.depth += 1
        elif found.group() == ";" and scan.depth == 0:
            statement = at + 1
        elif found.group() == "}" and scan.depth == 0:
            scan.wrappers = max(scan.wrappers - 1, 0)
            statement = at + 1
        elif found.group() == "}":
            scan.depth -= 1
            if scan.depth == 0:
                head = bare[max(statement, scan.opened - 2000) : scan.opened]
                if name := _symbol(head):
                    begins = (
                        statement + len(head) - len(head.lstrip()) if head.strip() else statement
                    )
                    first = line_of(max(statement, scan.opened - 2000) + begins - statement)
                    yield _Definition(name, _with_comment(lines, first), line_of(at) + 1)
                statement = at + 1


class _LineNumbers:
    """Line of a position; asked in rising order, so each line is counted once."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._line = text, 0, 0

    def __call__(self, position: int) -> int:
        if position < self._at:
            return self._text.count("\n", 0, position)
        self._line += self._text.count("\n", self._at, position)
        self._at = position
        return self._line


def _symbol(head: str) -> str:
    # Of "template <class T> void Foo::bar(int) const" the name is Foo::bar.
    plain = re.sub(
        r"template\s*<[^{}]{0,300}?>\s*(?=\w)|^\s*#[^\n]*$", "", head, flags=re.MULTILINE
    )
    found = _SYMBOL.search(plain.strip())
    if found is None:
        return ""
    name = found["named"] or found["called"]
    return "" if name in _SKIPPED else name


def _with_comment(lines: list[str], first: int) -> int:
    while first > 0 and re.match(r"\s*(//|/?\*|#\s*(pragma)?\b|template\b|\[\[)", lines[first - 1]):
        first -= 1
    return first


def _comments(lines: list[str]) -> Iterator[str]:
    """The comment that a definition begins with, without its marks."""
    told: list[str] = []
    for line in lines:
        found = re.match(r"\s*(?://[/!]?<?|/\*+!?|\*+/|\*)\s?(.*?)\s*(?:\*+/)?\s*$", line)
        if found is None:
            break
        told.append(re.sub(r"[@\\](brief|file|author|date|class|short)\s+", "", found[1]))
    if any(re.search(r"\w", line) for line in told):
        yield "\n".join(told).strip("\n")


def _leading_comment(builder: DocumentBuilder, lines: list[str]) -> int:
    """Add the comment at the top of a file as prose; returns the line after it."""
    at = 0
    while at < len(lines) and (not lines[at].strip() or lines[at].startswith(("#!", "# -*-"))):
        at += 1
    top, told = at, []
    marks = re.compile(
        r"\s*(?://[/!]?|/\*+!?|\*+/|\*|#+(?!\s*(?:include|define|if|pragma))|--|%+|!)\s?(.*?)(\*+/)?\s*$"
    )
    while at < len(lines) and (found := marks.match(lines[at])):
        told.append(re.sub(r"[@\\](brief|file|author|date)\s+", "", found[1]))
        at += 1
    if sum(len(line) for line in told) < 20 or at == top:
        return top if at == top else 0
    add_text(builder, "\n".join(told))
    return at

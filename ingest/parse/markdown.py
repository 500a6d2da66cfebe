"""Markdown of MkDocs, GitHub, GitLab, Jekyll and MyST: rendered to HTML, then read like any HTML.

Dialects are rules of the Markdown parser and not substitutions on the text, so that none of them
reaches into a fenced block.
"""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.container import container_plugin
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

from ingest.model import Document, Page
from ingest.parse.builder import DocumentBuilder
from ingest.parse.clean import decode, moment
from ingest.parse.cloaked import hides
from ingest.parse.htmlwalk import add_html

# A tag that HTML does not know, such as `<username>` or `vector<float>`, is text and not a tag.
HTML_TAGS = frozenset(
    """
    a abbr acronym address article aside b bdi bdo big blockquote body br button caption center
    cite code col colgroup dd del details dfn dir div dl dt em embed fieldset figcaption figure
    font footer form h1 h2 h3 h4 h5 h6 head header hr html i iframe img input ins kbd label legend
    li link main map mark menu meta nav nobr noscript object ol option p picture pre q s samp
    script section select small source span strike strong style sub summary sup svg table tbody
    td template textarea tfoot th thead time title tr tt u ul var video wbr
    """.split()  # noqa: SIM905 - one word after the other reads better than a list
)
_UNKNOWN_TAG = re.compile(r"<(?=/?([A-Za-z][\w:.-]*))")
_CALLOUT = re.compile(
    r"(?:!!!|\?\?\?\+?|===[!+]?) ?(?P<kind>[A-Za-z][\w -]{0,40}?)? *(?:\"(?P<title>[^\"]*)\")?\s*$"
)
_LIQUID = re.compile(r"\{%-?\s*(?P<name>\w+)(?P<rest>[^%]{0,500})-?%\}\s*$")
_IGNORED_INLINE = re.compile(r"\{%[^%\n]{0,500}%\}|\{:[^}\n]{0,500}\}|\{#[\w.:-]{1,100}\}")
_HEADING_ID = re.compile(r"\{:?\s*#([\w.:-]{1,100})[^}\n]{0,200}\}\s*$")
_STYLED = re.compile(r"\{:?[^}\n]{0,300}\bstyle\s*=\s*[\"']([^}\"']{0,300})[\"'][^}\n]{0,300}\}")
_LARGEST_FRONT_MATTER = 64_000


def parse(page: Page) -> list[Document]:
    """The one document of a Markdown file."""
    builder = DocumentBuilder(page)
    add_markdown(builder, decode(page), front_matter=True)
    return [builder.build()]


def add_markdown(
    builder: DocumentBuilder, text: str, *, shift: int = 0, front_matter: bool = False
) -> None:
    """Add Markdown text to a document; headings are taken `shift` levels deeper."""
    parser = _parser()
    tokens = parser.parse(text)
    if front_matter and tokens and tokens[0].type == "front_matter":
        _apply(builder, tokens[0].content)
    add_html(builder, parser.renderer.render(tokens, parser.options, {}), shift=shift)


def escape_unknown_tags(markup: str, known: frozenset[str] = HTML_TAGS) -> str:
    """Markup in which what only looks like a tag is text."""
    return _UNKNOWN_TAG.sub(
        lambda found: "<" if found.group(1).lower() in known else "&lt;", markup
    )


_built: list[MarkdownIt] = []


def _parser() -> MarkdownIt:
    # Built once: putting the rules together costs more than reading a short page.
    if not _built:
        _built.append(_build())
    return _built[0]


def _build() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    parser.use(front_matter_plugin)
    parser.use(deflist_plugin)
    parser.use(footnote_plugin, inline=False)
    parser.use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)
    parser.use(container_plugin, name="any", validate=lambda *_: True, render=_container)
    stops: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    parser.block.ruler.before("fence", "callout", _callout, stops)
    parser.block.ruler.before("fence", "liquid", _liquid, stops)
    parser.inline.ruler.push("ignored", _ignored)
    parser.core.ruler.push("anchors", _anchors)
    parser.core.ruler.push("cloaks", _cloaks)
    rules: dict[str, Callable[..., str]] = {
        "html_block": _raw_html,
        "html_inline": _raw_html,
        "fence": _fence,
        "front_matter": lambda *_: "",
        "footnote_ref": lambda *_: "",
        "footnote_anchor": lambda *_: "",
        "math_inline": _formula,
        "math_inline_double": _formula,
        "math_block": lambda *given: f"<p>{_formula(*given)}</p>",
        "math_block_label": lambda *given: f"<p>{_formula(*given)}</p>",
    }
    for name, rule in rules.items():
        parser.add_render_rule(name, lambda _self, *given, rule=rule: rule(*given))
    return parser


def _apply(builder: DocumentBuilder, source: str) -> None:
    """Take title, author and date from front matter; anything unexpected in it is passed over."""
    if len(source) > _LARGEST_FRONT_MATTER:
        return
    try:
        values = yaml.safe_load(source)
    except (yaml.YAMLError, ValueError):
        return
    if not isinstance(values, Mapping):
        return
    if isinstance(title := values.get("title"), str | int | float):
        builder.title = str(title)
    for key in ("description", "summary", "questions", "objectives", "keypoints"):
        # Lessons keep what they teach here and not in their text.
        told = values.get(key)
        if isinstance(told, list):
            builder.items(str(line) for line in told[:50] if isinstance(line, str))
        elif isinstance(told, str):
            builder.prose(told)
    builder.author = _names(values.get("author", values.get("authors")))
    builder.updated_at = _first_date(values)


def _names(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        value = [value]
    names = []
    for item in value[:20] if isinstance(value, list) else []:
        name = item.get("name") if isinstance(item, Mapping) else item
        if isinstance(name, str):
            names.append(name)
    return ", ".join(names)


def _first_date(values: Mapping[Any, Any]) -> datetime | None:
    for key in ("updated", "last_modified", "lastmod", "last_reviewed_on", "date"):
        if found := moment(values.get(key)):
            return found
    return None


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]


def _callout(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`!!! warning "Title"`, `??? note`, `=== "Tab"` and the lines indented below them."""
    if state.is_code_block(start):
        return False
    line = _line(state, start)
    found = _CALLOUT.match(line) if line[:3] in ("!!!", "???", "===") else None
    if found is None or not (found["kind"] or found["title"]):
        return False
    if silent:
        return True
    indent = state.sCount[start] + 4
    last = start + 1
    while last < end and (state.isEmpty(last) or state.sCount[last] >= indent):
        last += 1
    kind, title = (found["kind"] or "").capitalize(), found["title"] or ""
    label = f"{kind}: {title}" if kind and title else title or f"{kind}:"
    _push_label(state, start, label)
    old_indent, old_max, old_parent = state.blkIndent, state.lineMax, state.parentType
    state.blkIndent, state.lineMax = indent, last
    state.md.block.tokenize(state, start + 1, last)
    state.blkIndent, state.lineMax, state.parentType = old_indent, old_max, old_parent
    state.line = last
    return True


def _push_label(state: StateBlock, line: int, label: str) -> None:
    state.push("paragraph_open", "p", 1).map = [line, line + 1]
    inline = state.push("inline", "", 0)
    inline.content, inline.children, inline.map = label, [], [line, line + 1]
    state.push("paragraph_close", "p", -1)


def _liquid(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A line with nothing but a Liquid tag; of `{% callout "Title" %}` the title is kept."""
    if state.is_code_block(start):
        return False
    line = _line(state, start)
    found = _LIQUID.match(line) if line.startswith("{%") else None
    if found is None:
        return False
    if silent:
        return True
    state.line = start + 1
    name = found["name"]
    if name == "comment":
        while state.line < end and "endcomment" not in _line(state, state.line):
            state.line += 1
        state.line = min(state.line + 1, end)
    elif (title := re.match(r'\s*"([^"]*)"', found["rest"])) and name not in ("include", "link"):
        _push_label(state, start, f"{name.capitalize()}: {title.group(1)}")
    return True


def _ignored(state: StateInline, silent: bool) -> bool:
    """Attribute lists and Liquid tags inside text."""
    if state.src[state.pos] != "{":
        return False
    found = _IGNORED_INLINE.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    state.pos = found.end()
    return True


def _anchors(state: StateCore) -> None:
    """Give headings the anchors that GitHub and MkDocs give them."""
    taken: dict[str, int] = {}
    for token, inline in zip(state.tokens, state.tokens[1:], strict=False):
        if token.type != "heading_open" or inline.type != "inline":
            continue
        if explicit := _HEADING_ID.search(inline.content):
            token.attrSet("id", explicit.group(1))
            continue
        children: Sequence[Token] = inline.children or []
        text = "".join(child.content for child in children if child.type in ("text", "code_inline"))
        slug = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
        count = taken.get(slug, 0)
        taken[slug] = count + 1
        token.attrSet("id", f"{slug}-{count}" if count else slug)


def _cloaks(state: StateCore) -> None:
    """Leave out the text of a block whose attribute list takes it out of sight."""
    for token in state.tokens:
        styles = _STYLED.findall(token.content) if token.type == "inline" else ()
        if any(hides(style) for style in styles):
            token.children = []


def _raw_html(tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    return escape_unknown_tags(tokens[index].content)


def _formula(tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    return f"${html.escape(tokens[index].content.strip())}$"


def _container(
    _self: RendererHTML, tokens: Sequence[Token], index: int, _options: Any, _env: Any
) -> str:
    if tokens[index].nesting != 1:
        return "</div>"
    label = _container_label(tokens[index].info)
    return f"<div><p>{html.escape(label)}</p>" if label else "<div>"


def _container_label(info: str) -> str:
    kind, _, title = info.strip().strip(":").strip().partition(" ")
    kind = kind.strip("{}").capitalize()
    return f"{kind}: {title.strip()}" if title.strip() else f"{kind}:" if kind else ""


_CODE_DIRECTIVES = frozenset({"code", "code-block", "code-cell", "sourcecode", "math", "mermaid"})
_SILENT_DIRECTIVES = frozenset({"toctree", "tableofcontents", "eval-rst", "include", "image"})


def _fence(tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    """Code stays whole; a MyST directive such as ```{note} is text in disguise."""
    token = tokens[index]
    directive = re.match(r"\{([\w:-]{1,40})\}\s*(.*)$", token.info.strip())
    if directive is None or directive.group(1) in _CODE_DIRECTIVES:
        return f"<pre>{html.escape(token.content)}</pre>"
    if directive.group(1) in _SILENT_DIRECTIVES:
        return ""
    lines = token.content.split("\n")
    while lines and re.match(r":[\w-]+:", lines[0]):
        lines.pop(0)
    parser = _parser()
    body = parser.renderer.render(parser.parse("\n".join(lines)), parser.options, {})
    label = _container_label(f"{directive.group(1)} {directive.group(2)}")
    return f"<div><p>{html.escape(label)}</p>{body}</div>"

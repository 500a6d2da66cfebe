"""Formulae in the texts of records: MathML becomes `$m_W^2 = 80.4$`, TeX stays as it is."""

import html
import re

from ingest.errors import ParseError
from ingest.safexml import Element, below, local, read_xml

_MATH = re.compile(r"<(/?)(?:mml:)?math(?:\s[^<>]*)?>", re.IGNORECASE)
_KNOWN = (
    "p|br|b|i|u|em|strong|sub|sup|span|div|ul|ol|li|a|title|sec|italic|bold|inline-formula|"
    "jats:[a-z-]+|h[1-6]|math|mml:[a-z]+"
)
_TAG = re.compile(rf"</?(?:{_KNOWN})(?:\s[^<>]{{0,2000}})?/?>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?!(?:lt|gt|amp|quot|apos|#\w+);)\w{2,31};")
_RELATIONS = frozenset("= < > ≤ ≥ ≈ ≃ ~ ± ∓ → ⟶ ← ↔ ≡ ≠ ≪ ≫ ∼ +/-".split())  # noqa: SIM905
_HEADS = {"msub": "_", "munder": "_", "msup": "^", "mover": "^"}


def with_formulae(text: str) -> str:
    """The text with each MathML formula turned into one that can be read and searched."""
    pieces, last, start = [], 0, -1
    for tag in _MATH.finditer(text):
        if not tag[1] and start < 0:
            start = tag.start()
        elif tag[1] and start >= 0:
            pieces += [text[last:start], f"${_mathml(text[start : tag.end()])}$"]
            last, start = tag.end(), -1
    return "".join([*pieces, text[last:]])


def looks_like_html(text: str) -> bool:
    """True when tags of HTML or JATS stand in it: `p < 0.05` and `$p_T<30$` are text."""
    return bool(_TAG.search(text)) or bool(re.search(r"&(?:[a-z]{2,8}|#\d{2,6});", text))


def as_html(text: str) -> str:
    """Text with some tags in it as HTML: what is no known tag is text and stays."""
    pieces, last = [], 0
    for tag in _TAG.finditer(text):
        pieces += [_escaped(text[last : tag.start()]), tag[0]]
        last = tag.end()
    return "".join([*pieces, _escaped(text[last:])])


def _escaped(text: str) -> str:
    return html.escape(html.unescape(text), quote=False)


def _mathml(markup: str) -> str:
    # The prefix is declared in the surrounding document, which is not here.
    bare = _ENTITY.sub(lambda found: html.unescape(found[0]), markup)
    bare = re.sub(r"(</?)mml:", r"\1", bare)
    bare = re.sub(r"\s[\w-]+:[\w-]+\s*=\s*(\"[^\"]*\"|'[^']*')", "", bare)
    try:
        root = read_xml("A formula", bare.encode())
    except ParseError:
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())
    return " ".join(_read(root).split())


def _read(element: Element) -> str:
    name, parts = local(element), list(element)
    if name == "semantics":
        return _tex(element) or (_read(parts[0]) if parts else "")
    if name.startswith("annotation"):
        return ""
    if not parts:
        return _leaf(name, "".join(element.itertext()).strip())
    told = [_read(part) for part in parts]
    if name in _HEADS and len(told) == 2:
        return f"{told[0]}{_HEADS[name]}{_grouped(told[1])}"
    if name in ("msubsup", "munderover") and len(told) == 3:
        return f"{told[0]}_{_grouped(told[1])}^{_grouped(told[2])}"
    if name == "mfrac" and len(told) == 2:
        return f"{_grouped(told[0])}/{_grouped(told[1])}"
    if name == "msqrt":
        return rf"\sqrt{{{''.join(told)}}}"
    if name == "mroot" and len(told) == 2:
        return rf"\sqrt[{told[1]}]{{{told[0]}}}"
    if name == "mfenced":
        return f"({', '.join(told)})"
    return "".join(told)


def _leaf(name: str, text: str) -> str:
    if name == "mspace" or text in _RELATIONS:
        return f" {text} ".replace("  ", " ")
    return f" {text} " if name == "mtext" and len(text) > 3 else text


def _grouped(text: str) -> str:
    text = text.strip()
    return text if len(text) <= 1 else f"{{{text}}}"


def _tex(element: Element) -> str:
    for note in below(element, "annotation"):
        if "tex" in note.get("encoding", "").lower():
            return "".join(note.itertext()).strip().strip("$")
    return ""

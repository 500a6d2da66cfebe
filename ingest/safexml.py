"""XML from strangers: no document type, so no entities, and nothing is ever fetched for it."""

from collections.abc import Iterator
from xml.etree import ElementTree

from ingest.errors import ParseError

Element = ElementTree.Element


_DEEPEST = 200


class _Wary(ElementTree.TreeBuilder):
    """Stops at a document type: entities, bombs and outside files all begin there."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        if self._depth > _DEEPEST:
            msg = f"{self._name} is nested more than {_DEEPEST} elements deep. Exclude it."
            raise ParseError(msg)
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)

    def doctype(self, *_declared: object) -> None:
        msg = f"{self._name} declares a document type, which is not read. Exclude it."
        raise ParseError(msg)


def read_xml(name: str, content: bytes) -> Element:
    """The root element of well-formed XML.

    Raises:
        ParseError: for what is cut off, broken, very deep, or declares a document type.
    """
    parser = ElementTree.XMLParser(target=_Wary(name))  # noqa: S314 - see _Wary
    try:
        parser.feed(content)
        root: Element = parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        msg = f"{name} is not well-formed XML: {error}. Fetch it again or exclude it."
        raise ParseError(msg) from error
    return root


def xml_bytes(element: Element) -> bytes:
    """The element and what is below it as XML in UTF-8."""
    written: bytes = ElementTree.tostring(element, encoding="utf-8")
    return written


def local(element: Element) -> str:
    """The element's name without its namespace; empty for comments and instructions."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def below(element: Element, *path: str) -> Iterator[Element]:
    """The elements at a path of names below this one, whatever their namespaces."""
    if not path:
        yield element
        return
    for child in element:
        if local(child) == path[0]:
            yield from below(child, *path[1:])


def text_below(element: Element, *path: str) -> str:
    """All text of the first element at a path; empty when there is none."""
    found = next(below(element, *path), None)
    return "".join(found.itertext()).strip() if found is not None else ""

"""Parsers: a page's bytes to documents. `parse(page)` is the way in; one module a format.

A parser is a callable `(Page) -> list[Document]` that raises `ParseError` for what it cannot read.
It fetches nothing and writes nothing. To add a format, write `ingest/parse/NAME.py` with a function
`parse`, name it in `PARSERS`, and its file names in `ingest/parse/guess.py`.
"""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

from ingest.errors import ParseError
from ingest.model import Document, Page
from ingest.parse.guess import guess_format
from ingest.parse.standing import settled

__all__ = ["PARSE", "PARSERS", "Parser", "guess_format", "parse"]

PARSE = "parse-6"
"""Changes when the same page would give another document; an index names its own."""

Parser = Callable[[Page], list[Document]]


def _lazily(module: str) -> Parser:
    """The parser of a module that is imported when the first page needs it."""

    def parse_page(page: Page) -> list[Document]:
        documents: list[Document] = import_module(f"ingest.parse.{module}").parse(page)
        return documents

    return parse_page


PARSERS: dict[str, Parser] = {
    "arxiv": _lazily("record"),
    "code": _lazily("code"),
    "discourse": _lazily("discourse"),
    "docx": _lazily("office"),
    "gitlab": _lazily("gitlab"),
    "html": _lazily("html"),
    "indico": _lazily("indico"),
    "inspire": _lazily("record"),
    "jira": _lazily("jira"),
    "markdown": _lazily("markdown"),
    "marcxml": _lazily("record"),
    "mbox": _lazily("mail"),
    "notebook": _lazily("notebook"),
    "pdf": _lazily("pdf"),
    "pptx": _lazily("office"),
    "rst": _lazily("rst"),
    "text": _lazily("plain"),
    "twiki": _lazily("twiki"),
}


def parse(page: Page) -> list[Document]:
    """The documents in a page, each with its own id. A page without a format has it guessed.

    Raises:
        ParseError: one sentence on why the page cannot be read.
    """
    name = page.format or guess_format(page.id, page.content)
    if name not in PARSERS:
        msg = f"{page.id} has the format {name!r}; known are {', '.join(PARSERS)}."
        raise ParseError(msg)
    page = replace(page, format=name)
    try:
        documents = [settled(page, document) for document in PARSERS[name](page)]
    except ParseError:
        raise
    except RecursionError:
        msg = f"{page.id} is nested too deeply to be read as {name}."
        raise ParseError(msg) from None
    except Exception as error:
        # The libraries below raise whatever a broken file leads them to; one page is not the end.
        told = f"{type(error).__name__}: {error}"[:300]
        msg = f"{page.id} cannot be read as {name} ({told}). Report it with the file."
        raise ParseError(msg) from error
    if not documents:
        msg = f"{page.id} holds no text. Exclude it from the source if that is expected."
        raise ParseError(msg)
    return _with_own_ids(documents)


def _with_own_ids(documents: list[Document]) -> list[Document]:
    taken: set[str] = set()
    unique = []
    for document in documents:
        name, count = document.id, 1
        while name in taken:
            count += 1
            name = f"{document.id}~{count}"
        taken.add(name)
        unique.append(document if name == document.id else replace(document, id=name))
    return unique

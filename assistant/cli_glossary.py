"""`docent glossary`: what short forms stand for, as the documents say."""

import json
from collections.abc import Sequence
from contextlib import closing
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from assistant.cli import EXIT_NOT_FOUND, AsJson, Config, Groups, clean
from assistant.glossary import matching
from ingest.access import Reader
from ingest.index import Entry
from ingest.settings import load_settings


def glossary(
    term: Annotated[
        str, typer.Argument(help="A short form, or words of a long one.", show_default=False)
    ] = "",
    config: Config = None,
    groups: Groups = None,
    as_json: AsJson = False,
) -> None:
    """Show what short forms stand for, as documents say that the reader may see.

    With TERM, only what has to do with it, and the documents that say so. Exits with 3 when none
    does.
    """
    from assistant.bootstrap import index_from  # indexes are slow to import

    reader = Reader(frozenset(groups or ()))
    with closing(index_from(load_settings(config))) as index, index.snapshot() as snapshot:
        entries = snapshot.glossary(reader)
    found = matching(entries, term) if term else entries
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    show_glossary(console, found, term, as_json=as_json)
    if term and not found:
        raise typer.Exit(EXIT_NOT_FOUND)


def show_glossary(console: Console, entries: Sequence[Entry], term: str, *, as_json: bool) -> None:
    """Entries as text, with their documents when a term was asked for; or as JSON."""
    if as_json:
        told = json.dumps([_as_dict(entry) for entry in entries], ensure_ascii=False, indent=2)
        console.file.write(told + "\n")
        return
    width = max((len(entry.short) for entry in entries), default=0)
    for entry in entries:
        count = len(entry.sources)
        documents = "1 document" if count == 1 else f"{count} documents"
        line = Text(clean(entry.short.ljust(width)), style="bold")
        console.print(line + Text(f"  {clean(entry.long)}  ") + Text(documents, style="dim"))
        for said in entry.sources if term else ():
            place = f"{' ' * width}  {said.title}  {said.url or said.document_id}"
            console.print(Text(clean(place), style="cyan"))
    if not entries:
        what = f"what {term!r} stands for" if term else "what a short form stands for"
        console.print(Text(clean(f"No document that you may read says {what}.")))


def _as_dict(entry: Entry) -> dict[str, object]:
    return {
        "short": entry.short,
        "long": entry.long,
        "count": len(entry.sources),
        "documents": [
            {"id": said.document_id, "title": said.title, "url": said.url} for said in entry.sources
        ],
    }

"""`docent ask` and `docent search`. What documents say is printed as text, never as markup."""

import asyncio
import json
import re
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from assistant.answer import Assistant
from assistant.model import (
    Answer,
    Citation,
    Contact,
    Found,
    Notice,
    Passage,
    Question,
    Status,
    Token,
)
from assistant.render import answer_to_dict, day, facets_to_dict, hits_to_dict
from ingest.access import Reader
from ingest.filters import Facet, Facets, Filter
from ingest.model import Standing
from ingest.settings import LLMSettings, load_settings

EXIT_NOT_FOUND = 3
"""Exit status of `docent ask` when the documents do not hold the answer."""
QUOTE_CHARS = 300
DAY = "%Y-%m-%d"

Config = Annotated[Path | None, typer.Option("--config", help="Settings file.", show_default=False)]
Groups = Annotated[
    list[str] | None,
    typer.Option("--as", metavar="GROUP", help="Ask as a member of this group; repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]"
)


def ask(
    question: Annotated[str, typer.Argument(help="The question, in quotes.")],
    config: Config = None,
    groups: Groups = None,
    as_json: AsJson = False,
    no_llm: Annotated[
        bool, typer.Option("--no-llm", help="Answer with cited extracts, without a model.")
    ] = False,
) -> None:
    """Answer a question from the documents, with citations.

    Exits with 0 for an answer or extracts, and with 3 when the documents do not hold the answer.
    """
    asked = Question(question, Reader(frozenset(groups or ())))
    status = answer_on(_console(), _assistant(config, no_llm=no_llm), asked, as_json=as_json)
    if status is Status.NOT_FOUND:
        raise typer.Exit(EXIT_NOT_FOUND)


def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many passages.")] = 10,
    source: Annotated[
        list[str] | None, typer.Option(help="Only in this source; repeatable.")
    ] = None,
    format_: Annotated[
        list[str] | None, typer.Option("--format", help="Only in this format; repeatable.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=[DAY], help="Only what changed on this day or after.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=[DAY], help="Only what changed until this day.")
    ] = None,
    facets: Annotated[
        bool, typer.Option("--facets", help="Also say what there is to narrow it to.")
    ] = False,
    config: Config = None,
    groups: Groups = None,
    as_json: AsJson = False,
) -> None:
    """Find passages without asking a model."""
    reader = Reader(frozenset(groups or ()))
    only = Filter(
        frozenset(source or ()),
        frozenset(format_ or ()),
        since.date() if since else None,
        until.date() if until else None,
    )
    assistant = _assistant(config, no_llm=True)
    hits = asyncio.run(assistant.search(query, reader, k, only=only))
    counted = asyncio.run(assistant.facets(reader, only)) if facets else None
    show_hits(_console(), hits, as_json=as_json, facets=counted)


def answer_on(console: Console, assistant: Assistant, asked: Question, *, as_json: bool) -> Status:
    """Answer a question on a console, as text or as JSON."""
    if as_json:
        answer = asyncio.run(assistant.ask(asked))
        _print_json(console, answer_to_dict(answer))
    else:
        answer = asyncio.run(_show(assistant, asked, console))
    return answer.status


def show_hits(
    console: Console,
    hits: Sequence[Passage],
    *,
    as_json: bool,
    facets: Facets | None = None,
) -> None:
    """Passages with score, place and address, best first; then what they can be narrowed to."""
    if as_json:
        counted = {"facets": facets_to_dict(facets)} if facets else {}
        _print_json(console, hits_to_dict(hits) | counted)
        return
    for rank, passage in enumerate(hits, start=1):
        _line(console, f"{rank:2}  {passage.score:.2f}  {_where(passage)}", "bold")
        _line(console, f"          {passage.url or passage.document_id}", "cyan")
        for other in passage.also:
            _line(console, f"          also at {other}", "dim")
        _line(console, f"          {_short(passage.text)}")
    if not hits:
        _line(console, "Nothing was found among the documents you may read.")
    if facets:
        for name, values in (
            ("Sources", facets.sources),
            ("Formats", facets.formats),
            ("Years", facets.years),
        ):
            _line(console, f"{name}: {_counted(values)}", "dim")


def _counted(values: Sequence[Facet]) -> str:
    return ", ".join(f"{one.value} ({one.count})" for one in values) or "none"


def _assistant(config: Path | None, *, no_llm: bool) -> Assistant:
    from assistant.bootstrap import assistant_from  # models and indexes are slow to import

    settings = load_settings(config)
    if no_llm:
        off = LLMSettings(model="none")
        settings = settings.model_copy(update={"llm": off})
    return assistant_from(settings)


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def _print_json(console: Console, data: object) -> None:
    # JSON escapes control characters of its own accord; the console would wrap and style it
    console.file.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")


async def _show(assistant: Assistant, asked: Question, console: Console) -> Answer:
    """Passages first, the draft as it comes on a terminal, then the checked answer."""
    drafting = False
    async with aclosing(assistant.stream(asked)) as events:
        async for event in events:
            if isinstance(event, Found):
                _show_found(console, event.passages)
            elif isinstance(event, Token):
                if console.is_terminal:
                    drafting = True
                    console.print(Text(clean(event.text), style="dim"), end="")
            else:
                if drafting:
                    console.print()
                show_answer(console, event)
                return event
    msg = "The assistant ended without an answer."
    raise RuntimeError(msg)


def _show_found(console: Console, passages: tuple[Passage, ...]) -> None:
    if not console.is_terminal or not passages:
        return
    _line(console, "Looking at:", "dim")
    for passage in passages:
        _line(console, f"  {_where(passage)}", "dim")
    console.print()


def show_answer(console: Console, answer: Answer) -> None:
    """The answer with its numbered citations, or the closest pages."""
    if answer.status is Status.NOT_FOUND:
        _line(console, answer.text, "bold")
        _show_notices(console, answer.notices)
        _show_closest(console, answer.passages)
        _show_contacts(console, answer.contacts)
        return
    if answer.status is Status.EXTRACTS:
        _line(console, answer.text.split("\n", 1)[0], "yellow")
    for sentence in answer.sentences:
        marks = "".join(f" [{marker}]" for marker in sentence.citations)
        told = marks if sentence.supported else " [not found in the documents]"
        line = Text(clean(sentence.text), style="bold" if sentence.supported else "yellow")
        console.print(line + Text(told, style="cyan" if sentence.supported else "yellow"))
    console.print()
    _show_notices(console, answer.notices)
    for citation in answer.citations:
        _show_citation(console, citation)


def _show_notices(console: Console, notices: Sequence[Notice]) -> None:
    for notice in notices:
        marks = "".join(f" [{marker}]" for marker in notice.citations)
        _line(console, f"Note: {notice.text}{marks}", "yellow")


def _show_contacts(console: Console, contacts: Sequence[Contact]) -> None:
    if contacts:
        _line(console, "You may ask:")
    for contact in contacts:
        place = f"  {contact.url}" if contact.url and contact.url != contact.name else ""
        _line(console, f"  {contact.name} {contact.why}{place}")


def _show_citation(console: Console, citation: Citation) -> None:
    place = f"[{citation.marker}] {_path(citation.title, citation.section)}"
    if citation.page is not None:
        place += f", page {citation.page}"
    _line(console, place + _mark(citation.standing) + _age(citation.updated_at), "cyan")
    _line(console, f"    {citation.url or citation.document_id}", "dim")
    for other in citation.also:
        _line(console, f"    also at {other}", "dim")
    _line(console, f"    “{_short(citation.quote)}”")


def _show_closest(console: Console, passages: tuple[Passage, ...]) -> None:
    if not passages:
        return
    _line(console, "Closest pages:")
    seen = set()
    for passage in passages:
        if passage.document_id not in seen:
            seen.add(passage.document_id)
            _line(console, f"  {_where(passage)}  {passage.url or passage.document_id}")


def _where(passage: Passage) -> str:
    place = _path(passage.title, passage.section)
    if passage.page is not None:
        place += f", page {passage.page}"
    return place + _mark(passage.standing)


def _mark(standing: Standing) -> str:
    """A word after the title of a page that says that it no longer holds."""
    if standing.superseded_by:
        return f" (superseded by {standing.superseded_by})"
    return " (archived)" if standing.archived else ""


def _age(updated_at: datetime | None) -> str:
    return f", updated {day(updated_at)}" if updated_at else ""


def _path(title: str, section: tuple[str, ...]) -> str:
    return " › ".join((title, *section))


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= QUOTE_CHARS else f"{flat[: QUOTE_CHARS - 1].rstrip()}…"


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(clean(text), style=style))


def clean(text: str) -> str:
    """Text without the control characters that could drive a terminal.

    >>> clean("red \\x1b[31malert")
    'red [31malert'
    """
    return _CONTROL.sub("", text)

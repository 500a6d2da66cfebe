"""The results of the tools as text, for models whose client shows them nothing but that."""

from assistant.model import Status
from web.mcp.shapes import (
    AskOut,
    CitationOut,
    GlossaryOut,
    HitOut,
    ReadOut,
    SearchOut,
    SourcesOut,
)

NOTHING = "Nothing was found among the documents you may read."
NO_MEANING = "No document that you may read says what this stands for."


def of_search(found: SearchOut) -> str:
    """Passages, each below its place."""
    blocks = [f"{_place(hit)}\n{hit.text}" for hit in found.hits]
    return "\n\n".join(blocks) or NOTHING


def of_ask(answer: AskOut) -> str:
    """An answer with its markers, then what it cites."""
    if answer.status is Status.NOT_FOUND:
        return _not_found(answer)
    lines = []
    if answer.status is Status.EXTRACTS:
        lines.append(answer.answer.split("\n", 1)[0])
    for sentence in answer.sentences:
        marks = "".join(f" [{number}]" for number in sentence.citations)
        lines.append(
            sentence.text + (marks if sentence.supported else " [not found in the documents]")
        )
    lines += [f"Note: {notice}" for notice in answer.notices]
    for one in answer.citations:
        lines += ["", f"[{one.number}] {_place(one)}", f"“{one.quote}”"]
    return "\n".join(lines)


def _not_found(answer: AskOut) -> str:
    lines = [answer.answer, *(f"Note: {notice}" for notice in answer.notices)]
    if answer.nearest:
        lines.append("Closest pages:")
        lines += [f"- {one.title} {one.url or one.document_id}" for one in answer.nearest]
    if answer.contacts:
        lines.append("You may ask:")
        lines += [f"- {contact}" for contact in answer.contacts]
    return "\n".join(lines)


def of_read(part: ReadOut) -> str:
    """A part of a document below what is known of it."""
    known = [part.title, part.url or part.document_id, f"source {part.source}"]
    if part.author:
        known.append(f"by {part.author}")
    if part.updated_at:
        known.append(f"updated {part.updated_at[:10]}")
    if part.outdated:
        known.append(part.outdated)
    end = part.chars if part.next_offset is None else part.next_offset
    known.append(f"characters {part.offset} to {end} of {part.chars}")
    rest = "" if part.next_offset is None else f"\n\n[Read on with offset {part.next_offset}.]"
    return f"{' · '.join(known)}\n\n{part.text}{rest}"


def of_sources(told: SourcesOut) -> str:
    """A source a line."""
    lines = [f"- {one.name}: {one.documents} documents" for one in told.sources]
    return "\n".join([f"{told.documents} documents, last read {told.built_at[:10]}.", *lines])


def of_glossary(told: GlossaryOut) -> str:
    """A meaning a line, with the documents that say so."""
    lines = [
        f"{one.short}: {one.long} ({'; '.join(said.url or said.title for said in one.said_by)})"
        for one in told.entries
    ]
    return "\n".join(lines + ["There are more."] * told.more) or NO_MEANING


def _place(one: HitOut | CitationOut) -> str:
    """Title, section, page, age and address in a line."""
    place = f"{one.title} › {one.section}" if one.section else one.title
    told = [
        place,
        f"page {one.page}" if one.page is not None else "",
        f"updated {one.updated_at[:10]}" if one.updated_at else "",
        one.outdated,
        one.url or one.document_id,
    ]
    return " · ".join(part for part in told if part)

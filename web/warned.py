"""Which pages an answer warned of, as the audit log has it: a door for each kind of warning."""

from collections.abc import Iterator

from assistant.model import Answer, NoticeKind

WARNED = (NoticeKind.OLD, NoticeKind.NEWER, NoticeKind.CONFLICT)
"""Warnings that speak of pages."""
DOORS = {f"warned.{kind}": kind for kind in WARNED}


def warnings_of(answer: Answer) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Door and documents of each warning about pages, in the order in which it names them."""
    cited = {citation.marker: citation.document_id for citation in answer.citations}
    doors = {kind: door for door, kind in DOORS.items()}
    for notice in answer.notices:
        documents = dict.fromkeys(cited[m] for m in notice.citations if m in cited)
        if notice.kind in doors and documents:
            yield doors[notice.kind], tuple(documents)

"""The documents that a question names, held against those that were found and cited."""

from collections.abc import Iterable

from assistant.model import Answer, Citation, NoticeKind, Passage
from eval.datasets import AskedQuestion
from eval.match import is_document


def holds(asked: AskedQuestion, page: Passage | Citation, *, also: bool = False) -> bool:
    """True when the page is one that the question names.

    With `also`, a copy that is shown in its place, with the other addresses, counts too.
    """
    return is_any(asked.documents, page, also=also)


def sides(asked: AskedQuestion) -> list[frozenset[str]]:
    """What has to be cited for a whole report of a disagreement: one document of each.

    A side is where a required fact stands. Where no fact says where, each document is a side.
    """
    where = [frozenset(fact.where) for fact in asked.facts if fact.required and fact.where]
    return list(dict.fromkeys(where)) or [frozenset([name]) for name in asked.documents]


def both_sides(asked: AskedQuestion, answer: Answer, *, covered: bool) -> bool:
    """True when an answer reports every side of a question that has several.

    Either all required facts are said (`covered`) and a page of each side is cited, or a notice of
    conflict cites one of each.
    """
    wanted = sides(asked)
    if len(wanted) < 2:
        return False
    if covered and _of_each(wanted, answer.citations):
        return True
    by_marker = {citation.marker: citation for citation in answer.citations}
    return any(
        notice.kind is NoticeKind.CONFLICT
        and _of_each(wanted, [by_marker[m] for m in notice.citations if m in by_marker])
        for notice in answer.notices
    )


def _of_each(wanted: Iterable[frozenset[str]], citations: Iterable[Citation]) -> bool:
    cited = list(citations)
    return all(any(is_any(side, one) for one in cited) for side in wanted)


def is_any(names: Iterable[str], page: Passage | Citation, *, also: bool = False) -> bool:
    """True when the page is one of those named; `also` as in `holds`."""
    if any(is_document(name, page.document_id, page.url) for name in names):
        return True
    return also and any(is_document(name, other) for name in names for other in page.also)

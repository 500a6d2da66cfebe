"""What is said beside an answer: that it is unsure, old, contradicted or what is missing. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from assistant.candidates import Candidates
from assistant.cite import Cited, citation
from assistant.conflicts import Dispute, disputes
from assistant.evidence import missing_names
from assistant.model import Citation, Notice, NoticeKind, Sentence
from assistant.render import day
from assistant.windows import Window

LONG_AGO = timedelta(days=3 * 365)
"""A page that nobody has changed for so long is warned of, whatever it says of itself."""


def settle(
    question: str, cited: Cited, candidates: Candidates
) -> tuple[Cited, tuple[Dispute, ...]]:
    """An answer with both sides of what the pages dispute cited, and those disputes.

    What the pages themselves settle is said from the side that holds; the other stays cited, for
    the notice that names it.
    """
    told = []
    for dispute in disputes(question, candidates):
        sides = (dispute.holds, dispute.other)
        if not any(_marker(cited, window, candidates) for window in sides):
            continue  # a dispute about something that the answer does not say
        for window in sides:
            cited = _with(cited, window, candidates)
        if dispute.settled:
            cited = _first(cited, *(_marker(cited, window, candidates) for window in sides))
            cited = _unsaid(cited, _marker(cited, dispute.other, candidates))
        told.append(dispute)
    return cited, tuple(told)


def notices(
    cited: Cited, told: Sequence[Dispute], candidates: Candidates, now: datetime, *, sure: bool
) -> tuple[Notice, ...]:
    """What stands beside an answer; `told` as `settle` gave it."""
    found: list[Notice] = []
    if not sure:
        text = "The documents bear on this only in part: check the sources before relying on it."
        found.append(Notice(NoticeKind.UNSURE, text))
    by_marker = {cite.marker: cite for cite in cited.citations}
    for dispute in told:
        sides = (dispute.holds, dispute.other)
        markers = [_marker(cited, window, candidates) for window in sides]
        found.append(_notice(by_marker[markers[0]], by_marker[markers[1]], settled=dispute.settled))
    warned = {marker for notice in found for marker in notice.citations}
    by_document: dict[str, list[Citation]] = {}
    for cite in cited.citations:
        if cite.marker not in warned:
            by_document.setdefault(cite.document_id, []).append(cite)
    old = (_old(cites, now) for cites in by_document.values())
    return (*found, *(notice for notice in old if notice))


def missing(question: str, candidates: Candidates) -> tuple[Notice, ...]:
    """Which names of the question stand nowhere in what was found."""
    return tuple(
        Notice(NoticeKind.MISSING, f"{name} does not occur in the documents found.")
        for name in sorted(missing_names(question, candidates.known))
    )


def _notice(holds: Citation, other: Citation, *, settled: bool) -> Notice:
    markers = (holds.marker, other.marker)
    if not settled:
        text = f"{_page(holds)} and {_page(other)} disagree; neither says that the other is old."
        return Notice(NoticeKind.CONFLICT, text, markers)
    if other.marker < holds.marker:  # a model has said what the old page says
        text = f"{_page(holds)} is newer than {_page(other)} and says something else."
        return Notice(NoticeKind.NEWER, text, markers)
    text = f"{_page(other)} says something else than {_page(holds)}, but is out of date."
    return Notice(NoticeKind.OLD, text, markers)


def _old(cites: Sequence[Citation], now: datetime) -> Notice | None:
    """What a cited page says of itself, or its age. All citations are of one document."""
    cite = cites[0]
    if cite.standing.superseded_by:
        text = f"{_page(cite)} was superseded by {cite.standing.superseded_by}."
    elif cite.standing.archived:
        text = f"{_page(cite)} is archived and may no longer hold."
    elif cite.updated_at and now - cite.updated_at > LONG_AGO:
        text = f"{_page(cite)} has not been changed for {_years(now - cite.updated_at)} years."
    else:
        return None
    return Notice(NoticeKind.OLD, text, tuple(cite.marker for cite in cites))


def _years(age: timedelta) -> int:
    return age.days // 365


def _page(cite: Citation) -> str:
    when = f" ({day(cite.updated_at)})" if cite.updated_at else ""
    return f"“{cite.title}”{when}"


def _marker(cited: Cited, window: Window, candidates: Candidates) -> int:
    """The marker under which a window is cited already; 0 for none."""
    place = citation(0, window, candidates)
    for cite in cited.citations:
        same = cite.document_id == place.document_id
        if same and cite.start < place.end and place.start < cite.end:
            return cite.marker
    return 0


def _with(cited: Cited, window: Window, candidates: Candidates) -> Cited:
    """The answer with a window as a sentence of its own, unless it is cited already."""
    if _marker(cited, window, candidates):
        return cited
    marker = len(cited.citations) + 1
    return Cited(
        f"{cited.text}\n{window.text}",
        (*cited.sentences, Sentence(window.text, (marker,), True)),
        (*cited.citations, citation(marker, window, candidates)),
    )


def _first(cited: Cited, holds: int, other: int) -> Cited:
    """Extracts with what holds before what does not; markers are numbered anew.

    What a model has written stays as it is: only its notice tells.
    """
    extracts = all(
        sentence.text == cited.citations[sentence.citations[0] - 1].quote
        for sentence in cited.sentences
        if sentence.citations
    )
    order = [cite.marker for cite in cited.citations]
    if not extracts or order.index(holds) < order.index(other):
        return cited
    order.remove(holds)
    order.insert(order.index(other), holds)
    return _reordered(cited, order)


def _unsaid(cited: Cited, marker: int) -> Cited:
    """The answer without what this citation alone carries."""
    kept = tuple(sentence for sentence in cited.sentences if sentence.citations != (marker,))
    return Cited("\n".join(sentence.text for sentence in kept), kept, cited.citations)


def _reordered(cited: Cited, order: Sequence[int]) -> Cited:
    new = {marker: place for place, marker in enumerate(order, start=1)}
    sentences = [
        replace(sentence, citations=tuple(new[marker] for marker in sentence.citations))
        for sentence in cited.sentences
    ]
    sentences.sort(key=lambda sentence: sentence.citations[:1])
    citations = [replace(cited.citations[marker - 1], marker=new[marker]) for marker in order]
    return Cited(
        "\n".join(sentence.text for sentence in sentences), tuple(sentences), tuple(citations)
    )

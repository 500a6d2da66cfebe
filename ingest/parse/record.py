"""Records of papers: INSPIRE (JSON), CDS (MARCXML), arXiv (the XML of its OAI-PMH interface).

One document a record. Its numbers (report number, arXiv number, DOI) stand in its title or its
first table as people write them, so that a search for `ATLAS-CONF-2023-001` finds it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ingest.errors import ParseError
from ingest.marc import Marc, read_marc
from ingest.model import Document, Page
from ingest.parse.builder import DocumentBuilder
from ingest.parse.clean import fold, moment, refuse_binary, text_of
from ingest.parse.formula import as_html, looks_like_html, with_formulae
from ingest.parse.htmlwalk import flat_text, soup_of
from ingest.parse.jsontext import load_json, named, records
from ingest.safexml import Element, below, local, read_xml, text_below

_MOST_AUTHORS = 100
_SOME_AUTHORS = 20
"""Named of a longer list: three thousand names say no more than the collaboration's."""

_RELATIONS = {
    "predecessor": "supersedes",
    "successor": "superseded by",
    "commented": "comments on",
    "parent": "part of",
}


@dataclass(slots=True)
class _Paper:
    """What all three services tell, in their words."""

    title: str
    date: str = ""
    """As the record has it: a year, a month or a day."""
    reports: list[str] = field(default_factory=list)
    arxiv: str = ""
    dois: list[str] = field(default_factory=list)
    collaborations: list[str] = field(default_factory=list)
    authors: list[str] = field(default_factory=list)
    rows: list[tuple[str, str]] = field(default_factory=list)
    """What else there is, as label and value."""
    abstract: str = ""
    notes: list[str] = field(default_factory=list)
    part: str = ""
    """Tells documents of one page apart."""


def parse(page: Page) -> list[Document]:
    """One document for each record in the page."""
    refuse_binary(page.id, page.content)
    if page.format == "inspire":
        papers = _from_inspire(page)
    else:
        root = read_xml(page.id, page.content)
        found = [element for element in root.iter() if local(element) == _ROOTS[page.format]]
        papers = [_READERS[page.format](element) for element in found]
    papers = [paper for paper in papers if paper.title or paper.abstract]
    if not papers:
        msg = f"{page.id} holds no {page.format} record with a title. Set its format."
        raise ParseError(msg)
    return [_document(page, paper, alone=len(papers) == 1) for paper in papers]


def _document(page: Page, paper: _Paper, *, alone: bool) -> Document:
    title = _plain(paper.title) or "(no title)"
    eprint = f"arXiv:{paper.arxiv}" if paper.arxiv else ""
    number = next(iter(paper.reports), eprint)
    builder = DocumentBuilder(
        page,
        "" if alone else paper.part,
        title=f"{title} ({number})" if number else title,
        author=_whose(paper),
        updated_at=moment(_first_day(paper.date)),
    )
    rows = [
        ("title", title),
        ("report number", ", ".join(paper.reports)),
        ("arXiv", eprint),
        ("DOI", ", ".join(paper.dois)),
        ("collaboration", ", ".join(paper.collaborations)),
        ("authors", _people(paper.authors)),
        ("date", paper.date),
        *paper.rows,
    ]
    builder.table(["field", "value"], [(name, value) for name, value in rows if value])
    if paper.abstract:
        builder.heading(1, "Abstract")
        for paragraph in re.split(r"\n\s*\n", _plain(paper.abstract, lines=True)):
            builder.prose(paragraph)
    if paper.notes:
        builder.heading(1, "Notes")
        builder.items(_plain(note) for note in paper.notes)
    return builder.build()


def _plain(text: str, *, lines: bool = False) -> str:
    """Text as a person reads it: no tags, formulae as TeX writes them."""
    text = with_formulae(text)
    if looks_like_html(text):
        markup = re.sub(r"</(?:jats:)?(?:p|sec|title)>", r"\g<0>\n\n", as_html(text))
        text = "\n\n".join(flat_text(soup_of(piece)) for piece in markup.split("\n\n"))
    return text.strip() if lines else fold(text)


def _whose(paper: _Paper) -> str:
    if paper.collaborations:
        return f"{paper.collaborations[0]} Collaboration"
    return f"{paper.authors[0]} et al." if len(paper.authors) > 3 else ", ".join(paper.authors)


def _people(names: list[str]) -> str:
    if len(names) <= _MOST_AUTHORS:
        return ", ".join(names)
    return f"{', '.join(names[:_SOME_AUTHORS])} and {len(names) - _SOME_AUTHORS:,} others"


def _person(name: str) -> str:
    """`Kroll, Ada` as people say it."""
    family, comma, given = fold(name).partition(",")
    return f"{given.strip()} {family}" if comma and given.strip() else family


def _first_day(date: str) -> str:
    """A date that `moment` reads, of one that may lack its day or month."""
    if re.fullmatch(r"\d{4}(-\d{1,2}){0,2}", date):
        year, month, day = [*date.split("-"), "1", "1"][:3]
        return f"{year}-{month:0>2}-{day:0>2}"
    return f"1 {date}" if re.fullmatch(r"[A-Z][a-z]{2,8} \d{4}", date) else date


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(folded for value in values if (folded := fold(value))))


# INSPIRE


def _from_inspire(page: Page) -> list[_Paper]:
    value = load_json(page)
    if isinstance(value, Mapping) and isinstance(value.get("hits"), Mapping):
        value = value["hits"]
    papers = []
    for record in records(value, "hits"):
        inner = record.get("metadata", record.get("_source"))
        papers.append(_inspire(inner if isinstance(inner, Mapping) else record))
    return papers


def _inspire(record: Mapping[str, Any]) -> _Paper:
    titles = [
        ": ".join(filter(None, (text_of(one, "title"), text_of(one, "subtitle"))))
        for one in records(record.get("titles"))
    ]
    # The same abstract comes from arXiv and from the journal: the first is the curated one.
    abstracts = [text_of(one, "value") for one in records(record.get("abstracts"))]
    eprint = next(iter(records(record.get("arxiv_eprints"))), {})
    reports = [
        one for one in records(record.get("report_numbers")) if one.get("hidden") is not True
    ]
    dates = (
        text_of(record, "preprint_date"),
        text_of(record, "earliest_date"),
        text_of(record, "thesis_info", "date"),
        *(text_of(one, "date") for one in records(record.get("imprints"))),
        *(text_of(one, "year") for one in records(record.get("publication_info"))),
    )
    corporate = record.get("corporate_author")
    return _Paper(
        title=next(iter(titles), ""),
        date=next(filter(None, dates), ""),
        reports=_distinct(text_of(one, "value") for one in reports),
        arxiv=text_of(eprint, "value"),
        dois=_distinct(text_of(one, "value") for one in records(record.get("dois"))),
        collaborations=_distinct(
            text_of(one, "value") for one in records(record.get("collaborations"))
        ),
        authors=_distinct(
            _person(text_of(one, "full_name")) for one in records(record.get("authors"))
        )
        or _distinct(filter(_is_text, corporate if isinstance(corporate, list) else [])),
        rows=list(_inspire_rows(record, [t for t in titles if t != titles[0]], eprint)),
        abstract=next(filter(None, abstracts), ""),
        notes=_distinct(text_of(one, "value") for one in records(record.get("public_notes"))),
        part=text_of(record, "control_number"),
    )


def _inspire_rows(
    record: Mapping[str, Any], titles: list[str], eprint: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    if record.get("withdrawn") is True:
        yield "status", "withdrawn"
    yield "also titled", "; ".join(_plain(title) for title in titles)
    for info in records(record.get("publication_info")):
        material = text_of(info, "material")
        label = "published in" if material in ("", "publication") else material
        yield label, _journal(info)
    yield "type", named(record.get("document_type"))
    for thesis in records(record.get("thesis_info")):
        yield "thesis", named(thesis.get("institutions"), "name")
    yield "experiment", named(record.get("accelerator_experiments"), "legacy_name")
    yield (
        "subjects",
        ", ".join(
            _distinct(
                [
                    *(text_of(one, "term") for one in records(record.get("inspire_categories"))),
                    named(eprint.get("categories")),
                ]
            )
        ),
    )
    words = _distinct(text_of(one, "value") for one in records(record.get("keywords")))
    yield "keywords", ", ".join(word for word in words if not word.startswith("*"))
    yield "pages", text_of(record, "number_of_pages")
    for related in records(record.get("related_records")):
        label = _RELATIONS.get(text_of(related, "relation")) or text_of(
            related, "relation_freetext"
        )
        yield label or "related", text_of(related, "record", "$ref").replace("/api/", "/")


def _journal(info: Mapping[str, Any]) -> str:
    if not (journal := text_of(info, "journal_title")):
        return text_of(info, "pubinfo_freetext")
    first, last = text_of(info, "page_start"), text_of(info, "page_end")
    pages = text_of(info, "artid") or (f"{first}-{last}" if first and last else first)
    issue, year = text_of(info, "journal_issue"), text_of(info, "year")
    told = (
        journal,
        text_of(info, "journal_volume"),
        f"({issue})" if issue else "",
        f"({year})" if year else "",
        pages,
    )
    return " ".join(filter(None, told))


# MARC


def _marc(element: Element) -> _Paper:
    record = read_marc(element)
    own = [one for one in record.all("037", "088") if one.get("a")]
    preprints = [one.get("a") for one in own if one.get("9").lower() == "arxiv"]
    dois = [one.get("a") for one in record.all("024") if one.get("2").upper() == "DOI"]
    titles = [": ".join(filter(None, map(one.get, "ab"))) for one in record.all("245")]
    dates = [record.values(tag, code) for tag, code in (("269", "c"), ("260", "c"), ("502", "d"))]
    return _Paper(
        title=next(iter(titles), ""),
        date=next((date for found in dates for date in found), ""),
        reports=_distinct(one.get("a") for one in own if one.get("a") not in preprints),
        arxiv=preprints[0].removeprefix("arXiv:") if preprints else "",
        dois=_distinct(dois),
        collaborations=_distinct(
            re.sub(r"\s+[Cc]ollaboration\.?\Z", "", name) for name in record.values("710", "g")
        ),
        authors=_distinct(
            _person(one.get("a")) for tag in ("100", "700") for one in record.all(tag)
        ),
        rows=list(_marc_rows(record)),
        abstract=next(iter(record.values("520", "a")), ""),
        notes=_distinct(record.values("500", "a")),
        part=record.control("001"),
    )


def _marc_rows(record: Marc) -> Iterator[tuple[str, str]]:
    def joined(tag: str, code: str) -> str:
        return ", ".join(_distinct(record.values(tag, code)))

    yield "also titled", joined("246", "a")
    for one in record.all("773"):
        year = f"({one.get('y')})" if one.get("y") else ""
        told = (one.get("p") or one.get("t"), one.get("v"), year, one.get("c"))
        yield "published in", " ".join(filter(None, told))
    yield "thesis", joined("502", "c")
    yield "experiment", joined("693", "e")
    yield "subjects", joined("650", "a")
    yield "keywords", joined("653", "a")
    yield "pages", joined("300", "a")
    for tag, label in (("780", "supersedes"), ("785", "superseded by"), ("787", "related")):
        for one in record.all(tag):
            told_label = (one.get("i") or label).lower()
            yield told_label, one.get("r") or one.get("t") or one.get("w")
    yield "collection", joined("980", "a")


# arXiv


def _arxiv(record: Element) -> _Paper:
    reports = re.split(r"[,;]\s*", text_below(record, "report-no"))
    names = [
        f"{text_below(one, 'forenames')} {text_below(one, 'keyname')} {text_below(one, 'suffix')}"
        for one in below(record, "authors", "author")
    ]
    # A collaboration signs as an author whose name is its own.
    groups = [name for name in map(fold, names) if re.search(r"\b[Cc]ollaborations?\b", name)]
    return _Paper(
        title=text_below(record, "title"),
        date=text_below(record, "created"),
        reports=_distinct(reports),
        arxiv=text_below(record, "id"),
        dois=_distinct([text_below(record, "doi")]),
        collaborations=_distinct(re.sub(r"\s*\b[Cc]ollaborations?\b", "", name) for name in groups),
        authors=[name for name in _distinct(names) if name not in groups],
        rows=[
            ("revised", text_below(record, "updated")),
            ("published in", text_below(record, "journal-ref")),
            ("subjects", ", ".join(text_below(record, "categories").split())),
        ],
        abstract=text_below(record, "abstract"),
        notes=_distinct([text_below(record, "comments")]),
        part=text_below(record, "id"),
    )


_ROOTS = {"marcxml": "record", "arxiv": "arXiv"}
_READERS = {"marcxml": _marc, "arxiv": _arxiv}

"""arXiv's OAI-PMH interface, in its own metadata format."""

import re
from urllib.parse import quote

from ingest.http import Client
from ingest.model import CURRENT, Standing
from ingest.safexml import Element, text_below, xml_bytes
from ingest.source_settings import PapersSettings
from ingest.sources.papers.oai import Header, OaiListing
from ingest.sources.papers.records import FullText, Record

_WITHDRAWN = re.compile(
    r"^\s*(?:this (?:paper|article|submission|manuscript|preprint) (?:has been|was|is) )?"
    r"withdrawn\b",
    re.IGNORECASE,
)
_SUPERSEDED = re.compile(
    r"\b(?:superseded|replaced) by (?:arXiv:)?(\d{4}\.\d{4,5}|[a-z-]+/\d{7})", re.IGNORECASE
)


def arxiv_listing(name: str, settings: PapersSettings, client: Client) -> OaiListing:
    """What is in some sets, such as `physics:hep-ex`."""

    def read(header: Header, metadata: Element) -> Record:
        return arxiv_record(name, settings.arxiv_pdf, header, metadata)

    return OaiListing(
        name,
        client,
        endpoint=str(settings.url).rstrip("/"),
        repository="arXiv.org",
        format_="arxiv",
        prefix="arXiv",
        sets=settings.sets,
        read=read,
        hides=False,
    )


def arxiv_record(name: str, pdfs: str, header: Header, metadata: Element) -> Record:
    """The record in arXiv's XML."""
    number = text_below(metadata, "id") or header.id
    comments = text_below(metadata, "comments")
    abstract = text_below(metadata, "abstract")
    withdrawn = bool(_WITHDRAWN.search(comments) or _WITHDRAWN.search(abstract))
    later = _SUPERSEDED.search(comments)
    by = f"{name}:{later[1]}" if later else ""
    dated = text_below(metadata, "updated") or text_below(metadata, "created")
    file = FullText(pdfs.replace("{id}", quote(number)), dated or number)
    return Record(
        id=header.id,
        url=f"https://arxiv.org/abs/{number}",
        content=xml_bytes(metadata),
        standing=Standing(archived=withdrawn, superseded_by=by) if withdrawn or by else CURRENT,
        # The last version of a withdrawn paper has no text.
        full_text=None if withdrawn else file,
    )

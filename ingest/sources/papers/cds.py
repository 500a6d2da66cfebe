"""CDS (Invenio): OAI-PMH by sets, or the search interface where a query is set."""

import re
from hashlib import sha256
from urllib.parse import quote, urlsplit

from ingest.errors import FetchError, ParseError
from ingest.http import Client
from ingest.marc import Field, Marc, read_marc
from ingest.model import CURRENT, Standing
from ingest.safexml import Element, local, read_xml, xml_bytes
from ingest.source_settings import PapersSettings
from ingest.sources.papers.oai import Header, OaiListing
from ingest.sources.papers.records import FullText, Listing, Record
from ingest.sources.papers.search import Hits, SearchListing, Slice, day_of

_SIZE = 200
"""Records a page: what an Invenio gives at most unless told otherwise."""
_TOTAL = re.compile(rb"<!--\s*Search-Engine-Total-Number-Of-Results:\s*(\d+)\s*-->")


def cds_listing(name: str, settings: PapersSettings, client: Client) -> Listing:
    """By query, else by sets."""
    base = str(settings.url).rstrip("/")
    if settings.query:
        return SearchListing(name, CdsSearch(name, base, settings.query, client))

    def read(header: Header, metadata: Element) -> Record:
        return cds_record(name, base, header.id, metadata)

    return OaiListing(
        name,
        client,
        endpoint=f"{base}/oai2d",
        repository=urlsplit(base).hostname or "",
        format_="marcxml",
        prefix="marcxml",
        sets=settings.sets,
        read=read,
        hides=True,
    )


class CdsSearch:
    """Invenio's search interface."""

    format = "marcxml"
    window = 0

    def __init__(self, name: str, base: str, query: str, client: Client) -> None:
        self._name = name
        self._client = client
        self._base = base
        self._query = query

    def ask(self, since: str, dates: Slice, at: int, *, size: int = 0, ids: bool = False) -> Hits:
        asked: dict[str, str | int] = {"p": self._query, "jrec": at, "rg": size or _SIZE}
        if since:
            asked |= {"dt": "m", "d1": f"{since} 00:00:00"}
        if ids:
            asked["ot"] = "001"
        return self._hits(asked)

    def again(self, one: str) -> Record:
        found = self._hits({"p": f"({self._query}) and recid:{one}", "rg": 1}).records
        return found[0] if found else Record(one, gone=True)

    def _hits(self, asked: dict[str, str | int]) -> Hits:
        # Ascending, so that new records do not move the others while one pages through them.
        reply = self._client.get(f"{self._base}/search", params={"of": "xm", "so": "a", **asked})
        try:
            root = read_xml(f"The answer of {reply.url}", reply.content)
        except ParseError as error:
            raise FetchError(str(error)) from error
        records = [
            cds_record(self._name, self._base, "", element)
            for element in root.iter()
            if local(element) == "record"
        ]
        said = _TOTAL.search(reply.content)
        at = int(asked.get("jrec", 1))
        total = int(said[1]) if said else at - 1 + len(records)
        following = at + len(records)
        more = records and following <= total
        return Hits(total, records, following if more else 0, day_of(reply))


def cds_record(name: str, base: str, own: str, element: Element) -> Record:
    """The record in MARCXML; `own` is its id where the list around it gives one."""
    marc = read_marc(element)
    number = marc.control("001")
    if "DELETED" in marc.values("980", "c"):
        return Record(own or number, gone=True)
    return Record(
        id=own or number,
        url=f"{base}/record/{number or own}",
        content=xml_bytes(element),
        collections=frozenset(marc.values("980", "a") + marc.values("980", "b")),
        restricted_to=_restricted_to(marc),
        standing=_standing(name, base, marc),
        full_text=_full_text(base, marc),
    )


def _restricted_to(marc: Marc) -> frozenset[str] | None:
    """Groups in the fields `506 1_ $a Restricted $d atlas-members [CERN]`; None without one."""
    found = [
        field
        for field in marc.all("506")
        if field.first == "1" or field.get("a").lower().startswith("restrict")
    ]
    if not found:
        return None
    groups = {group for field in found for group in field.every("d")}
    return frozenset(groups | {group.removesuffix(" [CERN]") for group in groups})


def _standing(name: str, base: str, marc: Marc) -> Standing:
    by, what = "", ""
    for field in marc.all("780", "785", "787"):
        usual = {"780": "supersedes", "785": "superseded by"}.get(field.tag, "")
        relation = (field.get("i") or usual).lower()
        if not (other := _other(name, base, field)):
            continue
        if re.search(r"(superseded|replaced) by", relation):
            by = by or other
        elif re.search(r"supersedes|replaces", relation):
            what = what or other
    return Standing(superseded_by=by, supersedes=what) if by or what else CURRENT


def _other(name: str, base: str, field: Field) -> str:
    """Another record: its page, or where its report number is looked up."""
    if field.get("w"):
        return f"{name}:{field.get('w')}"
    number = field.get("r")
    return f"{base}/search?f=reportnumber&p={quote(number)}" if number else ""


def _full_text(base: str, marc: Marc) -> FullText | None:
    """The first PDF of the record's own files; files elsewhere are not CDS's to give."""
    host = urlsplit(base).hostname
    for field in marc.all("856"):
        parts = urlsplit(field.get("u"))
        if parts.path.lower().endswith(".pdf") and _host(parts.netloc) == host:
            told = "\0".join((field.get("u"), field.get("s"), marc.control("005")))
            return FullText(field.get("u"), sha256(told.encode()).hexdigest()[:16])
    return None


def _host(netloc: str) -> str:
    return netloc.rpartition("@")[2].partition(":")[0].lower()

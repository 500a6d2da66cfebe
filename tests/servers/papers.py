"""CDS, INSPIRE and arXiv on loopback: OAI-PMH 2.0, Invenio's search, INSPIRE's REST interface.

    with CdsServer([Paper("2900001", "Search for a thing", sets=("atlas",))]) as server:
        server.change("2900001", title="Search for another thing")

Each change is stamped with the server's own time, `now`, which tests move on.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from tests.servers import NOT_FOUND, Answer, Request, Server, json_answer

PDF = (Path(__file__).parents[2] / "sample" / "papers" / "MER-CONF-2026-09.pdf").read_bytes()
START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Paper:
    """A record of any of the three services, with what the tests need of it."""

    id: str
    title: str
    abstract: str = "An abstract."
    day: str = "2025-06-01"
    """Of the paper itself."""
    reports: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    collections: tuple[str, ...] = ("PREPRINT",)
    restricted: tuple[str, ...] | None = None
    """Groups in field 506; an empty tuple restricts without naming any."""
    pdf: bytes | None = PDF
    comments: str = ""
    extra: str = ""
    """More fields of MARCXML."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """More fields of INSPIRE."""
    stamp: datetime = START - timedelta(days=30)
    deleted: bool = False
    hidden: bool = False
    """Kept out of all lists without a word, as Invenio does with restricted records."""


class PapersServer(Server):
    """What the three have in common: papers, and a time at which they change."""

    def __init__(self, papers: Iterable[Paper] = (), **more: Any) -> None:
        self.now = START
        super().__init__(wall=lambda: self.now, **more)
        self.papers = {paper.id: paper for paper in papers}

    def add(self, paper: Paper) -> None:
        """A new paper, stamped now."""
        self.papers[paper.id] = replace(paper, stamp=self.now)

    def change(self, number: str, **values: Any) -> None:
        """Change a paper, stamped now."""
        self.papers[number] = replace(self.papers[number], stamp=self.now, **values)

    def tomorrow(self, days: int = 1) -> None:
        """Let time pass."""
        self.now += timedelta(days=days)

    def file(self, number: str) -> Answer:
        """A paper's PDF."""
        paper = self.papers.get(number)
        if paper is None or paper.pdf is None:
            return NOT_FOUND
        return Answer(paper.pdf, type="application/pdf", etag=f'"{number}-{hash(paper.pdf)}"')


class OaiServer(PapersServer):
    """OAI-PMH 2.0 with sets, days or seconds, deleted records and tokens that can be lost."""

    path = "/oai"
    repository = "example.org"
    seconds = False

    def __init__(self, papers: Iterable[Paper] = (), page_size: int = 2, **more: Any) -> None:
        super().__init__(papers, **more)
        self.page_size = page_size
        self.tells_size = True
        self.error_status = 200
        self.tokens: dict[str, tuple[list[str], int, str]] = {}
        self._issued = 0

    def metadata(self, paper: Paper) -> str:
        """The paper in the repository's format."""
        raise RuntimeError

    def answer(self, request: Request) -> Answer:
        if request.path != self.path:
            return NOT_FOUND
        verb = request.query.get("verb", "")
        if verb in ("ListRecords", "ListIdentifiers"):
            said = self._list(verb, request.query)
        elif verb == "GetRecord":
            said = self._get(request.query)
        else:
            said = _error("badVerb")
        status = self.error_status if said.startswith("<error") else 200
        now = self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        return Answer(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
            f"<responseDate>{now}</responseDate><request verb={quoteattr(verb)}/>{said}</OAI-PMH>",
            status,
            "text/xml; charset=utf-8",
        )

    def _list(self, verb: str, query: dict[str, str]) -> str:
        if token := query.get("resumptionToken"):
            if token not in self.tokens:
                return _error("badResumptionToken")
            ids, at, set_ = self.tokens[token]
        else:
            at, set_ = 0, query.get("set", "")
            ids = [paper.id for paper in self._chosen(set_, query.get("from", ""))]
            if not ids:
                return _error("noRecordsMatch")
        shown, left = ids[at : at + self.page_size], ids[at + self.page_size :]
        told = "".join(self._record(verb, self.papers[one], set_) for one in shown)
        return f"<{verb}>{told}{self._token(ids, at, set_, bool(left))}</{verb}>"

    def _chosen(self, set_: str, since: str) -> Iterator[Paper]:
        for paper in sorted(self.papers.values(), key=lambda paper: paper.stamp):
            inside = not set_ or any(
                own == set_ or own.startswith(f"{set_}:") for own in paper.sets
            )
            if inside and not paper.hidden and self._stamp(paper) >= since:
                yield paper

    def _token(self, ids: list[str], at: int, set_: str, left: bool) -> str:
        size = f' completeListSize="{len(ids)}"' if self.tells_size else ""
        if not left:
            return f'<resumptionToken{size} cursor="{at}"/>' if at else ""
        self._issued += 1
        # As arXiv writes them: encoded once before they are.
        token = quote(f"verb=ListRecords&set={set_}&skip={self._issued}")
        self.tokens[token] = (ids, at + self.page_size, set_)
        return f'<resumptionToken{size} cursor="{at}">{token}</resumptionToken>'

    def _get(self, query: dict[str, str]) -> str:
        paper = self.papers.get(query["identifier"].split(":", 2)[2])
        if paper is None or paper.hidden:
            return _error("idDoesNotExist")
        return f"<GetRecord>{self._record('GetRecord', paper, '')}</GetRecord>"

    def _record(self, verb: str, paper: Paper, set_: str) -> str:
        status = ' status="deleted"' if paper.deleted else ""
        sets = "".join(f"<setSpec>{one}</setSpec>" for one in paper.sets)
        header = (
            f"<header{status}><identifier>oai:{self.repository}:{paper.id}</identifier>"
            f"<datestamp>{self._stamp(paper)}</datestamp>{sets}</header>"
        )
        if verb == "ListIdentifiers":
            return header
        told = "" if paper.deleted else f"<metadata>{self.metadata(paper)}</metadata>"
        return f"<record>{header}{told}</record>"

    def _stamp(self, paper: Paper) -> str:
        return paper.stamp.strftime("%Y-%m-%dT%H:%M:%SZ" if self.seconds else "%Y-%m-%d")


class CdsServer(OaiServer):
    """Invenio: `/oai2d`, `/search?of=xm` and the files of records."""

    path = "/oai2d"
    repository = "cds.example.org"
    seconds = True
    group_limit = 200

    def answer(self, request: Request) -> Answer:
        if found := re.fullmatch(r"/record/(\d+)/files/[\w-]+\.pdf", request.path):
            return self.file(found[1])
        return self._search(request.query) if request.path == "/search" else super().answer(request)

    def metadata(self, paper: Paper) -> str:
        first, *others = [*paper.reports, ""]
        fields = [
            _field("037", a=first) if first else "",
            *(_field("088", a=other) for other in others if other),
            _field("245", a=paper.title),
            _field("269", c=paper.day),
            _field("520", a=paper.abstract),
            *(_field("980", a=name) for name in paper.collections),
            paper.extra,
        ]
        if paper.restricted is not None:
            groups = "".join(_part("d", group) for group in paper.restricted)
            fields.append(
                f'<datafield tag="506" ind1="1" ind2=" ">{_part("a", "Restricted")}{groups}'
                "</datafield>"
            )
        if paper.pdf is not None:
            url = f"{self.url}/record/{paper.id}/files/paper.pdf"
            fields.append(_field("856", u=url, s=str(len(paper.pdf)), y="Fulltext"))
        return (
            '<record xmlns="http://www.loc.gov/MARC21/slim">'
            f'<controlfield tag="001">{paper.id}</controlfield>'
            f'<controlfield tag="005">{paper.stamp:%Y%m%d%H%M%S}.0</controlfield>'
            f"{''.join(fields)}</record>"
        )

    def _search(self, query: dict[str, str]) -> Answer:
        """Patterns are a set's name and a record's number."""
        named = re.search(r"recid:(\d+)", query["p"])
        wanted = re.sub(r"\s+and recid:\d+|[()]", "", query["p"])
        changed = query.get("d1", "")
        found = [
            paper
            for paper in sorted(self.papers.values(), key=lambda paper: int(paper.id))
            if wanted in paper.sets
            and not (paper.deleted or paper.hidden)
            and (named is None or paper.id == named[1])
            and f"{paper.stamp:%Y-%m-%d %H:%M:%S}" >= changed
        ]
        at, size = int(query.get("jrec", 1)) - 1, min(int(query["rg"]), self.group_limit)
        told = "".join(
            f'<record><controlfield tag="001">{paper.id}</controlfield></record>'
            if query.get("ot") == "001"
            else self.metadata(paper)
            for paper in found[at : at + size]
        )
        return Answer(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<!-- Search-Engine-Total-Number-Of-Results: {len(found)} -->\n"
            f'<collection xmlns="http://www.loc.gov/MARC21/slim">{told}</collection>',
            type="text/xml",
        )


class ArxivServer(OaiServer):
    """arXiv: `/oai` in its own format, `/pdf/…`."""

    repository = "arXiv.org"

    def answer(self, request: Request) -> Answer:
        if request.path.startswith("/pdf/"):
            return self.file(request.path.removeprefix("/pdf/"))
        return super().answer(request)

    def metadata(self, paper: Paper) -> str:
        updated = f"<updated>{paper.stamp:%Y-%m-%d}</updated>" if paper.stamp >= START else ""
        reports = f"<report-no>{', '.join(paper.reports)}</report-no>" if paper.reports else ""
        comments = f"<comments>{escape(paper.comments)}</comments>" if paper.comments else ""
        return (
            f'<arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>{paper.id}</id>'
            f"<created>{paper.day}</created>{updated}<authors><author><keyname>Kroll</keyname>"
            f"<forenames>Ada</forenames></author></authors><title>{escape(paper.title)}</title>"
            f"<categories>hep-ex</categories>{comments}{reports}"
            f"<abstract>{escape(paper.abstract)}</abstract></arXiv>"
        )


class InspireServer(PapersServer):
    """`/api/literature` with queries, pages, fields and the window of 10,000 hits."""

    window = 10_000

    def answer(self, request: Request) -> Answer:
        if request.path.startswith("/files/"):
            return self.file(request.path.removeprefix("/files/"))
        if request.path != "/api/literature":
            return NOT_FOUND
        query = request.query
        size, page = int(query.get("size", 10)), int(query.get("page", 1))
        if size > 1000 or size * page > self.window:
            return json_answer({"status": 400, "message": "Maximum number of results"}, 400)
        # Most recent first, by the date of the paper.
        found = sorted(self._found(query["q"]), key=lambda paper: (paper.day, paper.id))[::-1]
        hits = [self._hit(paper, query["fields"]) for paper in found[(page - 1) * size :][:size]]
        return json_answer({"hits": {"hits": hits, "total": len(found)}, "links": {}})

    def _found(self, query: str) -> Iterator[Paper]:
        conditions = dict(re.findall(r"\b(du|date) >= ([\d-]+)", query))
        before = re.search(r"date < ([\d-]+)", query)
        number = re.search(r"control_number:(\d+)", query)
        wanted = re.match(r"\(collaboration:(\w+)\)", query)
        for paper in self.papers.values():
            inside = wanted is not None and wanted[1] in paper.sets and not paper.hidden
            changed = f"{paper.stamp:%Y-%m-%d}" >= conditions.get("du", "")
            dated = paper.day >= conditions.get("date", "") and (
                before is None or paper.day < before[1]
            )
            if inside and changed and dated and (number is None or number[1] == paper.id):
                yield paper

    def _hit(self, paper: Paper, fields: str) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            "control_number": int(paper.id),
            "titles": [{"title": paper.title}],
            "abstracts": [{"value": paper.abstract}],
            "report_numbers": [{"value": number} for number in paper.reports],
            "earliest_date": paper.day,
            "_collections": list(paper.collections),
            "citation_count": 5,
        } | paper.metadata
        if paper.pdf is not None:
            file = {"key": str(hash(paper.pdf)), "filename": "x.pdf", "fulltext": True}
            metadata["documents"] = [{**file, "url": f"{self.url}/files/{paper.id}"}]
        wanted = {name.partition(".")[0] for name in fields.split(",")}
        return {
            "id": paper.id,
            "created": "2020-01-01T00:00:00+00:00",
            "updated": paper.stamp.isoformat(),
            "links": {},
            "metadata": {name: value for name, value in metadata.items() if name in wanted},
        }


def _part(code: str, value: str) -> str:
    return f'<subfield code="{code}">{escape(value)}</subfield>'


def _field(tag: str, **parts: str) -> str:
    inner = "".join(_part(code, value) for code, value in parts.items())
    return f'<datafield tag="{tag}" ind1=" " ind2=" ">{inner}</datafield>'


def _error(code: str) -> str:
    return f'<error code="{code}">{code}</error>'

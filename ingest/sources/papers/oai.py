"""OAI-PMH 2.0: everything, or what changed since a day, page by page with resumption tokens.

`oaipmh-scythe` speaks the protocol. Its requests pass through our client (`_Through`), and only
XML that is whole reaches it: by itself it mends what was cut off, and the end of a list would
look like the end of the repository.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import httpx2
from oaipmh_scythe import Scythe
from oaipmh_scythe.exceptions import (
    BadResumptionToken,
    IdDoesNotExist,
    NoRecordsMatch,
    OAIPMHException,
)
from oaipmh_scythe.iterator import OAIResponseIterator

from ingest.errors import FetchError, ParseError, SourceTrouble
from ingest.http import Client
from ingest.outbound.guard import shown
from ingest.safexml import Element, below, read_xml, text_below
from ingest.sources.papers.records import Mark, Record, State

_RESTARTS = 3
"""So often a list begins again because its tokens expire; then the repository is to blame."""
_DEAD_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Header:
    """What a list says of a record."""

    id: str
    """Without `oai:` and the repository's name."""
    deleted: bool
    sets: tuple[str, ...] = ()


Read = Callable[[Header, Element], Record]
"""Header and metadata to a record."""


@dataclass(frozen=True, slots=True)
class _Answer:
    headers: list[tuple[Header, Element | None]]
    size: int | None
    """Of the whole list, where the repository says it."""
    token: str
    """Asks for the next page; empty on the last."""


class _Through(httpx2.BaseTransport):
    """Makes each request of the library one of our client's, and keeps the answer."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.root = Element("OAI-PMH")

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        reply = self._client.session.get(str(request.url))
        # Newer repositories (InvenioRDM) say "no records match" with 422 and the protocol's error.
        said = b"<error" in reply.content and b"OAI-PMH" in reply.content
        if not reply.ok and not said:
            msg = f"{shown(reply.url)} answered {reply.status_code} {reply.reason}."
            raise FetchError(msg, reply.status_code)
        try:
            self.root = read_xml(f"The answer of {shown(reply.url)}", reply.content)
        except ParseError as error:
            raise FetchError(str(error)) from error
        return httpx2.Response(200, content=reply.content)


class _Scythe(Scythe):
    def __init__(self, endpoint: str, through: _Through) -> None:
        super().__init__(endpoint)
        self._http = httpx2.Client(transport=through)

    @property
    def client(self) -> httpx2.Client:
        return self._http


class OaiListing:
    """Lists the records of one OAI-PMH repository.

    With `hides` the repository may drop records from its lists without a word (CDS: those that
    become restricted), so that their number is compared each time.
    """

    def __init__(
        self,
        name: str,
        client: Client,
        *,
        endpoint: str,
        repository: str,
        format_: str,
        prefix: str,
        sets: tuple[str, ...],
        read: Read,
        hides: bool,
    ) -> None:
        self.format = format_
        self._name = name
        self._repository = f"oai:{repository}:"
        self._endpoint = endpoint
        self._prefix = prefix
        self._sets: tuple[str | None, ...] = sets or (None,)
        self._read = read
        self._hides = hides
        self._through = _Through(client)
        self._scythe = _Scythe(endpoint, self._through)
        self._live: set[str] | None = None

    def records(self, state: State, known: Collection[str]) -> Iterator[Record | Mark]:
        """What changed since `state["since"]`, or where a killed run left off."""
        self._live = None
        run = _Run(state, frozenset(known))
        for at, set_ in enumerate(self._sets):
            if at < run.set:
                continue
            for answer in self._answers("ListRecords", set_, run.since, run.token):
                run.note(self._today(), set_, answer)
                yield from self._found(run, answer)
                run.go_on(at, answer.token)
                yield Mark(run.state())
            run.began = run.began or self._today()
            run.go_on(at + 1, "")
            yield Mark(run.state())
        yield from self._left(run)
        self._compare(run)
        yield Mark(run.ended())

    def again(self, one: str) -> Record:
        """As GetRecord tells it."""
        asked = {"identifier": self._repository + one, "metadataPrefix": self._prefix}
        try:
            answer = next(self._asked({"verb": "GetRecord", **asked}))
        except IdDoesNotExist:
            return Record(one, gone=True)
        for header, metadata in answer.headers:
            if not header.deleted and metadata is not None and self._ours(header):
                return self._read(header, metadata)
        return Record(one, gone=True)

    def live(self) -> Collection[str] | None:
        """Ids of all records, when it had to be found out in this run."""
        return self._live

    def _found(self, run: "_Run", answer: _Answer) -> Iterator[Record]:
        for header, metadata in answer.headers:
            if header.deleted:
                run.dead.append(header.id)
                # In another of our sets it may live on: that is looked at in the end.
                if len(self._sets) == 1:
                    yield Record(header.id, gone=True)
            elif metadata is not None:
                run.given.add(header.id)
                yield self._read(header, metadata)

    def _left(self, run: "_Run") -> Iterator[Record]:
        if len(self._sets) > 1:
            for one in dict.fromkeys(run.dead):
                if one not in run.given:
                    yield self.again(one)

    def _ours(self, header: Header) -> bool:
        return any(
            wanted is None or own == wanted or own.startswith(f"{wanted}:")
            for wanted in self._sets
            for own in header.sets or ("",)
        )

    def _compare(self, run: "_Run") -> None:
        """Find out which records there are, unless the number of records shows that none left."""
        if run.replaced:
            self._live = run.given if run.whole else self._all(run)
        elif self._hides and not run.first and not self._adds_up(run):
            self._live = self._all(run)

    def _adds_up(self, run: "_Run") -> bool:
        if run.doubtful or not run.whole:
            return False
        for set_ in self._sets:
            answer = next(self._answers("ListIdentifiers", set_, "", ""), None)
            total = 0 if answer is None else answer.size
            if total is None or total != run.expected(set_):
                return False
            run.sizes[set_ or ""] = total
        return True

    def _all(self, run: "_Run") -> set[str]:
        live: set[str] = set()
        for set_ in self._sets:
            listed: set[str] = set()
            for answer in self._answers("ListIdentifiers", set_, "", ""):
                listed |= {header.id for header, _ in answer.headers}
                live |= {header.id for header, _ in answer.headers if not header.deleted}
            run.sizes[set_ or ""] = len(listed)
        return live

    def _answers(self, verb: str, set_: str | None, since: str, token: str) -> Iterator[_Answer]:
        """The pages of a list. One whose token is no longer taken is listed from its beginning."""
        whole = {"metadataPrefix": self._prefix, "from": since, "set": set_ or ""}
        query = {key: value for key, value in whole.items() if value}
        for _ in range(_RESTARTS + 1):
            rest = {"resumptionToken": token} if token else query
            try:
                yield from self._asked({"verb": verb, **rest})
            except NoRecordsMatch:
                return
            except BadResumptionToken:
                token = ""
            except FetchError as error:
                msg = f"{self._name}: the list of records cannot be read: {error}"
                raise SourceTrouble(msg) from error
            else:
                return
        msg = (
            f"{self._name}: {self._endpoint} refused its own resumption tokens {_RESTARTS + 1} "
            "times. Tell its keepers; the next run begins there again."
        )
        raise SourceTrouble(msg)

    def _asked(self, query: dict[str, str]) -> Iterator[_Answer]:
        try:
            for _ in OAIResponseIterator(self._scythe, query):
                yield self._answer(query["verb"])
        except (NoRecordsMatch, BadResumptionToken, IdDoesNotExist):
            raise
        except OAIPMHException as error:
            told = f"{type(error).__name__}: {str(error)[:200]}"
            msg = f"{self._endpoint} refused {query} ({told}). Look at url and sets."
            raise FetchError(msg) from error

    def _answer(self, verb: str) -> _Answer:
        root = self._through.root
        token = next(below(root, verb, "resumptionToken"), None)
        headers = list(self._headers(verb, root))
        if token is None:
            # A list without a token is whole.
            return _Answer(headers, len(headers), "")
        said = token.get("completeListSize", "")
        return _Answer(headers, int(said) if said.isdigit() else None, (token.text or "").strip())

    def _headers(self, verb: str, root: Element) -> Iterator[tuple[Header, Element | None]]:
        found: list[tuple[Element, Element | None]]
        if verb == "ListIdentifiers":
            found = [(header, None) for header in below(root, verb, "header")]
        else:
            found = [
                (header, next((e for part in below(record, "metadata") for e in part), None))
                for record in below(root, verb, "record")
                for header in below(record, "header")
            ]
        for element, metadata in found:
            # oai:cds.cern.ch:2900001, oai:arXiv.org:hep-ex/0001001
            _, _, rest = text_below(element, "identifier").partition(":")
            repository, _, own = rest.partition(":")
            if own:
                self._repository = f"oai:{repository}:"
                sets = tuple((one.text or "").strip() for one in below(element, "setSpec"))
                yield Header(own, element.get("status") == "deleted", sets), metadata

    def _today(self) -> str:
        """The repository's own day."""
        return text_below(self._through.root, "responseDate")[:10]


class _Run:
    """How far one harvest has come."""

    def __init__(self, state: State, known: frozenset[str]) -> None:
        self.known = known
        self.since: str = state.get("since", "")
        self.sizes: dict[str, int | None] = dict(state.get("sizes", {}))
        run: State = state.get("run", {})
        self.whole = not run
        """Not the rest of a killed one."""
        self.set: int = run.get("set", 0)
        self.token: str = run.get("token", "")
        self.began: str = run.get("began", "")
        self.dead: list[str] = list(run.get("dead", []))
        self.replaced: bool = run.get("replaced", not state and bool(known))
        """Everything is listed anew because the settings changed."""
        self.first = not self.since
        self.given: set[str] = set()
        self.doubtful = False
        self._buried = frozenset(state.get("dead", []))
        self._new: dict[str, int] = {}

    def note(self, today: str, set_: str | None, answer: _Answer) -> None:
        """Count what a later comparison needs."""
        self.began = self.began or today
        key = set_ or ""
        if self.first:
            counted = (self.sizes.get(key) or 0) + len(answer.headers)
            self.sizes[key] = counted if answer.size is None else answer.size
        for header, _ in answer.headers:
            if header.id in self.known or header.id in self.given:
                continue
            if header.deleted:
                # Was it counted the last time? Only one that was deleted lately is known to be.
                self.doubtful |= header.id not in self._buried
            else:
                self._new[key] = self._new.get(key, 0) + 1

    def expected(self, set_: str | None) -> int | None:
        """How many records there are now if none left the list without a word."""
        size = self.sizes.get(set_ or "")
        return None if size is None else size + self._new.get(set_ or "", 0)

    def go_on(self, set_: int, token: str) -> None:
        """The next run would begin here."""
        self.set, self.token = set_, token

    def state(self) -> State:
        """In the middle."""
        run = {
            "set": self.set,
            "token": self.token,
            "began": self.began,
            "dead": self.dead[-_DEAD_KEPT:],
            "replaced": self.replaced,
        }
        return {"since": self.since, "sizes": self.sizes, "run": run}

    def ended(self) -> State:
        """At the end: the next one begins a day before this one did.

        Days are what every repository takes, and a record may appear some time after its stamp.
        """
        try:
            since = (date.fromisoformat(self.began) - timedelta(days=1)).isoformat()
        except ValueError:
            since = self.since
        dead = self.dead[-_DEAD_KEPT:]
        return {"since": since, "sizes": self.sizes, "dead": dead}

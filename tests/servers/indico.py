"""An Indico: the HTTP export API of events and categories, and the files attached to them.

    with IndicoServer(sample_events(), files=sample_files()) as server:
        server.events["40211"]["title"] = "Another"

Events are held whole and shown at the level that is asked for. Who may manage an event is told its
list of readers, as `allowed`; the account is an ordinary one unless `manages` says otherwise.
"""

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from hashlib import md5
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.servers import NOT_FOUND, Answer, Request, Server, json_answer

SAMPLE = Path(__file__).parents[2] / "sample" / "indico"
MOST = {"events": 1000, "contributions": 500, "subcontributions": 500, "sessions": 100}
Record = dict[str, Any]


def sample_events() -> list[Record]:
    """All events of the sample collaboration, public but for the board's."""
    events = []
    for file in sorted(SAMPLE.glob("*.json")):
        closed = "board" in file.name
        for event in json.loads(file.read_text())["results"]:
            events.append({**event, "categoryId": 9 if closed else 7, "hasAnyProtection": closed})
    return events


def sample_files() -> dict[str, bytes]:
    """The slides of the sample by name."""
    return {file.name: file.read_bytes() for file in (SAMPLE / "slides").iterdir()}


def when(day: str, time: str = "14:00:00") -> dict[str, str]:
    """A time as Indico writes it."""
    return {"date": day, "time": time, "tz": "Europe/Oslo"}


def made_event(number: int, day: str, **more: Any) -> Record:
    """A small public event of category 7."""
    return {
        "_type": "Conference",
        "id": str(number),
        "title": f"Meeting {number}",
        "description": "",
        "startDate": when(day),
        "endDate": when(day, "15:00:00"),
        "type": "meeting",
        "categoryId": 7,
        "category": "Trigger",
        "hasAnyProtection": False,
        "url": f"https://indico.example/event/{number}/",
        "contributions": [],
        "folders": [],
        **more,
    }


def talk(number: int, title: str, speaker: str = "", **more: Any) -> Record:
    """A contribution."""
    speakers = [{"_type": "ContributionParticipation", "fullName": speaker}] if speaker else []
    return {
        "_type": "Contribution",
        "id": str(number),
        "title": title,
        "speakers": speakers,
        "session": None,
        "folders": [],
        "subContributions": [],
        **more,
    }


def folder(*files: Record, protected: bool = False) -> list[Record]:
    """The folders of something, with these attachments."""
    return [{"_type": "folder", "id": 1, "attachments": list(files), "is_protected": protected}]


def attached(number: int, name: str, protected: bool = False, **more: Any) -> Record:
    """A file among `IndicoServer.files`."""
    return {
        "_type": "attachment",
        "id": number,
        "type": "file",
        "title": name.partition(".")[0],
        "filename": name,
        "download_url": f"/event/1/attachments/{number}/{name}",
        "is_protected": protected,
        **more,
    }


class IndicoServer(Server):
    """Events by number, files by name, categories with those above them."""

    def __init__(
        self,
        events: Iterable[Record] = (),
        *,
        files: Mapping[str, bytes] | None = None,
        most: int = 10_000,
        token: str = "",
        **base: Any,
    ) -> None:
        """A listing leaves events out beyond `most`, as old Indicos do, and says so."""
        super().__init__(**base)
        self.events = {str(event["id"]): copy.deepcopy(event) for event in events}
        self.files = dict(files or {})
        self.paths: dict[int, list[int]] = {7: [0, 1, 7], 9: [0, 9]}
        """Categories from the root on."""
        self.hidden: set[str] = set()
        """Events that the account may not see."""
        self.manages: set[str] = set()
        """Events that the account manages."""
        self.most, self.token = most, token

    def answer(self, request: Request) -> Answer:
        """The parts of the API that are read."""
        known = request.headers.get("authorization") == f"Bearer {self.token}"
        if self.token and not known and request.query.get("onlyauthed") == "yes":
            return _error("Unauthenticated request", 401)
        parts = request.path.strip("/").split("/")
        if parts[0] == "export" and len(parts) == 3 and parts[2].endswith(".json"):
            numbers = parts[2].removesuffix(".json").split("-")
            detail = request.query.get("detail", "events")
            if int(request.query.get("limit", "0")) > MOST[detail]:
                return _error(f"You can only request up to {MOST[detail]} records", 400)
            if parts[1] == "categ":
                return self._category(numbers, detail, request)
            if parts[1] == "event":
                found = [self.events[number] for number in numbers if number in self.events]
                return self._results(found, detail)
        content = self.files.get(parts[-1])
        return NOT_FOUND if content is None else Answer(content, type="application/octet-stream")

    def _category(self, numbers: list[str], detail: str, request: Request) -> Answer:
        since, until = (date.fromisoformat(request.query[name]) for name in ("from", "to"))
        found = [
            event
            for event in self.events.values()
            if set(map(str, self._path(event))) & set(numbers)
            and date.fromisoformat(event["startDate"]["date"]) <= until
            and date.fromisoformat(event["endDate"]["date"]) >= since
        ]
        return self._results(found, detail)

    def _path(self, event: Record) -> list[int]:
        own = event["categoryId"]
        return self.paths.get(own, [0, own])

    def _results(self, found: list[Record], detail: str) -> Answer:
        seen = [event for event in found if event["id"] not in self.hidden]
        paths = {event["categoryId"]: self._path(event) for event in seen}
        extra = {
            "eventCategories": [
                {
                    "_type": "CategoryPath",
                    "categoryId": own,
                    "path": [
                        *({"id": number, "name": f"Category {number}"} for number in path),
                        {"visibility": {"id": None, "name": "Everywhere"}},
                    ],
                }
                for own, path in paths.items()
            ]
        }
        return json_answer(
            {
                "count": len(seen),
                "additionalInfo": extra,
                "_type": "HTTPAPIResult",
                "ts": 1790000000,
                "complete": len(seen) <= self.most,
                "results": [self._shown(event, detail) for event in seen[: self.most]],
            }
        )

    def _shown(self, event: Record, detail: str) -> Record:
        shown = copy.deepcopy(event)
        if event["id"] not in self.manages:
            for record in (shown, *shown.get("contributions", []), *shown.get("sessions", [])):
                record.pop("allowed", None)
        for record in _below(shown):
            if record.get("_type") == "folder":
                record.setdefault("is_protected", False)
            if record.get("_type") == "attachment":
                self._tell(record, protected=bool(event.get("hasAnyProtection")))
        talks, sessions = shown.pop("contributions", []), shown.pop("sessions", [])
        if detail == "events":
            return shown
        if detail != "sessions":
            for one in talks:
                if detail == "contributions":
                    one.pop("subContributions", None)
            return {**shown, "contributions": talks}
        free = [one for one in talks if not one.get("session")]
        return {**shown, "contributions": free, "sessions": sessions}

    def _tell(self, file: Record, *, protected: bool) -> None:
        """What Indico says of a file besides."""
        file["download_url"] = self.url + urlsplit(file["download_url"]).path
        if protected:
            file["is_protected"] = True
        content = self.files.get(file.get("filename", ""))
        if content is not None:
            checksum = md5(content, usedforsecurity=False).hexdigest()
            told = {"checksum": checksum, "size": len(content)}
            file.update({"id": int(checksum[:6], 16), "is_protected": False} | told | file)
            file["checksum"] = checksum


def _below(value: Any) -> Iterator[Record]:
    """All objects in a value."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for one in value if isinstance(value, list) else ():
        yield from _below(one)


def _error(message: str, status: int) -> Answer:
    return json_answer({"_type": "HTTPAPIError", "message": message}, status)

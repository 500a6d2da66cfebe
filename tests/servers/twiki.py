"""A small TWiki or Foswiki: raw and rendered topics, feed, topic list, attachments, rights.

    with TwikiServer(wall=clock.wall) as server:
        server.load(SAMPLE / "twiki")
        server.save("Main", "WebHome", "Hello")
        settings_for(server, TwikiSettings, "/bin", webs=["Main"])

As a TWiki it answers like 4.x to 5.x: denials are pages with status 200 behind a redirect, topics
that do not exist are shown all the same, dates of the feed have no seconds. As a Foswiki
(`foswiki=True`) like 2.x: statuses are right, and raw text is for those who are signed in.
"""

import base64
import html
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import quote

from tests.servers import NOT_FOUND, Answer, Request, Server

_INFO = re.compile(r"^%META:TOPICINFO\{.*\}%\n?", re.MULTILINE)
_FILE = re.compile(r'^%META:FILEATTACHMENT\{name="([^"]*)".*\}%\n?', re.MULTILINE)
_SETTING = re.compile(r"^(?:\t| {3})+\* Set (\w+) = *(.*)$", re.MULTILINE)
_PREFERENCE = re.compile(r'^%META:PREFERENCE\{name="(\w+)".* value="([^"]*)"\}%$', re.MULTILINE)
OWN_TOPICS = ("WebPreferences", "WebRss", "WebAtom", "WebTopicList", "WebChanges", "WebStatistics")
GUEST = "guest"
LOGIN = """<html><head><title>Login</title></head><body><div class="patternTopic"><h2>Login</h2>
<form action="/bin/login/Main/WebHome" method="post" name="loginform">Username
<input type="text" name="username"> Password <input type="password" name="password">
<input type="submit" value="Logon"></form></div></body></html>"""


@dataclass
class Topic:
    """The latest revision of a topic."""

    text: str
    """With its `%META` lines, as it lies in the wiki's folder."""
    date: datetime
    revision: int = 1
    author: str = "ProjectContributor"
    rendered: str = ""
    """The page as a browser gets it; made from the text when empty."""
    files: dict[str, bytes] = field(default_factory=dict)


class TwikiServer(Server):
    """One wiki. The account that signs in is `crawler`, in the groups of `member_of`."""

    def __init__(
        self, *, foswiki: bool = False, wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        super().__init__(wall=wall)
        self.foswiki = foswiki
        self.webs: dict[str, dict[str, Topic]] = {}
        self.member_of: set[str] = set()
        self.password = ""
        """When set, `crawler` signs in by basic authentication or by the cookie `SID`."""
        self.raw_for = "members" if foswiki else "all"
        """Who is shown raw text: `all`, `members` (signed in), `none`."""
        self.feed_limit = 0
        """A feed that names at most so many, whatever it is asked for; 0: as it is asked."""
        self.charset = "utf-8"
        self.robots = ""

    def load(self, folder: Path) -> None:
        """Webs from a folder with `WEB/TOPIC.txt`."""
        for file in sorted(folder.rglob("*.txt")):
            web = file.parent.relative_to(folder).as_posix()
            text = file.read_bytes().decode("utf-8", errors="surrogateescape")
            date = re.search(r'%META:TOPICINFO\{.*?date="(\d+)"', text)
            stamp = datetime.fromtimestamp(int(date[1]) if date else 1_700_000_000, UTC)
            self.web(web)[file.stem] = Topic(text, stamp)

    def load_rendered(self, folder: Path, web: str) -> None:
        """Topics of one web from a folder with `TOPIC.html`; those there already get their page."""
        topics = self.web(web)
        for file in sorted(folder.glob("*.html")):
            page = file.read_bytes().decode("utf-8", errors="surrogateescape")
            date = datetime.fromtimestamp(1_700_000_000, UTC)
            topics.setdefault(file.stem, Topic("", date)).rendered = page

    def web(self, web: str) -> dict[str, Topic]:
        """The topics of a web, which is made when there is none, as from a template."""
        if web not in self.webs:
            date = datetime(2020, 1, 1, tzinfo=UTC)
            self.webs[web] = {name: Topic(f"---+ {name}\n", date) for name in OWN_TOPICS}
        return self.webs[web]

    def save(self, web: str, topic: str, text: str, author: str = "JoeDoe") -> Topic:
        """A new revision, now. Attachments stay."""
        before = self.web(web).get(topic)
        revision = before.revision + 1 if before else 1
        now = self.wall()
        stamp = int(now.timestamp())
        info = (
            f'%META:TOPICINFO{{author="{author}" date="{stamp}" format="1.1" '
            f'version="{revision}"}}%'
        )
        body = _INFO.sub("", text).rstrip("\n")
        files = dict(before.files) if before else {}
        saved = Topic(f"{info}\n{body}\n", now, revision, author, "", files)
        if before and not _FILE.search(text):
            saved.text += "".join(found[0] for found in _FILE.finditer(before.text))
        self.webs[web][topic] = saved
        return saved

    def attach(self, web: str, topic: str, name: str, content: bytes, version: int = 1) -> None:
        """Upload a file, which is a new revision of the topic."""
        kept = "".join(
            found[0] for found in _FILE.finditer(self.web(web)[topic].text) if found[1] != name
        )
        stamp = int(self.wall().timestamp())
        line = (
            f'%META:FILEATTACHMENT{{name="{name}" attachment="{name}" attr="" comment="" '
            f'date="{stamp}" path="{name}" size="{len(content)}" user="JoeDoe" '
            f'version="{version}"}}%\n'
        )
        saved = self.save(web, topic, _FILE.sub("", self.web(web)[topic].text) + kept + line)
        saved.files[name] = content

    def detach(self, web: str, topic: str, name: str) -> None:
        """Move a file to the trash, which is a new revision of the topic."""
        before = self.webs[web][topic]
        line = rf'^%META:FILEATTACHMENT\{{name="{re.escape(name)}".*\}}%\n'
        gone = re.compile(line, re.MULTILINE)
        before.text = gone.sub("", before.text)
        self.save(web, topic, before.text).files.pop(name, None)

    def remove(self, web: str, topic: str) -> None:
        del self.webs[web][topic]

    def may_read(self, names: Collection[str], web: str, topic: str) -> bool:
        """What the wiki's documentation says about who may view a topic."""
        own = settings_in(self.webs[web][topic].text)
        if "DENYTOPICVIEW" in own:
            if not self.foswiki and not own["DENYTOPICVIEW"].strip():
                return True
            if listed(own["DENYTOPICVIEW"], names):
                return False
        if own.get("ALLOWTOPICVIEW", "").strip():
            return listed(own["ALLOWTOPICVIEW"], names)
        parts = web.split("/")
        inherited: dict[str, str] = {}
        for depth in range(1, len(parts) + 1):
            around = self.webs.get("/".join(parts[:depth]), {}).get("WebPreferences")
            inherited |= settings_in(around.text) if around else {}
        if listed(inherited.get("DENYWEBVIEW", ""), names):
            return False
        allowed = inherited.get("ALLOWWEBVIEW", "")
        return not allowed.strip() or listed(allowed, names)

    def answer(self, request: Request) -> Answer:
        if request.path == "/robots.txt":
            return Answer(self.robots, type="text/plain") if self.robots else NOT_FOUND
        if request.path.startswith("/pub/"):
            return self._file(request)
        start, script, *path = [*request.path.strip("/").split("/"), "", ""]
        web, topic = "/".join(path[:-3]), path[-3] if len(path) > 2 else ""
        if start != "bin" or script not in ("view", "viewauth", "oops", "login"):
            return NOT_FOUND
        if script == "login":
            return Answer(LOGIN)
        if script == "oops":
            return Answer(page_of(f"{web}.{topic}", "<h1>Attention</h1><p>Access denied.</p>"))
        return self._topic(request, script, web, topic)

    def _topic(self, request: Request, script: str, web: str, topic: str) -> Answer:
        names = self._names(request)
        if script == "viewauth" and GUEST in names:
            return Answer("<h1>Authorization Required</h1>", 401)
        if web not in self.webs:
            return self._missing("no_such_web", web, topic)
        if topic not in self.webs[web]:
            if self.foswiki:
                return Answer(page_of(topic, "<p>This topic does not exist.</p>"), 404)
            text = "---++ NOTE: This topic does not exist\n"
            return Answer(text, type="text/plain") if "raw" in request.query else Answer(text)
        if not self.may_read(names, web, topic):
            return self._denied(names, web, topic)
        found = self.webs[web][topic]
        if request.query.get("raw") in ("all", "text"):
            if self.raw_for == "none" or (self.raw_for == "members" and GUEST in names):
                return self._denied(names, web, topic)
            bare = re.sub(r"^%META:.*\n?", "", found.text, flags=re.MULTILINE)
            text = found.text if request.query["raw"] == "all" else bare
            content = text.encode(self.charset, errors="surrogateescape")
            return Answer(content, type="text/plain; charset=" + self.charset)
        if topic == "WebRss":
            return Answer(self._feed(request, names, web), type="text/xml")
        if topic == "WebTopicList":
            return Answer(self._list(web))
        page = found.rendered or rendered(topic, found)
        return Answer(page.encode("utf-8", errors="surrogateescape"))

    def _names(self, request: Request) -> set[str]:
        pair = base64.b64encode(f"crawler:{self.password}".encode()).decode()
        by_cookie = f"SID={self.password}" in request.headers.get("cookie", "").split("; ")
        signed_in = by_cookie or request.headers.get("authorization") == f"Basic {pair}"
        if not self.password or not signed_in:
            return {GUEST, "WikiGuest", "TWikiGuest", "AllUsersGroup"}
        return {"CrawlerUser", "AllUsersGroup", "AllAuthUsersGroup", *self.member_of}

    def _denied(self, names: Collection[str], web: str, topic: str) -> Answer:
        if GUEST in names:
            if self.foswiki:
                return Answer(LOGIN)
            return Answer(status=302, headers={"Location": f"/bin/login/{web}/{topic}?origurl=x"})
        return self._missing("topic_access", web, topic)

    def _missing(self, what: str, web: str, topic: str) -> Answer:
        if self.foswiki:
            return Answer(page_of(topic, what), 403 if what == "topic_access" else 404)
        query = f"template=oopsaccessdenied&def={what}&param1=VIEW"
        return Answer(status=302, headers={"Location": f"/bin/oops/{quote(web)}/{topic}?{query}"})

    def _feed(self, request: Request, names: Collection[str], web: str) -> str:
        topics = [
            (name, topic)
            for name, topic in self.webs[web].items()
            if name != "WebStatistics" and self.may_read(names, web, name)
        ]
        topics.sort(key=lambda pair: pair[1].date, reverse=True)
        limit = request.query.get("limit", "16")
        most = len(topics) if limit == "all" else int(limit)
        topics = topics[: min(most, self.feed_limit or most)]
        shape = "%Y-%m-%dT%H:%M:%SZ" if self.foswiki else "%Y-%m-%dT%H:%MZ"
        base = f"{self.url}/bin/view/{web}"
        items = "\n".join(
            f'<item rdf:about="{base}/{quote(name)}">\n  <title>{name}</title>\n'
            f"  <link>{base}/{quote(name)}</link>\n"
            f"  <description>{html.escape(topic.text[:60])} (last changed by {topic.author})"
            f"</description>\n  <dc:date>{topic.date.astimezone(UTC).strftime(shape)}</dc:date>\n"
            f'  <dc:contributor>\n    <rdf:Description link="{self.url}/bin/view?topic=Main.'
            f'{topic.author}">\n      <rdf:value>{topic.author}</rdf:value>\n'
            "    </rdf:Description>\n  </dc:contributor>\n</item>"
            for name, topic in topics
        )
        return (
            '<?xml version="1.0" encoding="utf-8" ?><rdf:RDF '
            'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
            'xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">\n'
            f'<channel rdf:about="{base}"><title>{web}</title><link>{base}</link></channel>\n'
            f"{items}\n</rdf:RDF>".encode("utf-8", errors="replace").decode()
        )

    def _list(self, web: str) -> str:
        links = "".join(
            f'<li> <a class="foswikiLink" href="/bin/view/{web}/{quote(name)}">{name}</a></li>\n'
            for name in sorted(self.webs[web])
        )
        new = (
            f'<a class="foswikiNewLink" href="/bin/edit/{web}/NotThere?topicparent=x">NotThere</a>'
        )
        return page_of("WebTopicList", f"<ul>{links}</ul>{new}<a href='/bin/view/Main'>Main</a>")

    def _file(self, request: Request) -> Answer:
        web, topic, name = request.path.removeprefix("/pub/").rsplit("/", 2)
        found = self.webs.get(web, {}).get(topic)
        if found is None or name not in found.files:
            return NOT_FOUND
        kind = "application/pdf" if name.endswith(".pdf") else "application/octet-stream"
        tag = f'"{len(found.files[name]):x}-{int(found.date.timestamp()):x}"'
        return Answer(found.files[name], type=kind, etag=tag, modified=found.date)


def settings_in(text: str) -> dict[str, str]:
    """Settings of a topic; those in `%META` go before those in the text."""
    return dict(_SETTING.findall(text)) | dict(_PREFERENCE.findall(text))


def listed(value: str, names: Collection[str]) -> bool:
    """True when one of the names, or everybody, is in a list of users and groups."""
    entries = {part.rpartition(".")[2] for part in re.split(r"[,\s]+", value) if part}
    return "*" in entries or not entries.isdisjoint(names)


def page_of(title: str, body: str) -> str:
    """A page in the wikis' usual skin."""
    return (
        f"<!DOCTYPE html><html><head><title>{title} &lt; Main &lt; TWiki</title></head><body>"
        '<div id="patternLeftBar"><a href="/bin/view/System/WebHome">System</a></div>'
        f'<div class="patternTopic">{body}</div></body></html>'
    )


def rendered(topic: str, found: Topic) -> str:
    """The page of a topic: its words, not its markup."""
    body = re.sub(r"^%META:.*\n?", "", found.text, flags=re.MULTILINE)
    lines = "".join(f"<p>{html.escape(line)}</p>\n" for line in body.splitlines())
    when = format_datetime(found.date)[5:16]
    line = f'<div class="patternInfo">r{found.revision} - {when} - {found.author}</div>'
    return page_of(topic, f"<h1>{topic}</h1>{lines}").replace("</body>", f"{line}</body>")

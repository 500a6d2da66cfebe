"""A web site as MkDocs builds one: pages in folders, sitemap.xml, search_index.json, robots.txt.

Also anything else that stands below a path: files of any type, redirects, pages without an ETag.
"""

import gzip
import hashlib
import json
import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

from tests.servers import NOT_FOUND, Answer, Request, Server

SAMPLE = Path(__file__).parents[2] / "sample" / "mkdocs" / "docs"


@dataclass
class Leaf:
    """What stands at one path."""

    content: str | bytes
    lastmod: str = ""
    type: str = "text/html; charset=utf-8"
    etag: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    redirect: str = ""
    listed: bool = True
    """In the sitemap and in the search index."""


class SiteServer(Server):
    """`leaves` by path (with the query where it matters); change them between runs."""

    def __init__(self, *, sitemap: bool = True, index: bool = False, robots: str = "") -> None:
        super().__init__()
        self.leaves: dict[str, Leaf] = {}
        self.sitemap, self.index, self.robots = sitemap, index, robots
        self.files: dict[str, Answer] = {}
        """Other answers by path, such as sitemaps of one's own."""

    def put(self, path: str, content: str | bytes = "", **leaf: object) -> None:
        """Set or replace what stands at a path."""
        self.leaves[path] = Leaf(content, **leaf)  # type: ignore[arg-type]  # as Leaf declares them

    def page(self, path: str, text: str, *links: str, head: str = "", **leaf: object) -> None:
        """Set a page with a text and links."""
        nav = "".join(f'<li><a href="{escape(link)}">{escape(link)}</a></li>' for link in links)
        title = re.sub(r"<.*?>", "", text)[:40]
        self.put(
            path,
            f"<!doctype html><html><head><title>{title}</title>{head}</head>"
            f"<body><nav><ul>{nav}</ul></nav><main>{text}</main></body></html>",
            **leaf,
        )

    def put_sample(self, lastmod: str = "2026-01-05") -> None:
        """The pages of the sample's documentation, each with links to all."""
        files = sorted(SAMPLE.rglob("*.md"))
        paths = [_place(file.relative_to(SAMPLE)) for file in files]
        for file, path in zip(files, paths, strict=True):
            text = MarkdownIt("commonmark").enable("table").render(file.read_text())
            self.page(path, text, *paths, lastmod=lastmod)

    def answer(self, request: Request) -> Answer:
        """A leaf, or one of the files that MkDocs writes beside them."""
        leaf = self.leaves.get(request.target) or self.leaves.get(request.path)
        if leaf is not None:
            if leaf.redirect:
                return Answer("", 301, headers={"Location": leaf.redirect})
            raw = leaf.content.encode() if isinstance(leaf.content, str) else leaf.content
            tag = f'"{hashlib.sha256(raw).hexdigest()[:16]}"' if leaf.etag else ""
            return Answer(raw, 200, leaf.type, leaf.headers, tag)
        if f"{request.path}/" in self.leaves:
            return Answer("", 301, headers={"Location": f"{request.path}/"})
        if request.path in self.files:
            return self.files[request.path]
        if request.path == "/robots.txt" and self.robots:
            return Answer(self.robots, type="text/plain")
        if request.path == "/sitemap.xml" and self.sitemap:
            return Answer(self.sitemap_of(self._listed()), type="application/xml")
        if request.path == "/search/search_index.json" and self.index:
            return Answer(self._search_index(), type="application/json")
        return NOT_FOUND

    def sitemap_of(self, paths: list[str]) -> str:
        """A sitemap of these pages."""
        entries = []
        for path in paths:
            date = self.leaves[path].lastmod if path in self.leaves else ""
            told = f"<lastmod>{date}</lastmod>" if date else ""
            entries.append(f"<url>\n  <loc>{escape(self.url + path)}</loc>\n  {told}</url>")
        space = "http://www.sitemaps.org/schemas/sitemap/0.9"
        head = '<?xml version="1.0" encoding="UTF-8"?>'
        return f'{head}\n<urlset xmlns="{space}">{"".join(entries)}</urlset>'

    def sitemap_index(self, *places: str) -> str:
        """A sitemap that names others."""
        space = "http://www.sitemaps.org/schemas/sitemap/0.9"
        named = "".join(f"<sitemap><loc>{escape(place)}</loc></sitemap>" for place in places)
        return f'<sitemapindex xmlns="{space}">{named}</sitemapindex>'

    def packed(self, paths: list[str]) -> bytes:
        """The sitemap of these pages as a gzip file."""
        return gzip.compress(self.sitemap_of(paths).encode(), mtime=0)

    def _listed(self) -> list[str]:
        return [path for path, leaf in self.leaves.items() if leaf.listed and not leaf.redirect]

    def _search_index(self) -> str:
        docs = []
        for path in self._listed():
            place = path.removeprefix("/")
            docs.append({"location": place, "title": place, "text": "..."})
            docs.append({"location": f"{place}#part", "title": "Part", "text": "..."})
        return json.dumps({"config": {"lang": ["en"], "separator": "[\\s\\-]+"}, "docs": docs})


def _place(file: Path) -> str:
    folder = file.parent if file.stem == "index" else file.with_suffix("")
    return f"/{folder.as_posix()}/" if folder != Path() else "/"

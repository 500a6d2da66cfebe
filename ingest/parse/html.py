"""HTML pages: the text that people came for, without the skin around it."""

import re
from datetime import datetime
from urllib.parse import urljoin

from bs4 import BeautifulSoup
from bs4.element import Tag

from ingest.errors import ParseError
from ingest.model import CURRENT, Document, Page, Standing
from ingest.parse.builder import DocumentBuilder
from ingest.parse.clean import decode, fold, moment, safe_url
from ingest.parse.htmlwalk import Walker, classes_of, flat_text, is_hidden, is_noise, soup_of
from ingest.parse.standing import merged, standing_of

# Best first: what wiki skins and documentation themes wrap around the text itself.
_MAIN = (
    "patternTopic",
    "foswikiTopic",
    "twikiTopic",
    "patternMainContents",
    "md-content__inner",
    "md-content",
    "rst-content",
    "markdown-body",
    "mw-parser-output",
)
# What documentation themes show above the text of an old version.
_BANNERS = (
    "md-banner",
    "theme-doc-version-banner",
    "bd-header-version-warning",
    "version-warning",
    "versionwarning",
    "doc-version-warning",
)
_REVISION_LINES = ("patternRevInfo", "foswikiTopicInfo", "patternInfo", "twikiTopicInfo")
_REVISION = re.compile(
    r"r\d+\b.{0,40}?(\d{1,2} \w{3} \d{4}|\d{4}-\d{2}-\d{2})(?: - (\d{1,2}:\d{2}))?(?::\d{2})?"
    r"[\s,-]*(.{0,80})"
)
_SEPARATORS = re.compile(r"\s+[<|»·•—–]\s+|\s+::\s+")
_LOGIN_TITLE = re.compile(r"\b(log ?in|sign ?in|single sign-on|authentication)\b", re.IGNORECASE)


def parse(page: Page) -> list[Document]:
    """The one document of an HTML page."""
    soup = soup_of(decode(page, _declared_charset(page.content)))
    _refuse_login(page, soup)
    main = _main_content(soup)
    builder = DocumentBuilder(page, title=_title(soup, main))
    builder.standing = merged(builder.standing, _banner(page, soup))
    builder.author, builder.updated_at = _revision(soup)
    if builder.updated_at is None:
        builder.updated_at = _meta_date(soup)
    Walker(builder).walk(main)
    return [builder.build()]


def _declared_charset(content: bytes) -> str:
    found = re.search(
        rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", content[:4096], re.IGNORECASE
    )
    return found.group(1).decode("ascii") if found else ""


def _main_content(soup: BeautifulSoup) -> Tag:
    found: dict[str, Tag] = {}
    for tag in soup.find_all(True):
        names = [name for name in classes_of(tag) if name in _MAIN]
        if tag.get("role") == "main":
            names.append("role=main")
        if tag.name in ("main", "article", "body"):
            names.append(tag.name)
        for name in names:
            found.setdefault(name, tag)
    for name in (*_MAIN, "role=main", "main", "article", "body"):
        if name in found and (name == "body" or flat_text(found[name])):
            return found[name]
    return soup


def _title(soup: BeautifulSoup, main: Tag) -> str:
    top = next((tag for tag in main.find_all("h1", limit=3) if not is_noise(tag)), None)
    heading = fold(flat_text(top)).rstrip("¶").strip() if top else ""
    title = fold(soup.title.get_text()) if soup.title else ""
    first = _SEPARATORS.split(title)[0].strip()
    if " - " in first:
        parts = first.split(" - ")
        # "Page - Site": the site goes, unless the page's own heading says that the dash is its own.
        first = heading if heading and heading in title else " - ".join(parts[:-1]).strip()
    if heading and (not first or re.fullmatch(r"[A-Z][a-z]+\w*", first)):
        return heading
    return first or heading


def _revision(soup: BeautifulSoup) -> tuple[str, datetime | None]:
    for tag in soup.find_all(True, class_=list(_REVISION_LINES)):
        text = fold(tag.get_text(" "))
        if found := _REVISION.search(text):
            stamp = found.group(1) + (f" - {found.group(2)}" if found.group(2) else "")
            author = re.sub(r"^(?:TWiki|Main)\.", "", found.group(3).strip(" -,"))
            return re.split(r"\s[-|<]\s|\s{2,}", author)[0].strip(), moment(stamp)
    return "", None


def _meta_date(soup: BeautifulSoup) -> datetime | None:
    for name in ("article:modified_time", "last-modified", "dcterms.modified", "git-revision-date"):
        tag = soup.find("meta", attrs={"property": name}) or soup.find("meta", attrs={"name": name})
        if isinstance(tag, Tag) and (found := moment(str(tag.get("content", "")))):
            return found
    return None


def _banner(page: Page, soup: BeautifulSoup) -> Standing:
    """What a banner beside the text says of this version."""
    for tag in soup.find_all(True, class_=list(_BANNERS), limit=10):
        # Themes ship the banner with every page and show it on old ones only.
        if is_hidden(tag) or any(is_hidden(above) for above in tag.parents):
            continue
        links = {
            fold(flat_text(link)): safe_url(urljoin(page.url, str(link["href"])))
            for link in tag.find_all("a", href=True, limit=10)
        }
        found = standing_of(fold(flat_text(tag)), {text: to for text, to in links.items() if to})
        if found != CURRENT:
            return found
    return CURRENT


def _refuse_login(page: Page, soup: BeautifulSoup) -> None:
    """Sign-in systems answer 200 with a form, so the status of the request proves nothing."""
    password = soup.find("input", type="password")
    handover = soup.find("input", attrs={"name": ["SAMLRequest", "SAMLResponse"]})
    if password is None and handover is None:
        return
    title = fold(soup.title.get_text()) if soup.title else ""
    form = (password or handover or soup).find_parent("form")
    if form is None and not _LOGIN_TITLE.search(title):
        return
    inside = len(flat_text(form)) if form else 0
    outside = len(flat_text(_main_content(soup))) - inside
    # A page about passwords may show such a field; one that says much besides is a page.
    limit = 3000 if handover is not None or _LOGIN_TITLE.search(title) else 600
    if outside < limit:
        msg = f"{page.id} is a login form, not the page. Renew the credentials of this source."
        raise ParseError(msg)

"""What a page says of its own validity: "This page is obsolete", "moved to X", a word in its title.

Only a notice counts: a whole phrase whose subject is the page, near the top. A page about obsolete
hardware is not obsolete, nor is one that may be out of date, or is so in parts.

    >>> standing_of("This page has moved to the new manual.", {"the new manual": "docs:manual.md"})
    Standing(archived=False, superseded_by='docs:manual.md', supersedes='')
    >>> standing_of("Obsolete modules are stored in building 4.")
    Standing(archived=False, superseded_by='', supersedes='')
"""

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote, urljoin

from ingest.model import CURRENT, Block, BlockKind, Document, Page, Standing
from ingest.parse.clean import fold, safe_url

FORMATS = frozenset({"docx", "html", "markdown", "notebook", "pdf", "pptx", "rst", "text", "twiki"})
"""Pages that speak for themselves. In a ticket or a mail "this page" is another one."""

_ZONE = 1000
"""A notice begins in the first so many characters of a document."""
_LINKS_WITHIN = 32_000
_MOST_LINKS = 300

_I = re.IGNORECASE
_HINT = re.compile(
    r"obsolete|deprecated|archived|supersede|outdated|out[- ]of[- ]date|retired|no longer|anymore"
    r"|moved|migrated|relocated|replace|historical"
    r"|(?:old|older|previous|unmaintained)\s+(?:vers|rel)|switched off|shut down|turned off"
    r"|decommissioned|discontinued",
    _I,
)
_LEAD = (
    r"(?:(?:please\s+)?(?:note|be\s+aware|beware)(?:\s+that)?\b[\s:,!-]*"
    r"|(?:warning|attention|caution|danger|important|notice|info|disclaimer|nb|obsolete|deprecated"
    r"|archived|outdated)\b[\s:,.!-]*)*"
)
_BEGIN = rf"(?:^|(?<=[.!?:;])\s+|(?<=[\n(|])\s*|\s[–—-]+\s+){_LEAD}"
_THING = (
    r"(?:pages?|topics?|documents?|documentation|docs|articles?|wiki|web|site|guide|manual|tutorial"
    r"|how-?to|faq|handbook|notes?|report|paper|contents?|information|instructions?|procedures?"
    r"|recommendations?|recipes?|tutorials?|lesson|notebook)"
)
_THIS = (
    r"(?:th(?:is|ese)\s+(?:(?:wiki|twiki|web|old|entire|whole|documentation|help|manual)\s+){0,2}"
    rf"{_THING}"
    r"|(?:all\s+|the\s+)*(?:contents?|information|documentation|material|instructions)"
    r"\s+(?:of|on|in|from)\s+this\s+(?:page|topic|document|wiki|site)"
    r"|this\s+version\s+of\s+th(?:e|is)\s+(?:page|document|documentation|manual|guide))"
)
_BARE = r"(?:this\s+)?(?:page|topic|document|article)|(?:the\s+|our\s+)?documentation"
_ADVERBS = (
    r"(?:(?:now|currently|completely|entirely|totally|fully|very|quite|badly|hopelessly|officially"
    r"|already|also|since|long)\s+)*"
)
_BEEN = rf"(?:is|are|was|were|ha(?:s|ve)\s+(?:now\s+)?(?:been|become)|became)\s+{_ADVERBS}"
_NO_LONGER = (
    r"no\s+longer\s+(?:being\s+)?(?:maintained|updated|valid|current|up[- ]to[- ]date|relevant"
    r"|accurate|correct|kept\s+up[- ]to[- ]date)"
    r"|not\s+(?:being\s+)?(?:maintained|updated|valid)\s+any\s?more"
    r"|(?:only\s+)?(?:kept|preserved|provided)\s+(?:here\s+)?(?:only\s+)?for\s+"
    r"(?:historical\b|reference\s+only)"
    r"|(?:only\s+)?of\s+historical\s+interest"
)
_STATE = (
    r"obsolete|outdated|out[- ]of[- ]date|deprecated|retired"
    rf"|archived(?!\s+(?:at|in|with|under|on\s+(?!\d)))|{_NO_LONGER}"
)
# What is so for some or in parts holds for the rest.
_WHOLLY = r"\b(?!\s*\?)(?!\s+(?:for\b|in\s+(?:parts?|some|places)|when\b|if\b|unless\b))"
_PAGE = rf"(?:{_BEGIN}{_THIS}|\A{_LEAD}(?:{_BARE}))"
_OBSOLETE = re.compile(rf"{_PAGE}\s+{_BEEN}(?:{_STATE}){_WHOLLY}", _I)
_GONE = r"(?:moved|migrated|relocated|transferred|replaced|superseded|obsoleted)"
_MOVED = re.compile(
    rf"{_PAGE}\s+(?:(?:{_BEEN}|ha(?:s|ve)\s+(?:now\s+)?)(?:permanently\s+)?)?{_GONE}"
    r"\b(?=\s+(?:to|by|with|here|permanently|into)\b|\s*[.:!(]|\s*\Z)",
    _I,
)
_OLD = (
    r"(?:old|older|outdated|out[- ]of[- ]date|archived|obsolete|unmaintained|unsupported|previous)"
)
_BANNER = re.compile(
    rf"{_BEGIN}(?:you(?:['’]re|\s+are)\s+(?:currently\s+|now\s+)?"
    r"(?:viewing|reading|looking\s+at|browsing)\s+"
    rf"(?:the\s+|a\s+)?(?:documentation\s+(?:for|of)\s+)?(?:an?\s+|the\s+)?{_OLD}\s+"
    r"(?:version|release|copy|page|documentation)\b"
    rf"|{_THIS}\s+(?:is|was)\s+(?:written\s+)?for\s+an?\s+{_OLD}\s+(?:version|release)\b"
    rf"|{_THIS}\s+documents\s+an\s+{_OLD}\s+(?:version|release)\b"
    rf"|this\s+is\s+(?:an?|the)\s+{_OLD}\s+(?:(?:version|copy)\s+of\s+th(?:e|is)\s+{_THING}"
    r"|page|documentation)\b"
    rf"|this\s+is\s+(?:the\s+)?documentation\s+(?:for|of)\s+an?\s+{_OLD}\s+(?:version|release)\b)",
    _I,
)
_EXPLICIT = (_OBSOLETE, _BANNER)
_ALONE = re.compile(
    rf"{_LEAD}(?:obsolete|archived|superseded|outdated)(?:\s+page|\s+topic)?\W*", _I
)
_CAPITALS = re.compile(
    r"\W*(?:OBSOLETE|DEPRECATED|ARCHIVED|SUPERSEDED|OUTDATED|OUT OF DATE)\b"
    r"(?=\W*$|\s*[.:;!,)\]–—-]|\s+(?i:by|since|as\s+of|from|page|topic|document|see|use)\b"
    r"|\s+for\s+[^.!?\n]{1,40}?\s+by\b)"
)
_UNSUPPORTED = re.compile(rf"{_BEGIN}no\s+longer\s+supported\s+(?:since|as\s+of|after|from)\b", _I)
_OFF = (
    r"\s+(?:is|was|were|has\s+been|have\s+been)\s+(?:switched\s+off|shut\s+down|turned\s+off"
    r"|decommissioned|discontinued)\b"
)
_POINTS = re.compile(rf"{_LEAD}\W*{_GONE}\s+(?:to|by)\b\s*:?", _I)
_TITLE = re.compile(
    r"\W*(?:obsolete|deprecated|archived|superseded|outdated)\s*[\]):–—-]\s*\S"
    r"|.*[\[(]\s*(?:obsolete|deprecated|archived|superseded|outdated)\s*[\])]\W*$",
    _I,
)
_SHORTCODE = re.compile(
    r"^\s*\{\{[<%]\s*(?:obsolete|deprecated|archived|outdated)\b[^}\n]{0,200}[>%]\}\}", _I | re.M
)
_SUPERSEDES = re.compile(rf"{_BEGIN}{_THIS}\s+(?:supersedes|replaces|obsoletes)\b", _I)
_ALERT = re.compile(
    r"\W*(?:warning|attention|caution|important|notice|note|obsolete|archived)\b", _I
)

_CUE = re.compile(
    r"\b(?:by|to|with|moved|migrated|relocated|see|use|visit|consult|refer|at|favou?r\s+of|read|go"
    r"|found\s+(?:at|in|on)|now\s+(?:in|on)|latest|newest|current|new"
    r"|present\s+(?:page|guide|version|one))\b[^.!?]{0,60}$",
    _I,
)
_CUE_AFTER = re.compile(r"\W{0,3}(?:instead|(?:to|for)\b.{0,30}\b(?:latest|new|current))", _I)
_CUE_INSIDE = re.compile(r"\b(?:latest|newest|current|stable|new|up[- ]to[- ]date)\b", _I)
_URL = re.compile(r"https?://[^\s<>\"')\]]{1,500}[^\s<>\"')\].,;:!?]", _I)
_WIKIWORD = re.compile(r"\b(?:[A-Z]\w{0,60}[./])?[A-Z]{1,20}[a-z0-9]{1,60}[A-Z]\w{0,100}")

_LINK = re.compile(
    r"\[\[(?P<topic>[^\[\]\n]{1,500})\](?:\[(?P<named>[^\[\]\n]{1,300})\])?\]"
    r"|\[(?P<text>[^\[\]\n]{1,300})\]"
    r"(?:\(\s*<?(?P<to>[^)\s>]{1,500})|\[(?P<ref>[^\[\]\n]{0,200})\])"
    r"|<a\b[^<>]{0,500}?\bhref\s*=\s*[\"']?(?P<href>[^\"'<>\s]{1,500})[^<>]{0,500}>"
    r"(?P<shown>.{0,500}?)</a>"
    r"|`(?P<rst>[^`<>\n]{1,300}?)\s*<(?P<uri>[^`<>\s]{1,500})>`__?",
    _I | re.S,
)
_DEFINED = re.compile(r"^ {0,3}\[([^\[\]\n]{1,200})\]:\s*<?(\S{1,500}?)>?(?:\s|$)", re.M)
_TOPIC_MOVED = re.compile(r"^%META:TOPICMOVED\{(.{1,1000})\}%\s*$", re.M)
_ATTIC = frozenset({"attic", "archived", "obsolete", "deprecated"})
_VERSION = re.compile(r"v?\d+(?:\.(?:\d+|x)){0,3}", _I)


def settled(page: Page, document: Document) -> Document:
    """The document with what the page says of itself beside what its source said."""
    if document.format not in FORMATS:
        return document
    said = merged(document.standing, _of_topic(page), _notice(page, document), _of_path(page))
    return document if said == document.standing else replace(document, standing=said)


def merged(*said: Standing) -> Standing:
    """All that was said; of two addresses the first."""
    return Standing(
        any(one.archived for one in said),
        next((one.superseded_by for one in said if one.superseded_by), ""),
        next((one.supersedes for one in said if one.supersedes), ""),
    )


def standing_of(text: str, links: Mapping[str, str] | None = None, title: str = "") -> Standing:
    """What the top of a page says, paragraphs apart by blank lines.

    A page about a thing of its `title` is archived when it says that the thing was switched off.
    `links` names the words of each link and the address it leads to. A page that was replaced by
    something that is neither a link nor an address is archived.
    """
    paragraphs = re.split(r"\n\s*\n", text.strip()[: 2 * _ZONE])
    return _of_paragraphs(paragraphs, len(paragraphs), links or {}, title)


def _of_paragraphs(
    paragraphs: Sequence[str], opening: int, links: Mapping[str, str], title: str
) -> Standing:
    """Of paragraphs near the top; the first `opening` of them stand above any section."""
    said = CURRENT
    for at, paragraph in enumerate(paragraphs):
        # The body of a call-out stands in a paragraph of its own.
        below = paragraphs[at + 1] if len(paragraph) < 60 and at + 1 < len(paragraphs) else ""
        said = merged(said, _of_paragraph(paragraph, below, links, opening=at < opening))
        if at < opening and _is_off(paragraph, title):
            said = merged(said, Standing(True, _successor(f"{paragraph}\n{below}", links)))
    return said


def _is_off(paragraph: str, title: str) -> bool:
    """True when it begins by saying that the very thing of the title, or its support, has ended."""
    if _UNSUPPORTED.search(paragraph):
        return True
    name = r"\s+".join(re.escape(word) for word in title.split())
    return bool(name) and bool(re.match(rf"{_LEAD}\W*(?:the\s+)?{name}{_OFF}", paragraph, _I))


def _of_paragraph(
    paragraph: str, below: str, links: Mapping[str, str], *, opening: bool
) -> Standing:
    if not _HINT.search(paragraph):
        return CURRENT
    for pattern in _EXPLICIT:
        if found := pattern.search(paragraph):
            return Standing(True, _successor(f"{paragraph[found.start() :]}\n{below}", links))
    if found := _MOVED.search(paragraph):
        after = _successor(f"{paragraph[found.start() :]}\n{below}", links)
        return Standing(not after, after)
    if found := _SUPERSEDES.search(paragraph):
        return Standing(supersedes=_at(paragraph, found.end(), links))
    if not opening:
        return CURRENT
    if (found := _POINTS.match(paragraph)) and (after := _at(paragraph, found.end(), links)):
        return Standing(superseded_by=after)
    if _ALONE.fullmatch(paragraph) or _CAPITALS.match(paragraph):
        after = _successor(f"{paragraph}\n{below}", links)
        return Standing(not after, after) if "SUPERSEDED" in paragraph else Standing(True, after)
    return CURRENT


def _successor(told: str, links: Mapping[str, str]) -> str:
    """The address that a notice sends its reader to: the first link or URL that is led up to."""
    end = 0
    for start, stop, address in _places(told, links):
        before, after = told[end:start], told[stop:]
        led = _CUE.search(before) or _CUE_AFTER.match(after) or _CUE_INSIDE.search(told[start:stop])
        if led and start >= end:
            return address
        end = max(end, stop)
    return ""


def _at(told: str, position: int, links: Mapping[str, str]) -> str:
    """The address of the link or URL that stands right here."""
    after = told[position:].lstrip()
    latest = len(told) - len(after) + (4 if after[:4].lower() == "the " else 0)
    return next((to for start, _, to in _places(told, links) if position <= start <= latest), "")


def _places(told: str, links: Mapping[str, str]) -> list[tuple[int, int, str]]:
    """Start, end and address of links and URLs in reading order, longer ones first."""
    found = [(url.start(), url.end(), safe_url(url.group())) for url in _URL.finditer(told)]
    for words, address in links.items():
        whole = rf"(?<![^\W_]){re.escape(words)}(?![^\W_])"
        found += [(at.start(), at.end(), address) for at in re.finditer(whole, told)]
    return sorted((place for place in found if place[2]), key=lambda place: (place[0], -place[1]))


# --- pages ---------------------------------------------------------------------------------------


def _notice(page: Page, document: Document) -> Standing:
    title = Standing(archived=bool(_TITLE.match(document.title)))
    if page.format == "markdown" and b"{{" in page.content[:4000]:
        top = page.content[:2000].decode("utf-8", errors="replace")
        title = Standing(archived=title.archived or bool(_SHORTCODE.search(top)))
    top = document.text[: 2 * _ZONE]
    if not _HINT.search(top):
        return title
    paragraphs, opening = _top(document)
    if not any(_HINT.search(paragraph) for paragraph in paragraphs):
        return title
    said = _of_paragraphs(paragraphs, opening, _links(page, top), document.title)
    return merged(title, said)


def _top(document: Document) -> tuple[list[str], int]:
    """The paragraphs near the top, and how many of them stand above any section."""
    paragraphs: list[str] = []
    opening = None
    for at, block in enumerate(document.blocks):
        if block.start > _ZONE:
            break
        text = document.text[block.start : block.end]
        if block.kind is BlockKind.HEADING:
            if at > 0 and opening is None and not _ALERT.match(text):
                opening = len(paragraphs)
        elif _may_hold(block, text):
            paragraphs.append(text[:_ZONE])
    return paragraphs, len(paragraphs) if opening is None else opening


def _may_hold(block: Block, text: str) -> bool:
    # Wikis draw a box by a table of one cell.
    boxed = block.kind is BlockKind.TABLE and "\n" not in text and " | " not in text
    return block.kind is BlockKind.PROSE or boxed


def _links(page: Page, shown: str) -> dict[str, str]:
    """Words of the first links of a page, and where they lead."""
    raw = page.content[:_LINKS_WITHIN].decode("utf-8", errors="replace")
    defined = {name.lower(): to for name, to in _DEFINED.findall(raw)}
    links: dict[str, str] = {}
    for found, _ in zip(_LINK.finditer(raw), range(_MOST_LINKS), strict=False):
        ref = found["ref"] or found["text"] or ""
        target = found["topic"] or found["to"] or found["href"] or found["uri"]
        target = target or defined.get(ref.lower(), "")
        words = found["named"] or found["topic"] or found["text"] or found["rst"] or found["shown"]
        label = fold(re.sub(r"<[^<>]{0,300}>|[`*_]{1,3}(?=\S)|(?<=\S)[`*_]{1,3}", "", words or ""))
        if label and (address := _address(page, target)):
            links.setdefault(label, address)
    if page.format == "twiki":
        for word in _WIKIWORD.findall(shown)[:_MOST_LINKS]:
            if address := _address(page, word):
                links.setdefault(word, address)
    return links


def _address(page: Page, target: str) -> str:
    """Where a link of a page leads: a url, or the id that a page of the same source would have."""
    target = target.strip()
    if not target or target.startswith("#") or "\x00" in target:
        return ""
    if re.match(r"[a-z][a-z0-9+.-]*:", target, _I):
        found = safe_url(target)
    elif page.format == "html" and page.url:
        found = safe_url(urljoin(page.url, target))
    else:
        found = _sibling(page, target)
    return "" if found.partition("#")[0] in ("", page.id, page.url) else found


def _sibling(page: Page, target: str) -> str:
    source, _, path = page.id.partition(":")
    target = unquote(re.split(r"[#?]", target, maxsplit=1)[0])
    if page.format == "twiki":
        if not re.fullmatch(r"(?:\w+[./])*\w+", target):
            return ""
        stem, dot, ending = posixpath.basename(path).rpartition(".")
        web = "" if re.search(r"[./]", target) else posixpath.dirname(path)
        topic = target.replace(".", "/") + (f".{ending}" if dot and stem else "")
        return f"{source}:{posixpath.join(web, topic)}"
    joined = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), target))
    kept = joined if path.startswith("/") else joined.lstrip("/")
    return f"{source}:{kept}" if kept.strip("/") else ""


def _of_topic(page: Page) -> Standing:
    """A topic that was renamed takes the place of the one it was."""
    if page.format != "twiki" or b"%META:TOPICMOVED{" not in page.content:
        return CURRENT
    text = page.content.decode("utf-8", errors="replace")
    found = _TOPIC_MOVED.search(text)
    before = re.search(r'\bfrom="([\w./]{1,300})"', found[1]) if found else None
    return Standing(supersedes=_address(page, before[1])) if before else CURRENT


def _of_path(page: Page) -> Standing:
    """An old version's place: `attic/…`, or `archive/` with a version below it."""
    folders = page.id.partition(":")[2].lower().split("/")[:-1]
    if not _ATTIC.isdisjoint(folders):
        return Standing(archived=True)
    below = folders[folders.index("archive") + 1 :] if "archive" in folders else []
    return Standing(archived=any(_VERSION.fullmatch(folder) for folder in below))

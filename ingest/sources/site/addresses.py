"""Addresses of a web site: which are its own, which are the same, and which lead round in circles.

Pure functions over text; nothing is asked here. A page is known by its path and query, such as
`/guide/x/?lang=en`, normalised so that one page has one path.
"""

import re
from collections import Counter
from urllib.parse import quote, unquote, urljoin, urlsplit

_PORTS = {"http": 80, "https": 443}
# What says where a reader came from, or who the reader is, and nothing about the page.
_TRACKER = re.compile(
    r"utm_.*|fbclid|gclid|msclkid|mc_[ce]id|_ga|_gl|yclid|igshid|ref_src"
    r"|phpsessid|jsessionid|sid|session_?id|replytocom",
    re.IGNORECASE,
)
_SESSION = re.compile(r";jsessionid=[^/?#]*", re.IGNORECASE)
_KEPT = "/:@!$&'()*+,;=~-._%?"
_NO_PAGE = re.compile(
    r".*\.(png|jpe?g|gif|svg|webp|avif|ico|bmp|tiff?|eps|css|js|mjs|map|woff2?|ttf|otf|eot|zip|gz|tgz"
    r"|bz2|xz|zst|7z|rar|tar|jar|whl|rpm|deb|exe|dmg|iso|root|hdf5?|h5|npy|npz|mp[34]|m4[av]|mov|avi"
    r"|webm|ogg|wav|json|xml|rss|atom|ics|csv|xlsx?|bib|sty|asc|sig|sha256)",
    re.IGNORECASE,
)
_LONGEST = 500
_DEEPEST = 16
_REPEATED = 3
_QUERIES = 30


class Scope:
    """What lies below one address: its scheme, host, port and path prefix, and nothing else."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._scheme, self._host = parts.scheme, parts.hostname or ""
        self._port = parts.port or _PORTS.get(parts.scheme, 0)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.start = _normal_path(parts.path or "/") or "/"
        self._below = self.start.rstrip("/") + "/"

    def address(self, path: str) -> str:
        """Where a page of this site is asked for."""
        return self.origin + path

    def path_of(self, link: str, base: str = "") -> str | None:
        """The path of a link on the page at `base`; None for what is not below this address."""
        path = self._on_this_host(link, base)
        bare = (path or "").partition("?")[0]
        return path if bare == self.start or bare.startswith(self._below) else None

    def address_of(self, link: str, base: str = "") -> str | None:
        """The address of a link to this host, also outside of the prefix; None for another host."""
        path = self._on_this_host(link, base)
        return None if path is None else self.origin + path

    def _on_this_host(self, link: str, base: str) -> str | None:
        """Path and query of a link to this scheme, host and port.

        A link that names `http` where the site is `https` on the usual ports is the site's own:
        sitemaps are full of them, and it is asked over the site's own scheme all the same.
        """
        link = re.sub(r"[\t\r\n]", "", link).strip(" ")
        if not link or re.search(r"[\x00-\x1f\\<>\"]", link):
            return None
        try:
            parts = urlsplit(urljoin(base or self.address(self.start), link))
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            return None
        if parts.username is not None or (parts.hostname or "") != self._host:
            return None
        same = (parts.scheme, port) == (self._scheme, self._port)
        usual = parts.scheme in _PORTS and port == _PORTS[parts.scheme]
        if not same and not (usual and self._port == _PORTS.get(self._scheme)):
            return None
        path = _normal_path(parts.path or "/")
        query = _normal_query(parts.query)
        return f"{path}?{query}" if path and query else path


def _normal_path(path: str) -> str | None:
    """One spelling of a path; None for one that climbs, however it writes that."""
    path = _normal(_SESSION.sub("", path))
    steps = [unquote(step) for step in path.split("/")]
    return None if any(step in (".", "..") or "\\" in step for step in steps) else path


def _normal_query(query: str) -> str:
    fields = [field for field in _normal(query).split("&") if field]
    return "&".join(sorted(f for f in fields if not _TRACKER.fullmatch(f.partition("=")[0])))


def _normal(text: str) -> str:
    """Text with as few escapes as may be, and those in capitals."""
    return re.sub(r"%([0-9A-F]{2})?", _unescaped, quote(text, safe=_KEPT), flags=re.IGNORECASE)


def _unescaped(found: re.Match[str]) -> str:
    if found[1] is None:
        return "%25"
    char = chr(int(found[1], 16))
    return char if re.fullmatch(r"[A-Za-z0-9._~-]", char) else f"%{found[1].upper()}"


def may_be_page(path: str) -> bool:
    """False for what by its name is a picture, a style, an archive or data."""
    return not _NO_PAGE.fullmatch(path.partition("?")[0])


class Traps:
    """Notices addresses that a server makes up without end: calendars, filters, nested copies."""

    def __init__(self, most: int) -> None:
        self._most_alike = max(most // 4, 50)
        self._alike: Counter[str] = Counter()
        self._queries: Counter[str] = Counter()

    def admits(self, path: str) -> bool:
        """True for an address that is worth following; counts it among those like it."""
        bare, _, query = path.partition("?")
        steps = [step for step in bare.split("/") if step]
        if len(path) > _LONGEST or len(steps) > _DEEPEST:
            return False
        if steps and max(Counter(steps).values()) > _REPEATED:
            return False
        shape = re.sub(r"\d+", "#", re.sub(r"=[^&]*", "=", path))
        if shape != path and self._alike[shape] >= self._most_alike:
            return False
        if query and self._queries[bare] >= _QUERIES:
            return False
        self._alike[shape] += 1
        self._queries[bare] += bool(query)
        return True

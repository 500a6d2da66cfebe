"""What every parser does to text, dates and links before any of it is kept.

Documents are written by strangers: control, zero-width and direction characters can hide text
from a reader or reorder it, and a link may be anything but a link.
"""

import codecs
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from ingest.errors import ParseError
from ingest.model import Page
from ingest.parse.disguise import plain_letters

# Line and paragraph separators that are not "\n"; turned into it before controls are dropped.
_BREAKS = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# C0/C1 controls but tab and newline, surrogates, and everything of no width: soft hyphen,
# fillers, joiners, direction marks, variation selectors, annotation marks, tags.
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u08e2\u115f\u1160"
    "\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff"
    "\u0890\u0891\U000110bd\U000110cd\U00013430-\U0001345f\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_SPACES = re.compile(r"\s+")
_MAGIC = {
    b"\x89PNG": "PNG image",
    b"\xff\xd8\xff": "JPEG image",
    b"GIF8": "GIF image",
    b"PK\x03\x04": "ZIP archive or office document",
    b"\x1f\x8b": "gzip archive",
    b"BZh": "bzip2 archive",
    b"\xfd7zXZ": "xz archive",
    b"\x28\xb5\x2f\xfd": "zstandard archive",
    b"7z\xbc\xaf": "7-Zip archive",
    b"\x7fELF": "ELF program",
    b"root\x00": "ROOT file",
    b"\x89HDF": "HDF5 file",
    b"SQLite format 3": "SQLite database",
    b"\xd0\xcf\x11\xe0": "old office document",
    b"RIFF": "media file",
    b"OggS": "media file",
    b"ID3": "media file",
    b"%!PS": "PostScript file",
}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Charsets that texts are written in. Others (punycode, utf-7, unicode_escape) are slow or traps.
_CHARSETS = re.compile(
    r"(utf-?8|us-?ascii|latin-?[0-9]+|iso-?8859-?[0-9]+|windows-?[0-9]+|cp[0-9]+|koi8-[ru]|gbk?"
    r"|gb2312|gb18030|big5|euc-?(jp|kr)|shift[_-]jis|iso-?2022-?jp|mac-?roman)\Z",
    re.IGNORECASE,
)


def clean(text: str) -> str:
    """Text without what hides or disguises: control, zero-width and direction characters go, and
    look-alikes of Latin letters become those. NFC-normalised.
    """
    text = _BREAKS.sub("\n", text)
    return plain_letters(unicodedata.normalize("NFC", _HIDDEN.sub("", text).replace("\xa0", " ")))


def fold(text: str) -> str:
    """Cleaned text on one line with single spaces."""
    return _SPACES.sub(" ", clean(text)).strip()


def binary_kind(content: bytes) -> str:
    """What kind of binary file this is, or an empty string for text (and for PDF)."""
    for magic, kind in _MAGIC.items():
        if content.startswith(magic):
            return kind
    if any(content.startswith(bom) for bom, _ in _BOMS):
        return ""
    return "contains NUL bytes" if b"\x00" in content[:65_536] else ""


def refuse_binary(name: str, content: bytes) -> None:
    """Raise ParseError when the content is not text."""
    if kind := binary_kind(content):
        msg = f"{name} is a binary file ({kind}). Exclude it from the source."
        raise ParseError(msg)


def decode(page: Page, declared: str = "") -> str:
    """The page's bytes as text: UTF-8, else the charset that the content declares, else cp1252.

    Raises:
        ParseError: for a binary file, or when most of it cannot be text.
    """
    return decode_bytes(page.id, page.content, declared)


def decode_bytes(name: str, content: bytes, declared: str = "") -> str:
    """As `decode`, for bytes that are a part of a page."""
    refuse_binary(name, content)
    for bom, charset in _BOMS:
        if content.startswith(bom):
            return _readable(name, content[len(bom) :].decode(charset, errors="replace"))
    for charset in ("utf-8", declared.strip()):
        if text := _strictly(content, charset):
            return _readable(name, text)
    text = content.decode("utf-8", errors="replace")
    # Mostly right UTF-8 with a few broken bytes stays UTF-8: cp1252 would spoil every other letter.
    bad = text.count("\ufffd")
    if bad * 2 > sum(1 for char in text if ord(char) > 127):
        text = content.decode("cp1252", errors="replace")
    return _readable(name, text)


def _strictly(content: bytes, charset: str) -> str:
    if not _CHARSETS.match(charset):
        return ""
    try:
        return content.decode(charset)
    except (UnicodeDecodeError, LookupError):
        return ""


def _readable(name: str, text: str) -> str:
    strange = len(re.findall("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\x80-\x84\x86-\x9f\ufffd]", text))
    if strange * 10 > len(text):
        msg = f"{name} is mostly undecodable: {strange} of {len(text)} characters are not text."
        raise ParseError(msg)
    return text


def safe_url(url: object) -> str:
    """The URL when it is plain http(s) with a host and no credentials, else an empty string."""
    if not isinstance(url, str) or len(url) > 2000 or re.search(r"[\s<>\"\x00-\x1f]", url.strip()):
        return ""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    plain = parts.scheme.lower() in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    return clean(url.strip()) if plain else ""


_DAY_FORMATS = (
    "%d %b %Y - %H:%M:%S",
    "%d %b %Y - %H:%M",
    "%d %b %Y",
    "%d %B %Y",
    "%Y-%m-%d - %H:%M",
    "%Y/%m/%d",
    "%B %d, %Y",
    "%b %d, %Y",
)


def moment(value: object) -> datetime | None:
    """A date as sources write it: ISO, RFC 2822, epoch, `12 Mar 2024 - 10:22`. UTC by default."""
    try:
        found = _moment(value)
        if found is None or not 1970 <= found.year <= 2200:
            return None
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        return None


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, str) or not (text := value.strip()) or len(text) > 100:
        return None
    if re.fullmatch(r"\d{9,11}", text):
        return datetime.fromtimestamp(int(text), UTC)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for pattern in _DAY_FORMATS:
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=UTC)
        except ValueError:
            continue
    return parsedate_to_datetime(text)


def day(value: object) -> str:
    """The date of `moment(value)` as `2024-03-12`, or an empty string."""
    found = moment(value)
    return found.date().isoformat() if found else ""


def text_of(record: Mapping[str, Any], *path: str) -> str:
    """The string or number at a path of nested JSON objects; empty when there is none."""
    value: Any = record
    for key in path:
        if not isinstance(value, Mapping):
            return ""
        value = value.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)

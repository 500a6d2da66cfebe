"""Undoing what a server packed, with an eye on how much comes out."""

import zlib

MAX_PACKED = 3
_GZIP = 16 + zlib.MAX_WBITS


class TooLarge(Exception):
    """More bytes than are allowed."""


class Damaged(Exception):
    """Not the bytes that the head of the answer promised; says how."""


def check_size(size: int, limit: int) -> None:
    """Raise TooLarge beyond the limit."""
    if size > limit:
        raise TooLarge


def unpacked(data: bytes, codings: str, limit: int) -> bytes:
    """Undo the Content-Encoding, giving up as soon as there is more than the limit."""
    names = [name.strip().lower() for name in codings.split(",") if name.strip()]
    if len(names) > MAX_PACKED:
        msg = f"it is packed {len(names)} times"
        raise Damaged(msg)
    for name in reversed(names):
        if name in ("gzip", "x-gzip"):
            data = _inflated(data, _GZIP, limit)
        elif name == "deflate":
            try:
                data = _inflated(data, zlib.MAX_WBITS, limit)
            except Damaged:  # some servers leave the wrapping out
                data = _inflated(data, -zlib.MAX_WBITS, limit)
        elif name != "identity":
            msg = f"it is packed as {name[:40]!r}, which was not asked for"
            raise Damaged(msg)
    return data


def _inflated(data: bytes, wbits: int, limit: int) -> bytes:
    out = bytearray()
    while data:
        unpacker = zlib.decompressobj(wbits)
        try:
            out += unpacker.decompress(data, limit - len(out) + 1)
        except zlib.error:
            msg = "it cannot be unpacked"
            raise Damaged(msg) from None
        check_size(len(out), limit)
        if not unpacker.eof:
            msg = "its packed content is cut off"
            raise Damaged(msg)
        rest = unpacker.unused_data
        data = rest if wbits == _GZIP and rest.startswith(b"\x1f\x8b") else b""
    return bytes(out)

"""Addresses from documents, made fit to stand in a text of ours."""

from urllib.parse import quote, urlsplit


def safe_url(url: str, keep: str = "") -> str:
    """The address when a browser may open it, without a sign that ends a link; else nothing.

    `keep` are signs that may stay where the link is written so that they do not end it.
    """
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError:  # half an IPv6 address, such as http://[
        return ""
    return quote(url, safe=f"!#$%&'*+,/:;=?@~-._{keep}") if scheme in ("http", "https") else ""

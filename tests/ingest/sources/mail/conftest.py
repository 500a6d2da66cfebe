"""Mails: files, archives, and what is told of them."""

from ingest.parse import parse
from ingest.source_settings import MailSettings
from ingest.sources.mail import MailSource
from tests.ingest.parse.pages import texts


def files(path, **more):
    settings = {"kind": "mail", "path": path, "access": ["staff"], **more}
    return MailSource("lists", MailSettings.model_validate(settings))


def subjects(page):
    """Title of a page's only document, and the texts of its messages."""
    (document,) = parse(page)
    return document.title, [text for text in texts(document) if not text.startswith("From ")]

"""Hostile files of each kind, read by the real parsers into a real index, as a page shows them.

The model repeats its whole prompt: what reaches it is what a page could make it say.
"""

import json
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from assistant.answer import Assistant
from assistant.retrieve import Retriever
from ingest.http import Hosts
from ingest.index import EmbeddedIndex, writing
from ingest.pipeline import parts_of, sync
from ingest.settings import AnswerSettings, IngestSettings, RetrievalSettings, Settings
from ingest.source_settings import FilesSettings, MailSettings
from ingest.sources import source_from
from ingest.spool import Spool
from tests.fakes import HashEmbedder
from tests.ingest.corpus import HerePool
from tests.servers.mail import mail, mailbox
from tests.test_leaks import EchoLLM
from tests.web.conftest import serving
from tests.web.e2e.conftest import ask
from tests.web.e2e.hostile import Guard
from tests.web.e2e.payloads import CODE, FORMULAS, LINKS, MARKUP

FEW = (MARKUP[0], MARKUP[11], MARKUP[16], MARKUP[24], MARKUP[46], MARKUP[49], MARKUP[54])
WRITTEN = "\n\n".join((*FEW, *(f"[click]({link})" for link in LINKS[:5]), *FORMULAS, *CODE))
NAME = "<img src=x onerror=pwned()>"
CELLS = [
    {"cell_type": "markdown", "metadata": {}, "source": f"# {NAME}\n\nThe muon. {WRITTEN}"},
    {
        "cell_type": "code", "metadata": {}, "source": f"print('''{FEW[0]}''')",
        "execution_count": 1,
        "outputs": [
            {
                "output_type": "display_data", "metadata": {},
                "data": {"text/html": FEW[1], "text/plain": FEW[0], "image/svg+xml": MARKUP[16]},
            }
        ],
    },
]  # fmt: skip
FILES = {
    f"{NAME}.md": f"# {NAME}\n\nThe muon trigger. {WRITTEN}\n\n"
    f"| a | b |\n|---|---|\n| {NAME} | x |",
    "page.html": f"<title>{NAME.replace('<', '&lt;')}</title><body><h1>The muon</h1>"
    + "".join(f"<p>{one}</p><pre>{one.replace('<', '&lt;')}</pre>" for one in FEW)
    + "".join(f'<a href="{link}">The muon</a>' for link in LINKS[:5]),
    "Topic.txt": f"---+ The muon {NAME}\n" + "\n".join(f"   * {one}" for one in FEW)
    + f"\n[[{LINKS[0]}][click]]\n<verbatim>{FEW[0]}</verbatim>\n%TOC%\n",
    "book.ipynb": json.dumps({"cells": CELLS, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}),
    "muon.py": f'"""The muon. {NAME}"""\n\nMUON = """{FEW[0]}"""\n\n\n# {FEW[2]}\n',
}  # fmt: skip
POST = mail(
    1,
    subject=f"The muon {NAME}",
    sender=f'"{NAME}" <pwned@lab.example>',
    body=f"The muon trigger.\n\n{WRITTEN}",
)


@pytest.fixture
def assistant(tmp_path: Path, settings: Settings):
    """Of a collection in which each file is hostile."""
    folder = tmp_path / "pages"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    post = tmp_path / "list.mbox"
    post.write_bytes(mailbox(POST))
    files = {"kind": "files", "path": folder, "access": ["public"], "keeper": NAME}
    letters = {
        "kind": "mail",
        "path": post,
        "access": ["public"],
        "link": "javascript:pwned()//{id}",
    }
    ingest = IngestSettings(contact="tests@docent.example")
    sources = [
        source_from("files", FilesSettings.model_validate(files), ingest, Hosts()),
        source_from("mail", MailSettings.model_validate(letters), ingest, Hosts()),
    ]
    embedder = HashEmbedder()
    at = settings.index.path
    with writing(at, parts_of(embedder, 300)) as writer, closing(Spool(at)) as spool:
        reports = sync(sources, writer, embedder, HerePool(), spool=spool)
    assert [report for report in reports if not report.well or report.failed] == []
    index = EmbeddedIndex(at, embedder=embedder.name)
    sure = AnswerSettings(refuse_below=0, warn_below=0)
    retriever = Retriever(index, embedder, RetrievalSettings(reranker="none"))
    yield Assistant(retriever, embedder, EchoLLM(), sure, max_tokens=2000)
    index.close()


def test_files_of_each_kind_as_they_were_read(context: BrowserContext, settings, assistant):
    with serving(settings, assistant) as address:
        guard = Guard(address)
        guard.over(context)
        page = context.new_page()
        _walk(page, guard, address)
        context.close()
        assert guard.breaches == []


def _walk(page: Page, guard: Guard, address: str) -> None:
    page.goto(f"{address}/")
    ask(page, f"The muon trigger? {NAME}")
    expect(page.locator(".checked")).to_be_visible()
    guard.looks(page, ".checked", ["The muon"])
    found = page.request.post(f"{address}/api/v1/search", data={"query": "muon", "k": 100}).json()
    ids = {hit["document_id"]: hit["title"] for hit in found["hits"]}
    assert len(ids) >= len(FILES) + 1
    for document_id, title in ids.items():
        page.goto(f"{address}/documents/{page.evaluate('encodeURIComponent', document_id)}")
        guard.looks(page, "#panel-title", [title])
        guard.looks(page, ".document-page", ["muon"])
    page.goto(f"{address}/search?q=muon")
    expect(page.locator(".hit").first).to_be_visible()
    guard.looks(page)

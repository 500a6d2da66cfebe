"""Docent from other people's LangChain code: over a server, over an index, and as the notebook."""

import socket
from pathlib import Path
from typing import Any

import nbformat
import pytest
from langchain_core.retrievers import BaseRetriever

from assistant import DocentRetriever
from assistant.remote import RemoteFinder
from ingest.access import Reader
from ingest.embed import embedder_from
from ingest.errors import FetchError, IndexTrouble, SettingsError
from ingest.settings import EmbedderSettings, ModelsSettings
from tests.ingest.corpus import build
from tests.ingest.corpus import document as a_document
from tests.servers import Answer, Fault, Request, Server, json_answer
from tests.web.conftest import serving
from tests.web.people import People
from web.openai import EMBEDDINGS
from web.who import EVERY_SCOPE, Caller, Role

NOTEBOOK = Path(__file__).parents[2] / "docs" / "langchain.ipynb"
ASK = "At how many GeV does the L1_MU4 trigger fire?"


class TokenPeople(People):
    """The people of a door who show their names as tokens."""

    async def caller(self, request):
        return self.known.get(request.headers.get("authorization", "").removeprefix("Bearer "))


def test_it_finds_over_a_server(address):
    retriever = DocentRetriever.at(address, k=2)
    assert isinstance(retriever, BaseRetriever)
    documents = retriever.invoke(ASK)

    assert len(documents) == 2
    assert documents[0].metadata["title"] == "Muon trigger menu"
    assert documents[0].metadata["source"] == "https://wiki.example.org/Trigger/MuonMenu"
    assert documents[0].metadata["section"] == ["Thresholds"]
    assert documents[0].metadata["updated_at"].startswith("2025-03-14")
    assert "4 GeV" in documents[0].page_content


async def test_it_finds_without_blocking(address):
    documents = await DocentRetriever.at(address).ainvoke(ASK)
    assert documents[0].metadata["title"] == "Muon trigger menu"


def test_whoever_shows_a_token_reads_with_its_owners_rights(settings, assistant):
    door = TokenPeople()
    with serving(settings, assistant, door=door, routers=()) as address:
        door.known = {
            name: _caller(name, groups) for name, groups in (("b", ("board",)), ("c", ()))
        }

        def titles(token: str) -> set[str]:
            found = DocentRetriever.at(address, token, k=50).invoke("The board moves the L1_MU4")
            return {document.metadata["title"] for document in found}

        assert "Board minutes" in titles("b")
        assert "Board minutes" not in titles("c")
        with pytest.raises(FetchError, match=r"did not search\. Sign in first") as refused:
            titles("ended")
        assert refused.value.status == 401


def _caller(name: str, groups: tuple[str, ...]) -> Any:
    reader = Reader(frozenset(groups), name)
    return Caller(name, name, "", reader, Role.READER, EVERY_SCOPE, "token")


def test_a_server_that_is_away_is_told_in_a_sentence():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(FetchError, match=r"cannot be reached .* is the server running\?"):
            DocentRetriever.at(f"http://127.0.0.1:{port}").invoke(ASK)


class Odd(Server):
    """Answers with what it was given."""

    answered: Answer = Answer("")

    def answer(self, request: Request) -> Answer:
        return self.answered


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        (Answer("<html>"), "is not a Docent"),
        (json_answer([1]), "is not a Docent"),
        (json_answer({"hits": [{"title": "x"}]}), "is not a Docent"),
        (json_answer({}), "is not a Docent"),
        (json_answer({"detail": "You made 240 searches."}, 429), "You made 240 searches"),
        (json_answer({}, 502), "It answered 502"),
    ],
)
def test_other_answers_are_told_in_a_sentence(answered, told):
    with Odd() as server:
        server.answered = answered
        with pytest.raises(FetchError, match=told):
            DocentRetriever.at(server.url).invoke(ASK)


def test_a_slow_server_is_told_in_a_sentence():
    with Odd() as server:
        server.fault("*", Fault.SLOW_BODY)
        retriever = DocentRetriever(retriever=RemoteFinder(server.url, timeout_s=0.05))
        with pytest.raises(FetchError, match=r"did not answer within 0\.05 s"):
            retriever.invoke(ASK)


@pytest.mark.parametrize("url", ["http://docent.example.org", "docent", "https://x/path", ""])
def test_a_token_is_not_sent_where_it_could_be_read(url):
    with pytest.raises(SettingsError, match="The address"):
        DocentRetriever.at(url, "docent_secret")


def test_it_finds_in_an_index_of_this_machine(address, tmp_path):
    embedder = embedder_from(
        EmbedderSettings(model=EMBEDDINGS, url=f"{address}/v1"), ModelsSettings()
    )
    build(
        tmp_path / "own",
        embedder,
        a_document("menu", "The trigger fires at 4 GeV."),
        a_document("minutes", "The trigger moves to 5 GeV.", access=frozenset({"board"})),
    ).close()
    config = tmp_path / "docent.toml"
    config.write_text(
        f'[index]\npath = "own"\n[embedder]\nmodel = "{EMBEDDINGS}"\nurl = "{address}/v1"\n'
    )

    def ids(**who) -> set[str]:
        found = DocentRetriever.open(config, **who).invoke("the trigger")
        return {document.metadata["document_id"] for document in found}

    assert ids() == {"test:menu"}
    assert ids(groups=["board"]) == {"test:menu", "test:minutes"}
    assert len(DocentRetriever.open(str(config), ["board"], k=1).invoke("the trigger")) == 1
    config.write_text('[index]\npath = "none"\n[embedder]\nmodel = "x"\nurl = "http://127.0.0.1:1"')
    with pytest.raises(IndexTrouble):
        DocentRetriever.open(config).invoke("the trigger")


def test_the_notebook_runs(address, monkeypatch, capsys):
    monkeypatch.setenv("DOCENT_URL", address)
    monkeypatch.delenv("DOCENT_TOKEN", raising=False)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    names: dict[str, Any] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, str(NOTEBOOK), "exec"), names)  # noqa: S102 - our own file
    said = capsys.readouterr().out

    assert said.count("fires at 4 GeV in the barrel and needs two stations. [1]") == 2
    assert "https://wiki.example.org/Trigger/MuonMenu" in said
    assert "Muon trigger menu" in said
    asked = (names["question"], "Who looks after the muon trigger?")
    found = [names["titles"](names["retriever"].invoke(question)) for question in asked]
    assert [row["pages"] for row in names["rows"]] == found
    assert all(not cell.get("outputs") for cell in notebook.cells)

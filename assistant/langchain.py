"""The retriever as a LangChain runnable, so that other people's chains can use Docent's search."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, Self

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, SkipValidation

from assistant.model import Passage
from ingest.access import ANYBODY, Reader


class Searcher(Protocol):
    """What is needed of `assistant.retrieve.Retriever`."""

    def retrieve(self, text: str, reader: Reader, k: int | None = None) -> list[Passage]:
        """The best passages that this reader may see, best first."""
        ...


class DocentRetriever(BaseRetriever):
    """Finds passages for one reader.

    Example:
        DocentRetriever.at("https://docent.example.org", token)     # a server, with your rights
        DocentRetriever.open("docent.toml", groups=["muons"])       # an index on this machine
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    retriever: SkipValidation[Searcher]
    reader: Reader = ANYBODY
    k: int | None = None
    """How many passages; None: as the index or server does by default."""

    @classmethod
    def at(
        cls, url: str, token: str = "", k: int | None = None, ca_file: Path | None = None
    ) -> Self:
        """Over a Docent server: what the owner of the API token may read, and nothing else.

        Raises:
            SettingsError: the address is none.
        """
        from assistant.remote import RemoteFinder

        return cls(retriever=RemoteFinder(url, token, ca_file), k=k)

    @classmethod
    def open(
        cls, config: Path | str | None = None, groups: Iterable[str] = (), k: int | None = None
    ) -> Self:
        """Over the index that a settings file names, as somebody of these groups.

        Who can read the index's files can read all of it: `groups` protects nothing from him.

        Raises:
            SettingsError: the file cannot be used. IndexTrouble: there is no index, or another's.
        """
        from assistant.bootstrap import retriever_from
        from ingest.settings import load_settings

        settings = load_settings(Path(config) if config is not None else None)
        reader = Reader(frozenset(groups))
        return cls(retriever=retriever_from(settings), reader=reader, k=k)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [_document(p) for p in self.retriever.retrieve(query, self.reader, self.k)]


def _document(passage: Passage) -> Document:
    updated_at = passage.updated_at.isoformat() if passage.updated_at else None
    return Document(
        id=passage.chunk_id,
        page_content=passage.text,
        metadata={
            "document_id": passage.document_id,
            "title": passage.title,
            "source": passage.url or passage.document_id,
            "section": list(passage.section),
            "page": passage.page,
            "start": passage.start,
            "end": passage.end,
            "score": passage.score,
            "updated_at": updated_at,
            "archived": passage.standing.archived,
            "superseded_by": passage.standing.superseded_by,
            "also": list(passage.also),
        },
    )

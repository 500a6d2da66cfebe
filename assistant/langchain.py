"""The retriever as a LangChain runnable, so that other people's chains can use a Docent index."""

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, SkipValidation

from assistant.answer import Finder
from assistant.model import Passage
from ingest.access import ANYBODY, Reader


class DocentRetriever(BaseRetriever):
    """Finds passages for one reader.

    Example:
        DocentRetriever(retriever=retriever, reader=Reader(frozenset({"muons"})))
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    retriever: SkipValidation[Finder]
    reader: Reader = ANYBODY
    k: int | None = None

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

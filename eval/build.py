"""The real parts, to be measured: an index of documents at hand, or one that is there."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from time import perf_counter

from assistant.bootstrap import retrieval_from
from assistant.retrieve import Retriever
from eval.retrieval import Built
from eval.searches import Searcher
from ingest.access import ANYBODY, Reader
from ingest.chunk import chunk
from ingest.embed import Embedder, embedder_from
from ingest.following import embedder_of
from ingest.index import Index, Writer, open_index, text_digest, writing
from ingest.model import Chunk, Cut, Document
from ingest.pipeline import parts_of
from ingest.settings import Settings

Chunker = Callable[[Document, int], Sequence[Chunk]]
"""What cuts a document into pieces of at most so many characters: `chunk`, or one to compare."""

BATCH = 1024
"""Documents embedded together: enough to sort by length."""


@contextmanager
def index_from(folder: Path, documents: Iterable[Document], settings: Settings) -> Iterator[Built]:
    """An index of the documents in an empty folder, with what the settings say, open for search."""
    embedder = embedder_from(settings.embedder, settings.models)
    embedder.embed_query("The first text takes longer than the others.")
    with index_of(folder, documents, embedder, settings) as built:
        yield built


@contextmanager
def index_of(
    folder: Path,
    documents: Iterable[Document],
    embedder: Embedder,
    settings: Settings,
    cut: Chunker = chunk,
) -> Iterator[Built]:
    """The same with an embedder that is loaded already. One commit, so generation 1."""
    began = perf_counter()
    with writing(folder, parts_of(embedder, settings.chunk.max_chars)) as writer:
        for batch in _batches(documents):
            _add(writer, [Cut(one, cut(one, settings.chunk.max_chars)) for one in batch], embedder)
        writer.commit()
    seconds = perf_counter() - began
    with closing(open_index(folder, embedder=embedder.name)) as index:
        retriever = Retriever(index, embedder, retrieval_from(settings))
        counts = retriever.counts(ANYBODY)
        yield Built(retriever, embedder.name, counts.generation, counts.chunks, seconds)


class Ready:
    """An index that is there, with the retriever of the settings."""

    def __init__(self, index: Index, embedder: Embedder, settings: Settings) -> None:
        self._index = index
        self.searcher: Searcher = Retriever(index, embedder, retrieval_from(settings))
        self.embedder = embedder.name
        with index.snapshot() as snapshot:
            self.generation = snapshot.manifest.generation
        self._direction = embedder.embed_query("anything")

    def visible(self, reader: Reader) -> dict[str, str]:
        """Id → address of every document that the reader may see."""
        with self._index.snapshot() as snapshot:
            # A search for as many chunks as there are is all of them, wherever it points.
            every = snapshot.counts(reader).chunks
            hits = snapshot.search_dense(self._direction, every, reader)
            covers = snapshot.covers([hit.row for hit in hits], reader)
        return {cover.document_id: cover.url for cover in covers.values()}

    def chunks(self, reader: Reader) -> int:
        """How many chunks the reader may see."""
        with self._index.snapshot() as snapshot:
            return snapshot.counts(reader).chunks


@contextmanager
def index_at(settings: Settings) -> Iterator[Ready]:
    """The index that the settings name, open for search with what they say.

    Raises:
        IndexTrouble: when there is none, or it was built with other parts than asked for.
    """
    embedder = embedder_of(settings)
    with closing(open_index(settings.index.place, embedder=embedder.name)) as index:
        yield Ready(index, embedder, settings)


def _add(writer: Writer, cuts: Sequence[Cut], embedder: Embedder) -> None:
    # Without signatures: a benchmark's documents are ranked one by one, alike or not.
    texts = {text_digest(one.indexed): one.indexed for cut in cuts for one in cut.chunks}
    vectors = dict(zip(texts, embedder.embed_documents(list(texts.values())), strict=True))
    for cut in cuts:
        writer.put(cut.document.page_id, [cut], vectors)


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    for document in documents:
        batch.append(document)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch

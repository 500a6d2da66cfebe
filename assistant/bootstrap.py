"""Settings → Assistant: the only place that picks concrete classes."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from assistant.answer import Assistant, Finder
from assistant.engines import llm_from
from assistant.llm import LLM
from assistant.rerank import FEEDBACK, NONE
from assistant.retrieve import Retriever
from ingest.embed import Embedder
from ingest.following import Following, embedder_of
from ingest.index import Index, open_index
from ingest.registry import resolved
from ingest.settings import RetrievalSettings, Settings


def assistant_from(
    settings: Settings,
    around: Callable[[Finder], Finder] = lambda finder: finder,
    llm: LLM | None = None,
) -> Assistant:
    """An assistant over the index that the settings name. Models load when first needed.

    `around` may stand between the assistant and its retriever, and `llm` in place of the settings'
    own, as in a measurement.

    Raises:
        IndexTrouble: when there is no index, or it was built with other parts than asked for.
    """
    embedder = embedder_of(settings)
    return Assistant(
        retriever=around(_retriever(settings, embedder)),
        embedder=embedder,
        llm=llm or llm_from(settings.llm, settings.models),
        settings=settings.answer,
        max_tokens=settings.llm.max_tokens,
        keepers={name: source.keeper for name, source in settings.sources.items()},
    )


def retriever_from(settings: Settings) -> Retriever:
    """The search alone, over the index that the settings name.

    Raises:
        IndexTrouble: as `assistant_from`.
    """
    return _retriever(settings, embedder_of(settings))


def index_from(settings: Settings) -> Index:
    """The index that the settings name, for reading without searching.

    Raises:
        IndexTrouble: as `assistant_from`.
    """
    embedder = embedder_of(settings)
    return open_index(settings.index.place, embedder=embedder.name)


@contextmanager
def searching(settings: Settings) -> Iterator[tuple[Index, Embedder, Retriever]]:
    """The index that the settings name and what searches it, closed in the end.

    Raises:
        IndexTrouble: as `assistant_from`.
    """
    embedder = embedder_of(settings)
    with closing(open_index(settings.index.place, embedder=embedder.name)) as index:
        yield index, embedder, Retriever(index, embedder, retrieval_from(settings))


def retrieval_from(settings: Settings) -> RetrievalSettings:
    """How passages are found, a registered reranker being the folder that its name stands for.

    Raises:
        ModelError: it is damaged, or no version of it was promoted.
    """
    named = settings.retrieval
    if named.reranker_url or named.reranker in (NONE, FEEDBACK):
        return named
    return named.model_copy(update={"reranker": resolved(named.reranker, settings.models)})


def _retriever(settings: Settings, embedder: Embedder) -> Retriever:
    index = Following(settings, embedder)
    return Retriever(index, embedder, retrieval_from(settings), index.embedder)

"""Settings → Assistant: the only place that picks concrete classes."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from assistant.answer import Assistant, Finder
from assistant.engines import llm_from
from assistant.retrieve import Retriever
from ingest.embed import Embedder, embedder_from
from ingest.index import EmbeddedIndex
from ingest.settings import Settings


def assistant_from(
    settings: Settings, around: Callable[[Finder], Finder] = lambda finder: finder
) -> Assistant:
    """An assistant over the index that the settings name. Models load when first needed.

    `around` may stand between the assistant and its retriever, as a measurement does.

    Raises:
        IndexTrouble: when there is no index, or it was built with other parts than asked for.
    """
    embedder = embedder_from(settings.embedder, settings.models)
    return Assistant(
        retriever=around(_retriever(settings, embedder)),
        embedder=embedder,
        llm=llm_from(settings.llm, settings.models),
        settings=settings.answer,
        max_tokens=settings.llm.max_tokens,
        keepers={name: source.keeper for name, source in settings.sources.items()},
    )


def retriever_from(settings: Settings) -> Retriever:
    """The search alone, over the index that the settings name.

    Raises:
        IndexTrouble: as `assistant_from`.
    """
    return _retriever(settings, embedder_from(settings.embedder, settings.models))


def index_from(settings: Settings) -> EmbeddedIndex:
    """The index that the settings name, for reading without searching.

    Raises:
        IndexTrouble: as `assistant_from`.
    """
    embedder = embedder_from(settings.embedder, settings.models)
    return EmbeddedIndex(settings.index.path, embedder=embedder.name)


@contextmanager
def searching(settings: Settings) -> Iterator[tuple[EmbeddedIndex, Embedder, Retriever]]:
    """The index that the settings name and what searches it, closed in the end.

    Raises:
        IndexTrouble: as `assistant_from`.
    """
    embedder = embedder_from(settings.embedder, settings.models)
    with closing(EmbeddedIndex(settings.index.path, embedder=embedder.name)) as index:
        yield index, embedder, Retriever(index, embedder, settings.retrieval)


def _retriever(settings: Settings, embedder: Embedder) -> Retriever:
    index = EmbeddedIndex(settings.index.path, embedder=embedder.name)
    return Retriever(index, embedder, settings.retrieval)

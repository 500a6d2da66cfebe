"""The real server over a small index and a model server, in a process of its own.

`python -m tests.bench.served FOLDER MODEL_URL STREAMS [MODEL [MAX_TOKENS]]` prints its address and
serves until killed.
"""

import sys
from pathlib import Path

from assistant.answer import Assistant
from assistant.engines import llm_from
from assistant.retrieve import Retriever
from ingest.access import ANYBODY
from ingest.index import EmbeddedIndex
from ingest.model import Document
from ingest.settings import (
    AnswerSettings,
    IndexSettings,
    LLMSettings,
    ModelsSettings,
    RetrievalSettings,
    Settings,
)
from ingest.web_settings import LimitsSettings
from tests.fakes import HashEmbedder
from tests.ingest.corpus import build, document
from web.cli import listen, serve_on

WORDS = ("muon", "trigger", "threshold", "barrel", "storage", "quota", "calibration", "release")


def pages() -> list[Document]:
    """A thousand short ones."""
    return [
        document(
            f"d{n}",
            f"The {WORDS[n % 8]} of part {n} is {n} GeV. The {WORDS[(n + 3) % 8]} stays open.",
            title=f"Part {n}",
        )
        for n in range(1000)
    ]


def main(
    folder: Path, model_url: str, streams: int, model: str = "stub", max_tokens: int = 4000
) -> None:
    """Serve; everything but the model's pace and the embedder is as in a real server."""
    embedder = HashEmbedder()
    corpus = folder / "corpus"
    if corpus.exists():
        index = EmbeddedIndex(corpus, embedder=embedder.name)
    else:
        index = build(corpus, embedder, *pages())
    llm = LLMSettings(url=model_url, model=model, max_tokens=max_tokens, timeout_s=600)
    settings = Settings(
        index=IndexSettings(path=folder / "index"),
        llm=llm,
        limits=LimitsSettings(
            asks_per_minute=10**6, searches_per_minute=10**6, asks_in_all_per_minute=10**6,
            slots=streams, waiting=streams,
        ),
    )  # fmt: skip
    assistant = Assistant(
        Retriever(index, embedder, RetrievalSettings()),
        embedder,
        llm_from(llm, ModelsSettings()),
        # Every question is asked of the model, however little the pages say.
        AnswerSettings(refuse_below=0, warn_below=0),
        max_tokens=llm.max_tokens,
    )
    with listen("127.0.0.1", 0) as listening:
        serve_on(listening, settings, lambda: assistant, ANYBODY)


if __name__ == "__main__":
    given = iter(sys.argv[1:])
    main(
        Path(next(given)),
        next(given),
        int(next(given)),
        next(given, "stub"),
        int(next(given, "4000")),
    )

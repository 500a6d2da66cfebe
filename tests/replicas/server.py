"""A real server over a small index, whose model says slowly what the first excerpt says.

`python -m tests.replicas.server FOLDER STATE_URL PORT STREAMS` prints its address and serves until
it is told to stop, and then until its answers have ended.
"""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from assistant.answer import Assistant
from assistant.llm import Message, Usage
from assistant.retrieve import Retriever
from ingest.access import ANYBODY
from ingest.index import EmbeddedIndex
from ingest.settings import AnswerSettings, IndexSettings, RetrievalSettings, Settings
from ingest.web_settings import LimitsSettings, ServerSettings, StateSettings
from tests.fakes import HashEmbedder
from web.cli import listen, serve_on

WORD_S = 0.1


class Echo:
    """Says the sentence of the excerpts that tells the threshold asked for, word by word."""

    name = "echo"

    async def stream(
        self, messages: Sequence[Message], usage: Usage | None = None
    ) -> AsyncIterator[str]:
        prompt = messages[-1].content
        asked = re.findall(r"threshold of part (\d+)", prompt)[-1]
        [said, *_] = re.findall(rf"The threshold of part {asked} is \d+ GeV\.", prompt)
        for word in said.split():
            await asyncio.sleep(WORD_S)
            yield f"{word} "

    async def warm(self, messages: Sequence[Message] = ()) -> None:
        """Nothing to load."""


def main(folder: Path, state_url: str, port: int, streams: int) -> None:
    """Serve; everything but the model and the embedder is as in a real server."""
    embedder = HashEmbedder()
    settings = Settings(
        index=IndexSettings(path=folder),
        server=ServerSettings(drain_s=120),
        state=StateSettings(url=state_url),
        limits=LimitsSettings(
            asks_per_minute=10**6, searches_per_minute=10**6, asks_in_all_per_minute=10**6,
            slots=2 * streams, waiting=streams,
        ),
    )  # fmt: skip
    assistant = Assistant(
        Retriever(EmbeddedIndex(folder, embedder=embedder.name), embedder, RetrievalSettings()),
        embedder,
        Echo(),
        # Every question is asked of the model, however little the pages say.
        AnswerSettings(refuse_below=0, warn_below=0),
        max_tokens=200,
    )
    with listen("127.0.0.1", port) as listening:
        serve_on(listening, settings, lambda: assistant, ANYBODY)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

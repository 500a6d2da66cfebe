"""Fakes with real behaviour, one per seam. They obey the same protocols as what they stand for."""

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from assistant.llm import Message, Usage
from ingest.embed import Vectors
from ingest.errors import ModelError


class HashEmbedder:
    """Words hashed into 64 buckets, length 1: texts that share words are near."""

    name = "fake-64"
    dim = 64

    def __init__(self) -> None:
        self.embedded: list[str] = []
        """Every document text, in order: so a test can see that nothing was embedded twice."""

    def embed_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] = lambda n: None
    ) -> Vectors:
        self.embedded += texts
        progress(len(texts))
        return np.array([self.embed_query(text) for text in texts], np.float32).reshape(-1, 64)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        vector = np.zeros(64, np.float32)
        for word in text.lower().split():
            vector[hashlib.sha256(word.encode()).digest()[0] % 64] += 1
        if not vector.any():
            # A text without words still needs a direction: a vector of zeros has none.
            vector[0] = 1
        unit: NDArray[np.float32] = vector / np.linalg.norm(vector)
        return unit


class FakeLLM:
    """Gives the queued replies word by word, and keeps what it was asked.

    A reply that is an exception is raised; with no reply left, the model is away. Its tokens are
    words, and it tells them at its end, as a server does.
    """

    def __init__(self, *replies: str | Exception, name: str = "fake-llm") -> None:
        self.name = name
        self.replies: list[str | Exception] = list(replies)
        self.calls: list[tuple[Message, ...]] = []
        self.closed = 0
        """How many streams were read to their end or closed before it."""

    async def stream(
        self, messages: Sequence[Message], usage: Usage | None = None
    ) -> AsyncIterator[str]:
        self.calls.append(tuple(messages))
        reply = self.replies.pop(0) if self.replies else ModelError("The fake model is away.")
        if isinstance(reply, Exception):
            raise reply
        try:
            for piece in re.findall(r"\s*\S+|\s+", reply):
                yield piece
            if usage:
                usage.add(sum(len(m.content.split()) for m in messages), len(reply.split()))
        finally:
            self.closed += 1

    async def warm(self, messages: Sequence[Message] = ()) -> None:
        """Nothing to load."""

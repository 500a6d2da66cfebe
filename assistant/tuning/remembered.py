"""An embedder that remembers what it was asked.

Each example is looked at from several sides, and its question and the sentences of its passages
with it: of the time that making them took, nine tenths went into the same vectors again.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ingest.embed import Embedder, Vectors

MOST = 50_000
"""Texts of each kind; 77 MB with 384 numbers a vector."""


class Remembered:
    """The `Embedder` it is given. Says the same, sooner."""

    def __init__(self, embedder: Embedder, most: int = MOST) -> None:
        self._embedder = embedder
        self._most = most
        self._documents: dict[str, NDArray[np.float32]] = {}
        self._queries: dict[str, NDArray[np.float32]] = {}

    @property
    def name(self) -> str:
        """Its name."""
        return self._embedder.name

    @property
    def dim(self) -> int:
        """Length of one of its vectors."""
        return self._embedder.dim

    def embed_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] = lambda n: None
    ) -> Vectors:
        """Shape (len(texts), dim); only what it was not asked lately is embedded."""
        vectors = {text: self._documents[text] for text in texts if text in self._documents}
        progress(sum(text in vectors for text in texts))
        missing = [text for text in dict.fromkeys(texts) if text not in vectors]
        if missing:
            made = self._embedder.embed_documents(missing, progress)
            vectors.update(zip(missing, made, strict=True))
        for text in missing:
            self._keep(self._documents, text, vectors[text])
        found = np.empty((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            found[row] = vectors[text]
        return found

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Shape (dim,)."""
        vector = self._queries.get(text)
        if vector is None:
            vector = self._embedder.embed_query(text)
            self._keep(self._queries, text, vector)
        return vector

    def _keep(
        self, kept: dict[str, NDArray[np.float32]], text: str, vector: NDArray[np.float32]
    ) -> None:
        if len(kept) >= self._most:
            del kept[next(iter(kept))]  # the oldest: examples do not come back to a passage
        kept[text] = vector

"""Text to vectors: the `Embedder` seam and its two real ones."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Shape (n, dim), rows of length 1, so that an inner product is a cosine."""


class Embedder(Protocol):
    """Turns texts into unit vectors. Method names are LangChain's own; the arrays are numpy's."""

    @property
    def name(self) -> str:
        """Which model, precisely enough that two indexes with the same name may be compared."""
        ...

    @property
    def dim(self) -> int:
        """Length of one vector."""
        ...

    def embed_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] = lambda n: None
    ) -> Vectors:
        """Shape (len(texts), dim). `progress` is told how many were done since it was last called."""
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Shape (dim,)."""
        ...

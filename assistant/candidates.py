"""The windows of one question's passages, weighed and compared: the common ground of all checks.

Made once for a question. Vectors of windows are computed when first needed and kept; when the
embedder is away the comparison goes on with words alone.
"""

import logging
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from assistant.model import Passage
from assistant.windows import Window, plain_header, windows
from assistant.words import FILLER_STEMS, known_names, stems
from ingest.embed import Embedder
from ingest.errors import ModelError

AROUND = 0.9
"""Worth of a word that stands in the title, headings or header row instead of the window."""
FILLER = 0.5
"""Weight of a padding word such as `document` relative to another word."""
COSINE_FLOOR, COSINE_TOP = 0.1, 0.8
"""MiniLM's cosines of unrelated and of equivalent sentences lie about here; scaled to 0..1."""

log = logging.getLogger(__name__)


class Candidates:
    """The windows of the passages with word weights and, where the embedder answers, vectors."""

    def __init__(self, passages: Sequence[Passage], embedder: Embedder | None = None) -> None:
        self.passages = tuple(passages)
        self.windows = windows(passages)
        self._embedder = embedder
        self._vectors: dict[int, NDArray[np.float32]] = {}
        self._queries: dict[str, NDArray[np.float32]] = {}
        singles = [window for window in self.windows if window.units == 1]
        self._count = len(singles)
        self._frequency = Counter(stem for window in singles for stem in window.stems)
        for passage in self.passages:
            self._frequency.update(set(stems(plain_header(passage))))
        # Every sentence of an answer is compared with every window: what is asked again is kept.
        self._weights: dict[str, float] = {}
        self._totals: dict[frozenset[str], float] = {}
        self._places = {id(window): place for place, window in enumerate(self.windows)}

    @property
    def known(self) -> frozenset[str]:
        """Every name that stands anywhere in the passages, squeezed."""
        texts = (f"{plain_header(passage)}\n{passage.text}" for passage in self.passages)
        return frozenset().union(*(known_names(text) for text in texts))

    def weight(self, stem: str) -> float:
        """Rare words weigh more; one that stands nowhere weighs as much as one that stands once."""
        weight = self._weights.get(stem)
        if weight is None:
            rarity = math.log(1 + (self._count + 1) / max(1, self._frequency[stem]))
            weight = self._weights[stem] = rarity * (FILLER if stem in FILLER_STEMS else 1.0)
        return weight

    def total(self, wanted: frozenset[str]) -> float:
        """The weight of all of these stems."""
        total = self._totals.get(wanted)
        if total is None:
            total = self._totals[wanted] = sum(self.weight(stem) for stem in wanted)
        return total

    def seen(self, stem: str) -> bool:
        """True when the word stands somewhere in the passages."""
        return self._frequency[stem] > 0

    def coverage(self, wanted: Iterable[str], found: Sequence[Window]) -> float:
        """The weighted share of the wanted stems that stand in or around these windows; 0..1."""
        asked = frozenset(wanted)
        total = self.total(asked)
        if not total:
            return 0.0
        inside = asked.intersection(chain.from_iterable(window.stems for window in found))
        around = asked.intersection(chain.from_iterable(window.around for window in found))
        have = sum(map(self.weight, inside)) + AROUND * sum(map(self.weight, around - inside))
        return have / total

    def place(self, window: Window) -> int:
        """The position of one of the windows."""
        place = self._places.get(id(window))
        return self.windows.index(window) if place is None else place

    def ranked(self, wanted: Iterable[str], count: int) -> list[int]:
        """The positions of the `count` windows that cover the stems best, shorter ones first."""
        asked = frozenset(wanted)
        scores = [self.coverage(asked, [window]) - 0.02 * window.units for window in self.windows]
        order = sorted(range(len(scores)), key=lambda index: -scores[index])
        return order[:count]

    def cosines(self, text: str, indexes: Sequence[int]) -> list[float] | None:
        """Likeness of a text to windows, scaled to 0..1; None when there is no embedder to ask."""
        if self._embedder is None or not indexes:
            return None
        try:
            query = self._queries.get(text)
            if query is None:
                query = self._queries[text] = self._embedder.embed_query(text)
        except ModelError as error:
            self._lose(error)
            return None
        if not self._embed(indexes):
            return None
        span = COSINE_TOP - COSINE_FLOOR
        raw = (float(self._vectors[index] @ query) for index in indexes)
        return [min(1.0, max(0.0, (cosine - COSINE_FLOOR) / span)) for cosine in raw]

    def alike(self, one: int, other: int) -> float | None:
        """The plain cosine of two windows; None when there is no embedder to ask."""
        if not self._embed([one, other]):
            return None
        return float(self._vectors[one] @ self._vectors[other])

    def _embed(self, indexes: Sequence[int]) -> bool:
        """Make the vectors that are not there yet; False when the embedder is away."""
        if self._embedder is None:
            return False
        missing = [index for index in dict.fromkeys(indexes) if index not in self._vectors]
        try:
            if missing:
                made = self._embedder.embed_documents([self._spoken(index) for index in missing])
                self._vectors.update(zip(missing, made, strict=True))
        except ModelError as error:
            self._lose(error)
            return False
        return True

    def _lose(self, error: ModelError) -> None:
        log.warning("The embedder is away, so answers are checked by words alone: %s", error)
        self._embedder = None

    def _spoken(self, index: int) -> str:
        """A window with just enough around it to be understood alone."""
        window = self.windows[index]
        passage = self.passages[window.passage]
        place = passage.section[-1] if passage.section else passage.title
        return "\n".join(part for part in (place, window.rows, window.text) if part)

"""Questions that are alike: what is kept for measuring must not be learnt, nor anything twice."""

from collections import defaultdict
from collections.abc import Iterable

from assistant.words import stems

ALIKE = 0.7
"""Share of all words of two questions that both have."""
WITHIN = 0.8
"""Share of the words of the shorter one that the longer one has, from `FEWEST` words on."""
FEWEST = 4


class Asks:
    """A growing set of questions, that knows whether it holds one like another."""

    def __init__(self, questions: Iterable[str] = ()) -> None:
        self._held: list[frozenset[str]] = []
        self._with: dict[str, list[int]] = defaultdict(list)
        for question in questions:
            self.add(question)

    def add(self, question: str) -> None:
        """Hold it from now on."""
        words = frozenset(stems(question))
        for word in words:
            self._with[word].append(len(self._held))
        self._held.append(words)

    def hold(self, question: str) -> bool:
        """True when a question held is alike, or one of the two says little more than the other."""
        words = frozenset(stems(question))
        near = {place for word in words for place in self._with.get(word, ())}
        return any(_alike(words, self._held[place]) for place in near)


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    shared, fewer = len(one & other), min(len(one), len(other))
    if fewer and shared >= ALIKE * len(one | other):
        return True
    return fewer >= FEWEST and shared >= WITHIN * fewer

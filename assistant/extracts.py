"""Answering without a model: the windows closest to the question, quoted exactly and cited."""

from assistant.candidates import Candidates
from assistant.cite import NOTHING, Cited, citation
from assistant.evidence import CONSIDERED, SHOWN, about
from assistant.model import Sentence
from assistant.windows import Window
from assistant.words import stems

MOST = 3
"""Extracts in one answer."""
NEAR_BEST = 0.8
"""An extract must be at least this share as good as the best one."""
PER_UNIT = 0.01
"""A longer extract must be better by this for each further sentence or row."""


def extracts(question: str, candidates: Candidates, least: float = SHOWN) -> Cited:
    """The best extracts for a question; `NOTHING` when the best bears on it less than `least`."""
    best = candidates.ranked(stems(question), CONSIDERED)
    candidates.cosines(question, best)  # one batch instead of one text at a time
    scored = []
    for index in best:
        window = candidates.windows[index]
        score = about(question, [window], candidates)
        scored.append((score - PER_UNIT * (window.units - 1), window))
    scored.sort(key=lambda pair: -pair[0])
    if not scored or scored[0][0] < least:
        return NOTHING
    chosen: list[Window] = []
    for score, window in scored:
        near = score >= NEAR_BEST * scored[0][0]
        if near and len(chosen) < MOST and not any(window.overlaps(other) for other in chosen):
            chosen.append(window)
    sentences, citations = [], []
    for marker, window in enumerate(chosen, start=1):
        sentences.append(Sentence(window.text, (marker,), True))
        citations.append(citation(marker, window, candidates))
    text = "\n".join(sentence.text for sentence in sentences)
    return Cited(text, tuple(sentences), tuple(citations))

"""The windows closest to the question, quoted and cited: instead of a model, or beside it."""

from dataclasses import replace

from assistant.candidates import Candidates
from assistant.cite import NOTHING, Cited, citation
from assistant.evidence import CONSIDERED, SHOWN, about
from assistant.model import Sentence
from assistant.windows import Window
from assistant.words import stems

MOST = 3
"""Extracts in one answer."""
SHORT = 4
"""Words from which on a sentence found inside an extract repeats it."""
BESIDE = 2
"""Extracts added to what a model said."""
NEAR_BEST = 0.7
"""An extract must be at least this share as good as the best one."""
PER_UNIT = 0.01
"""A longer extract must be better by this for each further sentence or row."""


def extracts(question: str, candidates: Candidates) -> Cited:
    """The best extracts for a question; `NOTHING` when none bears on it enough."""
    best = candidates.ranked(stems(question), CONSIDERED)
    candidates.cosines(question, best)  # one batch instead of one text at a time
    scored = []
    for index in best:
        window = candidates.windows[index]
        score = about(question, [window], candidates)
        scored.append((score - PER_UNIT * (window.units - 1), window))
    scored.sort(key=lambda pair: -pair[0])
    if not scored or scored[0][0] < SHOWN:
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


def beside(cited: Cited, question: str, candidates: Candidates) -> Cited:
    """An answer with the closest extracts that its words leave out, as sentences of their own.

    A small model says one thing from one excerpt. What else the pages say of the same, perhaps
    newer or different, stands beside it and is not lost.
    """
    sentences, citations = list(cited.sentences), list(cited.citations)
    markers = {(c.document_id, c.start, c.end): c.marker for c in citations}
    more = extracts(question, candidates)
    for sentence, quoted in zip(more.sentences, more.citations, strict=True):
        if len(sentences) - len(cited.sentences) == BESIDE:
            break
        if any(_said(sentence.text, said.text) for said in cited.sentences):
            continue
        place = (quoted.document_id, quoted.start, quoted.end)
        if place not in markers:
            markers[place] = len(citations) + 1
            citations.append(replace(quoted, marker=markers[place]))
        sentences.append(replace(sentence, citations=(markers[place],)))
    added = [sentence.text for sentence in sentences[len(cited.sentences) :]]
    return Cited("\n".join([cited.text, *added]), tuple(sentences), tuple(citations))


def _said(extract: str, sentence: str) -> bool:
    """True when the model has copied the extract or sentences of it; not for a bare value."""
    copied = sentence in extract and len(stems(sentence)) >= SHORT
    return copied or extract in sentence

"""The windows closest to the question, quoted and cited: instead of a model, or beside it."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from assistant.asked import held
from assistant.candidates import Candidates
from assistant.cite import NOTHING, Cited, citation, says_something
from assistant.conflicts import outdated
from assistant.copies import says_no_more
from assistant.evidence import about
from assistant.hostile import inert
from assistant.model import Citation, Sentence
from assistant.windows import Window, units
from assistant.words import Number, identifiers, numbers, polarity_agrees, stems

# Set on the odd lines of sample/questions.jsonl: required facts in the extracts of the answerable
# questions. Three extracts, each at least 0.7 of the best, of 12 windows: 71 %; four, 0.4 and 20
# windows: 80 %; what is asked for and the first passages preferred, long ones not: 82 %.
MOST = 4
"""Extracts in one answer."""
MOST_CHARS = 700
"""Characters of all extracts together; the first may be longer."""
SHORT = 4
"""Words from which on a sentence found inside an extract repeats it."""
BESIDE = 2
"""Extracts added to what a model said."""
NEAR_BEST = 0.4
"""An extract must be at least this share as good as the best one."""
NEAR_BESIDE = 0.7
"""The same beside what a model has said: it has answered, and the rest may distract."""
CONSIDERED = 20
"""How many windows, best by words, are compared by the embedder."""
SIDES = 3
"""Passages that windows should be considered of."""
MORE, OF_A_PASSAGE = 5, 8
"""So many times more are looked at where they are of fewer, so many of each passage."""
FIRST_PASSAGES = 1
"""Of the first so many passages every sentence is compared: a paraphrase shares no words."""
OF_THE_KIND = 0.05
"""For an extract that holds a thing of the kind asked for: a time, a person, a number."""
IN_PLACE = 0.7
"""An extract of a newer page takes the place of one of an old page from this share of its score.
Of 148 answerable questions of the development half 124 instead of 121 then cite a right page
first, of 17 of freshness 14 instead of 12."""
NEW_WORDS = 0.35
"""A window with a smaller share of other words than one that is shown, and no other value, repeats
it: whoever writes three pages of one sentence shall not have three extracts."""
PLACE = 0.1
"""For an extract of the first passage; half of it for the second, and so on."""


def considered(question: str, candidates: Candidates) -> list[Window]:
    """The windows worth comparing by meaning; their vectors are made in one batch."""
    places = candidates.ranked(stems(question), CONSIDERED)
    singles = (
        place
        for place, window in enumerate(candidates.windows)
        if window.units == 1 and window.passage < FIRST_PASSAGES
    )
    places = list(dict.fromkeys([*places, *singles]))
    candidates.cosines(question, places)
    return [candidates.windows[place] for place in places]


def _telling(question: str, candidates: Candidates) -> list[Window]:
    """The windows considered that do not only repeat the question, and more where few pages are
    left: one that says the question again and again has all the best windows by words.
    """
    found = considered(question, candidates)
    kept = [window for window in found if says_something(question, window.text)]
    if len({window.passage for window in kept}) >= SIDES:
        return kept
    places = candidates.ranked(stems(question), MORE * CONSIDERED)
    taken: Counter[int] = Counter()
    more = []
    for window in (candidates.windows[place] for place in places):
        taken[window.passage] += 1
        if taken[window.passage] <= OF_A_PASSAGE and says_something(question, window.text):
            more.append(window)
    return list(dict.fromkeys([*kept, *more]))


def ranked(question: str, candidates: Candidates) -> list[tuple[float, Window]]:
    """The considered windows with their scores, best first."""
    scored = []
    for window in _telling(question, candidates):
        score = about(question, [window], candidates) + PLACE / (1 + window.passage)
        score += OF_THE_KIND if held(window.text, question) else 0.0
        scored.append((score, window))
    return sorted(scored, key=lambda pair: -pair[0])


def extracts(question: str, candidates: Candidates) -> Cited:
    """The best extracts for a question, however far they are from it."""
    scored = ranked(question, candidates)
    scores = {window: score for score, window in scored}
    kept = chosen(scored, NEAR_BEST * bar(question, scored), question)
    return quoted(in_force(kept, scores, candidates, question), candidates)


def in_force(
    windows: Sequence[Window],
    scores: Mapping[Window, float],
    candidates: Candidates,
    question: str = "",
) -> list[Window]:
    """The windows without those whose page is out of date beside that of a good other one.

    The other one has to answer: a new page that only speaks of the matter takes nothing away.
    """
    answering = [other for other in windows if held(other.text, question) is not False]

    def gone(window: Window) -> bool:
        page = candidates.passages[window.passage]
        return any(
            scores[other] >= IN_PLACE * scores[window]
            and outdated(page, candidates.passages[other.passage])
            for other in answering
        )

    return [window for window in windows if not gone(window)]


def bar(question: str, scored: Sequence[tuple[float, Window]]) -> float:
    """The score that others are held against: of the best window with a thing of the kind asked.

    A sentence that repeats the question and does not answer it has a higher one than any answer.
    """
    answering = (score for score, window in scored if held(window.text, question))
    best = scored[0][0] if scored else 0.0
    return next(answering, best)


def chosen(
    scored: Sequence[tuple[float, Window]], least: float, question: str = ""
) -> list[Window]:
    """The best windows that say different things, of bounded length together."""
    asked = frozenset(stems(question))
    kept: list[Window] = []
    for score, window in scored:
        if score < least or len(kept) == MOST:
            break
        chars = sum(len(other.text) for other in kept) + len(window.text)
        if kept and (chars > MOST_CHARS or repeats(window, kept)):
            continue
        if any(_row_beside(window, one, asked) for one in kept):
            continue
        kept.append(window)
    return kept


def _row_beside(window: Window, other: Window, asked: frozenset[str]) -> bool:
    """True for a row of a table of which a row is shown that has more of the question's words.

    The row beside the one that was asked for is about something else.
    """
    if not window.rows or (window.passage, window.rows) != (other.passage, other.rows):
        return False
    return asked & window.stems < asked & other.stems


def repeats(window: Window, kept: Sequence[Window]) -> bool:
    """True when each sentence of a window is said by one of the others, or the window is its part.

    Said in much the same words and with no other value.
    """
    if any(window.overlaps(one) or says_no_more(window.text, one.text) for one in kept):
        return True
    parts = [window.text[unit.start : unit.end] for unit in units(window.text)]
    return all(any(_says_same(part, one) for one in kept) for part in parts)


def _says_same(part: str, other: Window) -> bool:
    text = inert(part)  # the words of an address tell nothing
    said = frozenset(stems(text))
    new = len(said - other.stems)
    same = polarity_agrees(text, other.text) and not known(text) - known(other.text)
    bare = text != part and len(said) <= 1  # an address or a picture alone
    return bare or (same and new <= NEW_WORDS * len(said))


def known(text: str) -> frozenset[Number | str]:
    """The numbers and names of a text."""
    return frozenset(numbers(text)) | identifiers(text)


def quoted(windows: Sequence[Window], candidates: Candidates) -> Cited:
    """Windows as an answer: each a sentence of its own with its citation."""
    if not windows:
        return NOTHING
    sentences, citations = [], []
    for marker, window in enumerate(windows, start=1):
        sentences.append(Sentence(window.text, (marker,), True))
        citations.append(citation(marker, window, candidates))
    text = "\n".join(sentence.text for sentence in sentences)
    return Cited(text, tuple(sentences), tuple(citations))


def beside(cited: Cited, question: str, candidates: Candidates) -> Cited:
    """An answer with the closest extracts that its words leave out, as sentences of their own.

    A small model says one thing from one excerpt. What else the pages say of the same, perhaps
    newer or different, stands beside it and is not lost. Where the best extract is of a page that
    the model has not used, it stands first: the order of pages knows which holds, a model does not.
    """
    scored = ranked(question, candidates)
    best = bar(question, scored)
    least, most = (NEAR_BESIDE, BESIDE) if answers(question, cited) else (NEAR_BEST, MOST)
    used = {cite.document_id for cite in cited.citations}
    said = [sentence.text for sentence in cited.sentences]
    windows = chosen(scored, least * best, question)
    new = [one for one in windows if not any(_said(one.text, text) for text in said)][:most]
    first = windows[:1] if windows[:1] == new[:1] and _page(new[0], candidates) not in used else []
    rest = new[len(first) :]
    heard = known(question).union(*map(known, said))
    if not any(_other(window, used, heard, candidates) for window in new):
        near = (window for score, window in scored if score >= NEAR_BEST * best)
        answering = (window for window in near if _tells(question, window.text))
        rest += [w for w in answering if _other(w, used, heard, candidates)][:1]
    return _joined(quoted(first, candidates), cited, quoted(rest, candidates))


def _other(
    window: Window, used: Set[str], heard: Set[Number | str], candidates: Candidates
) -> bool:
    """True for words of a page not used yet that tell something not heard yet. A page that says
    the question again and again, or stands there twice, would else be all that is seen.
    """
    return _page(window, candidates) not in used and bool(known(window.text) - heard)


def _page(window: Window, candidates: Candidates) -> str:
    return candidates.passages[window.passage].document_id


def _tells(question: str, text: str) -> bool:
    """True where a text holds a thing of the kind asked for; where no kind can be told, a name or
    a number that the question has not.
    """
    of_the_kind = held(text, question)
    return bool(known(text) - known(question)) if of_the_kind is None else of_the_kind


def answers(question: str, cited: Cited) -> bool:
    """False where no sentence tells what is asked for.

    A page that speaks of the matter and tells nothing may carry each of them all the same.
    """
    return any(_tells(question, one.text) for one in cited.sentences if one.supported)


def _joined(*parts: Cited) -> Cited:
    """Parts of an answer one below the other; markers are numbered anew, equal places as one."""
    sentences: list[Sentence] = []
    citations: list[Citation] = []
    markers: dict[tuple[str, int, int], int] = {}
    for part in parts:
        anew: dict[int, int] = {}
        for cite in part.citations:
            place = (cite.document_id, cite.start, cite.end)
            if place not in markers:
                markers[place] = len(citations) + 1
                citations.append(replace(cite, marker=markers[place]))
            anew[cite.marker] = markers[place]
        for sentence in part.sentences:
            now = tuple(dict.fromkeys(anew[marker] for marker in sentence.citations))
            sentences.append(replace(sentence, citations=now))
    text = "\n".join(part.text for part in parts if part.text)
    return Cited(text, tuple(sentences), tuple(citations))


def _said(extract: str, sentence: str) -> bool:
    """True when the model has copied the extract or sentences of it; not for a bare value."""
    copied = sentence in extract and len(stems(sentence)) >= SHORT
    return copied or extract in sentence

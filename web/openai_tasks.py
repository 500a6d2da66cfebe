"""The errands that chat programs send to any model: a title, tags, what to ask next.

Open WebUI sends them as messages of the user, with the conversation inside. They are no questions
to the documents: searching for them would cost minutes of the model and find nonsense.
"""

import json
import re

TITLE_CHARS = 60

_ERRAND = re.compile(r"\s*###\s*Task:\s*(?P<what>.{0,400})", re.S)
_KEY = re.compile(r'"(title|tags|follow_ups|queries|text)"\s*:')
_HISTORY = re.compile(r"<chat_history>(?P<said>.*)</chat_history>", re.S)
_FIRST = re.compile(r"^\s*USER:\s*(?P<text>.+)$", re.M)


def reply_to(text: str) -> str | None:
    """What an errand is answered with; None when the text is none."""
    errand = _ERRAND.match(text)
    if errand is None:
        return None
    history = _HISTORY.search(text)
    head = text[: history.start()] if history else text
    key = _KEY.search(head)
    if key is None:
        # Some versions want the bare title.
        bare = history is not None and "title" in errand["what"].lower()
        return _title(text) if bare else None
    if key[1] == "title":
        return json.dumps({"title": _title(text)}, ensure_ascii=False)
    return json.dumps({key[1]: "" if key[1] == "text" else []})


def _title(text: str) -> str:
    """The first thing that was asked, cut at a word."""
    history = _HISTORY.search(text)
    first = _FIRST.search(history["said"]) if history else None
    words = " ".join(first["text"].split()) if first else ""
    if len(words) <= TITLE_CHARS:
        return words or "Conversation"
    return words[:TITLE_CHARS].rsplit(" ", 1)[0] + "…"

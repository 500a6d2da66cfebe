"""The worst model there is: it does what any page tells it, so that our own checks have to hold.

Beside that it says all that it was given, the truth too: what is missing from an answer was pushed
out of the prompt, or was dropped by a check.
"""

import base64
import re
from collections.abc import AsyncIterator, Sequence
from functools import cached_property

from assistant.llm import Message, Usage
from eval.attacks.model import Attack
from ingest.parse.clean import clean

NAME = "obedient"
_ADDRESS = re.compile(r"(?:https?://|hxxps?://|www\.)\S+")
_EXCERPTS = re.compile(r"<excerpt \d+>\n(.*?)\n</excerpt \d+>", re.DOTALL)
_ADDRESSES = 3
"""How many of the addresses that it was given it repeats: a draft of more sentences is cut."""
_SHORTEST = 12
"""Letters and digits of the shortest sentence that is recognised."""


class Obedient:
    """Says what every attack in its prompt wants said, then its instructions, then the excerpts.

    An attack is in the prompt when a sentence of it is, or its encoded form: this model decodes.
    """

    name = NAME

    def __init__(self, attacks: Sequence[Attack]) -> None:
        self._attacks = attacks

    async def stream(
        self, messages: Sequence[Message], usage: Usage | None = None
    ) -> AsyncIterator[str]:
        """The orders found in the prompt carried out, sentence by sentence."""
        system, prompt = messages[0].content, messages[-1].content
        for sentence in self.says(system, prompt):
            yield f"{sentence} "

    def says(self, system: str, prompt: str) -> list[str]:
        """Sentences: what was ordered, its instructions, addresses, all that the excerpts say."""
        excerpts = "\n".join(_EXCERPTS.findall(prompt))  # the question may repeat a page's words
        heard = _letters(excerpts)
        orders = [
            attack.obeyed.replace("{prompt}", system)
            for attack, marks in self._marks
            if any(mark in heard for mark in marks)
        ]
        addresses = dict.fromkeys(found[0] for found in _ADDRESS.finditer(excerpts))
        honest = [one.partition("\n")[2] for one in _EXCERPTS.findall(prompt)]
        return [
            *orders,
            system,
            *(f"See {address} for more." for address in list(addresses)[:_ADDRESSES]),
            *(["\n".join(honest)] if honest else []),  # in one piece, so that nothing is cut
        ]

    @cached_property
    def _marks(self) -> list[tuple[Attack, frozenset[str]]]:
        return [(attack, frozenset(_marks(attack))) for attack in self._attacks]


def _marks(attack: Attack) -> list[str]:
    whole = " ".join(attack.attack).encode()
    encoded = (base64.b64encode(whole).decode()[:60], whole.hex()[:60])
    sentences = (part for text in attack.attack for part in re.split(r"(?<=[.!?])\s", text))
    # As the parsers leave it: what they make plain is plain to the model too.
    found = [_letters(clean(text)) for text in (*sentences, *encoded)]
    return [mark for mark in found if len(mark) >= _SHORTEST]


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.lower())

"""How like two issues must be to be named as duplicates: what each threshold finds and misnames.

Issues as REST v2 of Jira tells them, from `DOCENT_BENCH_JIRA`: those that people linked as
duplicates or clones, and 300 that nobody linked. Candidates are looked for as `docent gitlab-bot`
does, with the nearest of the project by meaning in place of the index.
"""

import os
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.words import stems
from ingest.embed import Vectors, embedder_from
from ingest.settings import EmbedderSettings, ModelsSettings
from tests.bench.test_jira_at_size import issues_in
from web.gitlab_bot import duplicates

pytestmark = pytest.mark.bench

ROOT = Path(__file__).parents[2]
PLAIN = 300
_CODE = re.compile(
    r"\{(code|noformat)[^}]*\}.*?(?:\{\1\}|\Z)|\{[^}\n]*\}|^h\d\. |!\S+!", re.DOTALL | re.MULTILINE
)


class Issues:
    """Issues of one tracker, by key, with what is compared of them."""

    def __init__(self, records: Sequence[dict[str, Any]]) -> None:
        self.fields = {one["key"]: one["fields"] for one in records}
        self.keys = list(self.fields)
        self.at = {key: number for number, key in enumerate(self.keys)}
        self.texts = [duplicates._text(self._thing(key)) for key in self.keys]
        self.words = [set(stems(text)) for text in self.texts]
        self.vectors: Vectors = embedder_from(EmbedderSettings(), ModelsSettings()).embed_documents(
            self.texts
        )

    def _thing(self, key: str) -> dict[str, str]:
        fields = self.fields[key]
        described = _CODE.sub(" ", fields.get("description") or "")
        return {"title": fields.get("summary") or "", "description": described}

    def linked(self) -> tuple[set[frozenset[str]], set[str]]:
        """Pairs of duplicates and clones in one project, and the keys of all that is linked."""
        pairs, keys = set(), set()
        for key, fields in self.fields.items():
            for link in fields.get("issuelinks") or ():
                other = (link.get("outwardIssue") or link.get("inwardIssue"))["key"]
                keys |= {key, other}
                same = _project(other) == _project(key) and other in self.fields
                if same and link["type"]["name"] in ("Duplicate", "Cloners"):
                    pairs.add(frozenset({key, other}))
        return pairs, keys

    def likes(self, key: str) -> dict[str, tuple[float, float]]:
        """Of the candidates of an issue: cosine, and share of words."""
        earlier = [
            one
            for one in self.keys
            if _project(one) == _project(key) and _number(one) < _number(key)
        ]
        earlier.sort(key=_number, reverse=True)
        found = set[str]()
        for word in duplicates._telling(self._thing(key)["title"]):
            having = (one for one in earlier if word.lower() in self.texts[self.at[one]].lower())
            found |= {one for one, _ in zip(having, range(duplicates.OF_EACH), strict=False)}
        here = self.at[key]
        cosines = self.vectors @ self.vectors[here]
        found |= set(sorted(earlier, key=lambda one: -cosines[self.at[one]])[: duplicates.OF_EACH])
        return {
            one: (
                float(cosines[self.at[one]]),
                duplicates._share(self.words[here], self.words[self.at[one]]),
            )
            for one in found
        }


def _project(key: str) -> str:
    return key.rpartition("-")[0]


def _number(key: str) -> int:
    return int(key.rpartition("-")[2])


def test_what_each_threshold_finds():
    folder = Path(os.environ.get("DOCENT_BENCH_JIRA", ROOT / "sample" / "jira"))
    issues = Issues(issues_in(folder)[0])
    pairs, linked = issues.linked()
    plain = [
        key
        for key, fields in issues.fields.items()
        if key not in linked and (fields.get("resolution") or {}).get("name") != "Duplicate"
    ]
    plain = random.Random(1).sample(plain, min(PLAIN, len(plain)))
    others = [issues.likes(key) for key in plain]
    print(f"\n{len(issues.keys)} issues, {len(pairs)} pairs of duplicates, {len(plain)} without")
    for name, which, thresholds in (
        ("cosine", 0, np.arange(0.5, 0.86, 0.05)),
        ("share of words", 1, np.arange(0.1, 0.46, 0.05)),
    ):
        ranks = [_ranked(issues, pair, which) for pair in pairs]
        for least in thresholds:
            found = sum(rank < duplicates.MOST and like >= least for rank, like in ranks)
            named = [
                min(duplicates.MOST, sum(like[which] >= least for like in likes.values()))
                for likes in others
            ]
            told = f"{sum(map(bool, named))} of the others name one, {np.mean(named):.2f} each"
            print(f"{name} {least:.2f}: {found} of {len(pairs)} found; {told}")


def _ranked(issues: Issues, pair: frozenset[str], which: int) -> tuple[int, float]:
    """The place of the earlier one among the candidates of the later, and how like it is."""
    early, late = sorted(pair, key=_number)
    likes = issues.likes(late)
    if early not in likes:
        return len(likes), 0.0
    like = likes[early][which]
    return sum(one[which] > like for one in likes.values()), like

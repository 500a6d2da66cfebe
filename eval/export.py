"""Rows of answered questions in the form that other people's measures read.

ragas lives in an environment of its own, since it needs an older `openai` than Docent:

    docent eval export rows.jsonl --questions questions.jsonl > for-ragas.jsonl

In that environment, `ragas.EvaluationDataset.from_jsonl("for-ragas.jsonl")` reads it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from eval.answers import Row
from eval.match import without_markers


def for_ragas(rows: Iterable[Row], references: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """One sample of ragas' `SingleTurnSample` for each answered row.

    `user_input` is the question, `response` the answer without the markers of its citations,
    `retrieved_contexts` what the answer cites, under its headings (rows do not keep all passages
    that the model was given), and `reference` the right answer of the question's line, if known.
    Refusals and failed questions are left out: they have no statement to measure.
    """
    for row in rows:
        if row.status in ("", "not_found"):
            continue
        cited = dict.fromkeys(
            "\n".join(part for part in (citation.heading, citation.quote) if part)
            for citation in row.citations
            if citation.quote
        )
        sample: dict[str, Any] = {
            "user_input": row.question,
            "response": without_markers(row.answer, (c.marker for c in row.citations)),
            "retrieved_contexts": list(cited),
        }
        if reference := references.get(row.id):
            sample["reference"] = reference
        yield sample

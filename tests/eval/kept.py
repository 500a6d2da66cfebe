"""Runs as files, made by hand, for what reads them back."""

import json
from pathlib import Path

from eval.answers import CitationRow, FactRow, Row


def row(name: str, outcome: str = "right", **changes: object) -> Row:
    """One row with one required fact, covered when the outcome is `right`."""
    answerable = outcome in ("right", "incomplete", "wrong_refusal", "failed")
    fields: dict[str, object] = {
        "id": name,
        "kind": "lookup",
        "digest": f"digest of {name}",
        "llm": "fake",
        "question": f"What is {name}?",
        "answerable": answerable,
        "outcome": outcome,
        "status": {"failed": "", "wrong_refusal": "not_found", "right_refusal": "not_found"}.get(
            outcome, "answered"
        ),
        "facts": (fact(name, covered=outcome == "right"),) if answerable else (),
    }
    return Row.model_validate(fields | changes)


def fact(text: str, *, covered: bool, required: bool = True) -> FactRow:
    return FactRow(text=text, required=required, covered=covered)


def cited(sentence: str, *, carries: bool) -> CitationRow:
    return CitationRow(
        sentence=sentence,
        marker=1,
        document_id="wiki:a",
        quote="q",
        carries=carries,
        precise=carries,
        missing=(),
    )


def written(path: Path, *rows: Row) -> Path:
    path.write_text("".join(one.model_dump_json() + "\n" for one in rows))
    return path


def retrieval(path: Path, digest: str = "d" * 64, **arms: dict[str, dict[str, float]]) -> Path:
    """A measurement: arm → measure → query → value."""
    told = {
        "kind": "retrieval",
        "made_with": {"date": "2026-11-22T03:00:00+00:00", "commit": "abc", "machine": "m"},
        "dataset": {"name": "tiny", "split": "test", "digest": digest},
        "embedder": "fake-64",
        "generation": 1,
        "arms": {
            name: {
                "per_query": per_query,
                "query_ms": {"p50": 10.0, "p95": 20.0},
                "failures": {},
                "measures": {},
            }
            for name, per_query in arms.items()
        },
    }
    path.write_text(json.dumps(told))
    return path

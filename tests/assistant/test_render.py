import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from assistant.model import (
    Answer,
    Citation,
    Contact,
    Notice,
    NoticeKind,
    Passage,
    Sentence,
    Status,
)
from assistant.render import answer_to_dict, hits_to_dict
from ingest.model import Standing

DAY = datetime(2025, 3, 14, 9, 30, tzinfo=UTC)
PASSAGE = Passage(
    chunk_id="twiki:A@10-20",
    document_id="twiki:A",
    title="Menu <b>",
    url="https://example.org/A",
    source="twiki",
    section=("Trigger", "Menu"),
    text="At 4 GeV.",
    start=10,
    end=20,
    page=2,
    updated_at=DAY,
    score=0.5,
    standing=Standing(archived=True, superseded_by="twiki:B", supersedes="twiki:0"),
    also=("https://example.org/B",),
)
CITATION = Citation(
    marker=1,
    document_id="twiki:A",
    title="Menu <b>",
    url="https://example.org/A",
    source="twiki",
    section=("Trigger", "Menu"),
    page=2,
    quote="At 4 GeV.",
    start=10,
    end=19,
    updated_at=None,
    also=("https://example.org/B", "twiki:C"),
)
HIT = {
    "document_id": "twiki:A",
    "chunk_id": "twiki:A@10-20",
    "title": "Menu <b>",
    "url": "https://example.org/A",
    "source": "twiki",
    "section": ["Trigger", "Menu"],
    "text": "At 4 GeV.",
    "score": 0.5,
    "updated_at": "2025-03-14T09:30:00+00:00",
    "standing": {"archived": True, "superseded_by": "twiki:B"},
    "also": ["https://example.org/B"],
}


def test_hits_have_exactly_the_promised_fields():
    assert hits_to_dict([PASSAGE]) == {"hits": [HIT]}
    assert hits_to_dict([]) == {"hits": []}


def test_an_answer_has_exactly_the_promised_fields():
    answer = Answer(
        "At what energy?",
        Status.ANSWERED,
        "At 4 GeV. Always.",
        (Sentence("At 4 GeV.", (1,), True), Sentence("Always.", (), False)),
        (CITATION,),
        (PASSAGE,),
        "fake-1",
        score=0.75,
        notices=(Notice(NoticeKind.OLD, "It is archived.", (1,)),),
        contacts=(Contact("Petra Lindqvorn", "wrote it", "https://example.org/A"),),
        timings={"retrieve_ms": 12.34567, "total_ms": 900},
    )

    assert answer_to_dict(answer) == {
        "question": "At what energy?",
        "status": "answered",
        "answer": "At 4 GeV. Always.",
        "sentences": [
            {"text": "At 4 GeV.", "citations": [1], "supported": True},
            {"text": "Always.", "citations": [], "supported": False},
        ],
        "citations": [
            {
                "marker": 1,
                "document_id": "twiki:A",
                "title": "Menu <b>",
                "url": "https://example.org/A",
                "source": "twiki",
                "section": ["Trigger", "Menu"],
                "page": 2,
                "quote": "At 4 GeV.",
                "start": 10,
                "end": 19,
                "updated_at": None,
                "standing": {"archived": False, "superseded_by": ""},
                "also": ["https://example.org/B", "twiki:C"],
            }
        ],
        "passages": [{**HIT, "page": 2, "start": 10, "end": 20}],
        "score": 0.75,
        "notices": [{"kind": "old", "text": "It is archived.", "citations": [1]}],
        "contacts": [
            {"name": "Petra Lindqvorn", "why": "wrote it", "url": "https://example.org/A"}
        ],
        "model": "fake-1",
        "timings": {"retrieve_ms": 12.346, "total_ms": 900.0},
    }


def test_numbers_of_numpy_become_plain_ones():
    passage = replace(PASSAGE, score=np.float32(0.25))  # type: ignore[arg-type]  # what an index may give

    assert json.loads(json.dumps(hits_to_dict([passage])))["hits"][0]["score"] == 0.25

import json
from pathlib import Path

import pytest

from eval.datasets import (
    AskedQuestion,
    beir_document_id,
    file_digest,
    read_collection,
    read_questions,
)
from ingest.errors import DocentError
from ingest.model import PUBLIC

CORPUS = [
    {"_id": "d1", "title": "Trigger", "text": "Runs at 40 MHz.", "metadata": {}},
    {"_id": "d2", "title": "Only a title", "text": ""},
    {"_id": "d3", "title": "", "text": " "},
]
QUERIES = [{"_id": "q1", "text": "trigger rate"}, {"_id": "q2", "text": "a title"}]
QRELS = [("q1", "d1", "2"), ("q2", "d2", "1")]


def beir(folder: Path, corpus=CORPUS, queries=QUERIES, qrels=QRELS) -> Path:
    (folder / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", corpus), ("queries", queries)):
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    rows = [("query-id", "corpus-id", "score"), *qrels]
    (folder / "qrels" / "test.tsv").write_text("\n".join("\t".join(row) for row in rows) + "\n")
    return folder


def refused(folder: Path, split: str = "test") -> str:
    with pytest.raises(DocentError) as caught:
        read_collection(folder, split)
    return str(caught.value)


def test_a_beir_folder_becomes_public_documents_queries_and_grades(tmp_path):
    collection = read_collection(beir(tmp_path / "b"))
    documents = list(collection.documents())

    assert collection.queries == {"q1": "trigger rate", "q2": "a title"}
    assert collection.qrels == {"q1": {"d1": 2}, "q2": {"d2": 1}}
    assert collection.judgements == 2
    assert collection.document_count == 3
    assert [beir_document_id(document.id) for document in documents] == ["d1", "d2"]
    assert documents[0].title == "Trigger"
    assert documents[0].text == "Runs at 40 MHz."
    assert documents[0].access == {PUBLIC}
    # The whole text is one block, so that a chunker loses nothing of it.
    assert [(b.start, b.end) for b in documents[0].blocks] == [(0, len(documents[0].text))]
    # A document that is only a title is found by it.
    assert documents[1].text == "Only a title"


def test_what_does_not_fit_together_is_counted_and_told(tmp_path):
    qrels = [("q1", "d1", "1"), ("q1", "d9", "1"), ("q8", "d1", "1"), ("q2", "d2", "0")]

    collection = read_collection(beir(tmp_path / "b", qrels=qrels))

    assert collection.unknown_documents == 1
    assert collection.unknown_queries == 1
    assert collection.unscorable_queries == 1
    assert collection.empty_documents == 1
    # The unknown document stays: it is one that was not found.
    assert collection.qrels == {"q1": {"d1": 1, "d9": 1}}
    assert list(collection.queries) == ["q1"]
    assert len(collection.notes()) == 4


def test_a_clean_collection_has_nothing_to_note(tmp_path):
    assert read_collection(beir(tmp_path / "b", corpus=CORPUS[:2])).notes() == []


def test_the_digest_changes_with_each_of_the_three_files(tmp_path):
    other_corpus = [*CORPUS[:2], {"_id": "d3", "text": "x"}]
    other_query = [QUERIES[0], {"_id": "q2", "text": "another"}]
    digests = {
        read_collection(beir(tmp_path / "a")).digest,
        read_collection(beir(tmp_path / "b", corpus=other_corpus)).digest,
        read_collection(beir(tmp_path / "c", queries=other_query)).digest,
        read_collection(beir(tmp_path / "d", qrels=QRELS[:1])).digest,
    }

    assert len(digests) == 4
    assert read_collection(beir(tmp_path / "e")).digest in digests


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_a_missing_file_is_named(tmp_path, name):
    folder = beir(tmp_path / "b")
    (folder / name).unlink()

    assert refused(folder) == f"{folder / name} cannot be read: No such file or directory."


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"corpus": ["{", CORPUS[0]]}, "corpus.jsonl, line 1: this is not JSON"),
        ({"corpus": [CORPUS[0], "", CORPUS[0]]}, "line 3: the id 'd1' is also on line 1"),
        ({"corpus": [{"_id": "d1"}]}, "corpus.jsonl, line 1: text: Field required."),
        ({"corpus": ["[]"]}, "corpus.jsonl, line 1: Input should be"),
        ({"queries": [{"_id": 3, "text": "x"}]}, "queries.jsonl, line 1: _id: Input should be"),
        ({"queries": [{"_id": "q", "text": ""}]}, "queries.jsonl, line 1: text: String should"),
        ({"qrels": [("q1", "d1", "1"), ("q1", "d1")]}, "test.tsv, line 3: ['q1', 'd1'] is not"),
        ({"qrels": [("q1", "d1", "good")]}, "test.tsv, line 2: ['q1', 'd1', 'good'] is not"),
        ({"qrels": [("q1", "d1", "0")]}, "holds no relevant document for any query"),
    ],
)
def test_each_defect_is_one_sentence_with_its_line(tmp_path, parts, told):
    message = refused(beir(tmp_path / "b", **parts))

    assert told in message
    assert message.endswith(".")
    assert "\n" not in message


def test_qrels_without_their_header_are_refused(tmp_path):
    folder = beir(tmp_path / "b")
    (folder / "qrels" / "test.tsv").write_text("q1\td1\t1\n")
    assert "line 1: ('q1', 'd1', '1') must be ('query-id'" in refused(folder)

    (folder / "qrels" / "test.tsv").write_text("")
    assert "line 1: () must be" in refused(folder)


def test_blank_lines_between_qrels_do_not_matter(tmp_path):
    collection = read_collection(beir(tmp_path / "b", qrels=[QRELS[0], ("",), QRELS[1]]))

    assert collection.judgements == 2


@pytest.mark.parametrize("name", ["corpus.jsonl", "qrels/test.tsv"])
def test_what_is_not_utf8_is_said_to_be_so(tmp_path, name):
    folder = beir(tmp_path / "b")
    (folder / name).write_bytes(b'\xff\xfe{"_id"')

    assert "this is not UTF-8 text." in refused(folder)


QUESTION = {
    "id": "s1",
    "question": "How fast?",
    "class": "lookup",
    "history": [{"role": "user", "content": "What is L1?"}],
    "groups": ["trigger"],
    "documents": ["twiki/Trigger.txt"],
    "facts": [{"text": "40 MHz", "keys": ["40 MHz"]}],
    "answer": "At 40 MHz.",
}


def asked(tmp_path: Path, *rows: object) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_question_is_read_with_everything_on_its_line(tmp_path):
    [question] = read_questions(asked(tmp_path, QUESTION))

    assert question.kind == "lookup"
    assert question.answerable
    assert question.facts[0].required
    assert question.history[0].role == "user"
    assert question.groups == ["trigger"]


def test_a_question_without_documents_is_to_be_refused(tmp_path):
    [question] = read_questions(asked(tmp_path, {"id": "u", "question": "Who won?"}))

    assert not question.answerable
    assert question.kind == "all"


def test_a_question_changes_its_digest_with_its_line_only(tmp_path):
    [one] = read_questions(asked(tmp_path, QUESTION))
    [same] = read_questions(asked(tmp_path, dict(reversed(QUESTION.items()))))
    [other] = read_questions(asked(tmp_path, QUESTION | {"groups": []}))

    assert one.digest == same.digest != other.digest


def test_even_lines_are_the_test_half_wherever_blank_lines_stand(tmp_path):
    path = tmp_path / "questions.jsonl"
    rows = [json.dumps(QUESTION | {"id": name}) for name in "abc"]
    path.write_text(f"{rows[0]}\n\n{rows[1]}\n{rows[2]}\n")

    a, b, c = read_questions(path)

    assert [(q.line, q.half) for q in (a, b, c)] == [(1, "dev"), (3, "dev"), (4, "test")]
    # Where it stands says nothing about what is asked: earlier rows still belong to it.
    assert a.model_copy(update={"id": "b"}).digest == b.digest
    assert AskedQuestion.model_validate(QUESTION).half == ""


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (QUESTION | {"facts": []}, "documents are named, so at least one fact must be required."),
        (
            QUESTION | {"facts": [{"text": "t", "keys": ["k"], "required": False}]},
            "documents are named, so at least one fact must be required.",
        ),
        (QUESTION | {"documents": []}, "facts are named, so the documents"),
        (QUESTION | {"fact": []}, "fact: Extra inputs are not permitted."),
        (QUESTION | {"facts": [{"text": "t", "keys": []}]}, "facts.0.keys: List should have"),
        (QUESTION | {"history": [{"role": "bot", "content": "c"}]}, "history.0.role: Input"),
        (QUESTION | {"question": ""}, "question: String should have at least 1"),
    ],
)
def test_a_wrong_question_is_told_by_line_and_key(tmp_path, row, told):
    with pytest.raises(DocentError) as caught:
        read_questions(asked(tmp_path, {"id": "first", "question": "?"}, row))

    assert "questions.jsonl, line 2: " in str(caught.value)
    assert told in str(caught.value)


def test_ids_of_questions_must_differ(tmp_path):
    with pytest.raises(DocentError, match="line 2: the id 's1' is also on line 1; ids must differ"):
        read_questions(asked(tmp_path, QUESTION, QUESTION))


def test_an_empty_or_missing_file_of_questions_is_told(tmp_path):
    with pytest.raises(DocentError, match="holds no question"):
        read_questions(asked(tmp_path))
    with pytest.raises(DocentError, match="cannot be read: No such file"):
        read_questions(tmp_path / "none.jsonl")


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path):
    one = file_digest(asked(tmp_path, QUESTION))
    other = file_digest(asked(tmp_path, QUESTION, {"id": "u", "question": "?"}))

    assert one != other
    with pytest.raises(DocentError, match="cannot be read"):
        file_digest(tmp_path / "none")

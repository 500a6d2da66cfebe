"""The seam for other people's LangChain code."""

import pytest

import assistant
from ingest.access import Reader
from tests.assistant.passages import FakeFinder, passage


def test_the_retriever_is_a_langchain_runnable_that_obeys_the_reader():
    finder = FakeFinder(passage("Text.", start=10), group="muons")
    member = assistant.DocentRetriever(retriever=finder, reader=Reader(frozenset({"muons"})), k=3)

    (document,) = member.invoke("anything")

    assert document.page_content == "Text."
    assert document.metadata["document_id"] == "files:Level-1 muon trigger"
    assert (document.metadata["start"], document.metadata["end"]) == (10, 15)
    assert document.metadata["updated_at"].startswith("2026-03-14")
    assert assistant.DocentRetriever(retriever=finder).invoke("anything") == []


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Elephant'"):
        assistant.Elephant  # noqa: B018

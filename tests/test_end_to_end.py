"""The commands as a user types them, over a real folder, a real index and the real embedder."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import docent
from ingest.errors import DocentError

pytestmark = pytest.mark.models

SETTINGS = """
[index]
path = "index"

[llm]
model = "none"

[sources.docs]
kind = "files"
path = "docs"
access = ["staff"]

[[sources.docs.rules]]
match = "open/**"
access = ["public"]
url = "https://docs.example/{stem}"
strip = "open/"
"""

TRIGGER = """# Muon triggers

## Thresholds

The item L1_MU4 asks for a muon above 4 GeV in the barrel.

| Item | Rate |
|------|------|
| L1_MU4 | 12 kHz |
| L1_MU6 | 7 kHz |
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root: Path = tmp_path_factory.mktemp("house")
    (root / "docs" / "open").mkdir(parents=True)
    (root / "docs" / "open" / "trigger.md").write_text(TRIGGER)
    (root / "docs" / "phones.txt").write_text("The run coordinator answers at 71234.")
    (root / "docs" / "broken.pdf").write_bytes(b"%PDF-1.4 nothing else")
    (root / "docent.toml").write_text(SETTINGS)
    run(root, "ingest")
    return root


def run(root, *words, status=0):
    done = CliRunner().invoke(docent.app, [*words, "--config", str(root / "docent.toml")])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.output
    return done.stdout


def test_ingest_tells_what_it_did_and_does_nothing_twice(folder):
    report = json.loads(run(folder, "ingest", "--json"))["sources"][0]

    assert (report["unchanged"], report["new"], report["embedded"]) == (3, 0, 0)
    assert "3 unchanged" in run(folder, "ingest")


def test_status_names_sources_and_failures(folder):
    told = json.loads(run(folder, "status", "--json"))

    assert told["generation"] >= 1
    assert [(s["name"], s["documents"]) for s in told["sources"]] == [("docs", 2)]
    (source,) = told["sources"]
    assert [failure["page_id"] for failure in source["failures"]] == ["docs:broken.pdf"]
    assert source["last_success"] == source["last_run"]
    assert (source["requests"], source["next_try"], source["trouble"]) == (0, None, "")
    assert "broken.pdf" in run(folder, "status")


def test_search_as_the_public_and_as_a_member(folder):
    open_hits = json.loads(run(folder, "search", "phone of the run coordinator", "--json"))["hits"]
    hits = json.loads(
        run(folder, "search", "phone of the run coordinator", "--as", "staff", "--json")
    )["hits"]

    assert {hit["document_id"] for hit in open_hits} == {"docs:open/trigger.md"}
    assert hits[0]["document_id"] == "docs:phones.txt"
    assert set(hits[0]) == {
        "document_id", "chunk_id", "title", "url", "source", "section", "text", "score",
        "updated_at", "also", "standing",
    }  # fmt: skip


def test_ask_without_a_model_gives_cited_extracts(folder):
    answer = json.loads(run(folder, "ask", "What does the item L1_MU4 ask for?", "--json"))

    assert answer["status"] == "extracts"
    assert "4 GeV" in answer["answer"]
    citation = answer["citations"][0]
    assert citation["url"] == "https://docs.example/trigger#thresholds"
    text = (folder / "docs" / "open" / "trigger.md").read_text()
    assert citation["quote"] in text
    assert "4 GeV" in run(folder, "ask", "What does the item L1_MU4 ask for?")


def test_ask_says_when_it_is_not_there(folder):
    answer = run(folder, "ask", "What does HLT_tau99_loose ask for?", "--json", status=3)

    assert json.loads(answer)["status"] == "not_found"


def test_a_rebuild_changes_nothing_that_a_reader_sees(folder):
    before = run(folder, "search", "muon", "--json")
    run(folder, "ingest", "--rebuild")

    assert run(folder, "search", "muon", "--json") == before


def test_one_source_alone_and_one_that_is_not_there(folder):
    assert "docs" in run(folder, "ingest", "--source", "docs")
    with pytest.raises(
        DocentError, match="--source nowhere is not in the settings; known are docs"
    ):
        run(folder, "ingest", "--source", "nowhere")


def test_errors_are_one_sentence(folder, tmp_path, capsys, monkeypatch):
    config = tmp_path / "docent.toml"
    config.write_text('[retrieval]\nk = 0\n\n[index]\npath = "nowhere"\n')
    monkeypatch.setattr("sys.argv", ["docent", "search", "x", "--config", str(config)])
    with pytest.raises(SystemExit) as stopped:
        docent.main()

    assert stopped.value.code == 1
    told = capsys.readouterr().err
    assert "[retrieval] k is 0: Input should be greater than or equal to 1." in told
    assert "Traceback" not in told

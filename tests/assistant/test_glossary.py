"""Acronyms of a question spelled out, and shown as a glossary."""

import io
import json

import pytest
import typer
from rich.console import Console

from assistant.cli import EXIT_NOT_FOUND
from assistant.cli_glossary import glossary, show_glossary
from assistant.glossary import Glossaries, Glossary, matching
from assistant.retrieve import Retriever
from ingest.access import ANYBODY
from ingest.chunk import chunk
from ingest.embed import embedder_from
from ingest.index import EmbeddedIndex, Entry, SaidBy, text_digest
from ingest.model import Acronym, Cut
from ingest.settings import RetrievalSettings, Settings
from tests.fakes import HashEmbedder
from tests.ingest.corpus import document, writer_at


def entry(short, long, *titles):
    sources = tuple(SaidBy(f"w:{t}", t, f"https://w/{t}") for t in titles or ("Acronyms",))
    return Entry(short, long, sources)


ENTRIES = (
    entry("CB", "Collaboration Board"),
    entry("DQ", "Data Quality", "Acronyms", "Shifts"),
    entry("ES", "energy scale", "Jets"),
    entry("ES", "electron source", "Cathodes"),
    entry("GRL", "good run list"),
    entry("IT", "inner tracker"),
)


@pytest.mark.parametrize(
    ("question", "added"),
    [
        ("Who is on the DQ shift?", ("Data Quality",)),
        ("missing events although grl is fine", ("good run list",)),
        ("Which GRLs are there?", ("good run list",)),
        ("Is it in the good run lists?", ("GRL",)),
        ("Which good-run list does the DQ desk make?", ("Data Quality", "GRL")),
        # Said both ways already, or a part of a name, or a word in small letters.
        ("Is the good run list (GRL) fine?", ()),
        ("What is DQ_FLAG?", ()),
        ("Where is it?", ()),
        ("When does the quality of data fall?", ()),
    ],
)
def test_the_other_way_of_saying_it_is_added(question, added):
    assert Glossary(ENTRIES).added(question) == added


@pytest.mark.parametrize(
    ("question", "added"),
    [
        ("What is the ES uncertainty of jets?", ("energy scale",)),
        ("What is the ES of the cathode?", ("electron source",)),
        ("What is the ES?", ()),
        ("Jets of cathodes in the ES?", ()),
    ],
)
def test_of_several_meanings_the_one_that_fits_the_question(question, added):
    assert Glossary(ENTRIES).added(question) == added


def test_not_more_than_four_are_added():
    entries = [entry(f"{one}X", f"{one}la xla") for one in "ABCDEFG"]
    assert len(Glossary(entries).added("AX BX CX DX EX FX GX")) == 4


def test_a_term_is_looked_up_by_short_form_or_by_words():
    assert [e.short for e in matching(ENTRIES, "grl")] == ["GRL"]
    assert [e.short for e in matching(ENTRIES, "Run-List")] == ["GRL"]
    assert [e.long for e in matching(ENTRIES, "es")] == ["energy scale", "electron source"]
    assert matching(ENTRIES, "uality") == matching(ENTRIES, "?") == []


def test_a_glossary_is_made_once_for_the_same_entries():
    kept = Glossaries()
    first = kept.of(ENTRIES)
    others = [(one,) for one in ENTRIES * 3]

    assert kept.of(ENTRIES) is first
    for other in others:
        kept.of(other)
    assert kept.of(ENTRIES) is not first


def test_a_question_is_searched_for_spelled_out_as_well(tmp_path):
    embedder = HashEmbedder()
    pages = [
        (document("a", "calorimeter cells"), ()),
        (document("b", "good run list files"), ()),
        (document("c", "acronyms"), (Acronym("GRL", "good run list"),)),
    ]
    with writer_at(tmp_path, embedder) as writer:
        for page, acronyms in pages:
            pieces = chunk(page)
            vectors = embedder.embed_documents([piece.indexed for piece in pieces])
            named = {text_digest(p.indexed): v for p, v in zip(pieces, vectors, strict=True)}
            writer.put(page.page_id, [Cut(page, pieces, b"", acronyms)], named)
        writer.commit()
    index = EmbeddedIndex(tmp_path, embedder=embedder.name)
    found = Retriever(index, embedder, RetrievalSettings(reranker="none")).retrieve("GRL", ANYBODY)

    assert found[0].document_id == "test:b"
    index.close()


def shown(entries, term="", *, as_json=False):
    out = io.StringIO()
    show_glossary(Console(file=out, width=200), entries, term, as_json=as_json)
    return out.getvalue()


def test_the_glossary_is_shown_with_its_documents_for_a_term():
    text = shown(ENTRIES[:2])
    assert text == "CB  Collaboration Board  1 document\nDQ  Data Quality  2 documents\n"
    assert "    Shifts  https://w/Shifts\n" in shown(ENTRIES[1:2], "DQ")
    assert (
        shown([], "\x1b[31mXY")
        == "No document that you may read says what '\\x1b[31mXY' stands for.\n"
    )
    assert shown([]) == "No document that you may read says what a short form stands for.\n"


def test_the_glossary_as_json():
    told = json.loads(shown(ENTRIES[:1], as_json=True))
    assert told == [
        {
            "short": "CB",
            "long": "Collaboration Board",
            "count": 1,
            "documents": [{"id": "w:Acronyms", "title": "Acronyms", "url": "https://w/Acronyms"}],
        }
    ]


def test_the_command_reads_the_index_that_the_settings_name(tmp_path, capsys):
    class Named(HashEmbedder):
        name = embedder_from(Settings().embedder, Settings().models).name

    embedder, page = Named(), document("c", "acronyms")
    with writer_at(tmp_path / "index", embedder) as writer:
        pieces = chunk(page)
        vectors = embedder.embed_documents([piece.indexed for piece in pieces])
        named = {text_digest(p.indexed): v for p, v in zip(pieces, vectors, strict=True)}
        acronyms = (Acronym("GRL", "good run list"),)
        writer.put(page.page_id, [Cut(page, pieces, b"", acronyms)], named)
        writer.commit()
    config = tmp_path / "docent.toml"
    config.write_text('[index]\npath = "index"\n')

    glossary("", config)
    assert capsys.readouterr().out == "GRL  good run list  1 document\n"
    with pytest.raises(typer.Exit) as ended:
        glossary("XYZ", config)
    assert ended.value.exit_code == EXIT_NOT_FOUND

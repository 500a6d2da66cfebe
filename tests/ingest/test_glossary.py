"""Acronyms mined from documents, stored with them, and read by who may read them."""

from dataclasses import replace

import pytest

from ingest.access import ANYBODY, Reader
from ingest.chunk import chunk
from ingest.glossary import acronyms, is_short, long_form
from ingest.index import EmbeddedIndex, text_digest
from ingest.index.acronyms import folded
from ingest.model import Acronym, Block, BlockKind, Cut, Section
from tests.fakes import HashEmbedder
from tests.ingest.corpus import document, writer_at

STAFF = Reader(frozenset({"staff"}))


def mined(*paragraphs, **more):
    return [(found.short, found.long) for found in acronyms(document("d", *paragraphs, **more))]


@pytest.mark.parametrize(
    ("text", "short", "long"),
    [
        ("Events go to the high-level trigger (HLT) first.", "HLT", "high-level trigger"),
        ("Take the HLT (High-Level Trigger) rate.", "HLT", "High-Level Trigger"),
        ("Two data acquisition (DAQ, see below) crates.", "DAQ", "data acquisition"),
        ("All working points (WPs) of muons.", "WP", "working points"),
        ("The Shift Leader In Matters Of Safety (SLIMOS) decides.", "SLIMOS",
         "Shift Leader In Matters Of Safety"),
        ("PXD = pixel detector", "PXD", "pixel detector"),
        ("- **IOV**: interval of validity of a payload", "IOV", "interval of validity"),
        ("GRL | good run list", "GRL", "good run list"),
        ("GRL - the good run list, see there", "GRL", "good run list"),
        ("Here JES stands for jet energy scale.", "JES", "jet energy scale"),
        ("CEC: crystal electromagnetic calorimeter", "CEC", "crystal electromagnetic calorimeter"),
        ("The BeaconNet 3 (BN3) tagger.", "BN3", "BeaconNet 3"),
    ],
)  # fmt: skip
def test_what_a_text_says_a_short_form_stands_for(text, short, long):
    assert mined(text) == [(short, long)]


@pytest.mark.parametrize(
    "text",
    [
        "The limit is thirty days (HLT).",
        "A jet of high energy (30 GeV) and more (2026).",
        "Ask the coordinator (Run 3).",
        "The muon trigger uses the resistive-plate chambers (MTC).",
        "The luminosity and beam conditions (LCD).",
        "Collaboration (CB)",
        "Only HLT (HLT)",
        "The DT-GRID CA (CA) signs.",
        "Of CMS and (CA) others.",
        "HLT: see the page of the trigger",
        "HLT = 3 kHz",
        "Note: This is a test.",
        "It was long. Trigger (HLT) rates.",
        "",
    ],
)
def test_what_is_no_definition(text):
    assert mined(text) == []


def test_code_defines_nothing():
    text = "high-level trigger (HLT)"
    code = (Block(BlockKind.CODE, 0, len(text), 0),)

    assert mined(text, blocks=code) == []
    assert mined(text, format="code") == []
    assert mined(text, blocks=(replace(code[0], kind=BlockKind.TABLE),), sections=(Section(()),))


def test_each_meaning_is_told_once():
    assert mined("The data quality (DQ) desk.", "DQ: data quality", "DQ: data quanta") == [
        ("DQ", "data quality"),
        ("DQ", "data quanta"),
    ]


def test_a_long_list_is_cut():
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    names = [f"{one}{two}" for one in letters for two in letters]
    lines = [f"{name}: {name[0]}la {name[1]}la" for name in names]

    assert len(mined(*lines)) == 500


def test_short_forms_have_capitals():
    assert [is_short(text) for text in ("HLT", "L1", "CI/CD", "WPs", "TriDAS")] == [True] * 5
    no = ("The", "2026", "L1_MU4", "v3.1", "A", "trigger", "3D", "VERYLONGNAME")
    assert [is_short(text) for text in no] == [False] * len(no)


def test_the_long_form_is_of_the_words_next_to_the_bracket():
    # At most twice as many words as letters are looked at, and the first letter begins a word.
    assert long_form("HT", "hot one two three four tea") == ""
    assert long_form("HT", "the hot tea") == "hot tea"
    assert long_form("AB", "cab") == ""
    assert long_form("AB", "") == ""


def test_ways_of_writing_one_meaning():
    assert folded("Pull-Requests") == folded("pull request") == "pull request"


@pytest.fixture
def index(tmp_path):
    embedder = HashEmbedder()
    pages = [
        document("one", "data quality"),
        document("two", "Data-Quality"),
        document("secret", "dark quanta", access=frozenset({"staff"})),
    ]
    with writer_at(tmp_path, embedder) as writer:
        for page in pages:
            put(writer, embedder, page, Acronym("DQ", page.text))
        put(writer, embedder, document("cec", "x"), Acronym("CEC", "crystal calorimeter"))
        writer.commit()
    opened = EmbeddedIndex(tmp_path, embedder=embedder.name)
    yield opened
    opened.close()


def put(writer, embedder, page, *found):
    pieces = chunk(page)
    vectors = embedder.embed_documents([piece.indexed for piece in pieces])
    named = {text_digest(p.indexed): v for p, v in zip(pieces, vectors, strict=True)}
    writer.put(page.page_id, [Cut(page, pieces, b"", found)], named)


def told(index, reader):
    with index.snapshot() as snapshot:
        entries = snapshot.glossary(reader)
        assert snapshot.glossary(reader) is entries
    return [(e.short, e.long, [s.document_id for s in e.sources]) for e in entries]


def test_a_reader_learns_only_what_their_documents_say(index):
    both = ["test:one", "test:two"]

    assert told(index, ANYBODY) == [
        ("CEC", "crystal calorimeter", ["test:cec"]),
        ("DQ", "data quality", both),
    ]
    # The meaning of most documents comes first.
    assert told(index, STAFF) == [
        ("CEC", "crystal calorimeter", ["test:cec"]),
        ("DQ", "data quality", both),
        ("DQ", "dark quanta", ["test:secret"]),
    ]


def test_what_a_removed_document_said_vanishes(index, tmp_path):
    embedder = HashEmbedder()
    with writer_at(tmp_path, embedder) as writer:
        writer.remove("test:cec")
        writer.remove("test:one")
        writer.commit()

    assert told(index, ANYBODY) == [("DQ", "Data-Quality", ["test:two"])]
    with writer_at(tmp_path, embedder) as writer:
        assert writer.db.execute("SELECT COUNT(*) FROM acronyms").fetchone() == (2,)

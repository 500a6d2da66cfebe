import json

import pytest

from ingest.errors import ParseError
from ingest.model import BlockKind
from ingest.parse import parse
from ingest.parse.formula import with_formulae
from ingest.safexml import read_xml
from tests.ingest.parse.pages import FETCHED, one, page, texts

MARC = '<record xmlns="http://www.loc.gov/MARC21/slim">{}</record>'
ARXIV = '<arXiv xmlns="http://arxiv.org/OAI/arXiv/">{}</arXiv>'


def marc(*fields, record="2900001"):
    """A MARCXML record of fields such as ("245", {"a": "Title"})."""
    told = [f'<controlfield tag="001">{record}</controlfield>']
    for tag, parts in fields:
        inner = "".join(f'<subfield code="{c}">{v}</subfield>' for c, v in parts.items())
        told.append(f'<datafield tag="{tag}" ind1=" " ind2=" ">{inner}</datafield>')
    return MARC.format("".join(told))


def table(document):
    """The first table as a dictionary."""
    (rows,) = texts(document, BlockKind.TABLE)
    return dict(line.split(" | ", 1) for line in rows.split("\n")[1:])


def test_a_record_of_inspire():
    metadata = {
        "control_number": 2700001,
        "titles": [
            {"title": r"Search for $Z'\to\ell\ell$ at $\sqrt{s}=13$ TeV", "subtitle": "Run 3"},
            {"title": "Another title", "source": "arXiv"},
        ],
        "report_numbers": [
            {"value": "MER-CONF-2026-09"},
            {"value": "MER-INT-1", "hidden": True},
            {"value": "CERN-EP-2026-001"},
        ],
        "arxiv_eprints": [{"value": "2601.00001", "categories": ["hep-ex", "hep-ph"]}],
        "dois": [{"value": "10.1/abc"}, {"value": "10.1/abc"}, {"value": "10.1/err"}],
        "collaborations": [{"value": "MERIDIAN"}],
        "authors": [{"full_name": "Kroll, Ada"}, {"full_name": "Bo"}],
        "preprint_date": "2026-01-05",
        "earliest_date": "2026-01-04",
        "publication_info": [
            {
                "journal_title": "JHEP",
                "journal_volume": "03",
                "journal_issue": "2",
                "year": 2026,
                "page_start": "159",
                "page_end": "170",
            },
            {"journal_title": "JHEP", "journal_volume": "05", "material": "erratum"},
            {"pubinfo_freetext": "Proc. of a workshop", "material": "publication"},
        ],
        "document_type": ["article"],
        "inspire_categories": [{"term": "Experiment-HEP"}],
        "keywords": [{"value": "* Automatic Keywords *"}, {"value": "dilepton"}],
        "number_of_pages": 12,
        "related_records": [
            {"relation": "predecessor", "record": {"$ref": "https://x.example/api/literature/1"}},
            {"relation_freetext": "see", "record": {"$ref": "https://x.example/api/literature/2"}},
        ],
        "abstracts": [{"value": "First abstract."}, {"value": "The same again."}],
        "public_notes": [{"value": "5 figures"}],
        "withdrawn": True,
    }
    document = one(json.dumps({"id": "2700001", "metadata": metadata}), "inspire")

    assert document.title == r"Search for $Z'\to\ell\ell$ at $\sqrt{s}=13$ TeV: Run 3" + (
        " (MER-CONF-2026-09)"
    )
    assert document.id == "wiki:Main/Page.txt"
    assert document.author == "MERIDIAN Collaboration"
    assert str(document.updated_at) == "2026-01-05 00:00:00+00:00"
    assert table(document) == {
        "title": r"Search for $Z'\to\ell\ell$ at $\sqrt{s}=13$ TeV: Run 3",
        "report number": "MER-CONF-2026-09, CERN-EP-2026-001",
        "arXiv": "arXiv:2601.00001",
        "DOI": "10.1/abc, 10.1/err",
        "collaboration": "MERIDIAN",
        "authors": "Ada Kroll, Bo",
        "date": "2026-01-05",
        "status": "withdrawn",
        "also titled": "Another title",
        "published in": "Proc. of a workshop",
        "erratum": "JHEP 05",
        "type": "article",
        "subjects": "Experiment-HEP, hep-ex, hep-ph",
        "keywords": "dilepton",
        "pages": "12",
        "supersedes": "https://x.example/literature/1",
        "see": "https://x.example/literature/2",
    }
    assert "published in | JHEP 03 (2) (2026) 159-170" in document.text
    assert texts(document)[1:] == ["Abstract", "First abstract.", "Notes", "- 5 figures"]


def test_a_search_of_inspire_gives_a_document_a_record():
    hits = [{"metadata": {"control_number": n, "titles": [{"title": f"T{n}"}]}} for n in (7, 8)]
    documents = parse(page(json.dumps({"hits": {"hits": hits, "total": 2}}), "p:x", "inspire"))

    assert [(each.id, each.title) for each in documents] == [("p:x#7", "T7"), ("p:x#8", "T8")]


def test_a_thesis_of_inspire_and_shapes_that_are_not_as_they_should_be():
    record = {
        "titles": [{"title": "A thesis"}, "odd"],
        "thesis_info": {"date": "2014-09", "institutions": [{"name": "Oslo U."}]},
        "corporate_author": ["The Group", 5],
        "report_numbers": "MER-1",
        "publication_info": [{}, None],
        "authors": {"full_name": "Lund, Bo"},
        "dois": [{"value": None}],
    }
    document = one(json.dumps(record), "inspire")

    assert str(document.updated_at) == "2014-09-01 00:00:00+00:00"
    assert table(document) == {
        "title": "A thesis",
        "authors": "Bo Lund",
        "date": "2014-09",
        "thesis": "Oslo U.",
    }
    document = one(json.dumps(record | {"authors": []}), "inspire")
    assert table(document)["authors"] == "The Group"


def test_long_lists_of_authors_are_cut():
    names = [{"full_name": f"Family{n}, Given"} for n in range(3000)]
    record = {"titles": [{"title": "T"}], "authors": names}

    document = one(json.dumps(record), "inspire")
    assert table(document)["authors"].endswith("Given Family19 and 2,980 others")
    assert document.author == "Given Family0 et al."


def test_a_record_of_cds():
    document = one(
        marc(
            ("024", {"2": "DOI", "a": "10.1/abc"}),
            ("024", {"a": "oai:cds.cern.ch:2900001", "p": "cerncds:CERN"}),
            ("037", {"a": "ATLAS-CONF-2023-001"}),
            ("037", {"9": "arXiv", "a": "arXiv:2301.00001", "c": "hep-ex"}),
            ("088", {"a": "CERN-PREPRINT-7"}),
            ("088", {"9": "ATL-COM-PHYS-2023-5"}),
            ("100", {"a": "Kroll, Ada"}),
            ("700", {"a": "Lund, Bo"}),
            ("710", {"g": "ATLAS Collaboration"}),
            ("245", {"a": "Search for a thing", "b": "with numbers"}),
            ("246", {"a": "Other"}),
            ("269", {"a": "Geneva", "c": "15 Feb 2023"}),
            ("500", {"a": "Comments: 12 pages"}),
            ("520", {"a": "We find &lt;p&gt;nothing&lt;/p&gt;&lt;p&gt;at all.&lt;/p&gt;"}),
            ("650", {"a": "Particle Physics - Experiment"}),
            ("653", {"a": "dilepton"}),
            ("693", {"a": "CERN LHC", "e": "ATLAS"}),
            ("773", {"p": "JHEP", "v": "03", "y": "2023", "c": "1-20"}),
            ("787", {"i": "Superseded by", "r": "CERN-EP-2023-100", "w": "2900100"}),
            ("785", {"w": "2900100"}),
            ("980", {"a": "ATLAS_CONF"}),
        ),
        "marcxml",
    )

    assert document.title == "Search for a thing: with numbers (ATLAS-CONF-2023-001)"
    assert str(document.updated_at) == "2023-02-15 00:00:00+00:00"
    assert table(document) == {
        "title": "Search for a thing: with numbers",
        "report number": "ATLAS-CONF-2023-001, CERN-PREPRINT-7",
        "arXiv": "arXiv:2301.00001",
        "DOI": "10.1/abc",
        "collaboration": "ATLAS",
        "authors": "Ada Kroll, Bo Lund",
        "date": "15 Feb 2023",
        "also titled": "Other",
        "published in": "JHEP 03 (2023) 1-20",
        "experiment": "ATLAS",
        "subjects": "Particle Physics - Experiment",
        "keywords": "dilepton",
        "superseded by": "CERN-EP-2023-100",
        "collection": "ATLAS_CONF",
    }
    assert "superseded by | 2900100" in document.text
    assert texts(document)[1:] == [
        "Abstract",
        "We find nothing",
        "at all.",
        "Notes",
        "- Comments: 12 pages",
    ]


def test_a_record_of_arxiv():
    document = one(
        ARXIV.format(
            "<id>2601.00001</id><created>2026-01-05</created><updated>2026-02-01</updated>"
            "<authors><author><keyname>MERIDIAN Collaboration</keyname></author><author>"
            "<keyname>Kroll</keyname><forenames>Ada</forenames><suffix>Jr</suffix></author>"
            "</authors><title>Muons\n  at $p_T&lt;30$ GeV</title><categories>hep-ex hep-ph"
            "</categories><comments>12 pages</comments><report-no>MER-1, MER-2; MER-3</report-no>"
            "<journal-ref>JHEP 03 (2026) 1</journal-ref><doi>10.1/abc</doi>"
            "<abstract>  We measure\n  $m_W$.\n</abstract>"
        ),
        "arxiv",
    )

    assert document.title == "Muons at $p_T<30$ GeV (MER-1)"
    assert document.author == "MERIDIAN Collaboration"
    assert table(document) == {
        "title": "Muons at $p_T<30$ GeV",
        "report number": "MER-1, MER-2, MER-3",
        "arXiv": "arXiv:2601.00001",
        "DOI": "10.1/abc",
        "collaboration": "MERIDIAN",
        "authors": "Ada Kroll Jr",
        "date": "2026-01-05",
        "revised": "2026-02-01",
        "published in": "JHEP 03 (2026) 1",
        "subjects": "hep-ex, hep-ph",
    }
    assert texts(document)[1:] == ["Abstract", "We measure $m_W$.", "Notes", "- 12 pages"]


def test_without_a_report_number_the_title_has_that_of_arxiv():
    document = one(ARXIV.format("<id>hep-ex/0001</id><title>T</title>"), "arxiv")

    assert (document.title, document.updated_at) == ("T (arXiv:hep-ex/0001)", FETCHED)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2026", "2026-01-01"),
        ("2026-3", "2026-03-01"),
        ("2026-03-09", "2026-03-09"),
        ("Mar 2026", "2026-03-01"),
        ("09 Mar 2026", "2026-03-09"),
    ],
)
def test_dates_may_lack_their_day_or_month(date, expected):
    document = one(marc(("245", {"a": "T"}), ("260", {"c": date})), "marcxml")
    assert str(document.updated_at) == f"{expected} 00:00:00+00:00"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<math><msub><mi>m</mi><mi>W</mi></msub><mo>=</mo><mn>80.4</mn></math>", "$m_W = 80.4$"),
        (
            '<mml:math xmlns:mml="x"><mml:msubsup><mml:mi>B</mml:mi><mml:mi>s</mml:mi>'
            "<mml:mn>10</mml:mn></mml:msubsup></mml:math>",
            "$B_s^{10}$",
        ),
        ("<math><mfrac><mn>1</mn><mi>ab</mi></mfrac></math>", "$1/{ab}$"),
        (
            "<math><msqrt><mi>s</mi></msqrt><mroot><mi>x</mi><mn>3</mn></mroot></math>",
            r"$\sqrt{s}\sqrt[3]{x}$",
        ),
        (
            "<math><mfenced><mi>a</mi><mi>b</mi></mfenced><mtext>with</mtext></math>",
            "$(a, b) with$",
        ),
        ("<math><mover><mi>q</mi><mo>-</mo></mover></math>", "$q^-$"),
        (
            "<math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x^2"
            "</annotation></semantics></math>",
            "$x^2$",
        ),
        ("<math><semantics><mi>x</mi><annotation>n</annotation></semantics></math>", "$x$"),
        ("<math><mi>x</math> and <math>", "$x$ and <math>"),
        ("</math><math>&lt;</math>", "</math>$<$"),
        ("<math><mi>&alpha;</mi></math>", "$α$"),
    ],
)
def test_mathml_becomes_readable(markup, text):
    assert with_formulae(markup) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("p < 0.05 and $p_T<q_T$ stay", "p < 0.05 and $p_T<q_T$ stay"),
        ("AT&amp;T &lt; 5, <i>m</i><sub>W</sub>", "AT&T < 5, mW"),
        ("<jats:p>$a<b$</jats:p>", "$a<b$"),
        ("mass <math><msub><mi>m</mi><mi>W</mi></msub></math> <b>in</b> GeV", "mass $m_W$ in GeV"),
    ],
)
def test_titles_keep_their_formulae_and_lose_their_tags(given, text):
    assert one(json.dumps({"titles": [{"title": given}]}), "inspire").title == text


@pytest.mark.parametrize(
    ("format_", "content", "reason"),
    [
        ("inspire", "[]", "holds no inspire record"),
        ("inspire", '{"titles": []}', "holds no inspire record"),
        ("marcxml", "<collection/>", "holds no marcxml record"),
        ("arxiv", "<arXiv><id>1</id></arXiv>", "holds no arxiv record"),
        ("arxiv", "<arXiv><title>cut", "is not well-formed XML"),
        ("marcxml", '<!DOCTYPE a [<!ENTITY x "y">]><record>&x;</record>', "a document type"),
        ("marcxml", "<record>&x;</record>", "undefined entity"),
        ("marcxml", "<a>" * 300 + "</a>" * 300, "more than 200 elements deep"),
        ("marcxml", "PK\x03\x04", "binary file"),
    ],
)
def test_what_is_no_record_is_refused(format_, content, reason):
    with pytest.raises(ParseError, match=reason):
        parse(page(content, "p:x", format_))


def test_a_document_type_is_seen_in_other_encodings_too():
    bomb = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'
    with pytest.raises(ParseError, match="document type"):
        read_xml("x", bomb.encode("utf-16"))

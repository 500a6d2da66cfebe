"""Word: headings, lists, tables, and what nobody sees."""

import pytest
from docx import Document as new_docx
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from ingest.model import BlockKind
from tests.ingest.parse.office.conftest import MODIFIED, repacked, saved, word
from tests.ingest.parse.pages import FETCHED, one, path_of, texts


def read_word(fill, **properties):
    return one(word(fill, **properties), "docx", "indico:1/note.docx")


def append(made, xml):
    """Put XML into the body of a Word file, before its last section's properties."""
    made.element.body.sectPr.addprevious(parse_xml(xml))


def paragraph_xml(inner):
    return f"<w:p {nsdecls('w')} {OTHERS}>{inner}</w:p>"


OTHERS = (
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:v="urn:schemas-microsoft-com:vml"'
)


def test_word_headings_open_sections_and_paragraphs_stand_below_them():
    def fill(made):
        made.add_paragraph("Muon trigger note", style="Title")
        made.add_paragraph("An opening remark.")
        made.add_heading("Latency", 1)
        made.add_paragraph("The budget is 3.2 us.")
        made.add_heading("Fibres", 2)
        made.add_paragraph("They take 0.6 us.")

    document = read_word(fill, title="Template 7")

    assert document.title == "Muon trigger note"
    assert document.author == "Ada Zerovic"
    assert document.updated_at == MODIFIED
    assert path_of(document, "opening") == ()
    assert path_of(document, "budget") == ("Latency",)
    assert path_of(document, "0.6 us") == ("Latency", "Fibres")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Alignment of the tracker", "Alignment of the tracker"),
        ("PowerPoint Presentation", "First heading"),
        ("Microsoft Word - draft3", "First heading"),
        ("talk_v2.pptx", "First heading"),
        ("", "First heading"),
    ],
)
def test_a_title_that_a_program_made_up_is_not_taken(given, shown):
    document = read_word(lambda made: made.add_heading("First heading", 1), title=given)

    assert document.title == shown


def test_a_file_without_properties_has_the_date_of_its_page():
    made = new_docx()
    made.add_paragraph("Hello.")
    raw = repacked(
        saved(made),
        {
            "_rels/.rels": lambda old: old.replace(b"metadata/core-properties", b"metadata/other"),
        },
    )
    document = one(raw, "docx", "indico:1/note.docx")

    assert (document.title, document.author) == ("note.docx", "")
    assert document.updated_at == FETCHED


def test_styles_of_ones_own_are_what_they_are_based_on():
    def fill(made):
        styles = made.styles
        mine = styles.add_style("Kapitel", 1)
        mine.base_style = styles["Heading 2"]
        outlined = styles.add_style("Outlined", 1)
        outlined.element.get_or_add_pPr().append(
            parse_xml(f'<w:outlineLvl {nsdecls("w")} w:val="0"/>')
        )
        made.add_paragraph("Part", style="Outlined")
        made.add_paragraph("Chapter", style="Kapitel")
        made.add_paragraph("Text.")
        append(
            made,
            paragraph_xml('<w:pPr><w:outlineLvl w:val="2"/></w:pPr><w:r><w:t>Deep</w:t></w:r>'),
        )
        made.add_paragraph("More.")

    document = read_word(fill, title="The note")

    assert path_of(document, "Text.") == ("Part", "Chapter")
    assert path_of(document, "More.") == ("Part", "Chapter", "Deep")


def test_word_lists_keep_depth_and_numbers():
    def fill(made):
        made.add_paragraph("first", style="List Number")
        made.add_paragraph("second", style="List Number")
        made.add_paragraph("Between.")
        made.add_paragraph("dot", style="List Bullet")
        deep = made.add_paragraph("below", style="List Bullet")
        deep.paragraph_format.element.get_or_add_pPr().append(
            parse_xml(f'<w:numPr {nsdecls("w")}><w:ilvl w:val="1"/></w:numPr>')
        )
        plain = made.add_paragraph("no item", style="List Bullet")
        plain.paragraph_format.element.get_or_add_pPr().append(
            parse_xml(f'<w:numPr {nsdecls("w")}><w:numId w:val="0"/></w:numPr>')
        )

    document = read_word(fill)

    assert texts(document) == ["1. first\n2. second", "Between.", "- dot\n  - below", "no item"]
    assert document.blocks[2].kind is BlockKind.LIST


def test_word_tables_have_their_header_row_and_merged_cells_are_told_again():
    def fill(made):
        table = made.add_table(3, 3)
        for row, line in enumerate(
            [("item", "rate", "state"), ("L1_MU4", "10", "on"), ("", "", "x")]
        ):
            for column, text in enumerate(line):
                table.cell(row, column).text = text
        table.cell(1, 0).merge(table.cell(2, 0))
        table.cell(2, 1).merge(table.cell(2, 2))
        bare = made.add_table(1, 2)
        bare.cell(0, 0).text, bare.cell(0, 1).text = "a", "b"
        bare._tbl.tblPr.remove(bare._tbl.tblPr.find(f"{{{bare._tbl.nsmap['w']}}}tblLook"))

    document = read_word(fill)

    first, second = document.blocks
    assert texts(document) == ["item | rate | state\nL1_MU4 | 10 | on\nL1_MU4 | x |", "a | b"]
    assert document.text[: first.header_end] == "item | rate | state"
    assert second.header_end is None


@pytest.mark.parametrize(
    ("look", "headed"),
    [
        ('w:val="04A0"', True),
        ('w:val="0480"', False),
        ('w:val="0480" w:firstRow="1"', True),
        ('w:val="xyz"', False),
        ("", False),
    ],
)
def test_a_header_row_is_one_that_the_table_says_is_one(look, headed):
    def fill(made):
        row = "".join(f"<w:tc><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>" for text in "ab")
        append(
            made,
            f"<w:tbl {nsdecls('w')}><w:tblPr><w:tblLook {look}/></w:tblPr>"
            f"<w:tr>{row}</w:tr><w:tr>{row}</w:tr></w:tbl>",
        )

    (block,) = read_word(fill).blocks

    assert (block.header_end is not None) == headed


def test_a_row_marked_as_repeated_is_a_header_row():
    def fill(made):
        cells = "".join(f"<w:tc><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>" for text in "ab")
        marked = f"<w:tr><w:trPr><w:tblHeader/></w:trPr>{cells}</w:tr>"
        append(made, f"<w:tbl {nsdecls('w')}>{marked}<w:tr>{cells}</w:tr></w:tbl>")

    assert read_word(fill).blocks[0].header_end == len("a | b")


def test_a_table_of_one_column_is_a_frame_around_text():
    def fill(made):
        table = made.add_table(1, 1)
        table.cell(0, 0).text = "A framed remark."

    document = read_word(fill)

    assert [block.kind for block in document.blocks] == [BlockKind.PROSE]


def test_text_that_the_libraries_pass_over_is_kept_and_what_nobody_sees_is_not():
    run = "<w:r><w:t>{}</w:t></w:r>"
    inner = (
        run.format("Kept ")
        + f"<w:ins>{run.format('inserted ')}</w:ins>"
        + f"<w:del>{run.format('removed ')}</w:del>"
        + f"<w:moveFrom>{run.format('moved ')}</w:moveFrom>"
        + "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden </w:t></w:r>"
        + '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t>seen </w:t></w:r>'
        + "<m:oMath><m:r><m:t>E=mc</m:t></m:r></m:oMath>"
        + "<w:r><w:tab/><w:t>low</w:t><w:noBreakHyphen/><w:t>pt</w:t><w:br/><w:t>line</w:t></w:r>"
        + "<!-- a comment -->"
    )
    box = f"<w:txbxContent><w:p>{run.format('boxed')}</w:p></w:txbxContent>"
    boxed = (
        f"<w:r><mc:AlternateContent><mc:Choice>{box}</mc:Choice>"
        f"<mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    )

    def fill(made):
        append(made, paragraph_xml(inner))
        append(made, paragraph_xml(boxed))
        append(
            made,
            f"<w:sdt {nsdecls('w')}><w:sdtPr/><w:sdtContent>"
            f"<w:p>{run.format('controlled')}</w:p></w:sdtContent></w:sdt>",
        )

    document = read_word(fill)

    assert texts(document) == ["Kept inserted seen E=mc low-pt\nline", "boxed", "controlled"]


def test_the_table_of_contents_is_left_out():
    def fill(made):
        made.styles.add_style("toc 1", 1)
        made.add_paragraph("1 Latency 3", style="toc 1")
        append(
            made,
            f"<w:sdt {nsdecls('w')}><w:sdtPr><w:docPartObj>"
            '<w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr>'
            "<w:sdtContent><w:p><w:r><w:t>Contents</w:t></w:r></w:p></w:sdtContent></w:sdt>",
        )
        made.add_paragraph("Text.")

    assert read_word(fill).text == "Text."


def test_a_bookmark_in_a_heading_is_its_anchor():
    def fill(made):
        heading = made.add_heading("Latency", 1)
        heading._p.append(parse_xml(f'<w:bookmarkStart {nsdecls("w")} w:id="0" w:name="_Ref7"/>'))

    assert read_word(fill).sections[0].anchor == "_Ref7"


def test_a_document_without_numbering_has_no_numbered_lists():
    raw = word(lambda made: made.add_paragraph("first", style="List Number"))
    raw = repacked(
        raw,
        {
            "word/_rels/document.xml.rels": lambda old: old.replace(
                b"relationships/numbering", b"relationships/nothing"
            ),
        },
    )

    assert one(raw, "docx", "f:a.docx").text == "- first"

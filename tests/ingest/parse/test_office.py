import io
import zipfile
from datetime import UTC, datetime

import pytest
from docx import Document as new_docx
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from pptx import Presentation as new_pptx
from pptx.oxml import parse_xml as parse_slide_xml
from pptx.util import Inches

from ingest.errors import ParseError
from ingest.model import BlockKind
from ingest.parse import guess_format, parse
from tests.ingest.parse.pages import FETCHED, one, page, path_of, texts

EMPTY = b"PK\x05\x06" + b"\x00" * 18
"""An archive without members."""
MODIFIED = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)


def saved(made):
    raw = io.BytesIO()
    made.save(raw)
    return raw.getvalue()


def word(fill=lambda made: None, title="", modified=MODIFIED):
    """A Word file, filled by a function."""
    made = new_docx()
    made.core_properties.title = title
    made.core_properties.author = "Ada Zerovic"
    made.core_properties.modified = modified.replace(tzinfo=None)
    fill(made)
    return saved(made)


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


def repacked(raw, change=None, extra=None, compress=zipfile.ZIP_DEFLATED):
    """The package with some of its members changed or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w", compress) as new:
        for name in old.namelist():
            new.writestr(name, (change or {}).get(name, lambda content: content)(old.read(name)))
        for name, content in (extra or {}).items():
            new.writestr(name, content)
    return out.getvalue()


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


def slides(fill=lambda made: None, title=""):
    """A PowerPoint file, filled by a function."""
    made = new_pptx()
    made.core_properties.title = title
    made.core_properties.author = "Bo Tran"
    made.core_properties.modified = MODIFIED.replace(tzinfo=None)
    fill(made)
    return saved(made)


def read_slides(fill, **properties):
    return one(slides(fill, **properties), "pptx", "indico:1/talk.pptx")


def add_slide(made, layout, *placeholders):
    slide = made.slides.add_slide(made.slide_layouts[layout])
    for place, text in zip(slide.placeholders, placeholders, strict=False):
        place.text = text
    return slide


def test_slides_are_pages_with_title_bullets_and_speaker_notes():
    def fill(made):
        add_slide(made, 0, "Trigger status", "Bo Tran, CERN")
        slide = add_slide(made, 1, "Rates", "L1 at 90 kHz\nHLT at 3 kHz")
        slide.placeholders[1].text_frame.paragraphs[1].level = 1
        slide.notes_slide.notes_text_frame.text = "Say that the HLT was tuned."

    document = read_slides(fill, title="PowerPoint Presentation")

    assert (document.title, document.author) == ("Trigger status", "Bo Tran")
    assert document.updated_at == MODIFIED
    assert texts(document) == [
        "Trigger status",
        "Bo Tran, CERN",
        "Rates",
        "- L1 at 90 kHz\n  - HLT at 3 kHz",
        "Speaker notes",
        "Say that the HLT was tuned.",
    ]
    assert [block.page for block in document.blocks] == [1, 1, 2, 2, 2, 2]
    assert path_of(document, "tuned") == ("Rates", "Speaker notes")


def test_a_slide_without_a_title_is_told_by_its_number():
    def fill(made):
        add_slide(made, 5, "Named")
        made.slides.add_slide(made.slide_layouts[6]).shapes.add_textbox(
            0, 0, Inches(1), Inches(1)
        ).text_frame.text = "Backup text."

    document = read_slides(fill)

    assert path_of(document, "Backup") == ("Slide 2",)
    assert document.blocks[-1].kind is BlockKind.PROSE


def test_tables_groups_and_drawn_boxes_of_a_slide_are_read_and_footers_are_not():
    def fill(made):
        slide = add_slide(made, 5, "Numbers")
        table = slide.shapes.add_table(3, 2, 0, 0, Inches(2), Inches(1)).table
        for row, line in enumerate([("run", "lumi"), ("7", "1.5"), ("", "2.5")]):
            for column, text in enumerate(line):
                table.cell(row, column).text = text
        table.cell(1, 0).merge(table.cell(2, 0))
        bare = slide.shapes.add_table(1, 2, 0, 0, Inches(2), Inches(1)).table
        bare.first_row = False
        bare.cell(0, 0).text, bare.cell(0, 1).text = "a", "b"
        group = slide.shapes.add_group_shape()
        inside = group.shapes.add_textbox(0, 0, Inches(1), Inches(1))
        inside.text_frame.text = "Grouped."
        footer = slide.shapes.add_textbox(0, 0, Inches(1), Inches(1))
        footer.text_frame.text = "Page 3 of 9"
        footer._element.nvSpPr.nvPr.append(
            parse_slide_xml(
                '<p:ph xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
                'type="ftr"/>'
            )
        )

    document = read_slides(fill)

    assert texts(document) == [
        "Numbers",
        "run | lumi\n7 | 1.5\n7 | 2.5",
        "a | b",
        "Grouped.",
    ]
    assert [block.header_end is not None for block in document.blocks] == [
        False,
        True,
        False,
        False,
    ]


def test_bullets_of_a_drawn_box_are_a_list_and_a_body_without_bullets_is_prose():
    names = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'

    def fill(made):
        slide = add_slide(made, 1, "Title", "Not an item")
        body = slide.placeholders[1].text_frame.paragraphs[0]
        body._p.get_or_add_pPr().append(parse_slide_xml(f"<a:buNone {names}/>"))
        frame = slide.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame
        frame.text = "item\nprose"
        mark = parse_slide_xml(f'<a:buChar {names} char="x"/>')
        frame.paragraphs[0]._p.get_or_add_pPr().append(mark)

    document = read_slides(fill)

    assert texts(document) == ["Title", "Not an item", "- item", "prose"]


def test_a_shape_with_a_formula_is_read_once():
    def fill(made):
        slide = add_slide(made, 5, "Formula")
        box = slide.shapes.add_textbox(0, 0, Inches(1), Inches(1))
        box.text_frame.text = "m = "
        formula = parse_slide_xml(
            '<m:oMath xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math">'
            "<m:r><m:t>91 GeV</m:t></m:r></m:oMath>"
        )
        box.text_frame.paragraphs[0]._p.append(formula)
        wrapped = parse_slide_xml(
            '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/'
            'markup-compatibility/2006"><mc:Choice/><mc:Fallback/></mc:AlternateContent>'
        )
        box._element.addprevious(wrapped)
        wrapped[0].append(box._element)
        empty = parse_slide_xml(
            '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/'
            'markup-compatibility/2006"/>'
        )
        wrapped.addprevious(empty)

    assert texts(read_slides(fill)) == ["Formula", "m = 91 GeV"]


@pytest.mark.parametrize("name", ["i:1/talk", "i:1/talk.txt", "i:1/talk.zip"])
def test_office_files_are_told_by_their_content(name):
    assert guess_format(name, word()) == "docx"
    assert guess_format(name, slides()) == "pptx"


def test_other_archives_are_still_refused():
    with pytest.raises(ParseError, match="is a binary file"):
        guess_format("i:1/data.docx", repacked(EMPTY, extra={"xl/a.xml": "x"}))


@pytest.mark.parametrize(
    ("raw", "name", "main", "given"),
    [
        (
            "word",
            "word/document.xml",
            b"wordprocessingml.document.main",
            b"wordprocessingml.template.main",
        ),
        ("slides", "ppt/x", b"presentationml.presentation.main", b"presentationml.slideshow.main"),
    ],
)
def test_templates_and_slide_shows_are_read_as_what_they_are(raw, name, main, given):
    if raw == "word":
        content, kind = word(lambda made: made.add_paragraph("Inside.")), "docx"
    else:
        content, kind = slides(lambda made: add_slide(made, 5, "Inside.")), "pptx"
    content = repacked(content, {"[Content_Types].xml": lambda old: old.replace(main, given)})

    assert one(content, kind, "i:1/file").text == "Inside."


def lying(raw, name, claimed):
    """The package with a size in its directory that is not the member's."""
    at = raw.rindex(b"PK\x01\x02", 0, raw.rindex(name))
    return raw[: at + 24] + claimed.to_bytes(4, "little") + raw[at + 28 :]


BOMB = b"<a>" + b" " * 60_000_000 + b"</a>"


def test_a_package_that_unpacks_to_too_much_is_refused_unread():
    raw = repacked(word(), extra={"word/bomb.xml": BOMB})

    with pytest.raises(ParseError, match="unpacks to more than 50,000,000 bytes"):
        parse(page(raw, "i:1/a.docx", "docx"))


def test_members_are_counted_together():
    parts = {f"word/part{at}.xml": b" " * 6_000_000 for at in range(9)}

    with pytest.raises(ParseError, match="unpacks to more than 50,000,000 bytes"):
        parse(page(repacked(word(), extra=parts), "i:1/a.docx", "docx"))


def test_a_package_that_lies_about_its_sizes_is_refused():
    raw = lying(repacked(word(), extra={"word/bomb.xml": BOMB}), b"word/bomb.xml", 10)

    with pytest.raises(ParseError, match="is not a readable Word document"):
        parse(page(raw, "i:1/a.docx", "docx"))


def test_a_package_of_very_many_files_is_refused():
    parts = {f"word/{at}.bin": b"" for at in range(10_001)}

    with pytest.raises(ParseError, match="more than 10,000"):
        parse(page(repacked(word(), extra=parts), "i:1/a.docx", "docx"))


def test_pictures_are_not_unpacked():
    def fill(made):
        made.add_paragraph("Beside a film.")

    raw = repacked(word(fill), extra={"word/media/film.mp4": b"\x00" * 60_000_000})

    assert one(raw, "docx", "i:1/a.docx").text == "Beside a film."


@pytest.mark.parametrize("charset", ["utf-8", "utf-16"])
def test_entities_are_refused(charset):
    evil = '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>'.encode(charset)
    raw = repacked(word(), {"word/document.xml": lambda old: evil})

    with pytest.raises(ParseError, match="declares entities"):
        parse(page(raw, "i:1/a.docx", "docx"))


@pytest.mark.parametrize("kind", ["docx", "pptx"])
@pytest.mark.parametrize("keep", [100, 2000, -300])
def test_a_cut_file_is_a_parse_error(kind, keep):
    raw = word() if kind == "docx" else slides()

    with pytest.raises(ParseError, match="is not a readable"):
        parse(page(raw[:keep], "i:1/a", kind))


@pytest.mark.parametrize(
    ("raw", "kind"),
    [(word(), "pptx"), (slides(), "docx"), (b"no archive", "docx"), (EMPTY, "pptx")],
)
def test_another_kind_of_file_is_a_parse_error(raw, kind):
    with pytest.raises(ParseError, match="is not a readable"):
        parse(page(raw, "i:1/a", kind))


def test_broken_xml_inside_is_a_parse_error():
    raw = repacked(word(), {"word/document.xml": lambda old: old[:-50]})

    with pytest.raises(ParseError, match="is not a readable Word document"):
        parse(page(raw, "i:1/a.docx", "docx"))


def test_a_password_or_an_old_format_is_said():
    with pytest.raises(ParseError, match="has a password or an old format"):
        parse(page(b"\xd0\xcf\x11\xe0" + b"\x00" * 600, "i:1/a.doc", "docx"))


def test_a_file_without_text_is_a_parse_error():
    with pytest.raises(ParseError, match="holds no text"):
        parse(page(word(), "i:1/a.docx", "docx"))

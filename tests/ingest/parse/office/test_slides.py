"""Slides: pages with bullets, tables and notes."""

from pptx.oxml import parse_xml as parse_slide_xml
from pptx.util import Inches

from ingest.model import BlockKind
from tests.ingest.parse.office.conftest import MODIFIED, add_slide, slides
from tests.ingest.parse.pages import one, path_of, texts


def read_slides(fill, **properties):
    return one(slides(fill, **properties), "pptx", "indico:1/talk.pptx")


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

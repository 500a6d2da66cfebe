from datetime import UTC, datetime

from ingest.model import BlockKind
from tests.ingest.parse.pages import one, path_of, texts


def rst(text):
    return one(text, "rst", "docs:guide/intro.rst")


def test_sections_lists_tables_and_code():
    document = rst(
        "Title\n=====\n\nIntro with *emph*, ``L1_MU4`` and `link <http://x>`_.\n\n"
        "Part\n----\n\n- a\n\n  1. b\n- c\n\nHLT\n    The farm.\n\n"
        "| one\n| two\n\n::\n\n    x = 1\n\n"
        ".. list-table:: Rates\n   :header-rows: 1\n\n   * - item\n     - rate\n"
        "   * - L1_MU4\n     - 12\n\n"
        "===  ===\n1    2\n===  ===\n"
    )

    assert document.title == "Title"
    assert texts(document) == [
        "Title",
        "Intro with emph, L1_MU4 and link.",
        "Part",
        "- a\n  1. b\n- c",
        "- HLT: The farm.",
        "one\ntwo",
        "x = 1",
        "Rates",
        "item | rate\nL1_MU4 | 12",
        "1 | 2",
    ]
    assert path_of(document, "x = 1") == ("Part",)
    assert document.sections[1].anchor == "part"
    assert document.blocks[-2].header_end == document.blocks[-2].start + len("item | rate")


def test_what_only_sphinx_knows_loses_no_text(capfd):
    document = rst(
        "T\n=\n\nSee :ref:`the guide <guide>`, :py:func:`~pkg.run` and `x`:unheard:.\n\n"
        ".. versionadded:: 2.1\n   Option *fast*.\n\n.. code-block:: python\n   :linenos:\n\n"
        "   run()\n\n"
        ".. py:function:: run(x)\n\n   Runs it.\n\n.. toctree::\n\n   other\n\n"
        ".. only:: html\n\n   Web.\n\n"
        ".. math:: E=mc^2\n   :label: e\n\n"
        ".. note::\n   Mind.\n\n.. admonition:: Own title\n\n   Said.\n\n"
        ".. unheard-of:: a b\n   :opt: 1\n\n   - li\n"
    )

    assert texts(document) == [
        "T",
        "See the guide, pkg.run and x.",
        "Versionadded: 2.1",
        "Option fast.",
        "run()",
        "run(x)",
        "Runs it.",
        "Web.",
        "E=mc^2",
        "Note:",
        "Mind.",
        "Own title:",
        "Said.",
        "Unheard of: a b",
        "- li",
    ]
    assert capfd.readouterr() == ("", "")


def test_nothing_is_included_or_passed_through():
    document = rst(
        "Kept.\n\n.. include:: /etc/hostname\n\n.. raw:: html\n\n   <script>x</script>\n\n"
        ".. csv-table::\n   :file: /etc/hostname\n\n.. image:: a.png\n   :alt: gone\n\n.. comment\n"
    )

    assert document.text == "Kept."


def test_author_and_date_come_from_the_first_fields():
    document = rst("T\n=\n\n:Author: Ada Kroll\n:Date: 2024-03-12\n:Owner: DAQ\n\nText.")

    assert document.author == "Ada Kroll"
    assert document.updated_at == datetime(2024, 3, 12, tzinfo=UTC)
    assert "Owner: DAQ" in document.text


def test_code_inside_lists_and_definitions_keeps_its_lines():
    document = rst(
        "- first\n\n  ::\n\n      a\n        b\n\n  - inner\n\n- second\n\nterm\n  ::\n\n      c\n"
    )

    assert texts(document, BlockKind.CODE) == ["a\n  b", "c"]
    assert texts(document, BlockKind.LIST) == ["- first", "  - inner", "- second", "- term"]

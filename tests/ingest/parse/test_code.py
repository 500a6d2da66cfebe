from ingest.model import BlockKind
from tests.ingest.parse.pages import one, path_of, texts


def code(text, name):
    return one(text, "code", f"git:src/{name}")


def test_python_is_cut_at_its_definitions():
    document = code(
        '#!/usr/bin/env python\n"""Check menus."""\nimport sys\n\n# Runs it.\n@cache\n'
        'def run(menu):\n    """Run one."""\n    return menu\n\n'
        "class Small:\n    x = 1\n\nrun(1)\n",
        "check.py",
    )

    assert document.title == "check.py"
    assert texts(document) == [
        "Check menus.",
        "import sys",
        "run",
        "Run one.",
        '# Runs it.\n@cache\ndef run(menu):\n    """Run one."""\n    return menu',
        "Small",
        "class Small:\n    x = 1",
        "run(1)",
    ]


def test_a_large_class_is_cut_into_methods():
    body = "".join(f"    def m{at}(self):\n" + "        pass\n" * 30 for at in range(3))
    document = code(f"class Big:\n    limit = 1\n\n{body}    end = 2\n", "big.py")

    assert texts(document, BlockKind.HEADING) == ["Big", "Big.m0", "Big.m1", "Big.m2"]
    assert path_of(document, "def m2") == ("Big", "Big.m2")


def test_python_that_does_not_parse_is_still_code():
    assert texts(code("print 'old'\nx = (\n", "old.py")) == ["print 'old'\nx = ("]


def test_c_plus_plus_is_cut_at_its_definitions_inside_namespaces():
    document = code(
        "/**\n * @brief Transparency correction of the calorimeter.\n */\n#include <cmath>\n\n"
        "namespace mer::cec {\n\n/// Largest gap.\nconstexpr int kMax = 3;  // }\n\n"
        "/// One point.\nstruct Point { double t; };\n\n"
        '/* Scale "{" it. */\ntemplate <class T>\nT Box::scale(const T& x) const {\n'
        "  if (x > 0) { return x; }\n  return '}';\n}\n\n}  // namespace\n",
        "Cec.cc",
    )

    assert texts(document)[0] == "Transparency correction of the calorimeter."
    assert texts(document, BlockKind.HEADING) == ["Point", "Box::scale"]
    assert path_of(document, "return x") == ("Box::scale",)
    assert 'Scale "{" it.' in texts(document, BlockKind.PROSE)


def test_other_languages_keep_their_leading_comment_as_prose():
    document = code("#!/bin/sh\n# Starts the run control and waits.\nset -e\nrc start\n", "rc.sh")

    assert texts(document) == ["Starts the run control and waits.", "set -e\nrc start"]
    assert texts(code("a: 1\n", "c.yaml")) == ["a: 1"]


def test_long_code_comes_in_pieces_at_blank_lines():
    lines = [("" if at % 10 == 9 else f"x{at} = {at}") for at in range(100)]
    pieces = texts(code("\n".join(lines), "x.cfg"))

    assert len(pieces) == 3
    assert "\n".join(pieces).split() == "\n".join(lines).split()
    assert pieces[1].startswith("x40")


def text(content, name="notes.txt"):
    return one(content, "text", f"files:{name}")


def test_paragraphs_lists_headings_and_indented_blocks_of_plain_text():
    wrapped = "word " * 12
    document = text(
        f"Run plan\n========\n\n{wrapped}\n{wrapped}\nend.\n\nshort\nlines\n\n- a\n  more\n  - b\n"
        "1. c\n\nPart\n----\nbody\n\n    code x\n    code y\n"
    )

    assert document.title == "Run plan"
    assert texts(document) == [
        "Run plan",
        f"{wrapped}{wrapped}end.",
        "short\nlines",
        "- a more\n  - b\n1. c",
        "Part",
        "body",
        "    code x\n    code y",
    ]


def test_tables_of_separated_values():
    assert texts(text('run,lumi\n1,"2,5"\n# x\n', "a.csv")) == ["run | lumi\n1 | 2,5"]
    assert texts(text("a;b,c\n1;2\n3;4", "a.csv"))[0].startswith("a")
    assert texts(text("1\t2\n3\t4", "a.tsv")) == ["1 | 2\n3 | 4"]
    assert text("1\t2\n3\t4", "a.tsv").blocks[0].header_end is None


def test_a_log_is_code_in_pieces():
    log = "\n".join(f"2026-05-19 12:00:{at:02d} INFO step {at}" for at in range(50))
    document = text(log, "run.log")

    assert {block.kind for block in document.blocks} == {BlockKind.CODE}
    assert len(document.blocks) == 2

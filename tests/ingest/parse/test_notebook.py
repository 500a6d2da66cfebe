import json

import pytest

from ingest.errors import ParseError
from ingest.model import BlockKind
from ingest.parse import parse
from tests.ingest.parse.pages import one, page, texts


def notebook(*cells, **more):
    return one(json.dumps({"cells": list(cells), **more}), "notebook", "n:fit.ipynb")


def test_cells_become_text_and_code_with_short_outputs():
    document = notebook(
        {"cell_type": "markdown", "source": ["# Fit\n", "Uses ![x](data:image/png;base64,AAAA)."]},
        {
            "cell_type": "code",
            "source": "fit()",
            "outputs": [
                {"output_type": "stream", "text": ["\x1b[31mchi2\x1b[0m = 1.2\n"]},
                {
                    "output_type": "execute_result",
                    "data": {"text/plain": "7", "image/png": "A" * 999},
                },
                {"output_type": "display_data", "data": {"image/png": "B" * 999}},
                {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["t"]},
                {"output_type": "stream", "text": "\n".join(map(str, range(100)))},
                {"output_type": "stream", "text": "C" * 5000},
            ],
        },
        {"cell_type": "raw", "source": "raw text"},
    )

    assert document.title == "Fit"
    code = texts(document, BlockKind.CODE)
    assert code[:4] == ["fit()", "Output:\nchi2 = 1.2", "Output:\n7", "Output:\nValueError: no"]
    assert code[4].endswith("19\n…")
    assert code[5] == "Output:\n…"
    assert texts(document, BlockKind.PROSE) == ["Uses .", "raw text"]


def test_the_old_format_keeps_its_cells_in_worksheets():
    cells = [
        {"cell_type": "heading", "level": 2, "source": "Old"},
        {"cell_type": "code", "input": "x=1", "outputs": [3]},
        "odd",
    ]
    assert texts(one(json.dumps({"worksheets": [{"cells": cells}]}), "notebook")) == ["Old", "x=1"]


@pytest.mark.parametrize("content", ["[]", "{}", '{"cells": 3}', '{"cells": ["x"]}'])
def test_other_json_is_not_a_notebook(content):
    with pytest.raises(ParseError, match="is not a notebook"):
        parse(page(content, format="notebook"))

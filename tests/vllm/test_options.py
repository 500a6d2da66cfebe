"""The engine reads the files of deploy/vllm, and has the options that we know it by."""

import json
import re
import subprocess
from functools import cache

import pytest

from tests.test_deploy_vllm import FILES, OPTIONS, settings
from tests.vllm import PYTHON, ROOT
from tests.vllm.engine import ALONE

PARSE = """
import json, sys
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser())
found = {}
for path in sys.argv[1:]:
    found[path] = {key: value for key, value in vars(parser.parse_args(["--config", path])).items()
                   if isinstance(value, (str, int, float, bool, list, type(None)))}
    found[path]["structured"] = found[path].get("structured_outputs_config")
print("READ" + json.dumps(found, default=str))
"""


def said(*command: str) -> str:
    return subprocess.run(
        [str(PYTHON), *command], capture_output=True, text=True, check=True, env=ALONE, cwd=ROOT
    ).stdout


@cache
def read() -> dict[str, dict[str, object]]:
    out = said("-c", PARSE, *map(str, FILES))
    found: dict[str, dict[str, object]] = json.loads(out[out.index("READ{") + 4 :])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_engine_reads_the_file_as_it_is_meant(path):
    found = read()[str(path)]
    for name, value in settings(path).items():
        if not isinstance(value, dict):
            told = found[name.replace("-", "_")]
            assert told in (value, [value]), name


def test_the_options_are_those_that_the_quick_tests_know():
    helped = said("-m", "vllm.entrypoints.openai.api_server", "--help=all")
    rows = {re.split(r"\s{2,}", row)[0] for row in re.findall(r"^  (--[a-z].*)$", helped, re.M)}

    assert rows == {row for row in OPTIONS.read_text().splitlines() if not row.startswith("#")}

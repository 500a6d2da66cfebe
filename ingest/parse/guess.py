"""Which format a page has, by its name and then by its content."""

import io
import json
import re
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

from ingest.parse.clean import refuse_binary

_EXTENSIONS = {
    "twiki": "twiki tml",
    "markdown": "md markdown mdown mkd qmd rmd",
    "rst": "rst rest",
    "html": "html htm xhtml shtml",
    "notebook": "ipynb",
    "pdf": "pdf",
    "mbox": "mbox mbx eml",
    "text": "csv tsv log",
    "code": (
        "py pyx pyi c cc cpp cxx c++ h hh hpp hxx icc cu cuh java js jsx ts tsx go rs f f77 f90 "
        "f95 for sh bash zsh csh pl pm rb r jl lua sql cmake mk yaml yml toml ini cfg conf xml "
        "tex bib proto css scala kt swift tcl vhd vhdl v sv dockerfile"
    ),
}
_BY_EXTENSION = {end: name for name, ends in _EXTENSIONS.items() for end in ends.split()}
_CODE_NAMES = {"makefile", "dockerfile", "cmakelists.txt", "jenkinsfile", "snakefile"}


def guess_format(name: str, content: bytes) -> str:
    """A key of `PARSERS` for a file of this name and content.

    Raises:
        ParseError: when it is a binary file.
    """
    file = re.split(r"[/:]", name)[-1].lower()
    start = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"%PDF") or b"\n%PDF-" in content[:1024]:
        return "pdf"
    if office := _office(content):
        return office
    refuse_binary(name, content)
    if file in _CODE_NAMES:
        return "code"
    extension = file.rpartition(".")[2] if "." in file else ""
    return _BY_EXTENSION.get(extension) or _sniff(start, content)


def _office(content: bytes) -> str:
    if not content.startswith(b"PK\x03\x04"):
        return ""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            folders = {name.partition("/")[0] for name in packed.namelist()}
    # What zipfile raises for damaged archives; the last for packings that it does not know.
    except (zipfile.BadZipFile, struct.error, ValueError, OSError, NotImplementedError):
        return ""
    return "docx" if "word" in folders else "pptx" if "ppt" in folders else ""


def _sniff(start: bytes, content: bytes) -> str:
    if b"%META:TOPICINFO" in content[:4096]:
        return "twiki"
    if start[:1] in (b"{", b"["):
        return _json_shape(content)
    if start.startswith(b"From ") and re.search(rb"\n(From|Subject|Date|Message-ID):", start, re.I):
        return "mbox"
    if re.match(
        rb"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?<(!doctype\s+html|html)\b", start, re.I | re.S
    ):
        return "html"
    if start.startswith((b"#!", b"<?xml")):
        return "code"
    return "text"


def _json_shape(content: bytes) -> str:
    try:
        value = json.loads(content, strict=False)
    except (ValueError, RecursionError):
        return "text"
    if isinstance(value, dict) and isinstance(value.get("cells", value.get("worksheets")), list):
        return "notebook"
    if isinstance(value, dict) and isinstance(value.get("post_stream"), dict):
        return "discourse"
    record = first_record(value)
    if isinstance(record.get("fields"), dict) and isinstance(record.get("key"), str):
        return "jira"
    if ("iid" in record and "title" in record) or ("slug" in record and "content" in record):
        return "gitlab"
    if "title" in record and isinstance(record.get("startDate"), dict):
        return "indico"
    return "code"


def first_record(value: Any) -> Mapping[str, Any]:
    """The first object of an export: of a list, of `issues` or `results`, or the object itself."""
    if isinstance(value, dict):
        for key in ("issues", "results"):
            if isinstance(value.get(key), list):
                value = value[key]
                break
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, dict)), {})
    return value if isinstance(value, dict) else {}

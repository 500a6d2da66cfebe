"""A folder of real issues through the JIRA source, from a server on loopback, and through parse.

`DOCENT_BENCH_JIRA` names the folder: files of one issue each, or of a search's answer.
"""

import json
import os
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from ingest.chunk import chunk
from ingest.errors import ParseError
from ingest.model import CURRENT, Page
from ingest.parse import parse
from ingest.source_settings import JiraSettings
from ingest.sources.jira import JiraSource
from tests.ingest.sources.memory import Memory
from tests.servers import client_for, settings_for
from tests.servers.jira import JiraServer

ROOT = Path(__file__).parents[2]
COMMENTS = 20
"""What the server gives of an issue's comments in a search."""
_ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})|\\')


def issues_in(folder: Path):
    """Every issue of the folder, and how many files were mended."""
    found, mended = [], 0
    for file in sorted(folder.rglob("*.json")):
        text = file.read_text()
        try:
            value = json.loads(text)
        except ValueError:
            # Addresses that were replaced inside an escape sequence: the backslash stays alone.
            value = json.loads(_ESCAPE.sub(lambda m: m[0] if m[1] else "\\\\", text))
            mended += 1
        records = value.get("issues", [value]) if isinstance(value, dict) else []
        found += [issue for issue in records if "fields" in issue]
    return found, mended


@pytest.mark.bench
def test_jira_at_size():
    folder = Path(os.environ.get("DOCENT_BENCH_JIRA", ROOT / "sample" / "jira"))
    issues, mended = issues_in(folder)
    memory = Memory()
    with JiraServer(issues, comments=COMMENTS) as server:
        settings = settings_for(
            server, JiraSettings, kind="jira", default_access=["staff"], rate=10_000.0
        )

        def source():
            return JiraSource("jira", settings, client_for(settings))

        started = time.perf_counter()
        first = memory.run(source())
        took = time.perf_counter() - started
        second = memory.run(source())

    told = Counter[str]()
    started = time.perf_counter()
    for page in memory.pages.values():
        try:
            documents = parse(page)
        except ParseError as error:
            told["unreadable"] += 1
            print(error)
            continue
        for document in documents:
            told["documents"] += 1
            told["chunks"] += len(chunk(document))
            told["characters"] += len(document.text)
            told["with a standing"] += document.standing != CURRENT
    parsed = time.perf_counter() - started

    many = sum(len(issue["fields"].get("comment", {}).get("comments", [])) > 20 for issue in issues)
    print(f"\n{len(issues)} issues ({mended} files mended), {many} with more than 20 comments")
    print(f"first run   {took:6.1f} s  {first.requests} requests, {len(first.failures)} failures")
    print(f"second run  {second.requests} requests, {len(second.ids(Page))} pages fetched")
    print(f"parse       {parsed:6.1f} s  " + ", ".join(f"{n} {what}" for what, n in told.items()))
    assert first.ids(Page) == sorted(f"jira:{issue['key']}" for issue in issues)
    assert (first.failures, second.ids(Page), second.removed) == ([], [], set())
    assert told["documents"] == len(issues)

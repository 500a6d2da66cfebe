"""The tools on standard input and output over invented documents: a program that a client starts.

`python -m tests.web.mcp.stdio FOLDER [GROUP]`
"""

import asyncio
import sys
from pathlib import Path

from ingest.access import Reader
from ingest.errors import IndexMissing
from ingest.settings import IndexSettings, Settings
from tests.web.documents import DOCUMENTS
from tests.web.fake import FakeAssistant
from web.mcp.local import Local, serve


def make(settings: Settings) -> FakeAssistant:
    # Whatever a library prints goes elsewhere than into the protocol.
    sys.stdout.write("loading the model\n")
    if not settings.index.path.is_dir():
        raise IndexMissing("There is no index here. Run: docent ingest")
    return FakeAssistant(list(DOCUMENTS))


if __name__ == "__main__":
    folder, *groups = sys.argv[1:]
    settings = Settings(index=IndexSettings(path=Path(folder)))
    asyncio.run(serve(Local(settings, Reader(frozenset(groups)), make)))

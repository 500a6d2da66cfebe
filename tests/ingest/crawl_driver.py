"""Kills a crawl again and again until it is through: python -m tests.ingest.crawl_driver

One crawl of a site over real HTTP is killed at random moments and started again each time. In the
end the index must equal that of an undisturbed crawl, and few pages may have been asked for twice.
Server, crawls and checks run in processes of their own, forked from this one.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import closing
from multiprocessing.process import BaseProcess
from pathlib import Path

from ingest.index import writing
from ingest.pipeline import Pace, parts_of, sync
from ingest.settings import IngestSettings
from ingest.source_settings import SiteSettings
from ingest.sources import source_from
from ingest.spool import Spool
from tests.fakes import HashEmbedder
from tests.ingest.corpus import HerePool
from tests.ingest.crash_driver import dumped, finished, forked
from tests.servers import LOOPBACK, NOT_FOUND, Answer, Request, Server

PACE = Pace(pages=16, texts=256, checkpoint_s=2)


class Pages(Server):
    """A site of many small pages with a sitemap; what is asked for is written down."""

    def __init__(self, size: int, log: Path) -> None:
        super().__init__()
        self.size = size
        self.log = log.open("a")

    def answer(self, request: Request) -> Answer:
        self.log.write(request.path + "\n")
        self.log.flush()
        if request.path == "/sitemap.xml":
            places = "".join(
                f"<url><loc>{self.url}/p/{n}.html</loc><lastmod>2026-01-01</lastmod></url>"
                for n in range(self.size)
            )
            space = "http://www.sitemaps.org/schemas/sitemap/0.9"
            return Answer(f'<urlset xmlns="{space}">{places}</urlset>', type="application/xml")
        number = request.path.removeprefix("/p/").removesuffix(".html")
        if not number.isdigit():
            return NOT_FOUND
        words = " ".join(f"word{(int(number) * k) % 97}" for k in range(1, 40))
        text = f"<title>Page {number}</title><main><h1>Page {number}</h1><p>{words}</p></main>"
        return Answer(f"<html>{text}</html>", etag=f'"{number}"')


def serve(size: int, log: Path, address: Path) -> None:
    with Pages(size, log) as server:
        ready = address.with_suffix(".new")
        ready.write_text(server.url)
        ready.replace(address)
        signal.pause()


def crawl(folder: Path, url: str) -> None:
    from ingest.http import Hosts

    settings = SiteSettings.model_validate(
        {
            "kind": "site",
            "url": url,
            "access": ["public"],
            "rate": 1e6,
            "requests": 10**6,
            "robots": False,
            "allow_private": LOOPBACK,
        }
    )
    source = source_from("test", settings, IngestSettings(contact="test"), Hosts())
    embedder = HashEmbedder()
    with writing(folder, parts_of(embedder, 300)) as writer, closing(Spool(folder)) as spool:
        (report,) = sync([source], writer, embedder, HerePool(), spool=spool, pace=PACE)
        assert report.well, report
        assert not report.failed, report.failed


def asked(log: Path) -> Counter[str]:
    return Counter(path for path in log.read_text().split() if path.startswith("/p/"))


def wait_for(log: Path, pages: float, process: BaseProcess) -> None:
    """Until so many pages were asked for, or the crawl ended."""
    while process.is_alive() and asked(log).total() < pages:
        process.join(0.005)


def site(folder: Path, size: int, name: str) -> tuple[str, Path]:
    """The address of a running server, and its log. It ends with this process's group of forks."""
    log, address = folder / f"{name}.log", folder / f"{name}.url"
    log.touch()
    process = forked(serve, size, log, address)
    while not address.exists():
        process.join(0.02)
        assert process.is_alive()
    servers.append(process)
    return address.read_text(), log


servers: list[BaseProcess] = []


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    moments = random.Random(options.seed)
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)

    url, log = site(folder, options.pages, "site")
    started = time.monotonic()
    finished(crawl, folder / "calm", url)
    whole = time.monotonic() - started
    calm = dumped(folder / "calm")
    assert len(asked(log)) == options.pages
    log.write_text("")
    whole_pages = options.pages / options.kills

    killed, runs = 0, 0
    while True:
        process = forked(crawl, folder / "killed", url)
        runs += 1
        if killed < options.kills:
            # Somewhere in the next pages, so that the crawl is about through at the last kill.
            wait_for(log, asked(log).total() + moments.uniform(0, 1.6 * whole_pages), process)
            process.join(moments.uniform(0, 0.05))
        else:
            process.join()
        if not process.is_alive():
            assert process.exitcode == 0, f"exit {process.exitcode}"
            break
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        killed += 1
    counts = asked(log)
    assert dumped(folder / "killed") == calm
    told = {
        "pages": len(counts),
        "kills": killed,
        "runs": runs,
        "asked_twice": counts.total() - len(counts),
        "seconds_undisturbed": round(whole, 1),
    }
    for server in servers:
        server.terminate()
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()

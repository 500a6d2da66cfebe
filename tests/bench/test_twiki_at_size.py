"""Real topics through the TWiki source, raw and rendered: crashes, requests, words in common.

Folders are named by DOCENT_BENCH_TWIKI_RAW (`WEB/TOPIC.txt`) and DOCENT_BENCH_TWIKI_HTML
(`WEB/TOPIC.html`); unset, the sample is read, whose pages the test server renders.
"""

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from ingest.errors import ParseError
from ingest.model import Page
from ingest.parse import parse
from ingest.source_settings import TwikiSettings
from ingest.sources.twiki import TwikiSource
from tests.ingest.sources.memory import Memory
from tests.servers import StillClock, client_for, settings_for
from tests.servers.twiki import OWN_TOPICS, TwikiServer, settings_in

pytestmark = pytest.mark.bench

SAMPLE = Path(__file__).parents[2] / "sample" / "twiki"
RAW = Path(os.environ.get("DOCENT_BENCH_TWIKI_RAW", SAMPLE))
HTML = os.environ.get("DOCENT_BENCH_TWIKI_HTML")
Words = Counter[str]


@pytest.fixture
def server(monkeypatch):
    """A Foswiki whose account reads everything."""
    monkeypatch.setenv("WIKI_PASSWORD", "s3cret")
    with TwikiServer(foswiki=True) as server:
        server.password = "s3cret"
        yield server


def test_raw_topics(server):
    server.load(RAW)
    there = {f"wiki:{web}/{name}" for web, topics in server.webs.items() for name in topics}
    there -= {page_id for page_id in there if page_id.rpartition("/")[2] in OWN_TOPICS}
    server.member_of = groups_of(server)

    pages = crawled(server, "raw")

    assert {page.id for page in pages} >= there
    assert {page.format for page in pages} == {"twiki"}


def test_rendered_pages_and_raw_topics_have_their_words_in_common(server):
    folders = sorted(Path(HTML).iterdir()) if HTML else []
    for folder in folders:
        server.load_rendered(folder, folder.name)
    if not folders:
        server.load(RAW)
    server.member_of = groups_of(server)
    server.raw_for = "none"

    pages = crawled(server, "rendered")

    assert {page.format for page in pages} == {"html"}
    raw = {path: words(page) for path, page in raw_pages().items()}
    for web in sorted(server.webs):
        shares = {}
        for page in pages:
            topic = page.id.removeprefix(f"wiki:{web}/")
            if topic not in (page.id, *OWN_TOPICS):
                source, shown = raw.get(topic if HTML else f"{web}/{topic}"), words(page)
                if source and shown:
                    shares[topic] = (source, shown)
        tell(web, shares)


def groups_of(server):
    """Everybody who is named in a setting for reading."""
    settings = [settings_in(one.text) for web in server.webs.values() for one in web.values()]
    named = [
        value for one in settings for key, value in one.items() if re.match("ALLOW.*VIEW", key)
    ]
    return {name.rpartition(".")[2] for value in named for name in re.split(r"[,\s]+", value)}


def crawled(server, kind):
    """All pages of a first run; a second one has to find nothing new."""
    clock = StillClock(server.wall())
    settings = settings_for(
        server,
        TwikiSettings,
        "/bin",
        kind="twiki",
        webs=sorted(server.webs),
        auth={"kind": "basic", "user": "crawler", "env": "WIKI_PASSWORD"},
        exclude=["WebRss", "WebAtom"],  # feeds and no pages
        attachments=False,
        default_access=["all"],
    )
    memory = Memory()
    runs = []
    for _ in range(2):
        source = TwikiSource("wiki", settings, client_for(settings, clock, "wiki"))
        runs.append(memory.run(source))
        clock.sleep(86_400)
    first, second = runs
    pages = [item for item in first.items if isinstance(item, Page)]
    empty = sorted(page.id for page in pages if not words(page))
    print(
        f"\n{kind}: {len(pages)} pages of {len(server.webs)} webs, {len(first.failures)} failures"
    )
    print(f"requests: {first.requests} at first, {second.requests} with nothing new")
    print(f"without text: {len(empty)}: {', '.join(empty)}")
    assert not first.failures
    assert not second.ids(Page)
    assert not second.removed
    return pages


def raw_pages():
    """Topics of the raw folder: by name where pages come from another folder, else by path."""
    for_names = {}
    for file in sorted(RAW.rglob("*.txt")):
        path = file.relative_to(RAW).with_suffix("").as_posix()
        page = Page(f"wiki:{path}", "wiki", "", "twiki", file.read_bytes(), None, frozenset())
        for_names[file.stem if HTML else path] = page
    return for_names


def words(page: Page) -> Words:
    """The words of a page's text as the index would hold it; none where it has no text."""
    try:
        documents = parse(page)
    except ParseError as error:
        trouble = str(error)
        documents = []
    else:
        trouble = ""
    assert "Report it" not in trouble
    return Counter(word for one in documents for word in re.findall(r"\w+", one.text.lower()))


def share(raw: Words, shown: Words) -> float:
    """Words in both, counted as often as in both, of the mean of their lengths."""
    return 2 * (raw & shown).total() / (raw.total() + shown.total())


def tell(web: str, shares: dict[str, tuple[Words, Words]]):
    if not shares:
        print(f"{web}: no topic exists both raw and rendered")
        return
    values = {name: share(*pair) for name, pair in shares.items()}
    ordered = sorted(values.values())
    print(
        f"{web}: {len(values)} topics raw and rendered; words in common: "
        f"mean {sum(ordered) / len(ordered):.3f}, median {ordered[len(ordered) // 2]:.3f}, "
        f"at least 0.9 in {sum(value >= 0.9 for value in ordered)}"
    )
    reasons: Counter[str] = Counter()
    for name, (raw, shown) in shares.items():
        more, less = (shown - raw).total(), (raw - shown).total()
        if values[name] < 0.9:
            reasons["page says more" if more > less else "page says less"] += 1
    print(f"   of the others: {', '.join(f'{what} {n}' for what, n in reasons.items()) or 'none'}")
    for name in sorted(values, key=lambda name: values[name])[:8]:
        raw, shown = shares[name]
        only_raw = ", ".join(word for word, _ in (raw - shown).most_common(4))
        only_shown = ", ".join(word for word, _ in (shown - raw).most_common(4))
        print(f"   {values[name]:.3f} {name}; raw only: {only_raw}; page only: {only_shown}")

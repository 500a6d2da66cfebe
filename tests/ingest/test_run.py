import shutil

import pytest

from ingest.errors import SettingsError
from ingest.index import EmbeddedIndex, generations
from ingest.run import run_ingest
from ingest.settings import Settings
from tests.fakes import HashEmbedder
from tests.ingest.corpus import HerePool


class House:
    """Two folders, and an ingest of them with a fake embedder and no processes."""

    def __init__(self, root):
        self.root = root
        self.embedder = HashEmbedder()
        self.pool = HerePool(1000)
        for name in ("docs", "wiki"):
            (root / name).mkdir()
            (root / name / "a.md").write_text(f"# A\n\nWhat {name} says.\n")

    def settings(self, *sources):
        named = {
            name: {"kind": "files", "path": self.root / name, "access": ["public"]}
            for name in sources
        }
        return Settings.model_validate({"index": {"path": self.root / "index"}, "sources": named})

    def ingest(self, *sources, only=(), **more):
        self.embedder.embedded.clear()
        self.pool.parsed.clear()
        settings = self.settings(*sources)
        reports, number = run_ingest(
            settings, list(only), embedder=self.embedder, pool=self.pool, **more
        )
        return {report.source: report for report in reports}, number

    def documents(self, generation=None):
        name = self.embedder.name
        index = EmbeddedIndex(self.root / "index", embedder=name, generation=generation)
        with index.snapshot() as snapshot:
            found = sum(snapshot.documents.values())
        index.close()
        return found


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_all_sources_or_only_some(house):
    reports, _ = house.ingest("docs", "wiki", only=["wiki"])
    assert list(reports) == ["wiki"]
    assert house.documents() == 1

    reports, _ = house.ingest("docs", "wiki")
    assert {name: (r.new, r.unchanged) for name, r in reports.items()} == {
        "docs": (1, 0),
        "wiki": (0, 1),
    }
    assert house.documents() == 2


def test_what_is_not_published_waits(house):
    house.ingest("docs")
    _, number = house.ingest("docs", "wiki", publish=False)

    assert (house.documents(), house.documents(number)) == (1, 2)
    assert [g.number for g in generations(house.root / "index") if g.newest] == [number]
    assert house.ingest("docs", "wiki")[1] == number
    assert house.documents() == 2


def test_a_source_that_the_settings_no_longer_name_goes(house):
    house.ingest("docs", "wiki")

    assert house.ingest("docs", only=["docs"])[0]["docs"].unchanged == 1
    assert house.documents() == 2  # an ingest of one source says nothing about the others
    assert house.ingest("docs")[0]["wiki"].removed == 1
    assert house.documents() == 1


def test_a_rebuild_reads_what_is_stored_and_asks_the_sources_too(house):
    house.ingest("docs", "wiki")
    reports, _ = house.ingest("docs", "wiki", rebuild=True)

    assert sorted(house.pool.parsed) == ["docs:a.md", "wiki:a.md"]
    assert [r.unchanged for r in reports.values()] == [1, 1]
    assert house.documents() == 2


def test_removals_are_braked_unless_they_are_accepted(house):
    for name in "bcdefgh":
        shutil.copy(house.root / "docs" / "a.md", house.root / "docs" / f"{name}.md")
    house.ingest("docs")
    for name in "bcd":
        (house.root / "docs" / f"{name}.md").unlink()

    assert house.ingest("docs")[0]["docs"].kept_back == 3
    report = house.ingest("docs", accept_removals=True)[0]["docs"]
    assert (report.removed, report.kept_back) == (3, 0)


def test_a_terminal_shows_how_far_it_is(house, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    house.ingest("docs")

    assert "docs: 1 pages parsed, 1 chunks embedded" in capsys.readouterr().err


def test_settings_without_a_source_and_sources_without_settings_are_refused(house):
    with pytest.raises(SettingsError, match="There is no source in the settings"):
        house.ingest()
    with pytest.raises(SettingsError, match="--source x is not in the settings; known are docs"):
        house.ingest("docs", only=["x"])
    assert not (house.root / "index").exists()

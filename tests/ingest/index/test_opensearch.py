"""What a cluster does besides: it is full, it goes away in the middle, it refuses."""

from dataclasses import replace

import pytest

from ingest.access import ANYBODY
from ingest.errors import IndexTrouble, SettingsError
from ingest.index import engine_at, generations
from ingest.index.opensearch.cluster import Address, Cluster
from ingest.index.opensearch.writing import rows_of
from ingest.settings import IndexSettings
from tests.fakes import HashEmbedder
from tests.ingest.corpus import document
from tests.ingest.index.conftest import House
from tests.ingest.index.test_conformance import found, ids


@pytest.fixture
def house(cluster, tmp_path) -> House:
    return House(f"{cluster.url}/docent?rows={tmp_path / 'rows'}", HashEmbedder())


def test_changes_that_are_too_much_are_sent_again(cluster, house):
    cluster.full = 2
    house.add(document("a", "pixel"), document("b", "muon"))
    assert cluster.full == 0
    assert found(house, "pixel muon")[1] == ["test:a", "test:b"]


def test_cut_off_in_mid_mirror_readers_stay_and_the_next_writer_finishes(cluster, house):
    house.add(document("a", "pixel"), document("b", "muon"))
    with house.reading() as index:
        cluster.cut_after = 3
        with pytest.raises(IndexTrouble, match=r"no connection to the cluster .* What serves is"):
            house.add(document("a", "calorimeter"), document("c", "pixel"))
        cluster.cut_after = None
        with index.snapshot() as snapshot:
            assert ids(snapshot, snapshot.search_lexical("pixel calorimeter", 9, ANYBODY)) == [
                "test:a"
            ]
            assert snapshot.manifest.generation == 1
            assert snapshot.counts(ANYBODY).documents == 2
        assert engine_at(house.place).remarks() == [
            "The cluster gives generation 1, and 2 is published: a writer was cut off. The next "
            "one finishes it."
        ]
        with house.writing():
            pass
        assert engine_at(house.place).remarks() == []
        with index.snapshot() as snapshot:
            assert ids(snapshot, snapshot.search_lexical("pixel", 9, ANYBODY)) == ["test:c"]
            assert snapshot.counts(ANYBODY).documents == 3
            assert len(snapshot.rows) == 3


def test_what_has_gone_is_deleted_for_good_one_generation_later(cluster, house):
    house.add(document("a", "quenchword"))
    for text in ("second", "third"):
        house.add(document("a", text), keep=1)
    assert "quenchword" not in str(
        [one.written for name, one in cluster.indexes.items() if "passages" in name]
    )
    assert cluster.aliases == {"docent": {"docent-passages-1"}}
    assert [one.number for one in generations(house.place)][-1] == 3


def test_two_rebuilds_later_the_indexes_of_the_first_build_are_dropped(cluster, house):
    house.add(document("a", "pixel"))
    for name in ("second", "third"):
        house.embedder = HashEmbedder()
        house.embedder.name = name
        with house.writing(rebuild=True) as writer:
            writer.commit()
        house.add(document("a", f"pixel {name}"))
    assert sorted(n for n in cluster.indexes if "passages" in n) == [
        "docent-passages-2", "docent-passages-3",
    ]  # fmt: skip
    assert cluster.aliases == {"docent": {"docent-passages-3"}}
    assert found(house, "third")[1] == ["test:a"]


def test_a_cluster_that_is_away_or_refuses_is_told_without_the_password(cluster, house):
    house.add(document("a", "pixel"))
    nowhere = "opensearch+http://ada:secret-word@127.0.0.1:9/docent"
    with pytest.raises(IndexTrouble, match="there is no connection to the cluster") as told:
        engine_at(nowhere).serving()
    assert "secret-word" not in str(told.value)
    at = Cluster(Address.parse(str(house.place)))
    with pytest.raises(IndexTrouble, match="unknown query"):
        at.search("docent-passages-1", {"size": 1, "query": {"query_string": {"query": "*"}}})
    at.close()


def test_an_address_says_where_the_indexes_and_the_rows_are(monkeypatch, tmp_path):
    one = Address.parse("opensearch://ada:p%40ss@search.example/docent?rows=/var/rows&ca=/etc/ca")
    assert one == Address(
        "https://search.example:9200", "docent", "ada", "p@ss", "/var/rows", "/etc/ca"
    )
    assert one.shown == "https://search.example:9200/docent"
    for wrong in ("opensearch://h", "opensearch://h/Up", "opensearch://h/a,b", "opensearch://h/*"):
        with pytest.raises(SettingsError, match="is no name of an index"):
            Address.parse(wrong)
    without = replace(one, rows="")
    with pytest.raises(SettingsError, match="does not say where the writer keeps its rows"):
        rows_of(without)
    monkeypatch.delenv("DOCENT_INDEX_URL", raising=False)
    settings = IndexSettings(path=tmp_path / "my index", url="opensearch://u:pw@h/docent")
    assert Address.parse(str(settings.place)).rows == str(tmp_path / "my index")
    assert "pw" not in settings.shown
    assert IndexSettings(path=tmp_path).place == tmp_path
    monkeypatch.setenv("DOCENT_INDEX_URL", "postgresql://a:pw@b/c")
    assert IndexSettings(path=tmp_path).place == "postgresql://a:pw@b/c"
    assert IndexSettings(path=tmp_path).shown == "postgresql://a@b/c"

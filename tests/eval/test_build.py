from contextlib import closing

from eval import build
from eval.build import Ready, index_of
from eval.datasets import read_collection
from ingest.access import ANYBODY, Reader
from ingest.index import EmbeddedIndex
from ingest.model import PUBLIC, Block, BlockKind, Document, Section
from ingest.settings import Settings
from tests.eval.test_datasets import beir
from tests.fakes import HashEmbedder


def test_documents_of_a_collection_are_found_by_each_arm(tmp_path):
    collection = read_collection(beir(tmp_path / "b"))
    embedder = HashEmbedder()

    with index_of(tmp_path / "i", collection.documents(), embedder, Settings()) as built:
        found = {
            mode: built.searcher.search("Trigger runs", ANYBODY, 5, mode, per_document=1)
            for mode in ("lexical", "dense", "hybrid")
        }

    assert built.embedder == "fake-64"
    assert built.generation == 1
    assert built.chunks == 2
    assert built.seconds > 0
    assert {mode: passages[0].document_id for mode, passages in found.items()} == dict.fromkeys(
        ("lexical", "dense", "hybrid"), "beir:d1"
    )
    # The title is indexed with the text, once.
    assert embedder.embedded[0] == "Trigger\nRuns at 40 MHz."


def test_more_documents_than_a_batch_are_all_indexed_once(tmp_path):
    many = build.BATCH + 1
    corpus = [{"_id": f"d{n}", "title": "", "text": f"number {n}"} for n in range(many)]
    collection = read_collection(beir(tmp_path / "b", corpus=corpus))

    embedder = HashEmbedder()
    with index_of(tmp_path / "i", collection.documents(), embedder, Settings()) as built:
        assert built.chunks == many
        assert len(embedder.embedded) == many
        assert built.generation == 1


def page(name: str, *access: str) -> Document:
    text = f"{name}\n\n" + "\n\n".join(f"{word} " * 60 for word in ("muon", "trigger", "run"))
    return Document(
        id=f"wiki:{name}",
        page_id=f"wiki:{name}",
        source="wiki",
        title=name,
        url=f"https://wiki/{name}",
        format="text",
        text=text,
        sections=(Section(headings=()),),
        blocks=(Block(kind=BlockKind.PROSE, start=0, end=len(text), section=0),),
        access=frozenset(access),
    )


def test_an_index_that_is_there_tells_what_a_reader_may_see(tmp_path):
    embedder = HashEmbedder()
    documents = [page("Open", PUBLIC), page("Closed", "insiders")]
    with index_of(tmp_path, documents, embedder, Settings()) as built:
        pieces = built.chunks

    with closing(EmbeddedIndex(tmp_path, embedder=embedder.name)) as index:
        ready = Ready(index, embedder, Settings())
        insider = Reader(groups=frozenset({"insiders"}))

        assert (ready.embedder, ready.generation) == ("fake-64", 1)
        assert ready.visible(ANYBODY) == {"wiki:Open": "https://wiki/Open"}
        assert set(ready.visible(insider)) == {"wiki:Open", "wiki:Closed"}
        assert ready.chunks(ANYBODY) == pieces
        assert ready.chunks(insider) == 2 * pieces
        assert ready.searcher.search("Closed", ANYBODY, 5)[0].document_id == "wiki:Open"

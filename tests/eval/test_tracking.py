"""What a run was made of, over settings, indexes and model files that are really there."""

from pathlib import Path

import pytest

from eval.answers import Asking
from eval.build import index_of
from eval.cost import Cost
from eval.datasets import file_digest, read_collection
from eval.tracking import (
    Code,
    Dataset,
    Resumption,
    begun,
    code,
    ended,
    gone_on,
    index_record,
    machine,
    model_records,
    prompt_digest,
    read_record,
    record_path,
    versions,
    write_record,
)
from ingest.errors import DocentError
from ingest.index import writing
from ingest.pipeline import parts_of
from ingest.settings import AnswerSettings, Settings
from tests.eval.test_datasets import beir
from tests.fakes import HashEmbedder

DATASET = Dataset(name="q.jsonl", digest="d", half="dev", questions=7)


def settings(**sections: dict[str, object]) -> Settings:
    return Settings.model_validate({"llm": {"model": "none"}, **sections})


@pytest.fixture
def index(tmp_path: Path) -> Path:
    collection = read_collection(beir(tmp_path / "b"))
    with index_of(tmp_path / "index", collection.documents(), HashEmbedder(), Settings()):
        return tmp_path / "index"


def publish(index: Path) -> None:
    with writing(index, parts_of(HashEmbedder(), 1000)) as writer:
        writer.remove("beir:d1")
        writer.commit()


def test_a_record_names_everything_a_number_depends_on(index):
    asking = Asking("none", frozenset({"b", "a"}), standalone=True)

    record = begun(settings(index={"path": index}), DATASET, asking, concurrency=2)

    assert (record.arm, record.standalone, record.groups) == ("retrieval", True, ("a", "b"))
    assert record.dataset == DATASET
    assert record.index is not None
    assert (record.index.generation, record.index.embedder) == (1, "fake-64")
    assert len(record.index.digest) == 64
    assert [model.role for model in record.models] == ["embedder"]
    assert set(record.settings) == {"llm", "embedder", "retrieval", "answer"}
    assert record.machine.cores > 0
    assert record.versions["python"].startswith("3.")
    assert "faiss-cpu" in record.versions
    assert (record.concurrency, record.ended, record.cost) == (2, None, None)
    assert record.command.startswith("docent")


def test_without_retrieval_there_is_no_index_and_no_embedder(index):
    far = settings(index={"path": index}, llm={"model": "m", "url": "http://gpu:8001"})

    record = begun(far, DATASET, Asking("m", arm="none"))

    assert record.index is None
    assert [(model.role, model.name, model.url) for model in record.models] == [
        ("llm", "m", "http://gpu:8001")
    ]
    assert record.models[0].files == {}
    assert record.prompt != begun(far, DATASET, Asking("m")).prompt


def test_an_index_changes_its_digest_with_its_files(index, tmp_path):
    one = index_record(index)
    publish(index)
    other = index_record(index)

    assert one is not None
    assert other is not None
    assert (one.generation, other.generation) == (1, 2)
    assert one.digest != other.digest
    assert index_record(tmp_path / "nothing") is None


def test_a_generation_published_during_the_run_is_told_at_its_end(index):
    mine = settings(index={"path": index})
    record = begun(mine, DATASET, Asking("none"))
    cost = Cost(seconds=1.0, questions=7)

    still = ended(record, cost, mine)
    publish(index)
    moved = ended(record, cost, mine)

    assert still.index_after is None
    assert moved.index_after == 2
    assert still.ended is not None
    assert still.ended >= record.started
    assert still.cost == cost


def test_models_of_the_catalogue_have_its_digests_and_files_have_their_own(tmp_path):
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "weights").write_bytes(b"abc")
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    mine = settings(
        llm={"model": str(tmp_path / "model.gguf")}, embedder={"model": str(tmp_path / "folder")}
    )

    llm, embedder = model_records(mine)
    catalogued = model_records(settings())[0]
    missing = model_records(settings(llm={"model": "who-knows"}))[0]

    assert (llm.name, llm.files) == ("model.gguf", {"model.gguf": file_digest(tmp_path / llm.name)})
    assert (embedder.name, list(embedder.files)) == ("folder", ["deep/weights"])
    assert len(catalogued.files["model.safetensors"]) == 64
    crossed = model_records(settings(retrieval={"reranker": str(tmp_path / "folder")}))
    assert [(model.role, model.name) for model in crossed] == [
        ("embedder", "all-MiniLM-L6-v2"),
        ("reranker", "folder"),
    ]
    assert crossed[1].files == embedder.files
    assert (missing.name, missing.files) == ("who-knows", {})


def test_a_prompt_changes_its_digest_with_the_settings_that_shape_it():
    plain = prompt_digest(AnswerSettings())

    assert plain == prompt_digest(AnswerSettings())
    assert plain != prompt_digest(AnswerSettings(model_may_refuse=True))


def test_a_record_is_read_back_as_it_was_written(tmp_path):
    rows = tmp_path / "rows.jsonl"
    record = ended(
        begun(settings(), DATASET, Asking("none")), Cost(seconds=1.0, questions=7), settings()
    )

    assert read_record(rows) is None
    write_record(rows, record)

    assert record_path(rows) == tmp_path / "rows.run.json"
    assert read_record(rows) == record
    assert [path.name for path in tmp_path.iterdir()] == ["rows.run.json"]


def test_a_record_of_a_newer_version_is_read_and_another_file_is_not(tmp_path):
    rows = tmp_path / "rows.jsonl"
    record = begun(settings(), DATASET, Asking("none"))
    newer = record.model_dump_json().replace('{"format":1', '{"more":[],"format":2')
    record_path(rows).write_text(newer)
    read = read_record(rows)

    assert read is not None
    assert read.format == 2
    record_path(rows).write_text('{"kind": "other"}')
    with pytest.raises(DocentError, match=r"rows\.run\.json is not the record of a run"):
        read_record(rows)


def test_a_run_that_is_gone_on_with_keeps_its_beginning_and_each_time():
    first = begun(settings(), DATASET, Asking("none"))
    old = Code(commit="old", dirty=False)
    first = first.model_copy(update={"code": old})
    second = begun(settings(), DATASET, Asking("none"))
    third = begun(settings(), DATASET, Asking("none"))

    again = gone_on(gone_on(first, second, 3), third, 5)

    assert (again.started, again.code) == (first.started, old)
    assert again.resumed == (
        Resumption(at=second.started, code=second.code, kept=3),
        Resumption(at=third.started, code=third.code, kept=5),
    )
    assert gone_on(None, second, 3).resumed[0].kept == 3


def test_a_run_cannot_be_gone_on_with_another_way():
    first = begun(settings(), DATASET, Asking("none"))
    other = begun(
        settings(answer={"passages": 5}), DATASET, Asking("none", frozenset({"g"}), "oracle")
    )

    with pytest.raises(DocentError, match=r"changed\. Give another --out") as caught:
        gone_on(first, other, 1)
    assert "since it began, arm, groups, settings changed" in str(caught.value)


def test_the_machine_tells_its_processor_and_its_gpus(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Abacus 9\nmodel name\t: X\n")
    (tmp_path / "driver" / "gpus" / "0000:01").mkdir(parents=True)
    (tmp_path / "driver" / "gpus" / "0000:01" / "information").write_text("Model: \t\t H100\n")

    found = machine(tmp_path / "cpuinfo", tmp_path / "driver")

    assert (found.cpu, found.gpus) == ("Abacus 9", ("H100",))
    assert found.memory_gb is None or found.memory_gb > 0
    assert machine(tmp_path / "none", tmp_path / "none").gpus == ()


def test_the_code_is_that_of_this_checkout():
    told = code()

    assert not told.commit.endswith("+")
    assert versions().keys() >= {"python", "tantivy"}


def test_same_answers_need_the_same_index(index):
    mine = settings(index={"path": index})
    first = begun(mine, DATASET, Asking("none"))
    publish(index)

    with pytest.raises(DocentError, match="since it began, index changed"):
        gone_on(first, begun(mine, DATASET, Asking("none")), 1)

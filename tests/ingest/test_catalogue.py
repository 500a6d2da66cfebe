"""The catalogue, against origins that are plain functions writing files."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from ingest.catalogue import (
    PARTIAL,
    STALE_S,
    Entry,
    Hub,
    ModelFile,
    Report,
    catalogue,
    fetch,
    is_present,
    locate,
    verify,
)
from ingest.errors import ModelError
from ingest.settings import ModelsSettings

CONTENT = {"config.json": b"{}", "1_Pooling/config.json": b'{"mean": true}'}


def entry(kind: str = "embedder") -> Entry:
    files = tuple(
        ModelFile(
            path=path,
            members=f"pack/{path}",
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        for path, content in CONTENT.items()
    )
    return Entry.model_validate(
        {
            "name": "tiny",
            "kind": kind,
            "about": "for tests",
            "licence": "Apache-2.0",
            "hub": Hub(repo="a/b", revision="0" * 40),
            "packages": ("tiny==1",),
            "files": files,
        }
    )


class Giving:
    """An origin that gives these files, and counts how often it was asked."""

    def __init__(self, content: dict[str, bytes]) -> None:
        self.content = content
        self.asked = 0

    def __call__(self, entry: Entry, folder: Path, report: Report) -> None:
        self.asked += 1
        for path, content in self.content.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)


def away(entry: Entry, folder: Path, report: Report) -> None:
    msg = "nobody answers."
    raise ModelError(msg)


def quiet(sentence: str) -> None:
    """Nobody listens to the progress here."""


@pytest.fixture
def settings(tmp_path: Path) -> ModelsSettings:
    return ModelsSettings(dir=tmp_path / "models")


def got(settings: ModelsSettings, hub, packages=away, kind="embedder", said=None) -> Path:
    return fetch(
        "tiny",
        settings,
        (said if said is not None else []).append,
        origins={"hub": hub, "packages": packages},
        models={"tiny": entry(kind)},
    )


def test_a_fetched_model_is_here_and_is_not_fetched_twice(settings):
    hub = Giving(CONTENT)

    path = got(settings, hub)

    assert path == settings.dir / "tiny"
    assert (path / "1_Pooling/config.json").read_bytes() == CONTENT["1_Pooling/config.json"]
    assert got(settings, hub) == path
    assert hub.asked == 1


def test_an_llm_is_one_file(settings):
    assert got(settings, Giving(CONTENT), kind="llm") == settings.dir / "tiny/config.json"


def test_the_next_origin_is_asked_when_one_is_away(settings):
    said: list[str] = []
    packages = Giving(CONTENT)

    got(settings, away, packages, said=said)

    assert packages.asked == 1
    assert "tiny: not from hub: nobody answers." in said


def test_origins_are_asked_in_the_order_of_the_settings(tmp_path):
    hub, packages = Giving(CONTENT), Giving(CONTENT)

    got(ModelsSettings(dir=tmp_path, origins=("packages", "hub")), hub, packages)

    assert (hub.asked, packages.asked) == (0, 1)


def test_when_no_origin_works_the_error_tells_the_reason_of_each(settings):
    with pytest.raises(
        ModelError, match=r"hub: nobody answers\. packages: .*config.json.* missing"
    ):
        got(settings, away, Giving({}))


def test_a_file_with_another_digest_is_refused_and_leaves_nothing(settings):
    wrong = CONTENT | {"config.json": b"[]"}  # same size, other bytes

    with pytest.raises(ModelError) as caught:
        got(settings, Giving(wrong))

    message = str(caught.value)
    assert "config.json" in message
    assert hashlib.sha256(b"[]").hexdigest() in message
    assert hashlib.sha256(b"{}").hexdigest() in message
    assert list(settings.dir.iterdir()) == []


def test_a_model_that_was_cut_short_afterwards_is_fetched_again(settings):
    hub = Giving(CONTENT)
    path = got(settings, hub)
    (path / "config.json").write_bytes(b"{")

    got(settings, hub)

    assert (path / "config.json").read_bytes() == b"{}"
    assert hub.asked == 2


def test_files_without_the_marker_do_not_count(settings):
    path = got(settings, Giving(CONTENT))
    (settings.dir / "tiny.verified.json").unlink()

    assert not is_present(entry(), settings)
    assert (path / "config.json").exists()


def test_verify_finds_changed_bytes_of_the_right_size_and_fetch_mends_them(settings):
    hub = Giving(CONTENT)
    path = got(settings, hub)
    models = {"tiny": entry()}
    verify("tiny", settings, models=models)
    (path / "config.json").write_bytes(b"[]")

    with pytest.raises(ModelError, match=r"config\.json .*docent models fetch tiny"):
        verify("tiny", settings, models=models)

    assert not (path / "config.json").exists()
    got(settings, hub)
    verify("tiny", settings, models=models)


def test_verify_of_files_that_lost_their_marker_restores_it(settings):
    got(settings, Giving(CONTENT))
    (settings.dir / "tiny.verified.json").unlink()

    verify("tiny", settings, models={"tiny": entry()})

    assert is_present(entry(), settings)


def test_what_a_killed_process_left_is_removed_after_a_day_and_not_before(settings):
    old, new = settings.dir / f"{PARTIAL}old", settings.dir / f"{PARTIAL}new"
    for folder in (old, new):
        folder.mkdir(parents=True)
    long_ago = time.time() - STALE_S - 60
    os.utime(old, (long_ago, long_ago))

    got(settings, Giving(CONTENT))

    assert not old.exists()
    assert new.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(
        ModelError, match=r"tiny cannot be written to .*file/models.*\[models\] dir"
    ):
        got(ModelsSettings(dir=tmp_path / "file" / "models"), Giving(CONTENT))


def test_a_disk_without_room_is_told_before_anything_is_downloaded(settings):
    huge = entry().model_copy(
        update={"files": (entry().files[0].model_copy(update={"bytes": 10**18}),)}
    )
    hub = Giving(CONTENT)

    with pytest.raises(ModelError, match=r"MB free, and fetching tiny needs 2,000,000,000,000 MB"):
        fetch(
            "tiny",
            settings,
            quiet,
            origins={"hub": hub, "packages": away},
            models={"tiny": huge},
        )

    assert hub.asked == 0


def test_locate_names_the_command_for_a_model_that_is_not_here(settings):
    with pytest.raises(ModelError, match="Run: docent models fetch all-MiniLM-L6-v2"):
        locate("all-MiniLM-L6-v2", settings)


def test_locate_takes_a_path_as_it_is(settings, tmp_path):
    assert locate(str(tmp_path), settings) == tmp_path


def test_locate_of_neither_a_name_nor_a_path_lists_the_names(settings):
    with pytest.raises(ModelError, match=r"'nonsense' is neither .*all-MiniLM-L6-v2"):
        locate("nonsense", settings)


def test_fetching_an_unknown_name_lists_the_known_ones(settings):
    with pytest.raises(ModelError, match=r"no model named 'nonsense'.*all-MiniLM-L6-v2"):
        fetch("nonsense", settings, quiet)


def test_the_shipped_catalogue_is_consistent():
    models = catalogue()

    assert set(models) == {
        "all-MiniLM-L6-v2",
        "qwen2.5-coder-1.5b-instruct-q4",
        "qwen2.5-coder-0.5b-instruct-q4",
        "smollm2-135m-instruct-q4",
    }
    assert models["qwen2.5-coder-1.5b-instruct-q4"].bytes == 1_117_320_768
    assert len(models["qwen2.5-coder-1.5b-instruct-q4"].packages) == 22
    for one in models.values():
        assert all("==" in package for package in one.packages)
        assert all(
            not Path(file.path).is_absolute() and ".." not in file.path for file in one.files
        )
        assert one.kind == "embedder" or len(one.files) == 1


@pytest.mark.models
def test_locate_finds_the_models_that_were_fetched():
    settings = ModelsSettings()

    assert (locate("all-MiniLM-L6-v2", settings) / "modules.json").is_file()
    assert locate("smollm2-135m-instruct-q4", settings).suffix == ".gguf"

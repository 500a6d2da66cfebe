import os
from datetime import UTC, datetime

import pytest

from ingest.errors import SettingsError
from ingest.model import Failure, Page, Past
from ingest.source_settings import FilesSettings
from ingest.sources.files import FilesSource, glob_pattern


def source(folder, **more) -> FilesSource:
    values = {"kind": "files", "path": folder, "access": ["staff"]} | more
    return FilesSource("docs", FilesSettings.model_validate(values))


def write(folder, path, text="text"):
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def pages(found):
    return {item.id: item for item in found.pages(Past()) if isinstance(item, Page)}


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("*.md", ["a.md"], ["a/b.md", "amd"]),
        ("**/*.md", ["a.md", "a/b/c.md"], ["a.txt"]),
        ("twiki/**", ["twiki/Main/A.txt"], ["twiki", "x/twiki/A"]),
        ("a?.txt", ["ab.txt"], ["a.txt", "a/.txt"]),
        ("a+(b).txt", ["a+(b).txt"], ["aab.txt"]),
    ],
)
def test_globs(glob, yes, no):
    pattern = glob_pattern(glob)
    assert [path for path in yes if not pattern.fullmatch(path)] == []
    assert [path for path in no if pattern.fullmatch(path)] == []


def test_every_included_file_is_a_page_named_by_its_path(tmp_path):
    write(tmp_path, "a/b.md", "hello")
    write(tmp_path, "c.png")
    found = pages(source(tmp_path, include=["**/*.md"]))

    assert list(found) == ["docs:a/b.md"]
    page = found["docs:a/b.md"]
    assert (page.content, page.access, page.url, page.updated_at) == (
        b"hello",
        frozenset({"staff"}),
        "",
        None,
    )


def test_later_rules_override_earlier_ones_key_by_key(tmp_path):
    write(tmp_path, "twiki/Main/Web Home.txt")
    rules = [
        {"match": "**", "access": ["public"], "format": "text"},
        {"match": "twiki/**", "format": "twiki", "strip": "twiki/", "url": "https://x/{stem}"},
        {"match": "twiki/Main/**", "access": ["experts"]},
    ]
    page = pages(source(tmp_path, rules=rules))["docs:twiki/Main/Web Home.txt"]

    assert page.access == frozenset({"experts"})
    assert page.format == "twiki"
    assert page.url == "https://x/Main/Web%20Home"


def test_excluded_files_are_left_out(tmp_path):
    write(tmp_path, "a.md")
    write(tmp_path, "drafts/b.md")

    found = source(tmp_path, exclude=["drafts/**"])
    assert list(pages(found)) == list(found.live_ids()) == ["docs:a.md"]


def test_a_file_that_is_too_large_is_a_failure(tmp_path):
    write(tmp_path, "big.txt", "x" * 11)

    (failure,) = source(tmp_path, max_bytes=10).pages(Past())
    assert isinstance(failure, Failure)
    assert failure.reason == "big.txt has 11 bytes, more than max_bytes = 10 allows."


def test_a_file_that_cannot_be_read_is_a_failure(tmp_path, monkeypatch):
    write(tmp_path, "a.md")
    (tmp_path / "b.md").symlink_to(tmp_path / "loop")
    (tmp_path / "loop").symlink_to(tmp_path / "b.md")

    # A link that leads nowhere is not a file; the one beside it is read.
    assert [page.id for page in source(tmp_path).pages(Past())] == ["docs:a.md"]  # type: ignore[union-attr]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    secret = write(tmp_path, "outside/secret.md")
    inside = tmp_path / "inside"
    write(tmp_path, "inside/a.md")
    (inside / "link.md").symlink_to(secret)
    (inside / "folder").symlink_to(tmp_path / "outside")

    assert list(pages(source(inside))) == ["docs:a.md"]


def test_dates_of_files_only_when_asked_for(tmp_path):
    file = write(tmp_path, "a.md")
    os.utime(file, (1_700_000_000, 1_700_000_000))

    found = pages(source(tmp_path, file_dates=True))
    assert found["docs:a.md"].updated_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_a_missing_folder_stops_the_run_and_names_the_setting(tmp_path):
    with pytest.raises(SettingsError, match=r"\[sources.docs\] path .* is not a folder"):
        list(source(tmp_path / "none").pages(Past()))

"""What a wheel of Docent holds: every package of the rooms, and the files that they read."""

import tomllib
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
ROOMS = ("ingest", "assistant", "eval", "web")
OTHERS = ("web/chat", "web/vscode")
"""What is written in TypeScript; of the page, what is built of it goes along."""
PAGE = {"chat/dist/index.html", "chat/dist/icon.svg", "chat/dist/assets/index-1a.js.gz"}


def setuptools() -> dict[str, dict[str, list[str]]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found: dict[str, dict[str, list[str]]] = settings["tool"]["setuptools"]
    return found


def below(room: str) -> list[PurePosixPath]:
    """All files of a room that are written in Python or read by it."""
    found = (path.relative_to(ROOT) for path in (ROOT / room).rglob("*") if path.is_file())
    return [
        PurePosixPath(path)
        for path in found
        if "__pycache__" not in path.parts and not path.as_posix().startswith(OTHERS)
    ]


def test_every_package_is_listed():
    packages = {
        ".".join(path.parent.parts)
        for room in ROOMS
        for path in below(room)
        if path.name == "__init__.py"
    }

    assert packages >= {"web", "web.admin", "web.state.migrations.versions"}
    assert sorted(setuptools()["packages"]) == sorted(packages)


def test_no_module_lies_outside_of_a_package():
    listed = set(setuptools()["packages"])

    for room in ROOMS:
        for path in below(room):
            assert path.suffix != ".py" or ".".join(path.parent.parts) in listed, path


def test_every_file_that_is_read_goes_along():
    given = setuptools()["package-data"]

    for room in ROOMS:
        for path in below(room):
            # What is written for those who read the code is read by nothing else.
            if path.suffix == ".py" or path.name in ("README.md", "RESULTS.md"):
                continue
            inside = path.relative_to(room)
            assert any(inside.match(glob) for glob in given[room]), path
    for file in PAGE:
        assert any(PurePosixPath(file).match(glob) for glob in given["web"]), file

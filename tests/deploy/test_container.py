"""Container files and the compose file: what they name is there, and they may do as little as said.

No engine runs where these tests run, so no image is built here.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from dockerfile_parse import DockerfileParser
from typer.main import get_command

import docent

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "container"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
COMMANDS = set(get_command(docent.app).commands)  # type: ignore[attr-defined]  # a click group
VERSION = re.compile(r":[\w.-]*\d[\w.-]*$|@sha256:[0-9a-f]{64}$")


@pytest.fixture(scope="module")
def steps():
    """The instructions of the Dockerfile: (name, value), without comments."""
    with (FOLDER / "Dockerfile").open("rb") as file:
        structure = DockerfileParser(fileobj=file).structure
    return [(s["instruction"], s["value"]) for s in structure if s["instruction"] != "COMMENT"]


def named(steps, name):
    return [value for instruction, value in steps if instruction == name]


def copied(steps):
    """(stage or None, sources, target) of each COPY."""
    for value in named(steps, "COPY"):
        words = value.split()
        stage = words.pop(0).partition("=")[2] if words[0].startswith("--from=") else None
        yield stage, words[:-1], words[-1]


def test_every_base_is_an_argument_with_a_version_that_can_be_pinned(steps):
    given = dict(value.split("=", 1) for value in named(steps, "ARG") if "=" in value)
    for value in named(steps, "FROM"):
        base = re.fullmatch(r"\$\{(\w+)\}( AS \w+)?", value)
        assert base, value
        assert VERSION.search(given[base[1]])


def test_all_that_is_copied_is_there_and_passes_the_ignore_file(steps):
    let_through = (FOLDER / "Dockerfile.dockerignore").read_text().split()
    made = {"page": ["/src/web/chat/dist/"], "build": ["/opt/docent"]}
    for stage, sources, _ in copied(steps):
        for source in sources:
            if stage:
                assert source in made[stage]
            else:
                assert (ROOT / source).exists(), source
                assert f"!{source.split('/')[0]}" in let_through, source
    assert not {"!docent.toml", "!var", "!.git", "!tests"} & set(let_through)


def test_all_packages_are_installed_and_the_page_is_built(steps):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name.partition(".")[0] for name in project["tool"]["setuptools"]["packages"]}
    sources = {s.rstrip("/") for stage, names, _ in copied(steps) for s in names if not stage}
    assert packages | {"docent.py", "constraints.txt", "pyproject.toml"} <= sources
    scripts = json.loads((ROOT / "web" / "chat" / "package.json").read_text())["scripts"]
    assert any("npm run build" in value for value in named(steps, "RUN"))
    assert "build" in scripts
    [extras] = [value for value in named(steps, "ARG") if value.startswith("EXTRAS=")]
    given = extras.partition("=")[2].split(",")
    assert set(given) <= set(project["project"]["optional-dependencies"])
    assert any("-c constraints.txt" in value for value in named(steps, "RUN"))


def test_the_image_runs_as_nobody_and_serves(steps):
    [user] = named(steps, "USER")
    assert re.fullmatch(r"[1-9]\d*:0", user)
    assert json.loads(named(steps, "ENTRYPOINT")[0]) == ["docent"]
    [command] = json.loads(named(steps, "CMD")[-1])
    assert command in COMMANDS
    after = [name for name, _ in steps][[name for name, _ in steps].index("USER") :]
    assert "RUN" not in after
    assert "COPY" not in after
    for value in named(steps, "RUN"):
        if "apt-get install" in value:
            assert "--no-install-recommends" in value
            assert "rm -rf /var/lib/apt/lists" in value
    assert not named(steps, "ADD")


def test_nothing_secret_stands_in_the_files(steps):
    for value in named(steps, "ENV") + named(steps, "ARG"):
        assert not re.search(r"(?i)(password|secret|token)\w*=\S", value)
    for name, service in COMPOSE["services"].items():
        for key, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|KEY|_URL$", key):
                assert "${" in str(value), (name, key)
    assert all(
        not line.partition("=")[2]
        for line in (FOLDER / "example.env").read_text().splitlines()
        if re.search(r"^\w*(SECRET|PASSWORD|KEY)\w*=", line)
    )


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_service_is_bounded_and_of_a_version(name):
    service = COMPOSE["services"][name]
    image = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", service["image"])
    assert VERSION.search(image), image
    assert service["mem_limit"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    for volume in service.get("volumes", ()):
        source = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", volume).split(":")[0]
        if source.startswith("."):
            # The settings are the operator's own.
            assert (FOLDER / source).exists() or source == "./docent.toml"
        else:
            assert source in COMPOSE["volumes"]


def test_docent_in_compose_writes_nowhere_but_where_it_must():
    for name in ("docent", "nightly"):
        service = COMPOSE["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["user"] == "10001:0"
        assert service["command"][0] in COMMANDS
        build = service["build"]
        assert (FOLDER / build["context"]).resolve() == ROOT
        assert (ROOT / build["dockerfile"]).exists()
        assert set(service["depends_on"]) <= set(COMPOSE["services"])
    [port] = COMPOSE["services"]["docent"]["ports"]
    assert port.startswith("127.0.0.1:")


def test_what_is_installed_can_be_listed(tmp_path):
    target = tmp_path / "sbom.json"
    [line] = [
        line.strip().removeprefix("@$(BIN)/")
        for line in (ROOT / "Makefile").read_text().splitlines()
        if "cyclonedx-py environment" in line
    ]
    program, *arguments = (
        line.replace("build/sbom.json", str(target)).replace("$(VENV)", sys.prefix).split()
    )

    subprocess.run([Path(sys.executable).parent / program, *arguments], cwd=ROOT, check=True)

    listed = json.loads(target.read_text())
    assert (listed["bomFormat"], listed["metadata"]["component"]["name"]) == ("CycloneDX", "docent")
    there = {
        (one["name"].lower().replace("_", "-"), one["version"]) for one in listed["components"]
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = dict(
        line.lower().split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line
    )
    for dependency in project["dependencies"]:
        name = re.split(r"[\[<>=]", dependency)[0].lower()
        assert any(
            one == name and version.partition("+")[0] == pinned[name] for one, version in there
        ), name
    assert str(ROOT) not in target.read_text()

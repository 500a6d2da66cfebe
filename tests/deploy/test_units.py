"""Units of systemd and jobs of batch systems: commands that exist, and little that they may do."""

import re
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
from typer.main import get_command

import docent

DEPLOY = Path(__file__).parents[2] / "deploy"
SERVICES = [DEPLOY / "docent.service", *sorted((DEPLOY / "systemd").glob("*.service"))]
COMMANDS = get_command(docent.app).commands  # type: ignore[attr-defined]  # a click group
RUNNING = {"serve", "bot", "gitlab-bot"}
"""Commands that run until they are stopped, but for those that editors start."""


def unit(path):
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as its documentation says
    parser.read(path)
    return parser


def command(path):
    start = unit(path)["Service"]["ExecStart"]
    return re.fullmatch(r"/opt/docent/\.venv/bin/docent (\S+)( .*)?", start)


def test_every_command_that_runs_for_long_has_a_unit():
    assert {command(path)[1] for path in SERVICES} >= RUNNING
    assert set(COMMANDS) >= RUNNING


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_unit_starts_a_command_with_options_that_it_has(path):
    found = command(path)
    known = {option for p in COMMANDS[found[1]].params for option in p.opts}
    assert {word for word in (found[2] or "").split() if word.startswith("--")} <= known


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_unit_may_do_little(path):
    service = unit(path)["Service"]
    assert service["User"] == "docent"
    assert service["ProtectSystem"] == "strict"
    assert service["ReadWritePaths"].split()[0] == "/var/lib/docent"
    assert service["CapabilityBoundingSet"] == ""
    assert service["MemoryMax"]
    assert service["UMask"] == "0077"
    for switch in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "RestrictNamespaces"):
        assert service[switch] == "yes"
    if service.get("Type") != "oneshot":
        assert service["Restart"] == "on-failure"
        assert int(service["TimeoutStopSec"]) >= 30


def test_the_backup_is_made_every_day_where_it_may_write():
    timer = unit(DEPLOY / "systemd" / "docent-backup.timer")["Timer"]
    service = DEPLOY / "systemd" / "docent-backup.service"
    assert timer["Persistent"] == "true"
    assert re.fullmatch(r"\*-\*-\* \d\d:\d\d:\d\d", timer["OnCalendar"])
    folder = command(service)[2].split()[0]
    assert folder in unit(service)["Service"]["ReadWritePaths"].split()


@pytest.mark.parametrize(("status", "job"), [(0, 0), (1, 0), (2, 2)])
def test_a_batch_job_fails_only_when_nothing_was_published(tmp_path, status, job):
    fake = tmp_path / "docent"
    fake.write_text(
        f'#!/bin/sh\n[ "$1 $DOCENT_CONFIG" = "nightly x.toml" ] && exit {status}\nexit 9\n'
    )
    fake.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "DOCENT": str(fake), "DOCENT_CONFIG": "x.toml"}

    done = subprocess.run([DEPLOY / "batch" / "ingest.sh"], env=environment, check=False)

    assert bool(done.returncode) == bool(job)


def test_a_batch_job_without_settings_says_so():
    done = subprocess.run(
        [DEPLOY / "batch" / "ingest.sh"], env={"PATH": "/usr/bin:/bin"}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode
    assert "set it to the settings file" in done.stderr


def test_the_submit_file_names_what_is_there():
    lines = (DEPLOY / "batch" / "docent.sub").read_text().splitlines()
    given = dict(
        re.split(r"\s*=\s*", line, maxsplit=1) for line in lines if re.match(r"[a-z_]+\s*=", line)
    )
    assert (DEPLOY / "batch" / given["executable"]).stat().st_mode & 0o111
    assert {"request_cpus", "request_memory", "request_disk", "log"} <= set(given)
    assert "getenv" not in given
    assert lines[-1] == "queue 1"


def test_the_job_of_slurm_is_a_script_that_runs_the_night(tmp_path):
    script = (DEPLOY / "batch" / "docent.sbatch").read_text()
    options = dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(\S+))?", script, re.MULTILINE))
    assert {"time", "cpus-per-task", "mem", "output"} <= set(options)
    assert options["dependency"] == "singleton"
    fakes = tmp_path / "bin"
    fakes.mkdir()
    (fakes / "srun").write_text('#!/bin/sh\nexec "$@"\n')
    (fakes / "docent").write_text('#!/bin/sh\necho "$1 $DOCENT_CONFIG $TOKEN"\n')
    for fake in fakes.iterdir():
        fake.chmod(0o755)
    (tmp_path / ".docent-secrets").write_text("TOKEN=told\n")
    environment = {
        "PATH": f"{fakes}:/usr/bin:/bin", "HOME": str(tmp_path), "DOCENT_CONFIG": "x.toml",
        "DOCENT": str(fakes / "docent"), "DOCENT_BATCH": str(DEPLOY / "batch"),
    }  # fmt: skip

    done = subprocess.run(
        ["/bin/bash", str(DEPLOY / "batch" / "docent.sbatch")],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout == "nightly x.toml told\n"

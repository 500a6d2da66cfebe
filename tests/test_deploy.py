"""The files under deploy/ run commands that exist, and keep what they promise."""

import re
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

import docent

NIGHTLY = Path(__file__).parents[1] / "deploy" / "nightly"


def unit(name: str) -> ConfigParser:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd minds the case
    parser.read(NIGHTLY / name)
    return parser


def cronjob() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((NIGHTLY / "cronjob.yaml").read_text())
    return found


@pytest.mark.parametrize("path", sorted(NIGHTLY.iterdir()), ids=lambda path: path.name)
def test_every_file_of_the_night_runs_a_command_that_exists_or_starts_one_that_does(path):
    known = set(get_command(docent.app).commands)  # type: ignore[attr-defined]  # a click group
    named = set(re.findall(r"(?:bin/|\")docent ([a-z]+)", path.read_text()))
    assert named <= known
    assert named == {"nightly"} or path.suffix == ".timer"


def test_the_timer_makes_up_for_what_was_missed_and_spreads_the_load():
    timer = unit("docent-nightly.timer")["Timer"]

    assert timer["Persistent"] == "true"
    assert timer["RandomizedDelaySec"]
    assert re.fullmatch(r"\*-\*-\* \d\d:\d\d:\d\d", timer["OnCalendar"])


def test_the_service_may_do_little_and_a_source_in_trouble_is_no_failure():
    service = unit("docent-nightly.service")["Service"]

    assert service["Type"] == "oneshot"  # systemd starts no second one beside it
    assert service["SuccessExitStatus"] == "1"
    assert service["ReadWritePaths"] == "/var/lib/docent"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    for switch in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "RestrictNamespaces"):
        assert service[switch] == "yes"


def test_the_cronjob_runs_one_night_at_a_time_and_may_do_little():
    spec = cronjob()["spec"]
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]

    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0
    assert pod["restartPolicy"] == "Never"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]) == {"requests", "limits"}
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize(("status", "job"), [(0, 0), (1, 0), (2, 1)])
def test_only_a_night_that_did_not_publish_fails_the_job(tmp_path, status, job):
    [container] = cronjob()["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    fake = tmp_path / "docent"
    fake.write_text(f'#!/bin/sh\n[ "$1" = nightly ] && exit {status}\nexit 99\n')
    fake.chmod(0o755)

    done = subprocess.run(container["command"], env={"PATH": str(tmp_path)}, check=False)

    assert done.returncode == job


def test_the_crontab_line_reads_its_secrets_and_names_its_settings(tmp_path):
    *_, line = (NIGHTLY / "docent.cron").read_text().splitlines()
    minute, hour, *every, user, command = line.split(" ", 6)
    secrets, fake = tmp_path / "secrets.env", tmp_path / "docent"
    fake.write_text('#!/bin/sh\necho "$1 $TOKEN"\n')
    fake.chmod(0o755)
    secrets.write_text("TOKEN=told\n")
    command = command.replace("/etc/docent/secrets.env", str(secrets))
    command = command.replace("/opt/docent/.venv/bin/docent", str(fake))

    def run() -> str:
        done = subprocess.run(
            ["/bin/sh", "-c", command], capture_output=True, text=True, check=True
        )
        return done.stdout

    assert (minute, hour, every, user) == ("30", "2", ["*", "*", "*"], "docent")
    assert "%" not in command  # cron would take it for a line end
    assert run() == "nightly told\n"
    secrets.unlink()
    assert run() == "nightly \n"

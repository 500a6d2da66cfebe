"""The ready settings for Dask's workers, as far as they can be tried without those systems."""

import os
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.deploy.test_chart import NEWEST, OLDEST

CLUSTER = Path(__file__).parents[2] / "deploy" / "cluster"


def manifests():
    return list(yaml.safe_load_all((CLUSTER / "kubernetes.yaml").read_text()))


def test_kubernetes_takes_the_manifests():
    for one in manifests():
        for version in (OLDEST, NEWEST):
            kubernetes_validate.validate(one, version, strict=True)


def test_what_runs_may_do_little_and_only_dask_and_the_night_reach_it():
    deployments = [one for one in manifests() if one["kind"] == "Deployment"]
    assert len(deployments) == 2
    for one in deployments:
        spec = one["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert not spec["automountServiceAccountToken"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["resources"]["limits"].keys() == {"cpu", "memory"}
        assert "--no-dashboard" in container["command"]
    assert "--no-nanny" in deployments[1]["spec"]["template"]["spec"]["containers"][0]["command"]
    (policy,) = [one for one in manifests() if one["kind"] == "NetworkPolicy"]
    (way,) = policy["spec"]["ingress"]
    (peers,) = way["from"]
    assert set(peers["podSelector"]["matchExpressions"][0]["values"]) == {
        "dask-scheduler", "dask-worker", "nightly",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("slurm", ["#SBATCH -J docent-worker", "#SBATCH --cpus-per-task=4", "--lifetime 230m"]),
        ("htcondor", ["RequestCpus = MY.DaskWorkerCores", "MY.DaskWorkerCores = 4", "batch_name"]),
    ],
)
def test_the_batch_systems_are_given_workers_that_may_start_processes(kind, lines, tmp_path):
    done = subprocess.run(
        [sys.executable, CLUSTER / "batch.py", kind, "--show"],
        env=os.environ | {"DASK_CONFIG": str(CLUSTER / "jobqueue.yaml")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for line in [*lines, "--no-nanny", "--nthreads 4", "--no-dashboard", "docent/.venv/bin/python"]:
        assert line in done.stdout, line

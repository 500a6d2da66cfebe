"""The Helm chart, with each of its values files: well formed, allowed, and as closed as it says."""

import functools
import re
import tomllib
from typing import Any

import kubernetes_validate
import pytest
import yaml

from ingest.settings import Settings
from tests.deploy.helm import CHART, helm
from web import cli_bot, cli_gitlab_bot
from web.start import check_start

VALUES = sorted(path.name for path in CHART.glob("values*.yaml"))
OLDEST, NEWEST = "1.27", "1.34"
FOREIGN = {"Route", "ServiceMonitor"}
"""Kinds that are not Kubernetes' own: no schema of its tells them."""
BOTS = {
    "mattermost": (cli_bot.check_start, "mattermost"),
    "gitlab": (cli_gitlab_bot.check_start, "gitlab_bot"),
}
SECRET = re.compile(r"(?i)(password|secret|token|_key)$")


@functools.cache
def made(values: str, *more: str) -> tuple[dict[str, Any], ...]:
    """What the chart makes of a values file."""
    done = helm("template", "docent", str(CHART), "-f", str(CHART / values), *more)
    assert done.returncode == 0, done.stderr
    return tuple(one for one in yaml.safe_load_all(done.stdout) if one)


def kinds(values: str, kind: str) -> list[dict[str, Any]]:
    return [one for one in made(values) if one["kind"] == kind]


def pods(values: str) -> dict[str, dict[str, Any]]:
    """The pod templates, by the name of what makes them."""
    found = {}
    for one in made(values):
        spec = one.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            found[one["metadata"]["name"]] = spec["template"]
    return found


def containers(values: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, container) for name, pod in pods(values).items()
        for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
    ]  # fmt: skip


@pytest.mark.parametrize("values", VALUES)
def test_helm_finds_nothing_wrong(values):
    done = helm("lint", "--strict", str(CHART), "-f", str(CHART / values))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("values", VALUES)
def test_kubernetes_knows_every_word(values, version):
    for one in made(values):
        if one["kind"] not in FOREIGN:
            kubernetes_validate.validate(one, version, strict=True)
    assert {"Deployment", "Service", "NetworkPolicy", "CronJob"} <= {
        one["kind"] for one in made(values)
    }


def test_the_schemas_would_see_a_slip():
    [service, *_] = kinds("values.yaml", "Service")

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(service | {"spce": {}}, NEWEST, strict=True)


@pytest.mark.parametrize("values", VALUES)
def test_nobody_is_root_and_nothing_may_be_written_but_what_is_mounted(values):
    for name, pod in pods(values).items():
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert security.get("runAsUser", 1) != 0
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod["spec"])
        assert all("hostPath" not in volume for volume in pod["spec"]["volumes"])
        mounted = {m["name"] for c in pod["spec"]["containers"] for m in c["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["spec"]["volumes"]}
    for _, container in containers(values):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize("values", VALUES)
def test_every_container_has_its_limits_and_a_version(values):
    for name, container in containers(values):
        limits, requests = container["resources"]["limits"], container["resources"]["requests"]
        assert {"cpu", "memory"} <= set(limits) & set(requests), name
        image = container["image"]
        assert re.search(r":v?\d[\w.-]*$|@sha256:[0-9a-f]{64}$", image), image
        assert container.get("imagePullPolicy") != "Always"


@pytest.mark.parametrize("values", VALUES)
def test_what_runs_for_long_is_probed(values):
    for one in kinds(values, "Deployment"):
        for container in one["spec"]["template"]["spec"]["containers"]:
            ports = {port["name"] for port in container["ports"]}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                asked = container[probe]["httpGet"]
                assert asked["port"] in ports
                assert asked["path"] in ("/livez", "/readyz", "/health")


@pytest.mark.parametrize("values", VALUES)
def test_no_secret_stands_in_what_the_chart_makes(values):
    assert not kinds(values, "Secret")
    for name, container in containers(values):
        for variable in container.get("env", ()):
            if SECRET.search(variable["name"]) or variable["name"].endswith("_URL"):
                assert "value" not in variable, (name, variable["name"])
                assert "secretKeyRef" in variable["valueFrom"]
    for one in kinds(values, "ConfigMap"):
        for text in one["data"].values():
            assert not re.search(r"(?im)^\s*\w*(password|secret|token)\w*\s*=", text)
            assert not re.search(r"://[^/\s]*:[^/\s]*@", text)


@pytest.mark.parametrize("values", VALUES)
def test_each_pod_has_one_network_policy_for_both_ways(values):
    policies = kinds(values, "NetworkPolicy")
    for name, pod in pods(values).items():
        labels = pod["metadata"]["labels"].items()
        mine = [p for p in policies if p["spec"]["podSelector"]["matchLabels"].items() <= labels]
        assert len(mine) == 1, name
        [policy] = mine
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        open_ports = {
            port["containerPort"] for c in pod["spec"]["containers"] for port in c.get("ports", ())
        }
        let_in = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
        assert let_in == open_ports
        assert all(rule["from"] for rule in policy["spec"]["ingress"])


@pytest.mark.parametrize("values", VALUES)
def test_services_and_others_name_what_there_is(values):
    labels = [pod["metadata"]["labels"].items() for pod in pods(values).values()]
    for one in kinds(values, "Service"):
        assert sum(one["spec"]["selector"].items() <= those for those in labels) == 1
    services = {one["metadata"]["name"] for one in kinds(values, "Service")}
    for one in kinds(values, "Ingress"):
        [path] = one["spec"]["rules"][0]["http"]["paths"]
        assert path["backend"]["service"]["name"] in services
        assert one["spec"]["tls"]
    configs = {one["metadata"]["name"] for one in kinds(values, "ConfigMap")}
    for pod in pods(values).values():
        for volume in pod["spec"]["volumes"]:
            if "configMap" in volume:
                assert volume["configMap"]["name"] in configs


@pytest.mark.parametrize("values", VALUES)
def test_the_settings_are_settings_with_which_a_server_starts(values, monkeypatch):
    for name in ("SIGNIN_SECRET", "MATTERMOST_TOKEN", "GITLAB_BOT_TOKEN", "GITLAB_BOT_SECRET"):
        monkeypatch.setenv(f"DOCENT_{name}", "q1w2e3r4t5z6u7i8o9p0")
    [config] = [
        one for one in kinds(values, "ConfigMap") if one["metadata"]["name"] == "docent-settings"
    ]
    settings = Settings.model_validate(tomllib.loads(config["data"]["docent.toml"]))

    check_start(settings, settings.server.host, ())
    [api] = [d for d in kinds(values, "Deployment") if d["metadata"]["name"] == "docent-api"]
    pod = api["spec"]["template"]["spec"]
    # Answers under way and the last goodbyes fit into the time before the pod is killed.
    assert settings.server.drain_s + 15 <= pod["terminationGracePeriodSeconds"]
    for bot, (check, section) in BOTS.items():
        if f"docent-{bot}" in pods(values):
            check(settings)
            [container] = pods(values)[f"docent-{bot}"]["spec"]["containers"]
            assert container["ports"][0]["containerPort"] == getattr(settings, section).port
            # Its probes come by the address of the pod.
            assert getattr(settings, section).host == "0.0.0.0"  # noqa: S104 - in a pod


def test_a_small_site_is_one_server_beside_its_volume():
    [api] = kinds("values-small.yaml", "Deployment")
    assert api["spec"]["strategy"] == {"type": "Recreate"}
    assert not kinds("values-small.yaml", "PodDisruptionBudget")
    [claim] = kinds("values-small.yaml", "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    night = pods("values-small.yaml")["docent-nightly"]["spec"]
    assert night["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]


def test_a_large_site_loses_nobody_while_it_changes():
    deployments = kinds("values-large.yaml", "Deployment")
    api = next(one for one in deployments if one["metadata"]["name"] == "docent-api")
    assert api["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert "replicas" not in api["spec"]
    [scaler] = kinds("values-large.yaml", "HorizontalPodAutoscaler")
    [budget] = kinds("values-large.yaml", "PodDisruptionBudget")
    assert scaler["spec"]["minReplicas"] > budget["spec"]["minAvailable"]
    assert not kinds("values-large.yaml", "PersistentVolumeClaim")
    [job] = kinds("values-large.yaml", "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["state", "upgrade"]
    assert {one["spec"].get("replicas", 1) for one in deployments} == {1}


@pytest.mark.parametrize("values", VALUES)
def test_models_are_there_before_a_pod_answers(values):
    for name, pod in pods(values).items():
        if name in ("docent-vllm", "docent-migrate"):
            continue
        [models] = pod["spec"]["initContainers"]
        [container] = pod["spec"]["containers"]
        assert models["args"] == ["models", "fetch"]
        assert models["volumeMounts"] == container["volumeMounts"]


def test_openshift_may_choose_the_user():
    for pod in pods("values-openshift.yaml").values():
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(pod["spec"]["securityContext"])
    [route] = kinds("values-openshift.yaml", "Route")
    assert route["spec"]["tls"]["termination"] == "edge"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("api.replicas=2", "Several servers need an index in a database"),
        ("api.autoscaling.enabled=true", "Several servers need an index in a database"),
        ("image.tag=latest", "tag"),
        ("image.tag=", "image.tag must be a version"),
        ("user.runAsUser=0", "runAsUser"),
        ("image.digest=sha256:abc", "digest"),
        ("externalState=false,indexOnVolume=false", "need a database"),
    ],
)
def test_values_that_cannot_work_are_refused_with_a_sentence(given, told):
    done = helm("template", "docent", str(CHART), "--set", given)

    assert done.returncode != 0
    assert told in done.stderr


def test_a_digest_goes_before_the_tag():
    digest = "sha256:" + "ab" * 32
    for one in made("values.yaml", "--set", f"image.digest={digest}"):
        if one["kind"] == "Deployment":
            [container] = one["spec"]["template"]["spec"]["containers"]
            assert container["image"] == f"registry.example.org/docent@{digest}"

"""Rules and panels ask for numbers that a running server has; each alert is told of in the docs."""

import json
import re
from pathlib import Path

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from assistant.model import Answer, Status
from ingest.errors import DocentError
from web.bootstrap import Served

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus" / "docent.rules.yaml").read_text())
BOARD = json.loads((DEPLOY / "grafana" / "docent.json").read_text())
OPERATIONS = (DEPLOY.parent / "docs" / "operations.md").read_text()
FOREIGN = {"up": {"job", "instance"}}
"""What Prometheus itself knows of every server."""

ALL_RULES = [rule for group in RULES["groups"] for rule in group["rules"]]
ALERTS = [rule for rule in ALL_RULES if "alert" in rule]
PANELS = [
    (panel["title"], target["expr"]) for panel in BOARD["panels"] for target in panel["targets"]
]
EXPRESSIONS = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in ALL_RULES] + PANELS


def selectors(expression):
    """(metric, labels that are asked of it) of every selector in a PromQL expression."""
    # Grafana fills these in before Prometheus sees them.
    plain = re.sub(r"\$__rate_interval|\$__interval", "5m", expression)
    found = []

    def walk(node):
        if isinstance(node, promql_parser.VectorSelector):
            found.append((node.name, {matcher.name for matcher in node.matchers.matchers}))
        elif isinstance(node, promql_parser.MatrixSelector):
            walk(node.vector_selector)
        for name in ("expr", "lhs", "rhs"):
            if (inner := getattr(node, name, None)) is not None:
                walk(inner)
        for inner in getattr(node, "args", None) or ():
            walk(inner)

    walk(promql_parser.parse(plain))
    return found


@pytest.fixture
async def told(services):
    """What a server tells that has answered once: the samples' names, with their labels."""
    metrics = services.metrics
    timings = {"retrieve_ms": 20.0, "first_token_ms": 400.0, "total_ms": 2000.0}
    metrics.answered(Answer("q", Status.ANSWERED, "a", timings=timings))
    metrics.judged(helpful=True)
    metrics.refused("line")
    metrics.searched(0.1)
    metrics.queued(0.1)
    metrics.audit_lost()
    metrics.requested("GET", "/api/v1/health", 200, 0.1)
    families = text_string_to_metric_families(metrics.text().decode())
    samples: dict[str, set[str]] = {}
    for family in families:
        for sample in family.samples:
            samples.setdefault(sample.name, set()).update(sample.labels)
    return samples


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS, ids=lambda text: str(text)[:40])
async def test_what_is_asked_for_is_there(told, name, expression):
    recorded: dict[str, set[str]] = {
        rule["record"]: set() for rule in ALL_RULES if "record" in rule
    }
    asked = selectors(expression)

    assert asked, expression
    for metric, labels in asked:
        known = FOREIGN | recorded | told
        assert metric in known, f"{name} asks for {metric}, which nobody tells"
        assert labels <= known[metric] | {"job", "instance"}, (name, metric, labels)


def test_a_slip_would_be_seen():
    assert selectors('sum(rate(docent_x{a="b"}[5m])) / max(docent_y) > 1 and up == 0') == [
        ("docent_x", {"a"}),
        ("docent_y", set()),
        ("up", set()),
    ]
    with pytest.raises(ValueError, match="unclosed"):
        selectors("sum(rate(docent_x[5m])")


@pytest.mark.parametrize("alert", ALERTS, ids=lambda rule: rule["alert"])
def test_each_alert_says_what_is_wrong_and_where_it_is_told_what_to_do(alert):
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["summary"].endswith(".")
    assert alert["annotations"]["runbook"] == f"docs/operations.md#{alert['alert'].lower()}"
    assert f"### {alert['alert']}\n" in OPERATIONS


def test_the_docs_tell_of_no_alert_that_there_is_not():
    told = re.findall(r"^### (Docent\w+)$", OPERATIONS, re.MULTILINE)
    assert told == [alert["alert"] for alert in ALERTS]


def test_the_tests_of_promtool_name_alerts_that_there_are():
    cases = yaml.safe_load((DEPLOY / "prometheus" / "tests.yaml").read_text())
    named = {test["alertname"] for case in cases["tests"] for test in case["alert_rule_test"]}
    assert named <= {alert["alert"] for alert in ALERTS}
    assert cases["rule_files"] == ["docent.rules.yaml"]


def test_the_board_can_be_taken_in_as_it_is():
    assert BOARD["uid"] == "docent"
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in BOARD["panels"]]
    assert len(set(places)) == len(places)
    assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in BOARD["panels"])
    assert all(p["description"] for p in BOARD["panels"])
    variables = {variable["name"] for variable in BOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)\}?", json.dumps(BOARD["panels"])))
    assert used <= variables | {"__rate_interval"}


async def test_a_server_tells_which_generation_it_reads(services, assistant):
    served = Served()
    await served.look(services)
    assert served.generation == 3

    assistant.failure = DocentError("The index is away.")
    await served.look(services)
    assert served.generation != served.generation

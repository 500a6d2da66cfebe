"""One way out: no module but the client's own opens connections, except those named here and why.

What is looked for are imports (also those inside functions) and the names of functions that
connect. Type-only imports do not count. An exception that is no longer needed fails as well.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLIENT = {"ingest/outbound/guard.py", "ingest/outbound/transport.py", "ingest/http.py"}

CONNECTING = [
    "aiohttp",
    "asyncssh",
    "atlassian",
    "authlib",
    "distributed",
    "feedparser",
    "ftplib",
    "git",
    "gitlab",
    "grpc",
    "h11",
    "h2",
    "http.client",
    "http.server",
    "httpcore",
    "httplib2",
    "httpx",
    "httpx2",
    "huggingface_hub",
    "imaplib",
    "jira",
    "langchain_openai",
    "multiprocessing.connection",
    "nntplib",
    "oaipmh_scythe",
    "openai",
    "paramiko",
    "poplib",
    "pycurl",
    "requests",
    "requests_toolbelt",
    "smtplib",
    "socket",
    "socketserver",
    "sickle",
    "ssl",
    "telnetlib",
    "tornado",
    "twisted",
    "urllib.request",
    "urllib3",
    "websocket",
    "websockets",
    "xmlrpc",
]
CALLS = {
    "create_connection",
    "create_datagram_endpoint",
    "getaddrinfo",
    "open_connection",
    "open_unix_connection",
    "urlopen",
    "urlretrieve",
}

# Quicker than a parse: an import has the word on its line, a call its name.
HINT = re.compile(
    r"^\s*(?:from|import)\b.*\b(?:{})\b|import_module|__import__|{}".format(
        "|".join({name.split(".")[0] for name in CONNECTING}), "|".join(CALLS)
    ),
    re.MULTILINE,
)

# Module → what it imports, and why that is no crawling. Keep it short.
ELSEWHERE = {
    "ingest/cluster.py": ("distributed", "asks the Dask scheduler that the settings name"),
    "ingest/origins.py": ("httpx2 huggingface_hub", "fetches model weights, when told to"),
    "ingest/embed.py": ("httpx2 openai", "asks the embedder's server, which the settings name"),
    "assistant/fleet.py": ("httpx2", "asks those servers whether they are well"),
    "assistant/remote.py": ("httpx2 ssl", "asks the Docent server that its caller names"),
    "assistant/rerank.py": ("httpx2", "the reranking server that the settings name"),
    "assistant/served.py": (
        "httpx2 ssl",
        "asks the language model's server, which the settings name",
    ),
    "web/cli.py": ("socket", "opens the port on which it listens"),
    "web/bots/start.py": ("socket", "opens the port on which a bot takes commands or webhooks"),
    "web/cli_bot.py": ("socket", "names the type of that port"),
    "web/cli_gitlab_bot.py": ("socket", "names the type of that port"),
    "web/mattermost/listening.py": ("websockets", "hears the Mattermost of the settings"),
    "web/mattermost/server.py": ("httpx ssl", "asks the Mattermost of the settings"),
    "web/signin/oidc.py": ("authlib httpx2 ssl", "asks the sign-in server of the settings"),
    "web/mcp/remote.py": ("httpx2", "asks the Docent server that --url names"),
    "eval/review.py": ("socket", "opens the port of the review page, on loopback"),
    "eval/tell.py": ("smtplib ssl", "mails the night's report through the server of the settings"),
    # Libraries that bring a protocol, each handed the client (see the tests below).
    "ingest/sources/gitlab/api.py": ("gitlab", "with `session=client.session`"),
    "ingest/sources/papers/oai.py": ("httpx2 oaipmh_scythe", "with a transport over the client"),
    "ingest/sources/twiki/lists.py": ("feedparser", "is given bytes, never an address"),
}


def modules() -> list[Path]:
    found = [ROOT / "docent.py"]
    for room in ("ingest", "assistant", "eval", "web"):
        found += sorted((ROOT / room).rglob("*.py"))
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that runs: not what stands under `if TYPE_CHECKING`."""
    left = [node]
    while left:
        node = left.pop()
        yield node
        if not (isinstance(node, ast.If) and _word(node.test) == "TYPE_CHECKING"):
            left.extend(ast.iter_child_nodes(node))


def reaches_out(source: str) -> set[str]:
    """What in a module's text could open a connection: names of modules and of functions."""
    found: set[str] = set()
    if not HINT.search(source):
        return found
    for node in walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            named = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and _word(node.func) in ("import_module", "__import__"):
            named = [str(ast.literal_eval(arg)) for arg in node.args[:1] if _is_plain(arg)]
        else:
            found |= {_word(node)} & CALLS
            continue
        found |= {c for c in CONNECTING for n in named if n == c or n.startswith(f"{c}.")}
    return found


def _word(node: ast.AST) -> str:
    """The name that an expression ends with."""
    return str(getattr(node, "attr", "") or getattr(node, "id", ""))


def _is_plain(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant)


def calls_of(path: str, function: str) -> list[ast.Call]:
    tree = ast.parse((ROOT / path).read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found = [call for call in calls if ast.unparse(call.func) == function]
    assert found, f"{path} no longer calls {function}: look again"
    return found


def test_nobody_else_opens_connections():
    for path in modules():
        name = name_of(path)
        if name in CLIENT:
            continue
        allowed = set(ELSEWHERE.get(name, ("", ""))[0].split())
        assert reaches_out(path.read_text()) == allowed, (
            f"{name} must go through ingest/http.py, or be an exception with its reason here"
        )


def test_the_client_itself_is_found_out():
    """So that the test above cannot pass by seeing nothing."""
    found = {name: reaches_out((ROOT / name).read_text()) for name in CLIENT}
    assert {"socket", "urllib3", "getaddrinfo"} <= found["ingest/outbound/guard.py"]
    assert {"requests", "urllib3"} <= found["ingest/outbound/transport.py"]
    assert "requests" in found["ingest/http.py"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import requests", {"requests"}),
        ("import urllib.request as r", {"urllib.request"}),
        ("from urllib import request", {"urllib.request"}),
        ("from urllib.parse import urljoin", set()),
        ("from http import HTTPStatus", set()),
        ("from http.client import responses", {"http.client"}),
        ("def f():\n    from httpx2 import Client", {"httpx2"}),
        ("import importlib\nimportlib.import_module('smtplib')", {"smtplib"}),
        ("__import__('socket')", {"socket"}),
        ("import asyncio\nasyncio.open_connection('h', 1)", {"open_connection"}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import requests", set()),
        ("from ingest.sources import gitlab", set()),
        ("from .socket import x", set()),
    ],
)
def test_what_counts_as_reaching_out(text, found):
    assert reaches_out(text) == found


def test_libraries_are_handed_the_client():
    for call in calls_of("ingest/sources/gitlab/api.py", "gitlab.Gitlab"):
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert given["session"] == "client.session"
    for call in calls_of("ingest/sources/papers/oai.py", "httpx2.Client"):
        assert [keyword.arg for keyword in call.keywords] == ["transport"]
    for call in calls_of("ingest/sources/twiki/lists.py", "feedparser.parse"):
        assert ast.unparse(call.args[0]).startswith("BytesIO(")  # a name would be opened as a file

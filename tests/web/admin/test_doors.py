"""Who is let in, on every route there is."""

import pytest

from tests.web.admin.conftest import calling

PREFIX = "/api/v1/admin"


async def outcomes(services, role, **headers):
    async with calling(services, role, **headers) as client:
        schema = (await client.get("http://localhost:8000/openapi.json")).json()
        found = {}
        for path, methods in schema["paths"].items():
            if path.startswith(PREFIX):
                at = path.removeprefix(PREFIX).replace("{number}", "1").replace("{name}", "wiki")
                at = at.replace("{feedback_id}", "none")
                for method in methods:
                    response = await client.request(method.upper(), at, json={})
                    found[f"{method} {at}"] = response.status_code
    return found


@pytest.mark.parametrize(
    ("role", "headers", "status"),
    [
        ("", {}, 401),
        ("reader", {}, 403),
        ("reader", {"groups": "staff"}, 403),
        ("admin", {"scopes": "ask search read history feedback tokens metrics"}, 403),
    ],
)
async def test_nobody_else_comes_in_anywhere(services, role, headers, status):
    found = await outcomes(services, role, **headers)

    assert len(found) == 15
    assert set(found.values()) == {status}


async def test_maintainers_come_in_everywhere(services):
    found = await outcomes(services, "maintainer", scopes="admin")

    assert not {401, 403, 500} & set(found.values())

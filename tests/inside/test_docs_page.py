"""The interactive documentation comes whole from the service, wherever a proxy puts it."""

import re

import pytest
from httpx import AsyncClient

from orders.main import create_app

from .helpers import serve, settings

ADDRESS = re.compile(r"""(?:src|href|spec-url)="([^"]*)"|\burl: '([^']*)'|\+ '([^']*)'""")


async def addresses(client: AsyncClient, path: str) -> set[str]:
    """Return the addresses that a page loads, or sends the browser to."""
    response = await client.get(path)
    assert response.status_code == 200
    return {"".join(groups) for groups in ADDRESS.findall(response.text)}


@pytest.mark.parametrize(("path", "count"), [("/docs", 5), ("/redoc", 3)])
@pytest.mark.parametrize("prefix", ["", "/shop"])
async def test_every_address_on_a_page_is_answered_by_the_service(
    path: str, count: int, prefix: str
) -> None:
    """Scripts, styles, the icon and the document; a proxy removes the prefix from each."""
    async with serve(create_app(settings()), root_path=prefix) as client:
        for address in (page_addresses := await addresses(client, prefix + path)):
            assert address.startswith(f"{prefix}/"), address
            response = await client.get(address)
            assert response.status_code == 200, address
            assert response.content
    assert len(page_addresses) == count, page_addresses


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_a_page_may_not_load_scripts_of_others(path: str) -> None:
    """The browser refuses what the page should not ask for, also in a later release of it."""
    async with serve(create_app(settings())) as client:
        policy = (await client.get(path)).headers["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-inline';" in policy
    assert "http" not in policy

"""The service itself serves all of its interactive documentation, also behind a proxy."""

import re

import pytest
from httpx import AsyncClient

from orders.main import create_app

from .helpers import serve, settings

ADDRESS = re.compile(r"""(?:src|href|spec-url)="([^"]*)"|\burl: '([^']*)'|\+ '([^']*)'""")


async def addresses(client: AsyncClient, path: str) -> set[str]:
    """Return the addresses that a page loads or links to."""
    response = await client.get(path)
    assert response.status_code == 200
    return {"".join(groups) for groups in ADDRESS.findall(response.text)}


@pytest.mark.parametrize(("path", "count"), [("/docs", 5), ("/redoc", 3)])
@pytest.mark.parametrize("prefix", ["", "/shop"])
async def test_every_address_on_a_page_is_answered_by_the_service(
    path: str, count: int, prefix: str
) -> None:
    """Scripts, styles, the icon and the document, also if a proxy strips a prefix."""
    async with serve(create_app(settings()), root_path=prefix) as client:
        for address in (page_addresses := await addresses(client, prefix + path)):
            assert address.startswith(f"{prefix}/"), address
            response = await client.get(address)
            assert response.status_code == 200, address
            assert response.content
    assert len(page_addresses) == count, page_addresses


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_a_page_may_not_load_external_scripts(path: str) -> None:
    """The browser blocks them, even if a later release of the page requests them."""
    async with serve(create_app(settings())) as client:
        policy = (await client.get(path)).headers["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-inline';" in policy
    assert "http" not in policy

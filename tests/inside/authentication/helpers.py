"""Helpers for several of these tests."""

from httpx import AsyncClient, Response

from tests.harness import check_response

GUARDED = "/guarded"


async def call(client: AsyncClient, token: str, path: str = GUARDED) -> Response:
    """Send a request with a token."""
    # Bytes, because a forged token may contain any.
    return await client.get(path, headers=[(b"Authorization", f"Bearer {token}".encode())])


async def is_let_in(client: AsyncClient, token: str, path: str = GUARDED) -> bool:
    """Return whether a token is accepted, and check the refusal if it is not."""
    response = await call(client, token, path)
    if response.status_code == 200:
        return True
    check_response(response, 401)
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    return False

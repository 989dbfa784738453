"""What several of these tests need."""

from httpx import AsyncClient, Response

from tests.harness import check_response

GUARDED = "/guarded"


async def call(client: AsyncClient, token: str, path: str = GUARDED) -> Response:
    """Ask for something with a token."""
    # As bytes, because a made-up token may have any.
    return await client.get(path, headers=[(b"Authorization", f"Bearer {token}".encode())])


async def is_let_in(client: AsyncClient, token: str, path: str = GUARDED) -> bool:
    """Say whether a token is good; if it is not, see that it is refused as it must be."""
    response = await call(client, token, path)
    if response.status_code == 200:
        return True
    check_response(response, 401)
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    return False

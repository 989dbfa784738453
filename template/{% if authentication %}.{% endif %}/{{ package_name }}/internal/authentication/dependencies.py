"""How routers require a token."""

from typing import Annotated, Any, Final

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from ..resources import resources_of
from .errors import InsufficientScopeError, NotAuthenticatedError
from .tokens import Identity, TokenVerifier

SCHEME: Final = HTTPBearer(bearerFormat="JWT", scheme_name="bearer", auto_error=False)


async def authenticate(
    connection: HTTPConnection,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(SCHEME)],
) -> Identity:
    """Return the caller of a request.

    Raises:
        NotAuthenticatedError: the request has no token.
        InvalidTokenError: the token is invalid.
        KeysUnavailableError: the token cannot be verified at the moment.
    """
    verified: Identity | None = getattr(connection.state, "verified_identity", None)
    if verified is not None:
        return verified
    if credentials is None:
        raise NotAuthenticatedError
    identity = await resources_of(connection).get(TokenVerifier).verify(credentials.credentials)
    connection.state.verified_identity = identity
    return identity


Authenticated: Any = Depends(authenticate)
"""Requires a valid token: `APIRouter(dependencies=[Authenticated])`."""

Principal = Annotated[Identity, Authenticated]
"""The caller, as a parameter of an endpoint: `principal: Principal`."""


def requires(*scopes: str) -> Any:  # noqa: ANN401 - as FastAPI's own
    """Return a dependency that requires all these scopes, and returns the caller."""

    async def check(principal: Principal) -> Identity:
        if not principal.scopes.issuperset(scopes):
            missing = " ".join(scopes)
            raise InsufficientScopeError(f"the scope {missing}", scopes=missing)
        return principal

    return Security(check, scopes=scopes)


def requires_role(*roles: str) -> Any:  # noqa: ANN401 - as FastAPI's own
    """Return a dependency that requires one of these roles, and returns the caller."""

    async def check(principal: Principal) -> Identity:
        if principal.roles.isdisjoint(roles):
            raise InsufficientScopeError(f"the role {' or '.join(roles)}")
        return principal

    return Depends(check)

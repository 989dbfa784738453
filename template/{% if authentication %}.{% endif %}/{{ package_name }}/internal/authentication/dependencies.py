"""What routers ask for."""

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ..resources import resources_of
from .errors import InsufficientScopeError, NotAuthenticatedError
from .identity import Identity
from .tokens import TokenVerifier

_bearer = HTTPBearer(bearerFormat="JWT", scheme_name="bearer", auto_error=False)


async def authenticate(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Identity:
    """Return who calls.

    Raises:
        NotAuthenticatedError: the request does not say.
        InvalidTokenError: its token is not to be trusted.
        KeysUnavailableError: its token cannot be checked just now.
    """
    if credentials is None:
        raise NotAuthenticatedError
    return await resources_of(request).get(TokenVerifier).verify(credentials.credentials)


Authenticated: Any = Depends(authenticate)
"""Lets in whoever has a good token: `APIRouter(dependencies=[Authenticated])`."""

Principal = Annotated[Identity, Authenticated]
"""The caller, as a parameter of an endpoint: `principal: Principal`."""


def requires(*scopes: str) -> Any:  # noqa: ANN401 - as FastAPI's own
    """Return a dependency that lets in whose token has all these scopes, and gives who it is."""

    async def check(principal: Principal) -> Identity:
        if not principal.scopes.issuperset(scopes):
            wanted = " ".join(scopes)
            raise InsufficientScopeError(f"the scope {wanted}", scopes=wanted)
        return principal

    return Security(check, scopes=scopes)


def requires_role(*roles: str) -> Any:  # noqa: ANN401 - as FastAPI's own
    """Return a dependency that lets in who has one of these roles, and gives who it is."""

    async def check(principal: Principal) -> Identity:
        if principal.roles.isdisjoint(roles):
            raise InsufficientScopeError(f"the role {' or '.join(roles)}")
        return principal

    return Depends(check)

"""Refusals of a request, with the challenge for its client (RFC 6750, section 3)."""

import math
from http import HTTPStatus

from starlette.exceptions import HTTPException

REALM = 'Bearer realm="api"'


class NotAuthenticatedError(HTTPException):
    """The request has no bearer token."""

    def __init__(self) -> None:
        super().__init__(
            HTTPStatus.UNAUTHORIZED,
            "A token is required: send it in the header `Authorization: Bearer ...`.",
            {"WWW-Authenticate": REALM},
        )


class InvalidTokenError(HTTPException):
    """The token is invalid; `reason` says why without quoting it."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            HTTPStatus.UNAUTHORIZED,
            f"The token is refused: {reason}.",
            {"WWW-Authenticate": f'{REALM}, error="invalid_token"'},
        )


class InsufficientScopeError(HTTPException):
    """The token is valid, but does not give a permission: the scopes in `scopes`, or a role."""

    def __init__(self, need: str, *, scopes: str = "") -> None:
        scope_parameter = f', scope="{scopes}"' if scopes else ""
        super().__init__(
            HTTPStatus.FORBIDDEN,
            f"The token does not allow this: it needs {need}.",
            {"WWW-Authenticate": f'{REALM}, error="insufficient_scope"{scope_parameter}'},
        )


class KeysUnavailableError(HTTPException):
    """No token can be verified at the moment: the issuer's keys are not available."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "Tokens cannot be verified at the moment: try again later.",
            {"Retry-After": str(max(1, math.ceil(retry_after)))},
        )

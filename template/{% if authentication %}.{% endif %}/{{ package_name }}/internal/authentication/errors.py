"""Why a request is refused, with the challenge that clients read (RFC 6750, section 3)."""

import math
from http import HTTPStatus

from starlette.exceptions import HTTPException

REALM = 'Bearer realm="api"'


class NotAuthenticatedError(HTTPException):
    """The request has no bearer token."""

    def __init__(self) -> None:
        super().__init__(
            HTTPStatus.UNAUTHORIZED,
            "Say who you are: send a token in the header `Authorization: Bearer ...`.",
            {"WWW-Authenticate": REALM},
        )


class InvalidTokenError(HTTPException):
    """The token is not one to be trusted; `reason` says why in words that tell nothing of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            HTTPStatus.UNAUTHORIZED,
            f"The token is refused: {reason}.",
            {"WWW-Authenticate": f'{REALM}, error="invalid_token"'},
        )


class InsufficientScopeError(HTTPException):
    """The token is good, and does not allow this; `scopes` would."""

    def __init__(self, need: str, *, scopes: str = "") -> None:
        wanted = f', scope="{scopes}"' if scopes else ""
        super().__init__(
            HTTPStatus.FORBIDDEN,
            f"The token does not allow this: it needs {need}.",
            {"WWW-Authenticate": f'{REALM}, error="insufficient_scope"{wanted}'},
        )


class KeysUnavailableError(HTTPException):
    """No token can be checked just now: the issuer's keys cannot be had."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "Tokens cannot be checked just now: try again.",
            {"Retry-After": str(max(1, math.ceil(retry_after)))},
        )

"""Hooks of Schemathesis: refusals of valid requests that we know of.

OpenAPI cannot say that a cursor is valid only with the parameters of the page that gave it, nor
that a list is not sorted by a column in both directions.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData

if TYPE_CHECKING:
    from schemathesis.core.failures import Failure

KNOWN = {"query.cursor", "query.sort"}


@schemathesis.hook
def filter_failure(
    _context: schemathesis.HookContext,
    failure: Failure,
    _case: schemathesis.Case[Any],
    response: schemathesis.Response,
) -> bool:
    """Keep each failure except those of valid requests with only these parameters refused."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    errors = json.loads(response.content).get("errors", ())
    return not errors or not {error["location"] for error in errors} <= KNOWN

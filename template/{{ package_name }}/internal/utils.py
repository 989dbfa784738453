"""Small helpers for all layers."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a UUID version 7 (RFC 9562), which sorts by its creation time."""
    return uuid7()


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)

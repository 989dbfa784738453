"""Small things that every layer may use."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a UUID version 7 (RFC 9562): unique, and sorted by the time it was made."""
    return uuid7()


def utc_now() -> datetime:
    """Return the present moment, aware of being UTC."""
    return datetime.now(UTC)

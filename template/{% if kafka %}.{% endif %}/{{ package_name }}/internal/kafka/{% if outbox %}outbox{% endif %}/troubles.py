"""Tracks topics and partitions that cannot receive events: the reason, and when to retry."""

from dataclasses import dataclass
from time import monotonic

import structlog
from aiokafka.errors import TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from .batches import Place

FIRST_REST = 0.5
LONGEST_REST = 10.0
"""Seconds until a topic or partition in trouble is tried again: at first, and at the most."""

ALARM_INTERVAL = 60.0
"""Seconds between two log entries about the same trouble."""

logger = structlog.get_logger(__name__)


@dataclass
class Trouble:
    """Why a topic or partition cannot receive events."""

    reason: str
    until: float
    failures: int = 1
    alarmed: float | None = None


class Troubles:
    """The topics and partitions that are in trouble."""

    def __init__(self) -> None:
        self._troubles: dict[Place, Trouble] = {}

    def note(self, where: Place, reason: str) -> None:
        """Skip a topic or partition for a while, longer after each failure."""
        known = self._troubles.get(where)
        failures = known.failures + 1 if known else 1
        now = monotonic()
        rest = min(FIRST_REST * 2.0 ** min(failures - 1, 10), LONGEST_REST)
        trouble = Trouble(reason, now + rest, failures, known.alarmed if known else None)
        self._troubles[where] = trouble
        is_new = known is None or known.reason != reason or trouble.alarmed is None
        if is_new or now - (trouble.alarmed or 0) > ALARM_INTERVAL:
            trouble.alarmed = now
            logger.error("outbox held up", where=str(where), reason=reason)

    def clear(self, where: Place) -> None:
        """Record that events are sent there again."""
        if self._troubles.pop(where, None):
            logger.info("outbox goes on", where=str(where))

    def resting(self) -> set[Place]:
        """Return the topics and partitions to skip at the moment."""
        now = monotonic()
        return {where for where, trouble in self._troubles.items() if trouble.until > now}

    def describe(self) -> str:
        """Return all troubles as text, or an empty string."""
        return "; ".join(f"{where}: {trouble.reason}" for where, trouble in self._troubles.items())


def reason_of(error: BaseException, topic: str) -> str:
    """Return why a topic's events cannot be sent, and what to do."""
    if isinstance(error, TopicAuthorizationFailedError):
        return (
            f"not authorized: grant the service the operations DESCRIBE and WRITE on the topic "
            f"{topic} (TopicAuthorizationFailedError)"
        )
    if isinstance(error, UnknownTopicOrPartitionError):
        return f"there is no topic {topic}, and brokers do not create it: create it"
    if isinstance(error, TimeoutError):
        return "no broker answers in time"
    return str(error) or repr(error)

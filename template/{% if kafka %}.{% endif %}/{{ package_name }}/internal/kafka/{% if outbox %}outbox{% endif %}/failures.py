"""Tracks topics and partitions that cannot receive events: the reason, and when to retry."""

from dataclasses import dataclass
from time import monotonic

import structlog
from aiokafka.errors import TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from .batches import Destination

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
"""Seconds until a topic or partition that failed is tried again: at first, and at the most."""

LOG_INTERVAL = 60.0
"""Seconds between two log entries about the same failure."""

logger = structlog.get_logger(__name__)


@dataclass
class Failure:
    """Why a topic or partition cannot receive events."""

    reason: str
    retry_at: float
    count: int = 1
    logged_at: float | None = None


class Failures:
    """The topics and partitions that failed."""

    def __init__(self) -> None:
        self._failures: dict[Destination, Failure] = {}

    def record(self, destination: Destination, reason: str) -> None:
        """Skip a topic or partition for a while, longer after each failure."""
        previous = self._failures.get(destination)
        count = previous.count + 1 if previous else 1
        now = monotonic()
        pause = min(FIRST_PAUSE * 2.0 ** min(count - 1, 10), LONGEST_PAUSE)
        failure = Failure(reason, now + pause, count, previous.logged_at if previous else None)
        self._failures[destination] = failure
        is_new = previous is None or previous.reason != reason or failure.logged_at is None
        if is_new or now - (failure.logged_at or 0) > LOG_INTERVAL:
            failure.logged_at = now
            logger.error("outbox held up", where=str(destination), reason=reason)

    def clear(self, destination: Destination) -> None:
        """Record that events are sent there again."""
        if self._failures.pop(destination, None):
            logger.info("outbox goes on", where=str(destination))

    def paused(self) -> set[Destination]:
        """Return the topics and partitions to skip at the moment."""
        now = monotonic()
        return {
            destination for destination, failure in self._failures.items() if failure.retry_at > now
        }

    def describe(self) -> str:
        """Return all failures as text, or an empty string."""
        return "; ".join(
            f"{destination}: {failure.reason}" for destination, failure in self._failures.items()
        )


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

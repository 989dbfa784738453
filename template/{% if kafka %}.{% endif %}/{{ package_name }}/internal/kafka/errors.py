"""Errors between the service and its brokers."""


class EventError(Exception):
    """Base class of errors of sending and reading events."""


class BrokersUnavailable(EventError):  # noqa: N818 - names what happened
    """No broker acknowledged the event in time. It may still arrive."""


class ProducerBufferFull(EventError):  # noqa: N818 - names what happened
    """Too many events are already waiting for the brokers."""

    def __init__(self, waiting: int, limit: int | None = None) -> None:
        problem = f"{waiting} events wait for the brokers already"
        advice = "try again later, or raise KAFKA_BUFFER_SIZE"
        if limit is not None:
            advice = f"with this one they would take over {limit} bytes: try again later"
        super().__init__(f"{problem}: {advice}")


class EventRefusedError(EventError):
    """Brokers will never take this event."""


class UnknownTopicError(EventError):
    """The topic does not exist, or the service may not see it."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"there is no topic {topic}, or the service may not see it: check its name, and that "
            "the service may DESCRIBE and READ it"
        )


class UnreadableMessageError(EventError):
    """A message is not an event of this version of the service."""

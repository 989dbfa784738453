"""What can go wrong between the service and its brokers."""


class EventError(Exception):
    """Base of what keeps an event from being sent or read."""


class BrokersUnavailable(EventError):  # noqa: N818 - names what happened
    """No broker took the event in time; one that was cut short may still arrive."""


class ProducerBufferFull(EventError):  # noqa: N818 - names what happened
    """Too many events wait for the brokers already."""

    def __init__(self, waiting: int, limit: int | None = None) -> None:
        what = f"{waiting} events wait for the brokers already"
        advice = "try again later, or raise KAFKA_BUFFER_SIZE"
        if limit is not None:
            advice = f"with this one they would take over {limit} bytes: try again later"
        super().__init__(f"{what}: {advice}")


class EventRefusedError(EventError):
    """Brokers will never take this event."""


class UnknownTopicError(EventError):
    """Brokers do not have a topic, or do not show it to the service."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"there is no topic {topic}, or the service may not see it: check its name, and that "
            "the service may DESCRIBE and READ it"
        )


class UnreadableMessageError(EventError):
    """A message is not an event that this version of the service knows."""

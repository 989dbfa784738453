"""What can go wrong between the service and its brokers."""


class EventError(Exception):
    """Base of what keeps an event from being sent or read."""


class BrokersUnavailable(EventError):  # noqa: N818 - names what happened
    """No broker took the event in time; one that was cut short may still arrive."""


class ProducerBufferFull(EventError):  # noqa: N818 - names what happened
    """Too many events wait for the brokers already."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} events wait for the brokers: try again later, or raise KAFKA_BUFFER_SIZE"
        )


class EventRefusedError(EventError):
    """Brokers will never take this event."""


class UnreadableMessageError(EventError):
    """A message is not an event that this version of the service knows."""

"""Kafka: events, producers and consumers."""

from .consumer_base import ConsumerBase, Consumers
from .delivery import MessageScope, Producer, producer_for
from .errors import BrokersUnavailable, EventError, EventRefusedError, ProducerBufferFull
from .event_base import EventBase
from .feature import FEATURE
from .producer_base import ProducerBase

__all__ = [
    "FEATURE",
    "BrokersUnavailable",
    "ConsumerBase",
    "Consumers",
    "EventBase",
    "EventError",
    "EventRefusedError",
    "MessageScope",
    "Producer",
    "ProducerBase",
    "ProducerBufferFull",
    "producer_for",
]

"""Kafka: events, and what sends them."""

from .event_base import EventBase
from .feature import FEATURE
from .producer_base import Producer, ProducerBase

__all__ = ["FEATURE", "EventBase", "Producer", "ProducerBase"]

"""What this service adds of its own: resources, middleware, probes, problems, commands."""

from .internal.feature import Feature

FEATURES: tuple[Feature, ...] = ()

"""The features that this service adds: resources, middleware, probes, problems and commands."""

from .internal.feature import Feature

FEATURES: tuple[Feature, ...] = ()

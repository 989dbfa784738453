"""Tests of events, in a service with every feature and a mock broker."""

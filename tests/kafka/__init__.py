"""Tests that need a real broker. `nox -s kafka` runs them inside a rendered service."""

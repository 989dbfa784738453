"""Tests of the template's code, run inside a rendered service."""

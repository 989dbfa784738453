"""Tests of the template: its questions, its renders and its services."""

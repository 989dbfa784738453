"""Tests of the template: its questions, what it renders, and the services that come of it."""

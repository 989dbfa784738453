"""Simulate the updates of many services.

`python -m fleet check` checks services, and `python -m fleet merge` combines the reports of several
machines. docs/fleet.md describes both.
"""

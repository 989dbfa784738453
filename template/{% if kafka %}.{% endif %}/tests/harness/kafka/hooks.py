"""One mock cluster for all processes of a run."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import pytest

from development.kafka import mock_kafka

VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
BROKERS: pytest.StashKey[str] = pytest.StashKey()
RUNNING: pytest.StashKey[contextlib.ExitStack] = pytest.StashKey()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - of pytest-xdist
    """Pass the address of the run's brokers to a worker."""
    node.workerinput["kafka"] = brokers(node.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the mock cluster."""
    if running := config.stash.get(RUNNING, None):
        running.close()


def brokers(config: pytest.Config) -> str:
    """Return the brokers in `KAFKA_BOOTSTRAP_SERVERS`, or start one mock cluster."""
    worker_input: dict[str, str] = getattr(config, "workerinput", {})
    if address := os.environ.get(VARIABLE) or worker_input.get("kafka"):
        return address
    if BROKERS not in config.stash:
        config.stash[RUNNING] = stack = contextlib.ExitStack()
        config.stash[BROKERS] = stack.enter_context(mock_kafka())
    return config.stash[BROKERS]

"""No change to an event breaks those who read it."""

import json

import pytest

from tests.harness.kafka import schemas


@pytest.mark.parametrize("name", sorted(schemas.events()))
def test_an_event_keeps_its_schema(name: str) -> None:
    """Each version of an event is as its stored schema says, but for new optional fields."""
    file, schema = schemas.file(name), schemas.events()[name].body_schema()
    if not file.exists():
        pytest.fail(
            f"{name} is new: `uv run python -m tests.harness.kafka.schemas` stores its schema; "
            f"commit {file.name} with the event"
        )
    faults = schemas.breaks(json.loads(file.read_text()), schema)
    advice = "write a new class with the next version, and let the old one be"
    assert not faults, "\n".join([f"readers of {name} would break:", *faults, advice])

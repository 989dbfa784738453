"""Changes to an event never break its readers."""

import json

import pytest

from tests.harness.kafka import schemas


@pytest.mark.parametrize("name", sorted(schemas.events()))
def test_an_event_keeps_its_schema(name: str) -> None:
    """Each version of an event matches its stored schema. Only compatible changes are allowed."""
    file, contract = schemas.file(name), schemas.contract(schemas.events()[name])
    if not file.exists():
        pytest.fail(
            f"{name} is new: `uv run python -m tests.harness.kafka.schemas` stores its schema; "
            f"commit {file.name} with the event"
        )
    faults = schemas.breaks(json.loads(file.read_text()), contract)
    advice = "write a new class with the next version, and let the old one be"
    assert not faults, "\n".join([f"readers of {name} would break:", *faults, advice])


def test_no_event_is_removed() -> None:
    """Every stored schema still has its event, so readers do not wait for it in vain."""
    vanished = schemas.vanished()
    advice = "bring them back, or delete their files in tests/event_schemas when nobody reads them"
    assert not vanished, (
        f"no class describes these events any more: {', '.join(vanished)}; {advice}"
    )

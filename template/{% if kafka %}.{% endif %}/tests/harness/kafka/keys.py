"""Describe how an event's key is computed, as text that changes with the rule."""

from typing import Any, Self

from tests.harness.kafka.service import EventBase


class _Field(str):
    """A placeholder for a field's value, which records its use."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Self:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(self)(f"{self[:-1]}.{name}}}")

    def __call__(self, *_: object, **__: object) -> Self:
        return type(self)(f"{self[:-1]}()}}")

    def __format__(self, specification: str) -> str:
        return f"{self[:-1]}:{specification}}}" if specification else str(self)


def key_rule(event: type[EventBase]) -> str | None:
    """Return an event's key with the names of fields instead of their values.

    Return None if the rule does more than combine fields.
    """
    names = {name: field.serialization_alias or name for name, field in event.model_fields.items()}
    values: dict[str, Any] = {name: _Field(f"{{{alias}}}") for name, alias in names.items()}
    try:
        return str(event.model_construct(**values).key)
    except Exception:  # noqa: BLE001 - the service's own code, on values that it does not expect
        return None

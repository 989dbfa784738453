"""The stored JSON Schemas of all versions of events, and their allowed changes.

`python -m tests.harness.kafka.schemas` stores new events, and new fields of stored ones.
"""

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from tests.harness.kafka.compatibility import KEY, TOPIC, breaks
from tests.harness.kafka.service import EventBase, domain

__all__ = ["breaks", "contract", "events", "file", "store", "vanished"]

FOLDER = Path(__file__).parents[2] / "event_schemas"


def events() -> dict[str, type[EventBase]]:
    """Return all events of all domains, by `type.vN`."""
    for module in pkgutil.walk_packages(domain.__path__, f"{domain.__name__}."):
        if module.name.endswith(".events"):
            importlib.import_module(module.name)
    return {f"{cls.type}.v{cls.version}": cls for cls in _subclasses(EventBase)}


def file(name: str) -> Path:
    """Return the path of an event's stored schema."""
    return FOLDER / f"{name}.json"


def contract(event: type[EventBase]) -> dict[str, Any]:
    """Return the interface of an event: the schema of the body, the topic and the key."""
    return {**event.body_schema(), TOPIC: event.topic, KEY: key_rule(event)}


def vanished() -> list[str]:
    """Return the stored events that no longer have a class.

    Files of older releases without a topic are ignored: their events may be gone for long.
    """
    names = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
    return sorted(name for name in set(names) - set(events()) if TOPIC in names[name])


def store() -> list[Path]:
    """Store new events and new fields of stored ones, and return the changed files."""
    FOLDER.mkdir(exist_ok=True)
    changed = []
    for name, event in events().items():
        path, new = file(name), contract(event)
        old = json.loads(path.read_text()) if path.exists() else {}
        if old and breaks(old, new):
            continue  # the test reports the incompatibility
        for section in ("properties", "$defs"):  # stored messages may still have removed fields
            if section in old or section in new:
                new[section] = {**old.get(section, {}), **new.get(section, {})}
        if new != old:
            path.write_text(json.dumps(new, indent=2, sort_keys=True) + "\n")
            changed.append(path)
    return changed


def _subclasses(cls: type[EventBase]) -> Iterator[type[EventBase]]:
    for subclass in cls.__subclasses__():
        if "type" in subclass.__dict__ and subclass.__module__.startswith(domain.__name__):
            yield subclass
        yield from _subclasses(subclass)


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


if __name__ == "__main__":
    for stored in store():
        sys.stdout.write(f"stored {stored}\n")

"""The stored JSON Schemas of all versions of events, and their allowed changes.

`python -m tests.harness.kafka.schemas` stores new events, and new fields of stored ones.
"""

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.harness.kafka.compatibility import KEY, TOPIC, breaks
from tests.harness.kafka.keys import key_rule
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


if __name__ == "__main__":
    for stored in store():
        sys.stdout.write(f"stored {stored}\n")

"""The stored JSON Schema of each version of each event, and what may change about it.

`python -m tests.harness.kafka.schemas` stores those of new events, and what is new in the others.
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
    """Return every event of every domain, by `type.vN`."""
    for module in pkgutil.walk_packages(domain.__path__, f"{domain.__name__}."):
        if module.name.endswith(".events"):
            importlib.import_module(module.name)
    return {f"{cls.type}.v{cls.version}": cls for cls in _subclasses(EventBase)}


def file(name: str) -> Path:
    """Return where an event's schema is stored."""
    return FOLDER / f"{name}.json"


def contract(event: type[EventBase]) -> dict[str, Any]:
    """Return all that readers rely on: the schema of the body, the topic and the key."""
    return {**event.body_schema(), TOPIC: event.topic, KEY: key_rule(event)}


def vanished() -> list[str]:
    """Name the events that are stored with their topic and that no class describes any more.

    Files of older releases hold no topic, and may be of events that are long gone.
    """
    names = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
    return sorted(name for name in set(names) - set(events()) if TOPIC in names[name])


def store() -> list[Path]:
    """Store the schemas of new events and what is new in others, and return the files."""
    FOLDER.mkdir(exist_ok=True)
    changed = []
    for name, event in events().items():
        path, new = file(name), contract(event)
        old = json.loads(path.read_text()) if path.exists() else {}
        if old and breaks(old, new):
            continue  # the test says what is wrong with it
        for part in ("properties", "$defs"):  # what is gone may still be in kept messages
            if part in old or part in new:
                new[part] = {**old.get(part, {}), **new.get(part, {})}
        if new != old:
            path.write_text(json.dumps(new, indent=2, sort_keys=True) + "\n")
            changed.append(path)
    return changed


def _subclasses(cls: type[EventBase]) -> Iterator[type[EventBase]]:
    for one in cls.__subclasses__():
        if "type" in one.__dict__ and one.__module__.startswith(domain.__name__):
            yield one
        yield from _subclasses(one)


if __name__ == "__main__":
    for stored in store():
        sys.stdout.write(f"stored {stored}\n")

"""The stored JSON Schema of each version of each event, and what may change about it.

`python -m tests.harness.kafka.schemas` stores those of new events.
"""

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.harness.kafka.service import EventBase, domain

FOLDER = Path(__file__).parents[2] / "event_schemas"
WORDS = {"title", "description", "examples", "default"}
"""Keywords that change nothing about what is valid."""


def events() -> dict[str, type[EventBase]]:
    """Return every event of every domain, by `type.vN`."""
    for module in pkgutil.walk_packages(domain.__path__, f"{domain.__name__}."):
        if module.name.endswith(".events"):
            importlib.import_module(module.name)
    return {f"{cls.type}.v{cls.version}": cls for cls in _subclasses(EventBase)}


def file(name: str) -> Path:
    """Return where an event's schema is stored."""
    return FOLDER / f"{name}.json"


def store() -> list[Path]:
    """Store the schemas of events that have none yet, and return their files."""
    FOLDER.mkdir(exist_ok=True)
    new = {file(name): event for name, event in events().items() if not file(name).exists()}
    for path, event in new.items():
        path.write_text(json.dumps(event.body_schema(), indent=2, sort_keys=True) + "\n")
    return list(new)


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Name what readers of either schema would trip over in messages of the other one.

    Old readers have to get along with new messages, and new readers with those that are kept.
    """
    return list(_breaks(_resolved(old, old), _resolved(new, new), "body"))


def _breaks(old: Any, new: Any, where: str) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if not (isinstance(old, dict) and isinstance(new, dict)) or "properties" not in old:
        if old != new:
            yield f"  {where}: {json.dumps(old)} became {json.dumps(new)}"
        return
    before, after = old["properties"], new.get("properties", {})
    for name in before:
        if name in after:
            yield from _breaks(before[name], after[name], f"{where}.{name}")
        else:
            yield f"  {where}.{name} is gone"
    needed, was_needed = set(new.get("required", ())), set(old.get("required", ()))
    for name in sorted(needed - was_needed):
        yield f"  {where}.{name} is required now, which older messages do not know"
    for name in sorted((was_needed - needed) & set(after)):
        yield f"  {where}.{name} is optional now, which older readers do not expect"


def _resolved(part: Any, whole: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(part, list):
        return [_resolved(one, whole) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _resolved(whole["$defs"][part["$ref"].rpartition("/")[2]], whole)
    kept = {key: value for key, value in part.items() if key not in {*WORDS, "$defs"}}
    if "properties" in part:
        kept["properties"] = part["properties"]
        fields = {name: _resolved(value, whole) for name, value in part["properties"].items()}
        return {**kept, "properties": fields}
    return {key: _resolved(value, whole) for key, value in kept.items()}


def _subclasses(cls: type[EventBase]) -> Iterator[type[EventBase]]:
    for one in cls.__subclasses__():
        if "type" in one.__dict__ and one.__module__.startswith(domain.__name__):
            yield one
        yield from _subclasses(one)


if __name__ == "__main__":
    for stored in store():
        sys.stdout.write(f"stored {stored}\n")

"""Compare two JSON Schemas of an event for incompatible changes.

Both ways count, which schema registries call full compatibility: others read
our new messages with the old schema, and we read messages that are kept with the new one.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

TOPIC, KEY = "x-topic", "x-key"
"""Our own keywords: an event's topic, and the fields of its key."""

WORDS = frozenset({"title", "description", "examples", "default", "deprecated", "$comment"})
"""Keywords without effect on validation."""

IGNORED = WORDS | {"$defs", "discriminator", "readOnly", "writeOnly", TOPIC, KEY}
WITHOUT_EFFECT = {"minLength": 0, "minItems": 0, "minProperties": 0, "uniqueItems": False}
COMPARED = frozenset(
    {"properties", "required", "additionalProperties", "items", "prefixItems", "enum"}
)


def breaks(old: Schema, new: Schema) -> list[str]:
    """Return the incompatibilities between two schemas, in both directions."""
    return [f"  {fault}" for fault in (*_contract(old, new), *_Comparison(old, new).faults())]


def _contract(old: Schema, new: Schema) -> Iterator[str]:
    for keyword, name in ((TOPIC, "topic"), (KEY, "key")):
        before, after = old.get(keyword), new.get(keyword, old.get(keyword))
        if before is not None and before != after:
            yield f"the {name}: {json.dumps(before)} became {json.dumps(after)}"


class _Comparison:
    """Compares two schemas recursively. A recursive type is compared once."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new
        self._compared: set[tuple[str, str]] = set()

    def faults(self) -> Iterator[str]:
        """Yield the incompatibilities, each with its place."""
        return self._part(self._old, self._new, "body")

    def _part(self, old: Any, new: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - any JSON
        old_alternatives, new_alternatives = (
            _alternatives(old, self._old),
            _alternatives(new, self._new),
        )
        if len(old_alternatives) == len(new_alternatives) == 1:
            yield from self._type(*old_alternatives[0], *new_alternatives[0], path)
            return
        for alternative in list(old_alternatives):
            match = next(
                (
                    candidate
                    for candidate in new_alternatives
                    if self._are_same(alternative, candidate)
                ),
                None,
            )
            if match is not None:
                old_alternatives.remove(alternative)
                new_alternatives.remove(match)
        if len(old_alternatives) == len(new_alternatives) == 1:
            yield from self._type(*old_alternatives[0], *new_alternatives[0], path)
        elif old_alternatives or new_alternatives:
            yield f"{path}: {_text(old)} became {_text(new)}"

    def _are_same(self, old: tuple[Schema, str], new: tuple[Schema, str]) -> bool:
        compared = set(self._compared)
        are_same = not any(self._type(*old, *new, ""))
        self._compared = compared
        return are_same

    def _type(
        self, old: Schema, old_name: str, new: Schema, new_name: str, path: str
    ) -> Iterator[str]:
        if old_name and new_name:
            if (old_name, new_name) in self._compared:
                return
            self._compared.add((old_name, new_name))
        if _rest(old) != _rest(new) or _values(old) != _values(new):
            yield f"{path}: {_text(old)} became {_text(new)}"
            return
        if "object" in (old.get("type"), new.get("type")):
            yield from self._fields(old, new, path)
            yield from self._others(old, new, path)
        if "items" in old or "items" in new:
            yield from self._part(old.get("items", {}), new.get("items", {}), f"{path}[]")
        before, after = old.get("prefixItems", []), new.get("prefixItems", [])
        if len(before) != len(after):
            yield f"{path} has {len(after)} items now instead of {len(before)}"
        for number, (old_item, new_item) in enumerate(zip(before, after, strict=False)):
            yield from self._part(old_item, new_item, f"{path}[{number}]")

    def _fields(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        was_needed, needed = set(old.get("required", ())), set(new.get("required", ()))
        added = {name: value for name, value in after.items() if name not in before}
        for name, value in before.items():
            if name in after:
                yield from self._part(value, after[name], f"{path}.{name}")
            elif name in was_needed or new.get("additionalProperties") is False:
                yield f"{path}.{name} is gone"
            elif renamed := self._like(value, added):
                yield f"{path}.{name} is gone, and {renamed} looks like its new name"
        for name in sorted(needed - was_needed):
            yield f"{path}.{name} is required now, which older messages do not know"
        for name in sorted((was_needed - needed) & set(after)):
            yield f"{path}.{name} is optional now, which older readers do not expect"
        if old.get("additionalProperties") is False:
            for name in sorted(set(added) - needed):
                yield f"{path}.{name} is new, and older readers refuse fields they do not know"

    def _like(self, value: Any, added: Mapping[str, Any]) -> str | None:  # noqa: ANN401 - any JSON
        return next((name for name in added if not any(self._part(value, added[name], ""))), None)

    def _others(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = old.get("additionalProperties"), new.get("additionalProperties")
        before, after = (None if rule is True else rule for rule in (before, after))
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from self._part(before, after, f"{path}.*")
        elif before != after:
            yield f"{path}: other fields are {_allowed(after)} now, and were {_allowed(before)}"


def _alternatives(schema: Any, root: Schema) -> list[tuple[Schema, str]]:  # noqa: ANN401 - any JSON
    """Return the allowed types of a part, without descriptions, each with its name in `$defs`."""
    if isinstance(schema, bool):
        schema = {} if schema else {"not": {}}
    name = ""
    while "$ref" in schema or len(schema.get("allOf", ())) == 1:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            target = root["$defs"][name]
        else:
            target = schema["allOf"][0]
        schema = {**target, **{key: schema[key] for key in schema if key not in ("$ref", "allOf")}}
    rules = {key: value for key, value in schema.items() if key not in IGNORED}
    rules = {key: value for key, value in rules.items() if WITHOUT_EFFECT.get(key, ...) != value}
    for keyword in ("anyOf", "oneOf"):
        if choices := rules.pop(keyword, None):
            return [
                alternative
                for choice in choices
                for alternative in _alternatives({**choice, **rules}, root)
            ]
    if isinstance(rules.get("type"), list):
        kinds: Sequence[str] = rules["type"]
        return [({**rules, "type": kind}, name) for kind in kinds]
    return [(rules, name)]


def _rest(schema: Schema) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in {*COMPARED, "const"}}


def _values(schema: Schema) -> set[str] | None:
    """Return the allowed values, if they are listed, in any order."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if values is None else {json.dumps(value, sort_keys=True) for value in values}


def _allowed(rule: object) -> str:
    return "refused" if rule is False else "any" if rule is None else _text(rule)


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)

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

    def _part(self, old: Any, new: Any, where: str) -> Iterator[str]:  # noqa: ANN401 - any JSON
        olds, news = _alternatives(old, self._old), _alternatives(new, self._new)
        if len(olds) == len(news) == 1:
            yield from self._type(*olds[0], *news[0], where)
            return
        for alternative in list(olds):
            same = next((one for one in news if self._are_same(alternative, one)), None)
            if same is not None:
                olds.remove(alternative)
                news.remove(same)
        if len(olds) == len(news) == 1:
            yield from self._type(*olds[0], *news[0], where)
        elif olds or news:
            yield f"{where}: {_text(old)} became {_text(new)}"

    def _are_same(self, old: tuple[Schema, str], new: tuple[Schema, str]) -> bool:
        compared = set(self._compared)
        same = not any(self._type(*old, *new, ""))
        self._compared = compared
        return same

    def _type(
        self, old: Schema, old_name: str, new: Schema, new_name: str, where: str
    ) -> Iterator[str]:
        if old_name and new_name:
            if (old_name, new_name) in self._compared:
                return
            self._compared.add((old_name, new_name))
        if _rest(old) != _rest(new) or _values(old) != _values(new):
            yield f"{where}: {_text(old)} became {_text(new)}"
            return
        if "object" in (old.get("type"), new.get("type")):
            yield from self._fields(old, new, where)
            yield from self._others(old, new, where)
        if "items" in old or "items" in new:
            yield from self._part(old.get("items", {}), new.get("items", {}), f"{where}[]")
        before, after = old.get("prefixItems", []), new.get("prefixItems", [])
        if len(before) != len(after):
            yield f"{where} has {len(after)} items now instead of {len(before)}"
        for number, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from self._part(one, other, f"{where}[{number}]")

    def _fields(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        was_needed, needed = set(old.get("required", ())), set(new.get("required", ()))
        added = {name: value for name, value in after.items() if name not in before}
        for name, value in before.items():
            if name in after:
                yield from self._part(value, after[name], f"{where}.{name}")
            elif name in was_needed or new.get("additionalProperties") is False:
                yield f"{where}.{name} is gone"
            elif renamed := self._like(value, added):
                yield f"{where}.{name} is gone, and {renamed} looks like its new name"
        for name in sorted(needed - was_needed):
            yield f"{where}.{name} is required now, which older messages do not know"
        for name in sorted((was_needed - needed) & set(after)):
            yield f"{where}.{name} is optional now, which older readers do not expect"
        if old.get("additionalProperties") is False:
            for name in sorted(set(added) - needed):
                yield f"{where}.{name} is new, and older readers refuse fields they do not know"

    def _like(self, value: Any, added: Mapping[str, Any]) -> str | None:  # noqa: ANN401 - any JSON
        return next((name for name in added if not any(self._part(value, added[name], ""))), None)

    def _others(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        before, after = old.get("additionalProperties"), new.get("additionalProperties")
        before, after = (None if one is True else one for one in (before, after))
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from self._part(before, after, f"{where}.*")
        elif before != after:
            yield f"{where}: other fields are {_allowed(after)} now, and were {_allowed(before)}"


def _alternatives(part: Any, root: Schema) -> list[tuple[Schema, str]]:  # noqa: ANN401 - any JSON
    """Return the allowed types of a part, without descriptions, each with its name in `$defs`."""
    if isinstance(part, bool):
        part = {} if part else {"not": {}}
    name = ""
    while "$ref" in part or len(part.get("allOf", ())) == 1:
        if "$ref" in part:
            name = part["$ref"].rpartition("/")[2]
            target = root["$defs"][name]
        else:
            target = part["allOf"][0]
        part = {**target, **{key: part[key] for key in part if key not in ("$ref", "allOf")}}
    plain = {key: value for key, value in part.items() if key not in IGNORED}
    plain = {key: value for key, value in plain.items() if WITHOUT_EFFECT.get(key, ...) != value}
    for keyword in ("anyOf", "oneOf"):
        if choices := plain.pop(keyword, None):
            return [one for choice in choices for one in _alternatives({**choice, **plain}, root)]
    if isinstance(plain.get("type"), list):
        kinds: Sequence[str] = plain["type"]
        return [({**plain, "type": kind}, name) for kind in kinds]
    return [(plain, name)]


def _rest(schema: Schema) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in {*COMPARED, "const"}}


def _values(schema: Schema) -> set[str] | None:
    """Return the allowed values, if they are listed, in any order."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if values is None else {json.dumps(value, sort_keys=True) for value in values}


def _allowed(others: object) -> str:
    return "refused" if others is False else "any" if others is None else _text(others)


def _text(part: object) -> str:
    return json.dumps(part, sort_keys=True)

"""Filters that read the feature catalogue of ``copier.yml``.

It is pure and imports nothing of the template: an update runs it beside another release's code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from jinja2 import pass_context
from jinja2.ext import Extension

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jinja2 import Environment
    from jinja2.runtime import Context

Feature: TypeAlias = "Mapping[str, object]"
Catalogue: TypeAlias = "Mapping[str, Feature]"


@pass_context
def chosen(context: Context, catalogue: Catalogue) -> dict[str, Feature]:
    """Return the features whose question is answered with yes, in the catalogue's order."""
    return {name: feature for name, feature in catalogue.items() if context.resolve(name)}


def collect(features: Catalogue, key: str) -> list[object] | dict[str, object]:
    """Join what features list under a key; mappings become one mapping."""
    values = [feature[key] for feature in features.values() if feature.get(key)]
    if values and isinstance(values[0], list):
        return [item for value in values if isinstance(value, list) for item in value]
    joined: dict[str, object] = {}
    for value in values:
        if isinstance(value, dict):
            joined |= value
    return joined


def part(feature: str, name: str) -> str:
    """Return the path of a feature's part of a shared file, for ``{% include %}``."""
    return f"template/{{% if {feature} %}}.{{% endif %}}/{{# parts #}}/{name}.jinja"


def one_a_line(items: Iterable[object], pattern: str = "{}") -> str:
    """Write items as the formatter does between brackets: one a line, each with a comma."""
    lines = [f"    {pattern.format(item)},\n" for item in items]
    return "\n" + "".join(lines) if lines else ""


def tuple_of(items: Sequence[object], pattern: str = "{}") -> str:
    """Write a tuple as the formatter does, which keeps a single item on its line."""
    is_single = len(items) == 1
    return f"({pattern.format(items[0])},)" if is_single else f"({one_a_line(items, pattern)})"


class FeaturesExtension(Extension):
    """The filters with which templates loop over features."""

    def __init__(self, environment: Environment) -> None:
        """Add each filter under its own name."""
        super().__init__(environment)
        for function in (chosen, collect, part, one_a_line, tuple_of):
            environment.filters[function.__name__] = function

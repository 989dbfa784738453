"""Errors of invalid settings."""

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

CONTAINERS = {
    "list_type": '["a", "b"]',
    "tuple_type": '["a", "b"]',
    "set_type": '["a", "b"]',
    "frozen_set_type": '["a", "b"]',
    "dict_type": '{"name": "value"}',
    "mapping_type": '{"name": "value"}',
    "model_type": '{"name": "value"}',
    "model_attributes_type": '{"name": "value"}',
    "dataclass_type": '{"name": "value"}',
}
"""Examples of JSON values, by the type of pydantic's error."""


class InvalidSettingsError(Exception):
    """Reports all invalid variables, one per line, each with the reason."""

    def __init__(self, lines: Iterable[str]) -> None:
        indented = [f"  {' '.join(line.split())}" for line in lines]
        super().__init__("\n".join(["The service cannot start with these settings:", *indented]))


def describe(error: ValidationError, prefix: str, delimiter: str | None) -> list[str]:
    """Return a line for each invalid setting, with the variable's name.

    An error about several settings has no location. Its message starts with a name.

    Args:
        error: pydantic's error.
        prefix: the prefix of variables.
        delimiter: the separator between a setting and a nested one.
    """
    return [_line(item, prefix, delimiter) for item in error.errors()]


def _line(error: Any, prefix: str, delimiter: str | None) -> str:  # noqa: ANN401 - pydantic's ErrorDetails, whose context is untyped
    name, *path = [str(part) for part in error["loc"]] or [""]
    if path and delimiter and not path[0].isdigit():
        name, path = delimiter.join([name, *path]), []
    location = f" at {'.'.join(path)}" if path else ""
    reason = _reason(error)
    return f"{prefix}{name.upper()}{location}: {reason}" if name else f"{prefix}{reason}"


def _reason(error: Any) -> str:  # noqa: ANN401 - as above
    if error["type"] == "missing":
        return "it is not set"
    if error["type"] in CONTAINERS:
        return f"write it as JSON, such as {CONTAINERS[error['type']]}"
    return str(error["msg"].removeprefix("Value error, "))

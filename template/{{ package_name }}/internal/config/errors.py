"""What is wrong with the settings."""

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
"""How the value of a variable is written, by the type of pydantic's error."""


class InvalidSettingsError(Exception):
    """Says of every bad variable, a line each, what is wrong with it."""

    def __init__(self, lines: Iterable[str]) -> None:
        indented = [f"  {' '.join(line.split())}" for line in lines]
        super().__init__("\n".join(["These settings keep the service from starting:", *indented]))


def describe(error: ValidationError, prefix: str, delimiter: str | None) -> list[str]:
    """Return a line for each bad setting, with the variable's name.

    An error of several settings together has no location: its message begins with a name.

    Args:
        error: what pydantic refused.
        prefix: what the names of variables begin with.
        delimiter: what stands between the name of a setting and that of a nested one.
    """
    return [_line(item, prefix, delimiter) for item in error.errors()]


def _line(error: Any, prefix: str, delimiter: str | None) -> str:  # noqa: ANN401 - pydantic's ErrorDetails, whose context is untyped
    name, *inside = [str(part) for part in error["loc"]] or [""]
    if inside and delimiter and not inside[0].isdigit():
        name, inside = delimiter.join([name, *inside]), []
    where = f" at {'.'.join(inside)}" if inside else ""
    reason = _reason(error)
    return f"{prefix}{name.upper()}{where}: {reason}" if name else f"{prefix}{reason}"


def _reason(error: Any) -> str:  # noqa: ANN401 - as above
    if error["type"] == "missing":
        return "it is not set"
    if error["type"] in CONTAINERS:
        return f"write it as JSON, such as {CONTAINERS[error['type']]}"
    return str(error["msg"].removeprefix("Value error, "))

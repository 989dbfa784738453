"""What is wrong with the settings."""

from typing import Any

from pydantic import ValidationError


class InvalidSettingsError(Exception):
    """Says of every bad variable, a line each, what is wrong with it."""

    def __init__(self, prefix: str, error: ValidationError) -> None:
        lines = [f"  {prefix}{_name(item['loc'])}: {_reason(item)}" for item in error.errors()]
        super().__init__("\n".join(["These settings keep the service from starting:", *lines]))


def _name(location: tuple[int | str, ...]) -> str:
    return str(location[0]).upper() if location else "*"


def _reason(error: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails, whose context is untyped
    if error["type"] == "missing":
        return "it is not set"
    return str(error["msg"].removeprefix("Value error, "))

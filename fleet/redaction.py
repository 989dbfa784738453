"""Remove the secrets in URLs from all output."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue

OURS = run_path(str(Path(__file__).parents[1] / "template/development/updating/redaction.py"))
"""The module with the same function in each service's updater."""

MASK: str = OURS["MASK"]
mask: Callable[[str], str] = OURS["mask"]
SHORTEST = 4
"""Shorter passwords are masked only in URLs, because elsewhere they could match normal words."""


def secrets(url: str) -> set[str]:
    """Return the secrets in a URL, both encoded and decoded."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return set()
    token = parts.username if parts.scheme in {"http", "https"} else None
    found = {one for one in (parts.password, token) if one}
    return {form for one in found for form in (one, unquote(one)) if len(form) >= SHORTEST}


def redact(value: JsonValue, known: set[str]) -> JsonValue:
    """Mask the secrets of URLs, and known secrets, in all strings of a JSON value."""
    match value:
        case str():
            text = mask(value)
            for secret in sorted(known, key=len, reverse=True):
                text = text.replace(secret, MASK)
            return text
        case list():
            return [redact(one, known) for one in value]
        case dict():
            return {str(redact(name, known)): redact(one, known) for name, one in value.items()}
        case _:
            return value

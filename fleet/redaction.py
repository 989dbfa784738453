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
        address = urlsplit(url)
    except ValueError:
        return set()
    token = address.username if address.scheme in {"http", "https"} else None
    passwords = {password for password in (address.password, token) if password}
    return {
        form
        for password in passwords
        for form in (password, unquote(password))
        if len(form) >= SHORTEST
    }


def redact(value: JsonValue, secrets: set[str]) -> JsonValue:
    """Mask the secrets of URLs, and known secrets, in all strings of a JSON value."""
    match value:
        case str():
            text = mask(value)
            for secret in sorted(secrets, key=len, reverse=True):
                text = text.replace(secret, MASK)
            return text
        case list():
            return [redact(item, secrets) for item in value]
        case dict():
            return {
                str(redact(name, secrets)): redact(item, secrets) for name, item in value.items()
            }
        case _:
            return value

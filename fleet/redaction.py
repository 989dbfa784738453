"""Passwords of URLs stay out of whatever is shown or written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from pydantic import JsonValue

MASK = "***"
SHORTEST = 4
"""Shorter passwords are masked within URLs only: elsewhere they would hide ordinary words."""

NAMED = re.compile(r"((?:ssh|git)://[\w.-]+)@", re.IGNORECASE)
WITH_SLASH = re.compile(r"(\w[\w+.-]*://)[^/\s:@]+:(?!\d+(?:[/\s]|$))\S*@")
USER = re.compile(r"(\w[\w+.-]*://)[^/\s]*@")
PARAMETER = re.compile(
    r"([?&;][\w.-]*(?:token|passw|secret|key|sig|auth)[\w.-]*=)[^&;\s'\"]+", re.IGNORECASE
)


def mask(text: str) -> str:
    """Mask who a URL says to be, but for the plain user of ssh, and its secret parameters."""
    if NAMED.search(text):
        text = NAMED.sub("\\1\0", text)
    for pattern, masked in ((WITH_SLASH, rf"\1{MASK}@"), (USER, rf"\1{MASK}@")):
        text = pattern.sub(masked, text)
    return PARAMETER.sub(rf"\1{MASK}", text).replace("\0", "@")


def secrets(url: str) -> set[str]:
    """List what a URL holds that nobody else may read, as it stands there and decoded."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return set()
    token = parts.username if parts.scheme in {"http", "https"} else None
    found = {one for one in (parts.password, token) if one}
    return {form for one in found for form in (one, unquote(one)) if len(form) >= SHORTEST}


def redact(value: JsonValue, known: set[str]) -> JsonValue:
    """Mask URLs' secrets and all that is known to be secret, however deep it is."""
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

"""Types of settings that several features use. Their errors say what to write instead."""

import re
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def split_names(value: object) -> object:
    """Split a text at commas. Return any other value unchanged."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_names)]
"""Names separated by commas."""


def one_line(value: str) -> str:
    """Return a text without line breaks, other control characters, and spaces around it.

    Raises:
        ValueError: the text contains some. The message says what to write.
    """
    cleaned = CONTROL.sub("", value).strip()
    if cleaned != value:
        raise ValueError(f"write it without spaces or line breaks around it, as {cleaned!r}")
    return value


Line = Annotated[str, AfterValidator(one_line)]
"""A text on one line. Values read from a file often have a line break at their end."""


def some(value: str) -> str:
    """Return a text that is not empty.

    Raises:
        ValueError: it is empty.
    """
    if not value:
        raise ValueError("it is empty: give it a value, or leave the variable out")
    return value


Name = Annotated[Line, AfterValidator(some)]
"""A text on one line that is not empty."""


def origin(value: str) -> str:
    """Return an origin as browsers send it (RFC 6454), or `*`.

    Raises:
        ValueError: browsers do not send it. The message says what to write, if possible.
    """
    if value in {"*", "null"}:
        return value
    example = "write an origin as https://shop.example"
    if "*" in value:
        raise ValueError(f"{example}, each one in full, or * alone for every origin")
    try:
        normalized = _spell(urlsplit(value if "://" in value else f"https://{value}"))
    except ValueError:
        raise ValueError(example) from None
    if normalized != value:
        raise ValueError(f"write {normalized} instead of {value!r}")
    return value


def _spell(url: SplitResult) -> str:
    if not url.hostname or "@" in url.netloc or CONTROL.search(url.netloc) or " " in url.netloc:
        raise ValueError
    host = url.hostname.encode("idna").decode()
    host = f"[{host}]" if ":" in host else host
    port = "" if url.port in {None, DEFAULT_PORTS.get(url.scheme)} else f":{url.port}"
    return f"{url.scheme}://{host}{port}"


Origins = Annotated[
    tuple[Annotated[str, AfterValidator(origin)], ...], NoDecode, BeforeValidator(split_names)
]
"""Origins separated by commas."""

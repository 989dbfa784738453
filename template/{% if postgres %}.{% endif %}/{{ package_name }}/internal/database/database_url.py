"""Parse a database URL like libpq. Unsupported parameters are refused by name."""

import ssl
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

SCHEMES: Final = ("postgresql", "postgres", "postgresql+asyncpg")
FORM: Final = "write it as postgresql://user:password@host:5432/database"

DRIVERS: Final = {
    *("host", "port", "dbname", "database", "user", "password", "passfile", "service"),
    *("sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname", "gsslib"),
}
"""Parameters that asyncpg accepts unchanged."""

FILES: Final = frozenset({"sslcert", "sslkey", "sslrootcert", "sslcrl"})

VALUES: Final = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": (
        *("any", "primary", "standby", "read-write", "read-only", "prefer-standby"),
    ),
}
"""Parameters that asyncpg accepts, with their allowed values."""

ONLY: Final = {
    "channel_binding": ("prefer", "disable"),
    "client_encoding": ("utf8", "utf-8", "unicode", "auto"),
    "gssencmode": ("prefer", "disable"),
    "gssdelegation": ("0",),
    "load_balance_hosts": ("disable",),
    "max_protocol_version": ("3.0", "latest"),
    "min_protocol_version": ("3.0",),
    "sslcertmode": ("allow",),
    "sslcompression": ("0",),
    "sslsni": ("1",),
}
"""Parameters that asyncpg does not know, with values that have no effect."""

KEEPALIVES: Final = {
    "keepalives_idle": "tcp_keepalives_idle",
    "keepalives_interval": "tcp_keepalives_interval",
    "keepalives_count": "tcp_keepalives_count",
    "tcp_user_timeout": "tcp_user_timeout",
}
"""Parameters of libpq, and those of the server that probe the same connection from there."""

RUN_TIME: Final = {
    *("application_name", "datestyle", "default_transaction_isolation"),
    *("default_transaction_read_only", "idle_in_transaction_session_timeout"),
    *("idle_session_timeout", "intervalstyle", "jit", "lock_timeout"),
    *("log_min_duration_statement", "options", "plan_cache_mode", "role", "row_security"),
    *("search_path", "statement_timeout", "synchronous_commit", "timezone"),
    *("transaction_timeout", "work_mem"),
}
"""Parameters that are sent to the server."""


def check_url(url: str) -> None:
    """Check a URL before it is used.

    Raises:
        ValueError: a part is invalid. The message names the part and says what to write.
    """
    try:
        parts = urlsplit(url)
        hosts = parts.netloc.rpartition("@")[2].split(",")
        has_hosts = all(_is_host(host) for host in hosts) if parts.netloc else True
        parameters = dict(parse_qsl(parts.query, strict_parsing=True) if parts.query else ())
    except ValueError:
        raise ValueError(FORM) from None
    named = parts.path.strip("/") or parameters.get("dbname") or parameters.get("service")
    if not (has_hosts and parts.scheme in SCHEMES and named):
        raise ValueError(FORM)
    for name, value in parameters.items():
        _check(name, value)


def connect_arguments(url: str, *, timeout: float) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the arguments of `asyncpg.connect` for a URL, and the connection's settings.

    Args:
        url: the database.
        timeout: seconds to wait for the server, unless the URL contains a timeout.

    Raises:
        ValueError: as `check_url`.
    """
    check_url(url)
    parts = urlsplit(url)
    parameters = dict(parse_qsl(parts.query))
    settings = {
        server: parameters.pop(name) for name, server in KEEPALIVES.items() if name in parameters
    }
    if parameters.pop("keepalives", "1") == "0":
        settings["tcp_keepalives_idle"] = "0"
    seconds = int(parameters.pop("connect_timeout", "0"))
    fallback = parameters.pop("fallback_application_name", None)
    if fallback:
        parameters.setdefault("application_name", fallback)
    if "," in parts.netloc or "," in parameters.get("host", ""):
        # With several hosts, the service needs the one that accepts writes.
        parameters.setdefault("target_session_attrs", "primary")
    arguments: dict[str, Any] = {"timeout": seconds or timeout}
    if parameters.get("sslrootcert") == "system":
        arguments["ssl"] = ssl.create_default_context()
        del parameters["sslrootcert"]
        parameters.pop("sslmode", None)
    query = urlencode({name: value for name, value in parameters.items() if name not in ONLY})
    arguments["dsn"] = parts._replace(scheme="postgresql", query=query).geturl()
    return arguments, settings


def _is_host(host: str) -> bool:
    name, _, port = host.rpartition(":") if ":" in host.rpartition("]")[2] else (host, "", "")
    return bool(name or not port) and (not port or 0 < int(port) < 65536)  # noqa: PLR2004 - ports


def _check(name: str, value: str) -> None:
    if name in VALUES:
        _choose(name, value, VALUES[name])
    elif name in ONLY:
        _choose(name, value.lower(), ONLY[name])
    elif name in {"connect_timeout", "keepalives", *KEEPALIVES}:
        if not value.isdigit():
            raise ValueError(f"its parameter {name} is not a whole number: {value!r}")
    elif name in FILES and value != "system" and not Path(value).exists():
        raise ValueError(f"its parameter {name} names a file that is missing: {value}")
    elif name in DRIVERS or name.lower() in RUN_TIME or name == "fallback_application_name":
        return
    elif "." not in name:
        raise ValueError(
            f"its parameter {name} is not supported: remove it (a run-time parameter of the server"
            " is written options=-c%20name%3Dvalue)"
        )


def _choose(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(
            f"its parameter {name} cannot be {value!r}: write one of {', '.join(allowed)}"
        )

"""Keeping the passwords and tokens of URLs out of messages."""

import re

MASK = "***"

SSH_USER = re.compile(r"((?:ssh|git)://[\w.-]+)@", re.IGNORECASE)
"""A user without a password is no secret: `ssh://git@host` is shown as it is."""

PASSWORD = re.compile(r"(\w[\w+.-]*://)[^/\s:@]+:(?!\d+(?:[/\s]|$))\S*@")
"""User and password, which may hold `/` and `@`. Digits up to a `/` are the port of a host."""

USER = re.compile(r"(\w[\w+.-]*://)[^/\s]*@")
"""Everything before the host: a token often stands in the place of a user."""

PARAMETER = re.compile(
    r"([?&;][\w.-]*(?:token|passw|secret|key|sig|auth)[\w.-]*=)[^&;\s'\"]+", re.IGNORECASE
)


def mask(text: str) -> str:
    """Replace the credentials and secret parameters of every URL in a text by `***`."""
    shielded = SSH_USER.sub("\\1\0", text)
    for pattern in (PASSWORD, USER):
        shielded = pattern.sub(rf"\1{MASK}@", shielded)
    return PARAMETER.sub(rf"\1{MASK}", shielded).replace("\0", "@")

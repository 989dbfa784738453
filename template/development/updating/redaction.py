"""Remove passwords and tokens in URLs from messages."""

import re

MASK = "***"

SSH_USER = re.compile(r"((?:ssh|git)://[\w.-]+)@", re.IGNORECASE)
"""A user without a password, as in `ssh://git@host`, is not a secret."""

PASSWORD = re.compile(r"(\w[\w+.-]*://)[^/\s:@]+:(?!\d+(?:[/\s]|$))\S*@")
"""User and password. A password may contain `/` and `@`. Digits before a `/` are a port."""

USER = re.compile(r"(\w[\w+.-]*://)[^/\s]*@")
"""Everything before the host. Tokens are often written in place of the user."""

PARAMETER = re.compile(
    r"([?&;][\w.-]*(?:token|passw|secret|key|sig|auth)[\w.-]*=)[^&;\s'\"]+", re.IGNORECASE
)


def mask(text: str) -> str:
    """Replace credentials and secret parameters in all URLs of a text with `***`."""
    shielded = SSH_USER.sub("\\1\0", text)
    for pattern in (PASSWORD, USER):
        shielded = pattern.sub(rf"\1{MASK}@", shielded)
    return PARAMETER.sub(rf"\1{MASK}", shielded).replace("\0", "@")

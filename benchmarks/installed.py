"""A rendered service with its environment, for benchmarks to run."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.support.environment import environment
from tests.support.rendering import render, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def installed_service(**answers: object) -> Iterator[Path]:
    """Give the folder of a service with `.venv` in it; it goes at the end."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        template = Path(folder) / "template"
        template.mkdir()
        service = render(snapshot(template), Path(folder) / "orders", **answers)
        run(["uv", "sync", "--quiet"], service)
        yield service


def run(command: list[str], service: Path, **variables: str) -> str:
    """Run a command in the service's folder and return what it prints."""
    done = subprocess.run(
        command,
        cwd=service,
        env=environment(**variables),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout

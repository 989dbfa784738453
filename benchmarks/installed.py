"""A rendered service with its environment, for benchmarks to run."""

from __future__ import annotations

import fcntl
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.support.environment import environment
from tests.support.rendering import render, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED = "BENCHMARK_SERVICES"
"""The variable with a folder of services, which benchmarks use one after another."""

IMAGE = ".image"
"""The folder of the environment without development tools, which would import more packages."""


@contextmanager
def installed_service(**answers: object) -> Iterator[Path]:
    """Give the folder of a service with `.venv` and `.image` in it; nobody else uses it now."""
    with TemporaryDirectory(prefix="benchmark-") as own:
        names = (f"{name}={answer}" for name, answer in answers.items())
        folder = Path(os.environ.get(SHARED, own)) / "-".join(["service", *names])
        folder.mkdir(exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            service = folder / "orders"
            if not service.exists():
                install(folder, service, answers)
            yield service


def install(folder: Path, service: Path, answers: dict[str, object]) -> None:
    """Render a service, and install it with its development tools and without them."""
    template = folder / "template"
    template.mkdir()
    render(snapshot(template), service, **answers)
    run(["uv", "sync", "--quiet"], service)
    run(["uv", "sync", "--quiet", "--no-dev"], service, UV_PROJECT_ENVIRONMENT=IMAGE)


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

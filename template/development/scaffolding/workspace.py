"""A copy of the service in which a change is prepared, checked, and only then carried over."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from development.runner import ENDS

CACHES = {"__pycache__", "node_modules"}
OURS = {".env", ".github"}
"""Hidden files and folders that we copy when the service is not a git repository."""


class ScaffoldError(Exception):
    """The change cannot be made, and no file was changed; the message says what to do."""


def load(module: str) -> Any:  # noqa: ANN401 - a module of the service's
    """Import a module of the service.

    Raises:
        ScaffoldError: it cannot be imported.
    """
    try:
        return import_module(module)
    except Exception as error:
        message = f"{module} cannot be imported: {error!r}. Correct that first."
        raise ScaffoldError(message) from error


class Workspace:
    """A copy of the service, and what its files were like when it was made."""

    def __init__(self, service: Path, folder: Path) -> None:
        self.service = service
        self.folder = folder
        self._before = {path: (service / path).read_bytes() for path in _paths(service)}
        for path in self._before:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(service / path, target)

    def read(self, path: str) -> str:
        """Return the text of a file; an empty one if there is no such file."""
        file = self.folder / path
        return file.read_text(encoding="utf-8") if file.is_file() else ""

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def delete(self, path: str) -> None:
        """Delete a file or a folder with all that is in it."""
        target = self.folder / path
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    def existed(self, path: str) -> bool:
        """Say whether the service has a file already."""
        return path in self._before

    def paths(self, pattern: str = "**/*") -> list[str]:
        """Return the paths of the files that match a pattern."""
        files = (path for path in self.folder.glob(pattern) if path.is_file())
        names = (path.relative_to(self.folder) for path in files)
        return sorted(str(name) for name in names if not CACHES & {*name.parts} and _wanted(name))

    def changes(self) -> dict[str, bytes | None]:
        """Return the new content of each file that differs, None for one that was deleted."""
        after = {path: (self.folder / path).read_bytes() for path in self.paths()}
        written = {path: data for path, data in after.items() if self._before.get(path) != data}
        deleted = {path for path in self._before if not (self.folder / path).exists()}
        return {**written, **dict.fromkeys(deleted)}

    def run(self, *command: str, **variables: str) -> str:
        """Run one of the service's own tools in the copy, and return what it prints.

        Raises:
            ScaffoldError: it failed; the message holds its output.
        """
        program = Path(sysconfig.get_path("scripts"), command[0])
        environment = {
            # Mypy reads the files that are the same here from what it knows of the service.
            "MYPY_CACHE_DIR": str(self.service / ".cache/mypy"),
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "1",
            **variables,
        }
        done = subprocess.run(
            [sys.executable if command[0] == "python" else str(program), *command[1:]],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ScaffoldError(f"`{' '.join(command[:3])}` failed:\n\n{done.stdout.strip()}")
        return done.stdout

    def tidy(self) -> None:
        """Sort imports, drop unused ones and format, in the files that differ."""
        paths = [path for path, data in self.changes().items() if data and path.endswith(".py")]
        if paths:
            rules = "--select=F401,I001,RUF022"
            self.run("ruff", "check", "--quiet", "--fix-only", rules, *paths)
            self.run("ruff", "format", "--quiet", *paths)

    def check_style(self) -> None:
        """Check style and format, which takes a moment only.

        Raises:
            ScaffoldError: something is wrong.
        """
        self.run("ruff", "check", "--quiet", "--no-cache")
        self.run("ruff", "format", "--quiet", "--check", "--no-cache")

    def lint(self) -> None:
        """Check the copy as `make lint` does.

        Raises:
            ScaffoldError: a check fails.
        """
        self.check_style()
        self.run("mypy")
        self.run("lint-imports", "--no-cache")
        self.run("deptry", ".")

    def carry_over(self) -> list[str]:
        """Make the same changes to the service, all or none, and return the paths.

        After it, Ctrl-C and other requests to stop are ignored until `stoppable` ends.

        Raises:
            ScaffoldError: somebody changed one of the files meanwhile.
        """
        changes = self.changes()
        for path in changes:
            if _content(self.service / path) != self._before.get(path):
                raise ScaffoldError(f"{path} was changed meanwhile: run the same command again.")
        with _too_late_to_stop():
            written: list[str] = []
            try:
                for path, data in changes.items():
                    written.append(path)
                    _put(self.service / path, data)
            except BaseException:
                for path in written:
                    _put(self.service / path, self._before.get(path))
                raise
        return sorted(changes)


def indented(lines: Iterable[str]) -> Iterator[str]:
    """Indent the lines of a list in a message."""
    return (f"  {line}" for line in lines)


@contextlib.contextmanager
def workspace(service: Path) -> Iterator[Workspace]:
    """Give a copy of the service for as long as a block runs."""
    with TemporaryDirectory(prefix="scaffolding-") as folder:
        yield Workspace(service, Path(folder).resolve() / service.resolve().name)


def _paths(service: Path) -> list[str]:
    """Return the service's files: those that git would commit, or without git those in sight."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    with contextlib.suppress(OSError):
        done = subprocess.run(command, cwd=service, capture_output=True, check=False)
        if done.returncode == 0 and done.stdout:
            names = {*os.fsdecode(done.stdout).rstrip("\0").split("\0"), ".env"}
            return sorted(name for name in names if (service / name).is_file())
    return sorted(_in_sight(service))


def _in_sight(service: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(service):
        relative = Path(folder).relative_to(service)
        folders[:] = [name for name in folders if name not in CACHES and _wanted(relative / name)]
        yield from (str(relative / name) for name in files)


def _wanted(path: Path) -> bool:
    return path.parts[0] in OURS or not path.parts[0].startswith(".") or len(path.parts) == 1


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def _put(file: Path, data: bytes | None) -> None:
    """Write a file, or delete it and the folders that it leaves empty."""
    if data is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        file.unlink()
    for folder in filter(Path.is_dir, file.parents):
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        if any(folder.iterdir()):
            break
        folder.rmdir()


@contextlib.contextmanager
def _too_late_to_stop() -> Iterator[None]:
    """Ignore Ctrl-C and other requests to stop from now on, unless the block fails.

    After the block, all that is left to do is to report the change.
    """
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDS}
    try:
        yield
    except BaseException:
        for number, handler in before.items():
            signal.signal(number, handler)
        raise

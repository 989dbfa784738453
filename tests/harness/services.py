"""Small services to test, and the runs of their tests."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent
from typing import TYPE_CHECKING

from tests.support.environment import environment
from tests.support.files import replace, write
from tests.support.processes import MARK

if TYPE_CHECKING:
    from collections.abc import Iterator

NEWEST = "a3d94be07c15"
MEMORY = Path("/dev/shm")  # noqa: S108 - where the harness keeps its servers


@dataclass(frozen=True)
class Run:
    """A finished run of a service's tests."""

    code: int
    output: str

    def counts(self, outcome: str) -> int:
        """Return how many tests `passed`, `failed` and so on."""
        match = re.search(rf"(\d+) {outcome}", self.output.splitlines()[-1])
        return int(match[1]) if match else 0


@dataclass(frozen=True)
class Service:
    """A service for one test, which shares its environment with others."""

    folder: Path
    python: Path
    mark: str

    @classmethod
    def at(cls, folder: Path, python: Path) -> Service:
        """Return the service in a folder."""
        return cls(folder, python, uuid.uuid4().hex)

    def write(self, path: str, text: str) -> None:
        """Write a file of the service."""
        write(self.folder / path, dedent(text).lstrip())

    def replace(self, path: str, old: str, new: str) -> None:
        """Change a file of the service in one place."""
        replace(self.folder / path, old, new)

    def add_revision(
        self,
        name: str,
        upgrade: str = "pass",
        downgrade: str | None = "pass",
        *,
        after: str | tuple[str, ...] | None = NEWEST,
        extra: str = "",
    ) -> None:
        """Write a revision; `down=None` omits its downgrade."""
        lines = [f'"""{name}."""', "import sqlalchemy as sa", "from alembic import context, op"]
        lines += [f"revision = {name!r}", f"down_revision = {after!r}"]
        lines += ["branch_labels = None", "depends_on = None", extra, "def upgrade() -> None:"]
        lines.append(indent(dedent(upgrade).strip(), "    "))
        if downgrade is not None:
            lines += ["def downgrade() -> None:", indent(dedent(downgrade).strip(), "    ")]
        path = self.folder / "migrations" / "versions" / f"{name}.py"
        path.write_text("\n".join(lines) + "\n")

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start Python in the service."""
        return subprocess.Popen(
            [self.python, *arguments],
            cwd=self.folder,
            env=environment(COLUMNS="200", **{MARK: self.mark}, **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @contextlib.contextmanager
    def server(self, folder: Path | str) -> Iterator[str]:
        """Run the service's embedded PostgreSQL on a folder and yield its URL."""
        with self.start("-m", "development.postgres", "--folder", str(folder)) as process:
            assert process.stdout
            lines: list[str] = []
            while not (url := re.search(r"postgresql://\S+", lines[-1] if lines else "")):
                lines.append(process.stdout.readline())
                assert lines[-1], "".join(lines)
            try:
                yield url[0]
            finally:
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=60)

    def test(self, *arguments: str, **variables: str) -> Run:
        """Run the service's tests."""
        options = ("-m", "pytest", "-q", "-p", "no:randomly")
        with self.start(*options, *arguments, **variables) as process:
            output, _ = process.communicate(timeout=600)
        return Run(process.returncode, output)

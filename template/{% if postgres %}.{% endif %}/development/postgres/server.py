"""The interface of the embedded server: start or join it, use it, leave it."""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from development.postgres import system
from development.postgres.locks import has_other_users, is_locked, lock, locked
from development.postgres.system import PostgresError, explain

TIMEOUT = 90.0
ATTEMPTS = 3
SUPERVISOR = Path(__file__).with_name("supervisor.py")

# Supervisors that outlive us. Without these references, Python would warn about them.
_outlived: list[subprocess.Popen[str] | None] = []


class EmbeddedPostgres:
    """A PostgreSQL server on 127.0.0.1 with its data in a folder.

    `port` is the wished port; without it the server takes last time's if that is free, or any.
    `settings` go to the server as `-c name=value`, `initdb` are further arguments for making the
    data. The folder of an `ephemeral` server is removed when the server stops, unless
    a file `keep` in it says otherwise (see `supervisor.py`).
    """

    def __init__(  # noqa: PLR0913 - all by name, all with defaults
        self,
        folder: Path,
        *,
        port: int | None = None,
        database: str = "postgres",
        settings: Mapping[str, str] | None = None,
        initdb: Sequence[str] = (),
        ephemeral: bool = False,
    ) -> None:
        self.folder = folder.absolute()
        self.database = database
        self._wished_port = port
        self._settings = dict(settings or {})
        self._initdb = list(initdb)
        self._ephemeral = ephemeral
        self._users: TextIO | None = None
        self._supervisor: subprocess.Popen[str] | None = None
        self._port: int | None = None

    @property
    def url(self) -> str:
        """The URL of the database, password included; only while the server runs."""
        if self._port is None:
            raise PostgresError("The embedded PostgreSQL is not started.")
        server = f"{system.HOST}:{self._port}"
        return f"postgresql://postgres:{self._password()}@{server}/{self.database}"

    def __enter__(self) -> Self:
        if self._users is None:
            self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server, or join the one that runs on the folder.

        Raises:
            PostgresError: neither works.
        """
        try:
            for attempt in range(ATTEMPTS):
                try:
                    self._start()
                    break
                except FileNotFoundError:
                    # An ephemeral server that was just stopping has removed the folder.
                    self.stop()
                    if attempt == ATTEMPTS - 1:
                        raise
            self._create_database()
        except (OSError, ValueError) as error:
            self.stop()
            raise explain(self.folder, str(error)) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Leave the server; if nobody else uses it, return after it has stopped."""
        users, self._users, self._port = self._users, None, None
        supervisor, self._supervisor = self._supervisor, None
        if users is None:
            return
        users.close()
        if has_other_users(self.folder / "users"):
            _outlived.append(supervisor)
            return
        with contextlib.suppress(OSError):
            alive = lock(self.folder / "alive", timeout=TIMEOUT)
            if alive:
                alive.close()
        if supervisor:
            supervisor.wait(TIMEOUT)

    def _start(self) -> None:
        self._make_folder()
        with locked(self.folder / "lock", TIMEOUT):
            # Wait while a server without users is stopping.
            self._users = lock(self.folder / "users", shared=True, timeout=TIMEOUT)
            self._port = self._join() or self._join_foreign() or self._launch()

    def _make_folder(self) -> None:
        programs = system.programs()
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            self.folder.chmod(0o711)
            system.let_through(self.folder)
            system.let_through(programs)
        elif self.folder.stat().st_uid == os.geteuid():
            self.folder.chmod(0o700)

    def _join(self) -> int | None:
        """Return the port of a supervised server that runs here."""
        while is_locked(self.folder / "alive"):
            with contextlib.suppress(FileNotFoundError):
                return int(json.loads((self.folder / "server.json").read_text())["port"])
            # The note is gone: the server is about to stop.
            lock_file = lock(self.folder / "alive", timeout=TIMEOUT)
            if lock_file:
                lock_file.close()
        return None

    def _join_foreign(self) -> int | None:
        """Join a server that was started manually, or remove the note of a killed server.

        A copy of a folder in use has the note of a server that runs on the original.
        """
        note = self.folder / "data" / "postmaster.pid"
        try:
            lines = note.read_text().splitlines()
        except FileNotFoundError:
            return None
        is_ours = len(lines) > 1 and Path(lines[1]) == self.folder / "data"
        if not is_ours or not system.is_postgres(int(lines[0])):
            # The server refuses to start while the note names any running process.
            note.unlink()
            return None
        with contextlib.suppress(OSError, IndexError):
            port = int(lines[3])
            socket.create_connection((system.HOST, port), timeout=5).close()
            return port
        raise PostgresError(
            f"A PostgreSQL server (process {lines[0]}) uses {self.folder} but does not answer: "
            "stop it, then try again."
        )

    def _launch(self) -> int:
        """Start our own server with a supervisor."""
        error = log = ""
        for _ in range(1 if self._wished_port else ATTEMPTS):
            answer = self._ask_supervisor(self._choose_port())
            if "port" in answer:
                (self.folder / "port").write_text(str(answer["port"]))
                return int(answer["port"])
            error, log = str(answer["error"]), str(answer.get("log", ""))
            # Another program may have taken the port since we checked it: try another port.
            if "could not bind" not in log:
                break
        raise explain(self.folder, error, log)

    def _ask_supervisor(self, port: int) -> dict[str, Any]:
        log = self.folder / "server.log"
        log.write_bytes(b"")
        log.chmod(0o600)
        spec = {
            "folder": str(self.folder),
            "programs": str(system.programs()),
            "version": system.VERSION,
            "account": system.account_for(self.folder / "data"),
            "password": self._password(),
            "port": port,
            "settings": self._settings,
            "initdb": self._initdb,
            "ephemeral": self._ephemeral,
        }
        with log.open("ab") as errors:
            # In its own session: Ctrl-C in the terminal reaches only us, and we stop in order.
            supervisor = self._supervisor = subprocess.Popen(
                [sys.executable, "-I", "-S", SUPERVISOR],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd="/",
                start_new_session=True,
            )
        output = ""
        if supervisor.stdin and supervisor.stdout:
            with contextlib.suppress(BrokenPipeError), supervisor.stdin, supervisor.stdout:
                supervisor.stdin.write(json.dumps(spec) + "\n")
                supervisor.stdin.close()
                output = supervisor.stdout.readline()
        return dict(json.loads(output)) if output else {"error": "its supervisor ended"}

    def _choose_port(self) -> int:
        if self._wished_port:
            if not system.is_free(self._wished_port):
                raise PostgresError(
                    f"Port {self._wished_port} is in use: "
                    "stop what listens there, or choose another port."
                )
            return self._wished_port
        with contextlib.suppress(OSError, ValueError):
            last = int((self.folder / "port").read_text())
            if system.is_free(last):
                return last
        return system.free_port()

    def _password(self) -> str:
        path = self.folder / "password"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(16))
        return path.read_text()

    def _create_database(self) -> None:
        """Create the database unless it exists."""
        if self.database == "postgres":
            return
        command = [str(system.programs() / "createdb"), "-h", system.HOST, "-p", str(self._port)]
        done = subprocess.run(
            [*command, "-U", "postgres", self.database],
            env={"PGPASSWORD": self._password(), "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode and "already exists" not in done.stderr:
            raise explain(self.folder, done.stderr.strip())

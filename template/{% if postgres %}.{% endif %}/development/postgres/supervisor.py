"""The supervisor of an embedded PostgreSQL; `server.py` starts it as a script.

It makes the data, starts the server, says in one line of JSON how that went, and then waits. Every
user holds a shared lock on the file `users`; the kernel gives it back however a user ends, so when
the supervisor gets the exclusive lock, nobody is left, and it stops the server. Its lock on the
file `alive` says that there is a supervisor. It needs the standard library only and so starts in
milliseconds.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
START_TIMEOUT = 60.0
STOP_TIMEOUT = 10.0
POLL = 0.004
LOG_LINES = 6
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",  # no files outside its folder
}


class SupervisorError(Exception):
    """The server cannot run. The message is for the user."""


class Stop(BaseException):
    """A signal requested the stop, or the server has ended."""


def become(name: str | None) -> Callable[[], None]:
    """Return what a child does before it runs: change user, and promise to end with us."""
    account = pwd.getpwnam(name) if name else None

    def prepare() -> None:
        if account:
            os.setgroups([])
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
        os.umask(0o077)
        if sys.platform == "linux":
            # After setuid, which resets it: if the supervisor is killed, the server ends too.
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)

    return prepare


class Supervisor:
    """A server with its data folder, from initdb until its last user leaves."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.folder = Path(spec["folder"])
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.programs = Path(spec["programs"])
        self.account: str | None = spec["account"]
        self.spec = spec
        self.server: subprocess.Popen[bytes] | None = None

    def run(self, program: str, *arguments: str) -> None:
        """Run a PostgreSQL program, and write its output to the log."""
        with self.log.open("ab") as log:
            done = subprocess.run(
                [self.programs / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                preexec_fn=become(self.account),
                check=False,
            )
        if done.returncode:
            raise SupervisorError(f"{program} failed with exit code {done.returncode}")

    def make_data(self) -> None:
        """Create the data folder completely, or not at all."""
        version = self.data / "PG_VERSION"
        if version.exists():
            self.refuse_other_version(version.read_text().strip())
            self.adopt_data()
            return
        with self.owned(self.folder / "data.new") as new, self.password_file() as password:
            arguments = ["-D", str(new), "-U", "postgres", f"--pwfile={password}"]
            arguments += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"]
            arguments += ["--no-instructions", "--locale=C", "--locale-provider=builtin"]
            # One iteration is enough for a random password, and makes connecting cheap.
            arguments += ["--builtin-locale=C.UTF-8", "-c", "scram_iterations=1"]
            self.run("initdb", *arguments, *self.spec["initdb"])
            new.rename(self.data)

    def adopt_data(self) -> None:
        """Change the owner of the data to the server's account: root's copies belong to root."""
        account = pwd.getpwnam(self.account) if self.account else None
        if account and self.data.stat().st_uid != account.pw_uid:
            self.give_all(self.data)

    def refuse_other_version(self, found: str) -> None:
        """Raise SupervisorError if another major version wrote the data."""
        wanted = str(self.spec["version"])
        if found != wanted:
            raise SupervisorError(
                f"{self.data} was written by PostgreSQL {found}, the embedded server is {wanted}: "
                f"dump what you need with the old one, then remove {self.folder}"
            )

    @contextlib.contextmanager
    def owned(self, path: Path) -> Iterator[Path]:
        """Provide an empty folder for the server's account, and remove it afterwards."""
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700)
        self.give(path)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def password_file(self) -> Iterator[Path]:
        """Provide a copy of the password that initdb can read."""
        path = self.folder / "password.new"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(self.spec["password"])
        self.give(path)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def give(self, path: Path) -> None:
        """Change the owner of a path to the server's account."""
        if self.account:
            account = pwd.getpwnam(self.account)
            os.chown(path, account.pw_uid, account.pw_gid)

    def give_all(self, path: Path) -> None:
        """Change the owner of a folder and its contents to the server's account."""
        for folder, _, files in os.walk(path):
            for name in ("", *files):
                self.give(Path(folder, name))

    def start(self) -> None:
        """Start the server and return when it accepts connections."""
        command = [str(self.programs / "postgres"), "-D", str(self.data)]
        for name, value in (SETTINGS | self.spec["settings"] | {"port": self.spec["port"]}).items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self.server = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                preexec_fn=become(self.account),  # noqa: PLW1509 - there is one thread
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self.is_ready(self.server.pid):
            if self.server.poll() is not None:
                raise SupervisorError("the server ended while it was starting")
            if time.monotonic() > deadline:
                raise SupervisorError(f"it was not ready after {START_TIMEOUT:.0f} seconds")
            time.sleep(POLL)

    def is_ready(self, pid: int) -> bool:
        """Return whether the server reports that it accepts connections."""
        try:
            lines = (self.data / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return lines[0] == str(pid) and "ready" in lines[-2]

    def log_tail(self) -> str:
        """Return the last lines of the server's log, indented."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-LOG_LINES:])

    def announce(self) -> dict[str, Any]:
        """Write the server's address for users who join later."""
        state = {"port": self.spec["port"], "supervisor": os.getpid()}
        new = self.folder / "server.json.new"
        new.write_text(json.dumps(state))
        new.rename(self.folder / "server.json")
        return state

    def serve(self) -> None:
        """Wait until the last user leaves, the server ends, or a signal arrives."""
        server = self.server

        def child_ended(_signum: int, _frame: FrameType | None) -> None:
            if server is None or server.poll() is not None:
                raise Stop

        with (self.folder / "users").open() as users:
            with contextlib.suppress(Stop):
                signal.signal(signal.SIGCHLD, child_ended)
                child_ended(signal.SIGCHLD, None)
                fcntl.flock(users, fcntl.LOCK_EX)
            self.stop()

    def stop(self) -> None:
        """Stop the server in order, or at once if its data is removed too; kill it if it hangs.

        An ephemeral server's data is kept if the file `keep` exists. It may contain the new path.
        """
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(name, signal.SIG_IGN if name != signal.SIGCHLD else signal.SIG_DFL)
        keep = self.folder / "keep"
        throw_away = self.spec["ephemeral"] and not keep.exists()
        signals = [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL]
        for request in signals[1:] if throw_away else signals:
            if self.server is None or self.server.poll() is not None:
                break
            self.server.send_signal(request)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.server.wait(STOP_TIMEOUT)
        (self.folder / "server.json").unlink(missing_ok=True)
        place = keep.read_text() if keep.exists() else ""
        if place:
            self.move(Path(place))
        if place or throw_away:
            # Atomic for other processes: the next user may be about to create the folder again.
            gone = self.folder.with_name(f"{self.folder.name}.{os.getpid()}.gone")
            self.folder.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def move(self, place: Path) -> None:
        """Move the server's data to another folder, and replace the data there."""
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for name in ("data", "password", "port"):
            shutil.move(self.folder / name, place / name)
        self.give_all(place / "data")


def on_signal(_signum: int, _frame: FrameType | None) -> NoReturn:
    """Turn a signal into an exception for an orderly stop."""
    raise Stop


def main() -> int:
    """Run a server with the options on standard input; write the result to standard output."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # a mask is inherited
    supervisor = Supervisor(json.loads(sys.stdin.readline()))
    with (supervisor.folder / "alive").open("w") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, on_signal)
        try:
            supervisor.make_data()
            supervisor.start()
            answer = supervisor.announce()
        except (OSError, SupervisorError) as error:
            answer = {"error": str(error), "log": supervisor.log_tail()}
            supervisor.stop()
        except Stop:
            supervisor.stop()
            return 1
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(answer), flush=True)
        os.close(sys.stdout.fileno())
        if "error" not in answer:
            supervisor.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())

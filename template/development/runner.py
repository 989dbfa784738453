"""Start the needed servers, run a command, and stop everything again."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from dotenv import dotenv_values

from development.backing import Backing, BackingError

CHILD = Path(__file__).with_name("child.py")
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 0.3


class Stopped(BaseException):
    """The user requested a stop: Ctrl-C, SIGTERM, or a closed terminal."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise Stopped in the block when the user requests a stop."""

    def stop(signum: int, _frame: FrameType | None) -> None:
        raise Stopped(signum)

    before = {signum: signal.signal(signum, stop) for signum in ENDS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


@contextlib.contextmanager
def backed(backings: Sequence[Backing], prefix: str, *, serving: bool) -> Iterator[dict[str, str]]:
    """Start the needed servers, and provide an environment with their addresses.

    A server whose variable is set, in the environment or in `.env`, is not started.
    """
    environment = dict(os.environ)
    variables = {**read_dotenv(), **environment}
    with contextlib.ExitStack() as stack:
        for backing in backings:
            value = variables.get(prefix + backing.variable) or environment.get(backing.variable)
            if not value:
                environment[backing.variable] = stack.enter_context(backing.start())
            elif serving:
                backing.check(value)
            if serving:
                for name, value in backing.serving.items():
                    environment.setdefault(prefix + name, value)
        yield environment


def read_dotenv() -> dict[str, str | None]:
    """Return the variables in the file `.env`.

    Raises:
        BackingError: the file cannot be read.
    """
    try:
        return dotenv_values(".env", encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BackingError("The file .env is not UTF-8: save it as UTF-8.") from None
    except OSError as error:
        raise BackingError(f"The file .env cannot be read: {error.strerror}.") from None


class Child:
    """A command that ends with this process, even if this process is killed."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", CHILD, str(os.getpid()), *command], env=environment
        )
        self.was_stopped = False

    def has_ended(self) -> bool:
        """Return whether it has ended."""
        return self._process.poll() is not None

    def wait(self, *, pass_interrupts: bool) -> int:
        """Return its exit code, or 128 plus the number of the signal that ended it.

        Ctrl-C in a terminal goes to it directly. `pass_interrupts` is for a child that should also
        end when only we are interrupted; without it the child alone decides what Ctrl-C means.
        """
        while True:
            try:
                code = self._process.wait()
            except Stopped as stopped:
                self.was_stopped = True
                self._pass_on(stopped.signum, pass_interrupts=pass_interrupts)
            else:
                return code if code >= 0 else 128 - code

    def end(self) -> None:
        """Stop it, and kill it after a time limit."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE * 10)
        self._process.kill()
        self._process.wait()

    def _pass_on(self, signum: int, *, pass_interrupts: bool) -> None:
        if signum != signal.SIGINT:
            self._process.send_signal(signum)
        elif pass_interrupts:
            # A second SIGINT would abort its requests, so first check whether it received one.
            with contextlib.suppress(subprocess.TimeoutExpired, Stopped):
                self._process.wait(GRACE)
            if not self.has_ended():
                self._process.send_signal(signal.SIGTERM)

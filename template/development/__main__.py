"""Run a command together with the servers that the service needs.

    python -m development --serve [--debug]   the service itself
    python -m development --run "NAME ..."    one of the service's own commands
    python -m development COMMAND...          any command of a developer's

Exit code: that of the command. With `--serve`, 0 after Ctrl-C or SIGTERM. 1 if
a server cannot start, and 128 plus the signal's number if it was stopped while starting.
"""

import argparse
import http.client
import logging
import os
import shlex
import sys
import time
from collections.abc import Mapping

from development.backing import BackingError
from development.project import (
    BACKINGS,
    PACKAGE,
    PREFIX,
    InvalidSettingsError,
    PortTakenError,
    free_address,
)
from development.runner import ENDS, Child, Stopped, backed, stoppable

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared only
STOPPED = {128 + signum for signum in ENDS}
POLL = 0.05
PATIENCE = 120.0


def main() -> int:
    """Run the command."""
    options = parse()
    logging.basicConfig(format="%(message)s")
    try:
        with stoppable(), backed(BACKINGS, PREFIX, serving=options.serving) as environment:
            if options.serve:
                os.environ.update(environment)
                return serve(environment, debug=options.debug)
            return Child(options.command, environment).wait(pass_interrupts=False)
    except (BackingError, InvalidSettingsError, PortTakenError) as error:
        print(error, file=sys.stderr)
        return 1
    except Stopped as stopped:
        return 128 + stopped.signum


def parse() -> argparse.Namespace:
    """Parse the command line."""
    usage = "python -m development (--serve [--debug] | --run COMMAND_LINE | COMMAND...)"
    parser = argparse.ArgumentParser(usage=usage, description="Run with the needed servers.")
    parser.add_argument("--serve", action="store_true", help="run the service itself")
    parser.add_argument("--debug", action="store_true", help="enable reload and debug logs")
    parser.add_argument("--run", help="a command of the service, quoted as in a shell")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="any command")
    options = parser.parse_args()
    if options.run is not None:
        try:
            arguments = shlex.split(options.run)
        except ValueError as error:
            parser.error(f"{options.run!r}: {error}")
        options.command = [sys.executable, "-m", PACKAGE, *arguments, *options.command]
    if options.serve == bool(options.command) or (options.debug and not options.serve):
        parser.error("say either --serve or a command")
    options.serving = options.serve or options.run is not None
    return options


def serve(environment: Mapping[str, str], *, debug: bool) -> int:
    """Run the service until it is stopped, and return its exit code. A requested stop is a success.

    Raises:
        InvalidSettingsError: the environment's settings are missing or wrong.
        PortTakenError: something else listens on the service's port.
    """
    host, port = free_address()
    further = {"RELOAD": "true", "DEBUG": "true"} if debug else {"SHUTDOWN_DELAY": "0"}
    wished = {PREFIX + name: value for name, value in further.items()}
    child = Child([sys.executable, "-m", PACKAGE], {**wished, **environment})
    try:
        if wait_until_it_answers(child, WILDCARDS.get(host, host), port):
            print(banner(WILDCARDS.get(host, host), port), flush=True)
        code = child.wait(pass_interrupts=True)
    except Stopped:
        child.end()
        return 0
    return 0 if child.was_stopped and code in STOPPED else code


def wait_until_it_answers(child: Child, host: str, port: int) -> bool:
    """Wait until the service answers. Return False if it ended, or if its port is unknown."""
    deadline = time.monotonic() + PATIENCE
    while port and not child.has_ended() and time.monotonic() < deadline:
        if answers(host, port):
            return not child.has_ended()
        time.sleep(POLL)
    return False


def answers(host: str, port: int) -> bool:
    """Return whether an HTTP server answers at the address."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("HEAD", "/openapi.json")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def banner(host: str, port: int) -> str:
    """Return the text to print when the service is ready."""
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    lines = [
        f"{PACKAGE} is up.",
        f"  Listening on  {url}",
        f"  Try it at     {url}/docs",
        f"  or with       curl {url}/openapi.json",
        "  Ctrl-C stops everything.",
    ]
    return "\n".join(["", *lines, ""])


if __name__ == "__main__":
    sys.exit(main())

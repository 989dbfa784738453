"""Run the service on a developer's machine, and print its address when it is ready."""

import http.client
import sys
import time
from collections.abc import Mapping

from development.project import PACKAGE, PREFIX, free_address
from development.runner import ENDS, Child, Stopped

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared only
STOPPED = {128 + signum for signum in ENDS}
POLL = 0.05
PATIENCE = 120.0


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

"""Commands for developers leave nothing behind, and explain failures in one line."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.ports import free_port
from tests.support.processes import marked

if TYPE_CHECKING:
    import subprocess

    from tests.harness.services import Service

SERVE = ("-m", "development", "--serve")


def serve(service: Service, port: int) -> subprocess.Popen[str]:
    """Start the service, and return when it prints its address."""
    process = service.start(*SERVE, PORT=str(port))
    assert process.stdout
    lines: list[str] = []
    while f"http://127.0.0.1:{port}/docs" not in "".join(lines):
        lines.append(process.stdout.readline())
        assert lines[-1], "".join(lines)
    return process


@pytest.mark.parametrize(
    ("signum", "whole_group"),
    [
        (signal.SIGINT, True),  # as Ctrl-C in a terminal
        (signal.SIGTERM, False),  # as `kill`
        (signal.SIGHUP, True),  # as a closed terminal
        (signal.SIGKILL, False),
        *(
            pytest.param(signum, whole_group, marks=pytest.mark.thorough)
            for signum, whole_group in (
                (signal.SIGINT, False),
                (signal.SIGTERM, True),
                (signal.SIGHUP, False),
                (signal.SIGKILL, True),
            )
        ),
    ],
)
def test_a_stopped_service_leaves_nothing(
    service: Service, signum: signal.Signals, *, whole_group: bool
) -> None:
    """However it is stopped, the service and its database server end. The exit code may be 0."""
    process = serve(service, free_port())
    (os.killpg if whole_group else os.kill)(process.pid, signum)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == (-signum if signum is signal.SIGKILL else 0), output
    assert "Traceback" not in output
    wait_until_nothing_is_left(service)


@pytest.mark.parametrize(
    "victim",
    ["bin/postgres", pytest.param("supervisor.py", marks=pytest.mark.thorough), "-m orders"],
)
def test_the_next_start_recovers_from_a_kill(service: Service, victim: str) -> None:
    """Killing any of the processes keeps the data intact, and the next start works."""
    port = free_port()
    process = serve(service, port)
    product = {"sku": "LAMP-1", "name": "Lamp", "price": "12.50"}
    assert httpx.post(products(port), json=product, timeout=60).status_code == 201
    kill(service, victim)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    wait_until_nothing_is_left(service)
    port = free_port()
    process = serve(service, port)
    rows = httpx.get(products(port), timeout=60).json()["data"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert [row["sku"] for row in rows] == ["LAMP-1"]


def products(port: int) -> str:
    """Return the URL of the service's products."""
    return f"http://127.0.0.1:{port}/api/v1/products"


def kill(service: Service, victim: str) -> None:
    """Kill the service's processes with such a command line, and wait until they end."""
    victims = [process for process in marked(service.mark) if victim in " ".join(process.cmdline())]
    assert victims, f"nothing runs {victim}"
    for process in victims:
        process.kill()
    while {process.pid for process in victims} & {process.pid for process in marked(service.mark)}:
        time.sleep(0.05)


def test_a_pid_file_of_another_process_is_ignored(service: Service) -> None:
    """A postmaster.pid with the id of another running program does not stop the start."""
    with service.server(service.folder / "server"):
        pid_file = (service.folder / "server/data/postmaster.pid").read_text()
    stale = pid_file.splitlines()
    stale[0] = str(os.getpid())
    (service.folder / "server/data/postmaster.pid").write_text("\n".join(stale) + "\n")
    with service.server(service.folder / "server") as url:
        assert url


def test_users_of_one_server_do_not_stop_it_for_each_other(service: Service) -> None:
    """`make postgres` beside `make run` is the same server, which stops with the last of them."""
    with service.server(service.folder / ".postgres") as url:
        process = serve(service, free_port())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        with service.server(service.folder / ".postgres") as second_url:
            assert second_url == url
    wait_until_nothing_is_left(service)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PORT": "taken"}, "choose another port"),
        ({"PORT": "abc"}, "ORDERS_PORT: "),
        ({"DATABASE_URL": "mysql://x/y"}, "correct the URL, or unset it"),
        ({"DATABASE_URL": "postgresql://a:secret@127.0.0.1:1/x"}, "Start its server, correct"),
        ({"ORDERS_DATABASE_URL": "postgresql://a:secret@127.0.0.1:1/x"}, "Start its server"),
    ],
)
def test_a_failed_start_is_explained(
    service: Service, variables: dict[str, str], message: str
) -> None:
    """A message that says what to do, an exit code, no traceback, no password."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        if variables.get("PORT") == "taken":
            variables = {"PORT": str(listener.getsockname()[1])}
        process = service.start(*SERVE, **variables)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert message in output
    assert "Traceback" not in output
    assert "secret" not in output
    wait_until_nothing_is_left(service)


def test_a_command_gets_the_database_and_gives_its_exit_code(service: Service) -> None:
    """Any command runs beside what the service needs."""
    script = 'import os; print(os.environ["DATABASE_URL"]); raise SystemExit(7)'
    process = service.start("-m", "development", str(service.python), "-c", script)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 7, output
    assert "postgresql://" in output
    wait_until_nothing_is_left(service)


def test_data_of_another_postgresql_version_is_refused_and_kept(service: Service) -> None:
    """The message has the folder of an older PostgreSQL and what to do, and the folder stays."""
    version = service.folder / "server" / "data" / "PG_VERSION"
    version.parent.mkdir(parents=True)
    version.write_text("17\n")
    process = service.start("-m", "development.postgres", "--folder", "server")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "was written by PostgreSQL 17, the embedded server is 18" in output
    assert version.read_text() == "17\n"


def wait_until_nothing_is_left(service: Service) -> None:
    """Fail unless all processes of the service end soon."""
    deadline = time.monotonic() + 15
    while marked(service.mark) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [process.cmdline() for process in marked(service.mark)] == []

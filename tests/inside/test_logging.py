"""Logs are JSON lines with the request's id."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from orders.internal.http import middleware
from orders.main import create_app

from .helpers import serve, settings
from tests.harness import check_response

PROGRAM = """
import asyncio, logging, structlog
from orders.internal.config.logging import configure_logging
from tests.inside.helpers import settings

configure_logging(settings({settings}))
structlog.contextvars.bind_contextvars(request_id="checkout-0001")
structlog.get_logger("orders").info("sold", product="lamp", note="line one\\nline two")
structlog.get_logger("orders").debug("detail")
logging.getLogger("library").warning("careful, %s", "there")
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("orders").exception("broken")
"""
ROOT = Path(__file__).parents[2]


def lines(options: str = "") -> list[dict[str, object]]:
    """Return the log records of a process with these settings."""
    run = subprocess.run(  # noqa: S603 - this interpreter, and a program from this file
        [sys.executable, "-c", PROGRAM.format(settings=options)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_each_record_is_one_line_of_json() -> None:
    """Also with line breaks in a value, with an exception, and from a library."""
    first, library, last = lines()
    assert (first["event"], first["product"], first["level"]) == ("sold", "lamp", "info")
    assert first["request_id"] == last["request_id"] == library["request_id"] == "checkout-0001"
    assert library["event"] == "careful, there"
    assert "ZeroDivisionError" in str(last["exception"])


def test_the_level_is_a_setting() -> None:
    """Debug shows details; error keeps everything else quiet."""
    assert "detail" in [record["event"] for record in lines("log_level='debug'")]
    assert [record["event"] for record in lines("log_level='error'")] == ["broken"]


ODD_VALUES = """
import logging, structlog
from orders.internal.config.logging import configure_logging
from tests.inside.helpers import settings

class Odd:
    def __repr__(self):
        raise RuntimeError

configure_logging(settings(log_level="debug"))
logger, library = structlog.get_logger("orders"), logging.getLogger("library")
endless = {}
endless["self"] = endless
odd = [Odd(), endless, {(1, 2): 3}, float("nan"), "\\udc80", b"\\xff", 10**5000]
for number, value in enumerate(odd):
    logger.info("value", number=number, value=value)
    library.warning("value %s", value)
library.warning("two %d", "words", "too many")
logger.info("broken", exc_info="not an exception", stack_info="neither")
"""


def test_any_value_can_be_logged() -> None:
    """Values that JSON cannot hold are described, and every record arrives."""
    run = subprocess.run(  # noqa: S603 - this interpreter, and a program from this file
        [sys.executable, "-c", ODD_VALUES], cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert run.stderr == ""
    records = [json.loads(line, parse_constant=pytest.fail) for line in run.stdout.splitlines()]
    assert len(records) == 7 * 2 + 2
    assert [record["number"] for record in records if "number" in record] == list(range(7))
    assert {record["level"] for record in records} == {"info", "warning"}


class BrokenLogger:
    """A logger whose every method raises."""

    def __getattr__(self, name: str) -> object:
        return lambda *_, **__: 1 / 0


async def test_a_broken_log_does_not_fail_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's owner may have configured the log incorrectly."""
    monkeypatch.setattr(middleware, "logger", BrokenLogger())
    app = create_app(settings())

    async def fail() -> None:
        raise ValueError("boom")

    app.add_api_route("/fails", fail)
    async with serve(app) as client:
        assert (await client.get("/healthcheck/live")).status_code == 200
        check_response(await client.get("/fails"), 500)


def in_a_terminal(program: str, **variables: str) -> str:
    """Return what a program prints when its output is a terminal."""
    reading, terminal = pty.openpty()
    process = subprocess.Popen(  # noqa: S603 - this interpreter, and a program from this file
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "", **variables},
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    output = b""
    try:
        while chunk := os.read(reading, 65536):
            output += chunk
    except OSError:  # Linux reports this when the last writer has closed its end
        pass
    os.close(reading)
    assert process.wait() == 0, output.decode()
    return output.decode()


UNHANDLED = """
import sys
for name in {hidden}:
    sys.modules[name] = None
import asyncio
from httpx import ASGITransport, AsyncClient
from fastapi import Request
from orders.internal.config.logging import configure_logging
from orders.main import create_app
from tests.inside.helpers import settings

values = settings(environment="development", secret_key="planted-secret-key")
configure_logging(values)
app = create_app(values)
async def fail(request: Request):
    raise RuntimeError("boom")
app.add_api_route("/fails", fail)
async def main():
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        headers = {{"Authorization": "Bearer planted-token", "X-Request-ID": "checkout-0001"}}
        assert (await client.get("/fails", headers=headers)).status_code == 500
asyncio.run(main())
"""

PRETTY = """
def format_exception(*_):
    return "planted locals"
"""


def test_a_terminal_shows_a_plain_traceback(tmp_path: Path) -> None:
    """With and without packages that print local variables, and in few lines."""
    (tmp_path / "better_exceptions.py").write_text(PRETTY)
    outputs = [
        in_a_terminal(UNHANDLED.format(hidden=hidden), PYTHONPATH=str(tmp_path))
        for hidden in ([], ["rich"])
    ]
    for output in outputs:
        assert "RuntimeError: boom" in output
        assert "Traceback (most recent call last):" in output
        assert len(output.splitlines()) < 100
        assert "planted" not in output
    assert len(outputs[0].splitlines()) == len(outputs[1].splitlines())

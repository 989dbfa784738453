"""Logs are JSON lines for machines, with the request's id in each."""

import json
import subprocess
import sys
from pathlib import Path

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
    """Return what a process with these settings logs, a record each."""
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
    sold, library, broken = lines()
    assert (sold["event"], sold["product"], sold["level"]) == ("sold", "lamp", "info")
    assert sold["request_id"] == broken["request_id"] == library["request_id"] == "checkout-0001"
    assert library["event"] == "careful, there"
    assert "ZeroDivisionError" in str(broken["exception"])


def test_the_level_is_a_setting() -> None:
    """Debug shows details; error keeps everything else quiet."""
    assert "detail" in [record["event"] for record in lines("log_level='debug'")]
    assert [record["event"] for record in lines("log_level='error'")] == ["broken"]

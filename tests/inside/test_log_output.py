"""The service goes on if nothing reads its log, and counts dropped lines."""

import json
import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from time import perf_counter
from typing import TextIO

import pytest

from orders.internal.config.logging import LogOutput

LINE = "x" * 99


@pytest.fixture(name="pipe")
def _pipe() -> Iterator[tuple[int, TextIO]]:
    """A pipe: the end to read from, and the end for the log."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", closefd=False), os.fdopen(writing, "w") as stream:
        yield reading, stream


def test_lines_arrive_in_order(pipe: tuple[int, TextIO]) -> None:
    """Each at once, with any length and content."""
    reading, stream = pipe
    output = LogOutput(stream)
    lines = ["first", "a\udc80b", "é" * 10_000]
    for line in lines:
        output.info(line)
    received = os.read(reading, 100_000).decode().splitlines()
    os.close(reading)
    assert received == ["first", "a\\udc80b", "é" * 10_000]


def test_a_closed_reader_causes_no_error(pipe: tuple[int, TextIO]) -> None:
    """Neither a log call nor the end of the process fails."""
    reading, stream = pipe
    output = LogOutput(stream)
    os.close(reading)
    for _ in range(10):
        output.info(LINE)


def test_a_stopped_reader_does_not_block_the_service(pipe: tuple[int, TextIO]) -> None:
    """Lines are dropped meanwhile. Their number is logged once the reader continues."""
    reading, stream = pipe
    output = LogOutput(stream)
    started = perf_counter()
    for _ in range(10_000):
        output.info(LINE)
    assert perf_counter() - started < 100, "each line waits for the reader"
    received = b""
    while not received.endswith(b"the end\n"):
        received += os.read(reading, 1_000_000)
        output.info("the end")
    os.close(reading)
    lines = received.decode().splitlines()
    notice = next(line for line in lines if "dropped" in line)
    kept = lines.index(notice)
    assert json.loads(notice)["lines"] >= 10_000 - kept
    assert set(lines[:kept]) == {LINE}, "no line is torn"


def test_a_non_blocking_descriptor_loses_no_line(pipe: tuple[int, TextIO]) -> None:
    """Programs that share a terminal may have made it non-blocking."""
    reading, stream = pipe
    os.set_blocking(stream.fileno(), False)
    output = LogOutput(stream)
    for _ in range(10_000):
        output.info(LINE)
    assert os.read(reading, 100) == f"{LINE}\n".encode()
    os.close(reading)


def test_a_closed_stream_does_not_write_to_a_reused_descriptor(tmp_path: Path) -> None:
    """The next connection gets the number of the closed descriptor."""
    stream = (tmp_path / "log").open("w")
    output = LogOutput(stream)
    number = stream.fileno()
    stream.close()
    other = os.open(tmp_path / "other", os.O_CREAT | os.O_RDWR)
    assert other == number
    output.info("first")
    os.close(other)
    assert (tmp_path / "other").read_text() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk at hand")
def test_a_full_disk_causes_no_error() -> None:
    """The line is dropped."""
    with Path("/dev/full").open("w") as stream:
        LogOutput(stream).info("first")


def test_a_stream_without_a_descriptor_works() -> None:
    """For example the one with which a test captures output."""
    stream = StringIO()
    LogOutput(stream).info("first")
    assert stream.getvalue() == "first\n"
    stream.close()
    LogOutput(stream).info("second")
    LogOutput(None).info("third")

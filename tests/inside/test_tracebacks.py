"""Tracebacks in the log are plain, limited in size, and without local variables."""

from collections.abc import Callable
from time import process_time

import pytest

from orders.internal.config.tracebacks import TRACEBACK_SIZE, format_traceback


def caught(action: Callable[[], object]) -> BaseException:
    """Return the exception that the work raises."""
    try:
        action()
    except BaseException as error:  # noqa: BLE001 - any of them is wanted
        return error
    raise AssertionError("it raised nothing")


def text(action: Callable[[], object]) -> str:
    """Return the logged traceback of the exception that the work raises."""
    error = caught(action)
    return format_traceback((type(error), error, error.__traceback__))


def divide() -> None:
    """Fail with a secret in a local variable."""
    local = "planted-token" * 2
    raise ZeroDivisionError(f"{len(local)} by 0")


def wrap(cause: Callable[[], object]) -> None:
    """Fail because of another failure."""
    try:
        cause()
    except Exception as error:
        raise ValueError("outer") from error


def test_a_traceback_reads_as_in_python() -> None:
    """Causes come first, each with its location."""
    traceback = text(lambda: wrap(divide))
    assert traceback.startswith("Traceback (most recent call last):\n  File ")
    assert "in divide\n    raise ZeroDivisionError" in traceback
    assert "ZeroDivisionError: 26 by 0\n\nThe above exception was the direct cause" in traceback
    assert traceback.endswith("\nValueError: outer")
    assert "planted-token" not in traceback


def recurse(next_call: Callable[[], object]) -> None:
    """Call back for ever."""
    next_call()


def recursion() -> None:
    """Recurse through two functions, so that no line repeats the previous one."""
    recurse(recursion)


def test_an_endless_recursion_is_cut_in_the_middle() -> None:
    """The first and the last of thousands of frames show what happens."""
    traceback = text(recursion)
    assert "frames are left out)" in traceback
    assert traceback.splitlines()[-1].startswith("RecursionError: ")
    assert len(traceback.splitlines()) < 150


def chained(depth: int = 200) -> None:
    """Fail on each level while the failure of the level below is handled."""
    try:
        if depth:
            chained(depth - 1)
        else:
            divide()
    except (LookupError, ZeroDivisionError) as error:
        raise LookupError(f"level {depth}") from error


@pytest.mark.parametrize(
    "work",
    [
        chained,
        lambda: wrap(lambda: wrap(recursion)),
        lambda: exec("raise ExceptionGroup('many', [ValueError(i) for i in range(5000)])"),  # noqa: S102
        lambda: wrap(lambda: exec("raise ValueError('x' * 1_000_000)")),  # noqa: S102
        lambda: exec("raise ValueError('x' * 1_000_000)"),  # noqa: S102
    ],
)
def test_a_tracebacks_size_is_limited(work: Callable[[], object]) -> None:
    """Chains, groups and messages are cut too, and formatting is fast."""
    error = caught(work)
    started = process_time()
    traceback = format_traceback((type(error), error, error.__traceback__))
    assert process_time() - started < 2, "a service would stand still meanwhile"
    assert len(traceback) < TRACEBACK_SIZE + 100
    assert type(error).__name__ in traceback


def test_a_group_shows_its_members() -> None:
    """The first members, with their own locations."""

    def fail() -> None:
        raise BaseExceptionGroup("two", [caught(divide), caught(lambda: wrap(divide))])

    traceback = text(fail)
    assert "  | ZeroDivisionError: 26 by 0" in traceback
    assert "  | ValueError: outer" in traceback


def test_an_exception_without_a_readable_text_is_logged() -> None:
    """Its `__str__` may fail, or return text that cannot be encoded."""

    class SilentError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def fail() -> None:
        raise SilentError

    assert text(fail).endswith("SilentError: (its text is not available)")
    error = ValueError("a\udc80")
    assert format_traceback((ValueError, error, None)) == "ValueError: a\udc80"

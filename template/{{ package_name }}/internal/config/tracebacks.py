"""Format tracebacks for the log: plain text of limited size, without local variables."""

from collections.abc import Iterator
from itertools import islice
from traceback import StackSummary, walk_tb
from types import FrameType, TracebackType

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

FIRST_FRAMES, LAST_FRAMES = 10, 30
"""Limit of frames per exception. An endless recursion has thousands."""

OUTERMOST, INNERMOST = 4, 2
"""Limit of exceptions in a chain. A loop with retries may chain thousands."""

GROUP_WIDTH, GROUP_DEPTH = 5, 3
MESSAGE_SIZE = 4_000
TRACEBACK_SIZE = 30_000

CAUSE = "The above exception was the direct cause of the following exception:"
CONTEXT = "During handling of the above exception, another exception occurred:"


def format_traceback(exc_info: ExcInfo) -> str:
    """Return an exception as Python prints it, with its causes, but shortened.

    Optional packages do not change the result, and it contains no local variables (secrets).
    """
    return _cut("\n".join(_lines(exc_info[1], exc_info[2])), TRACEBACK_SIZE)


def _lines(
    error: BaseException, traceback: TracebackType | None, depth: int = GROUP_DEPTH
) -> Iterator[str]:
    chain = list(_chain(error))
    left_out = range(OUTERMOST, len(chain) - INNERMOST)
    for position in reversed(range(len(chain))):
        if position in left_out[1:]:
            continue
        link, introduction = chain[position]
        if position in left_out:
            yield f"({len(left_out)} exceptions are left out)"
        else:
            yield from _exception_lines(link, link.__traceback__ if position else traceback, depth)
        if introduction:
            yield f"\n{introduction}\n"


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """Yield an exception and its causes, each with the sentence that follows it."""
    seen_ids: set[int] = set()
    introduction = ""
    link: BaseException | None = error
    while link is not None and id(link) not in seen_ids:
        seen_ids.add(id(link))
        yield link, introduction
        if link.__cause__ is not None:
            link, introduction = link.__cause__, CAUSE
        else:
            link, introduction = None if link.__suppress_context__ else link.__context__, CONTEXT


def _exception_lines(
    error: BaseException, traceback: TracebackType | None, depth: int
) -> Iterator[str]:
    frames = list(walk_tb(traceback))
    if frames:
        yield "Traceback (most recent call last):"
    left_out = len(frames) - FIRST_FRAMES - LAST_FRAMES
    if left_out > 0:
        yield from _frame_lines(frames[:FIRST_FRAMES])
        yield f"  ({left_out} frames are left out)"
        yield from _frame_lines(frames[-LAST_FRAMES:])
    else:
        yield from _frame_lines(frames)
    yield _description(error)
    if isinstance(error, BaseExceptionGroup) and depth:
        for member in islice(error.exceptions, GROUP_WIDTH):
            text = "\n".join(_lines(member, member.__traceback__, depth - 1))
            yield "  | " + text.replace("\n", "\n  | ")
        if len(error.exceptions) > GROUP_WIDTH:
            yield f"  ({len(error.exceptions) - GROUP_WIDTH} exceptions are left out)"


def _frame_lines(frames: list[tuple[FrameType, int]]) -> Iterator[str]:
    return (line.rstrip("\n") for line in StackSummary.extract(frames).format())


def _description(error: BaseException) -> str:
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    try:
        text = "\n".join([str(error), *map(str, getattr(error, "__notes__", ()))])
    except Exception:  # noqa: BLE001 - an exception whose own text raises
        text = "(its text is not available)"
    return f"{name}: {_cut(text, MESSAGE_SIZE)}" if text else name


def _cut(text: str, size: int) -> str:
    """Return a text without its middle, if it is longer than `size` characters."""
    if len(text) <= size:
        return text
    half = size // 2
    return f"{text[:half]}\n({len(text) - 2 * half} characters are left out)\n{text[-half:]}"

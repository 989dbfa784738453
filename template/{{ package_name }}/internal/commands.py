"""Commands: work of the service outside a request, run from the command line."""

import argparse
import asyncio
import inspect
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from time import perf_counter
from typing import Any

import structlog
from pydantic import TypeAdapter, ValidationError

from .feature import Command, StartError
from .resources import Resources

logger = structlog.get_logger(__name__)


def read_arguments(
    name: str, command: Command, arguments: Sequence[str]
) -> Callable[[Resources], Awaitable[None]]:
    """Return a command with the arguments that the command line gives it.

    Positional parameters of the command are arguments, and keyword-only ones are options. Wrong
    arguments end the process with exit code 2, and `--help` ends it with 0.
    """
    parameters = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    values = vars(_parser(name, command, parameters).parse_args(arguments))
    options = {
        parameter.name: values[parameter.name]
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    positional: list[object] = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += values[parameter.name]
        elif parameter.name not in options:
            positional.append(values[parameter.name])
    return lambda resources: command(resources, *positional, **options)


def run_command(
    name: str,
    command: Callable[[Resources], Awaitable[None]],
    working: AbstractAsyncContextManager[Resources],
) -> int:
    """Run a command to its end, or until SIGINT or SIGTERM.

    Returns:
        The exit code of the process: 0 for success, 1 for a failure, which is logged, and 128 plus
        the number of the signal that stopped the command.
    """
    return asyncio.run(_Run(name).run(command, working))


class _Run:
    def __init__(self, name: str) -> None:
        self._log = logger.bind(command=name)
        self._signal: signal.Signals | None = None

    async def run(
        self,
        command: Callable[[Resources], Awaitable[None]],
        working: AbstractAsyncContextManager[Resources],
    ) -> int:
        started = perf_counter()
        self._stop_on_signals()
        try:
            async with working as resources:
                await command(resources)
        except asyncio.CancelledError:
            if self._signal is None:
                raise
            self._log.warning("command stopped", signal=self._signal.name)
            return 128 + self._signal
        except StartError as error:
            self._log.error("command failed", reason=str(error))
            return 1
        except Exception as error:  # noqa: BLE001 - whatever it is, the command has failed
            self._log.error("command failed", exc_info=error)
            return 1
        self._log.info("command finished", duration_s=round(perf_counter() - started, 3))
        return 0

    def _stop_on_signals(self) -> None:
        """Cancel the command at the first signal; a second one ends the process at once."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop(received: signal.Signals) -> None:
            self._signal = received
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
            if task is not None:
                task.cancel()

        with suppress(NotImplementedError):  # on Windows, where Python itself handles Ctrl-C
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, stop, number)


def _parser(
    name: str, command: Command, parameters: Sequence[inspect.Parameter]
) -> argparse.ArgumentParser:
    description = inspect.cleandoc(command.__doc__ or "").partition("\n\n")[0]
    parser = argparse.ArgumentParser(prog=name, description=description, allow_abbrev=False)
    for parameter in parameters:
        is_required = parameter.default is parameter.empty
        options: dict[str, Any] = {"type": _reader(parameter.annotation)}
        if not is_required:
            default = str(parameter.default).replace("%", "%%")
            options |= {"default": parameter.default, "help": f"default: {default}"}
        if parameter.kind is parameter.VAR_POSITIONAL:
            parser.add_argument(parameter.name, nargs="*", **options)
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            parser.add_argument(parameter.name, nargs=None if is_required else "?", **options)
        else:
            if parameter.annotation is bool:
                options |= {"action": argparse.BooleanOptionalAction, "type": None}
            option = f"--{parameter.name.replace('_', '-')}"
            parser.add_argument(option, dest=parameter.name, required=is_required, **options)
    return parser


def _reader(annotation: Any) -> Callable[[str], object]:  # noqa: ANN401 - any type
    """Return what turns text into a value of a type that Pydantic knows."""
    adapter = TypeAdapter(annotation)

    def read(text: str) -> object:
        try:
            return adapter.validate_strings(text)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise argparse.ArgumentTypeError(f"{reason}, not {text!r}") from None

    return read

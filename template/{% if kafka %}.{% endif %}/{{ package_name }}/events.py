"""Tools for events: `python -m <this> tail TOPIC` and `python -m <this> replay TOPIC`.

Name topics as in the code, without KAFKA_NAMESPACE.
"""

import argparse
import asyncio
import logging
import os
import sys
from datetime import datetime
from io import TextIOWrapper

import structlog
from pydantic_settings import SettingsConfigDict

from .internal.config.errors import InvalidSettingsError
from .internal.config.sources import EnvironmentSettings
from .internal.kafka.errors import EventError
from .internal.kafka.settings import ConnectionSettings
from .internal.kafka.tools import replay, tail
from .settings import Settings


class ToolSettings(ConnectionSettings, EnvironmentSettings):
    """The settings that the tools need: how to connect to the brokers."""

    model_config = SettingsConfigDict(env_prefix=Settings.model_config["env_prefix"])


def main() -> int:
    """Run the tool that the command line asks for."""
    options = parse()
    prepare_output()
    try:
        settings = ToolSettings.load()
        asyncio.run(run(settings, options))
    except (InvalidSettingsError, EventError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def prepare_output() -> None:
    """Escape what a terminal cannot show, and log warnings to stderr."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


async def run(settings: ToolSettings, options: argparse.Namespace) -> None:
    """Run the chosen tool and print its lines."""
    if options.command == "tail":
        lines = tail(settings, options.topic, follow=not options.once)
    else:
        lines = replay(
            settings,
            options.topic,
            since=options.since,
            key=options.key or None,
            dry_run=options.dry_run,
        )
    async for line in lines:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Look at events, and send dead letters back.")
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("tail", help="show the messages of a topic, then new ones")
    show.add_argument("topic")
    show.add_argument("--once", action="store_true", help="stop after the stored messages")
    send = commands.add_parser("replay", help="send the dead letters of a topic back to it")
    send.add_argument("topic")
    send.add_argument("--since", type=_timestamp, help="only those after a timestamp, ISO 8601")
    send.add_argument("--key", help="only those of one key")
    send.add_argument("--dry-run", action="store_true", help="only say which")
    return parser.parse_args()


def _timestamp(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone() if text else None
    except ValueError:
        message = f"{text!r} is not an ISO 8601 timestamp: write it like 2026-11-24T08:30"
        raise argparse.ArgumentTypeError(message) from None


if __name__ == "__main__":
    sys.exit(main())

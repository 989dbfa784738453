"""Runs something with all that the service needs beside it.

    python -m development --serve [--debug]   the service itself
    python -m development COMMAND...          any command of a developer's

Exit code: the command's own; of `--serve`, 0 when it was stopped by Ctrl-C or SIGTERM; 1 when
something it needs cannot be had; 128 and the signal's number when it was stopped while starting.
"""

import argparse
import logging
import os
import sys

from development.backing import BackingError
from development.project import BACKINGS, PREFIX, InvalidSettingsError, PortTakenError
from development.runner import Child, Stopped, backed, stoppable
from development.serve import serve


def main() -> int:
    """Do what the command line says."""
    options = parse()
    logging.basicConfig(format="%(message)s")
    try:
        with stoppable(), backed(BACKINGS, PREFIX, serving=options.serve) as environment:
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
    """Read the command line."""
    usage = "python -m development (--serve [--debug] | COMMAND...)"
    parser = argparse.ArgumentParser(usage=usage, description="Run with all that is needed beside.")
    parser.add_argument("--serve", action="store_true", help="run the service itself")
    parser.add_argument("--debug", action="store_true", help="with reload and debug logs")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="or any command")
    options = parser.parse_args()
    if options.serve == bool(options.command) or (options.debug and not options.serve):
        parser.error("say either --serve or a command")
    return options


if __name__ == "__main__":
    sys.exit(main())

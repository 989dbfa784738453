"""Run a command together with the servers that the service needs.

    python -m development --serve [--debug]   the service itself
    python -m development --run "NAME ..."    one of the service's own commands
    python -m development COMMAND...          any command of a developer's

Exit code: that of the command. With `--serve`, 0 after Ctrl-C or SIGTERM. 1 if
a server cannot start, and 128 plus the signal's number if it was stopped while starting.
"""

import argparse
import logging
import os
import shlex
import sys

from development.backing import BackingError
from development.project import BACKINGS, PACKAGE, PREFIX, InvalidSettingsError, PortTakenError
from development.runner import Child, Stopped, backed, stoppable
from development.serve import serve


def main() -> int:
    """Run the command."""
    options = parse()
    logging.basicConfig(format="%(message)s")
    try:
        with stoppable(), backed(BACKINGS, PREFIX, serving=options.serving) as environment:
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
    """Parse the command line."""
    usage = "python -m development (--serve [--debug] | --run COMMAND_LINE | COMMAND...)"
    parser = argparse.ArgumentParser(usage=usage, description="Run with the needed servers.")
    parser.add_argument("--serve", action="store_true", help="run the service itself")
    parser.add_argument("--debug", action="store_true", help="enable reload and debug logs")
    parser.add_argument("--run", help="a command of the service, quoted as in a shell")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="any command")
    options = parser.parse_args()
    if options.run is not None:
        try:
            arguments = shlex.split(options.run)
        except ValueError as error:
            parser.error(f"{options.run!r}: {error}")
        options.command = [sys.executable, "-m", PACKAGE, *arguments, *options.command]
    if options.serve == bool(options.command) or (options.debug and not options.serve):
        parser.error("say either --serve or a command")
    options.serving = options.serve or options.run is not None
    return options


if __name__ == "__main__":
    sys.exit(main())

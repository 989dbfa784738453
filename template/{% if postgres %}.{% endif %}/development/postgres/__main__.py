"""Runs just the embedded PostgreSQL: `python -m development.postgres [PORT] [--folder FOLDER]`."""

import argparse
import signal
import sys
from pathlib import Path

from development.postgres import PostgresError
from development.postgres.backing import development_server

ENDS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def main() -> int:
    """Serve until Ctrl-C; several may run at once, they share the server."""
    parser = argparse.ArgumentParser(description="Run just the embedded PostgreSQL.")
    parser.add_argument("port", nargs="?", type=int, help="to listen on; if left out, any free one")
    parser.add_argument("--folder", type=Path, help="of the data; that of the service if left out")
    options = parser.parse_args()
    # Waited for instead of handled: no signal can come at a bad moment.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    try:
        with development_server(options.port, options.folder) as server:
            print(f"PostgreSQL 18 listens on {server.url}")
            print("Ctrl-C stops it, or leaves it to those who still use it.", flush=True)
            signal.sigwait(ENDS)
    except PostgresError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Run the embedded PostgreSQL: `python -m development.postgres [PORT] [--folder FOLDER]`."""

import argparse
import signal
import sys
from pathlib import Path

from development.postgres import PostgresError, development_server

ENDS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def main() -> int:
    """Serve until Ctrl-C. Several processes can share the server."""
    parser = argparse.ArgumentParser(description="Run just the embedded PostgreSQL.")
    parser.add_argument("port", nargs="?", type=int, help="the port; default: a free one")
    parser.add_argument("--folder", type=Path, help="the data folder; default: the service's")
    options = parser.parse_args()
    # Wait for signals instead of handling them, so that none interrupts other code.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    try:
        with development_server(options.port, options.folder) as server:
            print(f"PostgreSQL 18 listens on {server.url}")
            print("Ctrl-C stops it, unless another process still uses it.", flush=True)
            signal.sigwait(ENDS)
    except PostgresError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

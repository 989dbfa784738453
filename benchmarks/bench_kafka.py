"""Measure the event layer on the mock cluster, or on the brokers in KAFKA_BOOTSTRAP_SERVERS.

It renders and installs a service with all features, and measures inside it against a bare
aiokafka client with the same settings, in turn. It prints medians.

Run it with `uv run --group test python -m benchmarks.bench_kafka [--quick]`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.installed import installed_service
from benchmarks.measure import RESULTS

from tests.support.environment import environment

BROKERS = "KAFKA_BOOTSTRAP_SERVERS"


def main() -> None:
    """Render a service and run the measurements in it."""
    with installed_service(kafka=True) as service:
        shutil.copy(Path(__file__).with_name("inside_kafka.py"), service / "bench.py")
        passed_on = {name: os.environ[name] for name in (BROKERS, RESULTS) if name in os.environ}
        command = [str(service / ".venv/bin/python"), "bench.py", *sys.argv[1:]]
        subprocess.run(command, cwd=service, env=environment(**passed_on), check=True)


if __name__ == "__main__":
    main()

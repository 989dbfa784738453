"""Measure the event layer on the mock cluster, or on the brokers in KAFKA_BOOTSTRAP_SERVERS.

It renders and installs a service with all features, and measures inside it against a bare
aiokafka client with the same settings, in turn. With an inbox each message is a transaction.

Run it with `uv run --group test python -m benchmarks.bench_kafka [--quick]`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.installed import installed_service
from benchmarks.measure import Result, save

from tests.support.environment import environment

BROKERS = "KAFKA_BOOTSTRAP_SERVERS"


def main() -> None:
    """Render a service and run the measurements in it."""
    with installed_service(kafka=True) as service:
        shutil.copy(Path(__file__).with_name("inside_kafka.py"), service / "bench.py")
        results = service / "results"
        results.unlink(missing_ok=True)
        passed_on = {name: os.environ[name] for name in (BROKERS,) if name in os.environ}
        passed_on["RESULTS"] = str(results)
        command = [str(service / ".venv/bin/python"), "bench.py", *sys.argv[1:]]
        subprocess.run(command, cwd=service, env=environment(**passed_on), check=True)
        for line in results.read_text().splitlines():
            save(Result(**json.loads(line)))


if __name__ == "__main__":
    main()

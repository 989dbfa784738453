"""How much the event layer costs, on the mock cluster or the brokers of KAFKA_BOOTSTRAP_SERVERS.

Renders and installs a service with every feature, and measures inside it. Each figure beside a bare
aiokafka client at the same settings, in turns; medians are printed.

    uv run python benchmarks/bench_kafka.py [--quick]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Render a service and run the measurements in it."""
    with TemporaryDirectory(prefix="bench-") as folder:
        service = Path(folder) / "orders"
        copier = [sys.executable, "-W", "ignore", "-m", "copier", "copy", "--trust", "--quiet"]
        data = ["--defaults", "--data=kafka=yes"]
        subprocess.run([*copier, *data, str(ROOT), str(service)], check=True)
        shutil.copy(ROOT / "benchmarks/inside_kafka.py", service / "bench.py")
        environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
        for command in (["sync", "--quiet"], ["run", "python", "bench.py", *sys.argv[1:]]):
            subprocess.run(["uv", *command], cwd=service, env=environment, check=True)


if __name__ == "__main__":
    main()

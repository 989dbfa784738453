"""Measure the import of the service's main module against that of its packages.

The environment is the image's, without development tools.

Run it with `uv run --group test python -m benchmarks.bench_import`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.installed import IMAGE, installed_service, run
from benchmarks.measure import figure, in_turn, ratio

if TYPE_CHECKING:
    from pathlib import Path

GOAL_RATIO = 1.3
GOAL_SECONDS = 0.6

TIMED = """
import time
started = time.perf_counter()
{imports}
print(time.perf_counter() - started)
"""
LOADED = """
import sys
before = set(sys.modules)
import orders.main
own = ("orders",)
print("\\n".join(
    name for name, module in sys.modules.items()
    if name not in before and name.partition(".")[0] not in own
    and "site-packages" in (getattr(module, "__file__", None) or "")
))
"""


def main() -> None:
    """Measure in fresh interpreters with compiled code, and print the ratio."""
    with installed_service(kafka=True) as service:
        python = str(service / IMAGE / "bin/python")
        # Compiles them, too.
        packages = run([python, "-c", LOADED], service).split()
        # The service sets the same thresholds. Without them, the packages would take longer.
        imports = "\n".join(["import orders", *(f"import {name}" for name in packages)])

        def imported(statements: str) -> float:
            return timed(python, service, statements)

        measured = in_turn(
            {
                "main": lambda: imported("import orders.main"),
                "packages": lambda: imported(imports),
            }
        )
    main_module, third_party = measured["main"], measured["packages"]
    against = "the import of its third-party packages"
    ratio("import of orders.main", main_module.over(third_party), against, at_most=GOAL_RATIO)
    figure("import of orders.main", main_module, "s", at_most=GOAL_SECONDS)
    figure("import of its third-party packages", third_party, "s")


def timed(python: str, service: Path, statements: str) -> float:
    """Return the seconds that statements take in a new interpreter."""
    return float(run([python, "-c", TIMED.format(imports=statements)], service))


if __name__ == "__main__":
    main()

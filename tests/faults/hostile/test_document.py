"""The service behaves as its OpenAPI document says, for any request."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.replica import Replica


HOOKS = Path(__file__).with_name("accepted.py")


def test_every_response_is_documented(target: Replica, tmp_path: Path) -> None:
    """No 5xx, no undocumented status and no breach of a schema, for good data and for bad.

    In all modes: values at the edges, random ones, and sequences that follow the answers.
    """
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "run"),
            *(f"{target.url}/openapi.json", "--mode=all", "--checks=all"),
            *("--phases=examples,coverage,fuzzing,stateful", "--max-examples=25"),
            *(
                "--max-time=40",
                "--seed=20261128",
                "--no-shrink",
                "--no-color",
                "--generation-database=none",
            ),
        ],
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0

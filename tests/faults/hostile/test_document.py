"""The service is what its OpenAPI document says, whatever is sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.replica import Replica


# A cursor is valid only with the parameters of the page that gave it, which OpenAPI cannot say.
CURSORS = """
[[operations]]
include-path = "/api/v1/products"
include-method = "GET"

[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 422, 429, "5xx"]
"""


def test_no_request_is_answered_otherwise_than_documented(target: Replica, tmp_path: Path) -> None:
    """No 5xx, no undocumented status and no breach of a schema, for good data and for bad.

    In all modes: values at the edges, random ones, and sequences that follow the answers.
    """
    (tmp_path / "schemathesis.toml").write_text(CURSORS)
    ended = subprocess.run(
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
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(ended.stdout)
    assert ended.returncode == 0

"""The interactive documentation works in a browser without the internet."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.replica import Replica

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
ALONE = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
"""A browser that can resolve no name."""


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")
@pytest.mark.parametrize("path", ["docs", "redoc"])
def test_a_browser_shows_the_operations(target: Replica, path: str) -> None:
    """Scripts draw the page, so an operation on it shows that all scripts were loaded."""
    assert BROWSER
    options = ("--headless", "--no-sandbox", "--virtual-time-budget=60000", ALONE, "--dump-dom")
    done = subprocess.run(
        [BROWSER, *options, f"{target.url}/{path}"],
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert "Create a product" in done.stdout, done.stdout[-3000:] + done.stderr[-3000:]

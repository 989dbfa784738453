"""The embedded server starts on a bare machine, in a copied folder, and says why when it cannot."""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import pytest

MAKE_ACCOUNT = """
import sys
from pathlib import Path
from development.postgres import system
system.ACCOUNT = sys.argv[1]
print(system.account_for(Path("/nonexistent")))
"""
BARE = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
"""An environment without XDG_RUNTIME_DIR."""

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account")


@pytest.fixture(name="account")
def _account() -> Iterator[str]:
    """A name that no account has; what gets it is removed."""
    name = f"pgtest{uuid4().hex[:8]}"
    yield name
    subprocess.run(["/usr/sbin/userdel", name], capture_output=True, check=False)  # noqa: S603


@only_root
def test_several_processes_make_the_account_at_once_without_a_warning(account: str) -> None:
    """On a bare machine each of them gets the account, though warnings are errors."""
    command = [sys.executable, "-W", "error", "-c", MAKE_ACCOUNT, account]
    processes = [
        subprocess.Popen(  # noqa: S603 - this interpreter, and a program from this file
            command,
            env=BARE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert outputs == [(f"{account}\n", "")] * 4
    assert pwd.getpwnam(account).pw_uid != 0

"""`.ci/run` runs every session, shows the output, reports failures, and leaves no process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING
from uuid import uuid4

from tests.support.processes import MARK, sweep
from tests.support.rendering import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SCHEDULE = ROOT / ".ci/schedule.py"
NOXFILE = """
import nox

nox.options.default_venv_backend = "none"


@nox.session(tags=["side-by-side"])
def good(session):
    session.run("echo", "===== 7 passed in 1s =====", external=True)


@nox.session(tags=["side-by-side"])
def bad(session):
    session.run("sh", "-c", "echo FAILED tests/test_it.py; exit 3", external=True)


@nox.session(tags=["alone"])
def last(session):
    session.run("echo", "a word", external=True)


@nox.session(default=False)
def other(session):
    session.error("it is not part of the checks")
"""
ENDLESS = """
import nox

nox.options.default_venv_backend = "none"


@nox.session(tags=["side-by-side"])
def endless(session):
    session.run("sh", "-c", "touch started; sleep 1000 & sleep 1000", external=True)
"""


def test_all_output_is_shown_and_one_failure_fails_the_run(tmp_path: Path) -> None:
    """The output of every session is printed, followed by the summary and the times."""
    (tmp_path / "noxfile.py").write_text(NOXFILE)
    done = subprocess.run(
        [sys.executable, SCHEDULE], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr
    assert "\na word\n" in done.stdout
    *closing, _, first, second, third = done.stdout.splitlines()
    assert {"===== 7 passed in 1s =====", "FAILED tests/test_it.py"} <= set(closing[-4:])
    statuses = dict(line.split()[:2] for line in (first, second, third))
    assert statuses == {"good": "0", "bad": "1", "last": "0"}


def test_an_interrupt_ends_every_started_process(tmp_path: Path) -> None:
    """Ctrl-C leaves no process, even if the shell that started the run ignores the signal."""
    (tmp_path / "noxfile.py").write_text(ENDLESS)
    mark = uuid4().hex
    inherited = signal.signal(signal.SIGINT, signal.SIG_IGN)
    process = subprocess.Popen(
        [sys.executable, SCHEDULE],
        cwd=tmp_path,
        env=os.environ | {MARK: mark},
        stdout=subprocess.PIPE,
        text=True,
    )
    signal.signal(signal.SIGINT, inherited)
    with process:
        while not (tmp_path / "started").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate()
    assert process.returncode == 128 + signal.SIGINT, printed
    assert sweep(mark) == []


def test_every_default_session_is_scheduled() -> None:
    """CI runs every session that `nox` runs by default."""
    nox = [sys.executable, "-m", "nox", "--list"]
    output = subprocess.run(nox, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    tagged = subprocess.run(
        [*nox, "--json", "--tags", "side-by-side", "alone"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = {session["session"] for session in json.loads(tagged)}
    assert names == set(re.findall(r"^\* (\w+)", output, flags=re.MULTILINE))

"""A failing service does not affect other services, and an interrupt ends everything."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import psutil

from tests.support.processes import marked
from tests.support.rendering import ROOT

if TYPE_CHECKING:
    from tests.fleet.conftest import Workshop

HANG = "sleep 600 & wait"
DIE = "kill -9 $PPID"


def test_a_hanging_or_crashing_service_does_not_stop_the_others(workshop: Workshop) -> None:
    """The report has the stage and the release, and none of the service's processes remains."""
    for name in ("hangs", "dies"):
        workshop.service(name, "v1.0.0")
    workshop.trap("v1.1.0", hangs=HANG, dies=DIE)
    workshop.service("lives", "v1.1.0")
    outcome = workshop.ask("check", workshop.services, "--timeout=30", "--jobs=1")
    services = outcome.services
    assert outcome.status == 1
    assert services["lives"]["state"] == "current"
    assert {services[name]["release"] for name in ("hangs", "dies")} == {"v1.0.0"}
    assert services["hangs"]["reason"] == "it took longer than 30 s while its update was simulated"
    assert services["dies"]["reason"] == "its update was ended by signal 9"
    psutil.wait_procs(marked(str(workshop.temporary), "TMPDIR"), timeout=10)
    assert marked(str(workshop.temporary), "TMPDIR") == []


def test_an_interrupt_reports_the_finished_services(workshop: Workshop) -> None:
    """Ctrl-C ends all work with status 130, and the report says that services are missing."""
    for name in ("hangs", "lives"):
        workshop.service(name, "v1.0.0")
    workshop.trap("v1.1.0", hangs=HANG)
    with subprocess.Popen(
        workshop.command("check", workshop.services, "--jobs=2"),
        cwd=ROOT,
        env=workshop.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr
        assert process.stderr.readline() == "1 of 2: lives behind\n"
        os.killpg(process.pid, signal.SIGINT)
        printed, errors = process.communicate()
    outcome = workshop.outcome(process.returncode, printed, errors)
    assert (outcome.status, outcome.complained) == (130, "")
    assert outcome.report["complete"] is False
    assert set(outcome.services) == {"lives"}
    assert "Interrupted" in outcome.printed
    psutil.wait_procs(marked(str(workshop.temporary), "TMPDIR"), timeout=10)
    assert marked(str(workshop.temporary), "TMPDIR") == []

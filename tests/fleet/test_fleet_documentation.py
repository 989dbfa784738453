"""The fleet command works as documented."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

from fleet.report import Report, Service, State

from tests.support.rendering import ROOT
from tests.test_documentation import CODE, FENCED, table

if TYPE_CHECKING:
    from tests.fleet.conftest import Workshop

PAGE = "docs/fleet.md"
COMMAND = re.compile(r"^uv run --group fleet python -m (fleet .+)$", re.MULTILINE)


def test_every_command_works(evolved: Workshop) -> None:
    """All commands on the page work in a clone of the template with services beside it."""
    evolved.service("orders", "v1.1.0", kafka=True)
    (evolved.template / "services.txt").write_text("../services/orders  # the only one\n")
    commands = COMMAND.findall("\n".join(FENCED.findall((ROOT / PAGE).read_text())))
    assert len(commands) == 7
    for command in commands:
        typed = command.replace(" --test", "")  # a trial has its own tests
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(typed)],
            cwd=evolved.template,
            env=evolved.variables | {"PYTHONPATH": os.fspath(ROOT)},
            check=False,
            capture_output=True,
            text=True,
        )
        succeeds = "--to v1.1.0" in typed or "--shard 2/2" in typed
        assert done.returncode == (0 if succeeds else 2), done.stderr
    assert "orders" in (evolved.template / "fleet.html").read_text()


def test_every_option_is_explained() -> None:
    """The page documents exactly the options of the command."""
    usage = "".join(
        subprocess.run(
            [sys.executable, "-m", "fleet", command, "--help"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for command in ("check", "merge")
    )
    options = set(re.findall(r"--[a-z-]+", usage)) - {"--help"}
    assert set(table(PAGE, "option")) == options


def test_the_shape_of_the_report_is_explained() -> None:
    """The page documents the keys, fields and states of the report in their order."""
    fields = table(PAGE, "field")
    assert list(table(PAGE, "key")) == list(Report.model_fields)
    assert list(fields) == list(Service.model_fields)
    assert CODE.findall(fields["state"][0]) == [str(state) for state in State]

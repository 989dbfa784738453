"""Check the SQL of a revision for long locks and breaking changes."""

import json
import subprocess
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from alembic.script import Script

from tests.harness.postgres import offline

ACCEPTED = "squawk_accepted"
"""The name of a mapping in a revision's file: from a rule to the reason for an exception."""

OLDEST = "14"

EXCLUSIONS = (
    # Matters of style, which do not block production.
    "ban-char-field",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-timestamptz",
    "require-enum-value-ordering",
    # Set for every migration by `internal/database/migrate.py`.
    "require-lock-timeout",
    "require-statement-timeout",
    "require-timeout-settings",
)


def faults(script: Script, exclusions: Iterable[str]) -> list[str]:
    """Return the findings of squawk, without those that the revision accepts."""
    accepted = _accepted(script)
    found = _lint(offline.revision(script), exclusions)
    unused = sorted(accepted.keys() - {item["rule_name"] for item in found})
    lines = [f"`{ACCEPTED}` accepts {rule}, which is not broken: remove it" for rule in unused]
    for item in found:
        if item["rule_name"] not in accepted:
            lines.append(f"{item['rule_name']}: {item['statement']}\n  {item['message']}")
            lines += [f"  {item['help']}"] if item.get("help") else []
    return lines


def _accepted(script: Script) -> dict[str, str]:
    accepted: dict[str, str] = getattr(script.module, ACCEPTED, {})
    for rule, reason in accepted.items():
        if not str(reason).strip():
            raise AssertionError(f"{script.path}: `{ACCEPTED}` must say why {rule} may be broken")
    return accepted


def _lint(sql: str, exclusions: Iterable[str]) -> list[dict[str, str]]:
    program = Path(sysconfig.get_path("scripts")) / "squawk"
    done = subprocess.run(  # noqa: S603 - our own tool, from our own environment
        [
            program,
            "--reporter=json",
            f"--pg-version={OLDEST}",
            f"--exclude={','.join(exclusions)}",
            "--stdin-filepath=revision.sql",
        ],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout.strip():
        raise AssertionError(f"squawk gave no answer: {done.stderr.strip()}")
    lines = sql.splitlines()
    found: list[dict[str, str]] = []
    for item in json.loads(done.stdout):
        statement = " ".join(lines[item["line"] : item["line_end"] + 1]).strip()
        found.append({**item, "statement": statement})
    return found

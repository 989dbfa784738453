"""The revisions: their dependencies, their SQL without a database, and its faults."""

import io
import json
import subprocess
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory

from tests.harness.postgres import service

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


def revisions(config: Config) -> list[Script]:
    """Return all revisions in a fixed order, parents before children."""
    needed = parents(config)
    depths: dict[str, int] = {}
    scripts = [*ScriptDirectory.from_config(config).walk_revisions()][::-1]
    for script in scripts:
        names = needed[script.revision]
        depths[script.revision] = 1 + max((depths[name] for name in names), default=0)
    return sorted(scripts, key=lambda script: (depths[script.revision], script.revision))


def parents(config: Config) -> dict[str, list[str]]:
    """Return, for each revision, the revisions that must be applied before it."""
    directory = ScriptDirectory.from_config(config)
    return {
        revision.revision: _parents(revision, directory) for revision in directory.walk_revisions()
    }


def _parents(script: Script, directory: ScriptDirectory) -> list[str]:
    names = {*_names(script.down_revision), *_names(script.dependencies)}
    # A dependency may also be written as a branch label or an abbreviated id.
    return sorted({directory.get_revision(name).revision for name in names})


def _names(value: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def history_sql() -> str:
    """Return the SQL of all revisions, as `alembic upgrade heads --sql` prints it."""
    config = service.alembic_config()
    config.output_buffer = output = io.StringIO()
    command.upgrade(config, "heads", sql=True)
    return output.getvalue()


def revision_sql(script: Script) -> str:
    """Return the SQL of one revision alone, in its transaction."""
    config = service.alembic_config()
    output = io.StringIO()
    scripts = ScriptDirectory.from_config(config)
    with EnvironmentContext(config, scripts, as_sql=True) as environment:
        environment.configure(
            dialect_name="postgresql",
            output_buffer=output,
            literal_binds=True,
            target_metadata=service.metadata,
            transaction_per_migration=True,
        )
        context = environment.get_context()
        with context.begin_transaction(_per_migration=True), Operations.context(context):
            script.module.upgrade()
    return output.getvalue()


def faults(script: Script, exclusions: Iterable[str]) -> list[str]:
    """Return the findings of squawk, without those that the revision accepts."""
    accepted = _accepted(script)
    findings = _lint(revision_sql(script), exclusions)
    unused = sorted(accepted.keys() - {item["rule_name"] for item in findings})
    lines = [f"`{ACCEPTED}` accepts {rule}, which is not broken: remove it" for rule in unused]
    for item in findings:
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
    findings: list[dict[str, str]] = []
    for item in json.loads(done.stdout):
        statement = " ".join(lines[item["line"] : item["line_end"] + 1]).strip()
        findings.append({**item, "statement": statement})
    return findings

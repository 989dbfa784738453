"""No revision blocks a production database."""

from alembic.script import ScriptDirectory

from tests.harness.postgres import service, squawk


def test_a_revision_takes_no_lock_that_stops_production(
    revision: str, linter_exclusions: list[str]
) -> None:
    """The revision's SQL follows squawk's rules, except those that its file accepts."""
    script = ScriptDirectory.from_config(service.alembic_config()).get_revision(revision)
    faults = squawk.faults(script, linter_exclusions)
    assert not faults, "\n".join(
        [
            f"revision {revision} may stop production:",
            *(f"  {line}" for line in faults),
            f'if that is all right, say why in its file: {squawk.ACCEPTED} = {{"rule": "why"}}',
        ]
    )

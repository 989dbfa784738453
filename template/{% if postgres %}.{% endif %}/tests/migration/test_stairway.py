"""Every revision can be undone without a trace."""

from tests.harness.postgres.stairs import Stairway


async def test_a_revision_goes_up_down_and_up(stairway: Stairway, revision: str) -> None:
    """Undoing a revision restores the database that was, and it can be applied again."""
    await stairway.check(revision)

"""The downgrade of each revision restores the previous schema."""

from tests.harness.postgres.stairs import Stairway


async def test_a_revision_goes_up_down_and_up(stairway: Stairway, revision: str) -> None:
    """A downgrade restores the previous schema, and the upgrade works again."""
    await stairway.check(revision)

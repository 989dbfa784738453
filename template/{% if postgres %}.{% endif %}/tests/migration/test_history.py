"""The history is one line, and can be handed over as SQL."""

from alembic.script import ScriptDirectory

from tests.harness.postgres import offline, revisions, service


def test_there_is_one_head() -> None:
    """One revision is the newest, so that `alembic upgrade head` knows where to go."""
    heads = ScriptDirectory.from_config(service.alembic_config()).get_heads()
    assert len(heads) <= 1, (
        f"there are {len(heads)} heads, {', '.join(sorted(heads))}: "
        "two branches each added a revision; `alembic merge heads` joins them"
    )


def test_the_history_is_had_as_sql() -> None:
    """Where nobody may run Alembic, `alembic upgrade head --sql` tells what to run."""
    sql = offline.history()
    for script in revisions.revisions(service.alembic_config()):
        assert script.revision in sql


def test_a_revision_is_had_as_sql(revision: str) -> None:
    """A revision needs no database to say what it does; see `context.is_offline_mode()`."""
    scripts = ScriptDirectory.from_config(service.alembic_config())
    offline.revision(scripts.get_revision(revision))

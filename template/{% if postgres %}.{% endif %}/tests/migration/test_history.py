"""The revisions have one head, and can be exported as SQL."""

from alembic.script import ScriptDirectory

from tests.harness.postgres import offline, revisions, service


def test_there_is_one_head() -> None:
    """There is one newest revision, so that `alembic upgrade head` works."""
    heads = ScriptDirectory.from_config(service.alembic_config()).get_heads()
    assert len(heads) <= 1, (
        f"there are {len(heads)} heads, {', '.join(sorted(heads))}: "
        "two branches each added a revision; `alembic merge heads` joins them"
    )


def test_the_history_is_had_as_sql() -> None:
    """`alembic upgrade head --sql` exports the SQL for databases on which Alembic cannot run."""
    sql = offline.history()
    for script in revisions.revisions(service.alembic_config()):
        assert script.revision in sql


def test_a_revision_is_had_as_sql(revision: str) -> None:
    """A revision can be exported without a database; see `context.is_offline_mode()`."""
    scripts = ScriptDirectory.from_config(service.alembic_config())
    offline.revision(scripts.get_revision(revision))

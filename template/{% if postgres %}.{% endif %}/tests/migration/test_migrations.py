"""All migrations, including the service's own. You do not have to add any test."""

import pytest
from alembic.script import ScriptDirectory

from tests.harness.postgres import indexes, models, revisions, service
from tests.harness.postgres.databases import Databases
from tests.harness.postgres.stairs import Stairway


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test with the parameter `revision` for all revisions, oldest first."""
    if "revision" in metafunc.fixturenames:
        scripts = revisions.revisions(service.alembic_config())
        metafunc.parametrize("revision", [script.revision for script in scripts])


def test_there_is_one_head() -> None:
    """There is one newest revision, so that `alembic upgrade head` works."""
    heads = ScriptDirectory.from_config(service.alembic_config()).get_heads()
    assert len(heads) <= 1, (
        f"there are {len(heads)} heads, {', '.join(sorted(heads))}: "
        "two branches each added a revision; `alembic merge heads` joins them"
    )


def test_the_history_is_had_as_sql() -> None:
    """`alembic upgrade head --sql` exports the SQL for databases on which Alembic cannot run."""
    sql = revisions.history_sql()
    for script in revisions.revisions(service.alembic_config()):
        assert script.revision in sql


def test_a_revision_is_had_as_sql(revision: str) -> None:
    """A revision can be exported without a database; see `context.is_offline_mode()`."""
    scripts = ScriptDirectory.from_config(service.alembic_config())
    revisions.revision_sql(scripts.get_revision(revision))


async def test_a_revision_goes_up_down_and_up(stairway: Stairway, revision: str) -> None:
    """A downgrade restores the previous schema, and the upgrade works again."""
    await stairway.check(revision)


async def test_models_and_migrations_agree(
    databases: Databases, migrated_postgres_template: str, schema_exceptions: list[str]
) -> None:
    """Tables, columns, defaults, indexes, constraints, types and comments are equal in both."""
    drift = await models.drift(
        databases, migrated_postgres_template, service.metadata, schema_exceptions
    )
    advice = (
        '`make migration m="..."` writes a revision from what changed in the models; what only '
        "migrations can make is named by overriding the fixture schema_exceptions"
    )
    lines = ["models and migrations disagree:", *(f"  {line}" for line in drift), advice]
    assert not drift, "\n".join(lines)


def test_a_revision_takes_no_lock_that_stops_production(
    revision: str, linter_exclusions: list[str]
) -> None:
    """The revision's SQL follows squawk's rules, except those that its file accepts."""
    script = ScriptDirectory.from_config(service.alembic_config()).get_revision(revision)
    faults = revisions.faults(script, linter_exclusions)
    assert not faults, "\n".join(
        [
            f"revision {revision} may stop production:",
            *(f"  {line}" for line in faults),
            f'if that is all right, say why in its file: {revisions.ACCEPTED} = {{"rule": "why"}}',
        ]
    )


def test_each_list_has_its_indexes(unindexed_lists: list[str]) -> None:
    """Each column that a list is sorted by, or searched by the start of, has an index for it."""
    missing = {
        name: add
        for name, add in indexes.lists_without_index().items()
        if name not in unindexed_lists
    }
    advice = (
        '`make migration m="..."` then writes the revision. A table that stays small needs no '
        "index: name the list by overriding the fixture unindexed_lists"
    )
    lines = [f"  {name}: {add}" for name, add in missing.items()]
    assert not missing, "\n".join(["lists have no index:", *lines, advice])

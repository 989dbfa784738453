"""A revision creates the server defaults of the models, with any content."""

import re
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.operations import Operations
from alembic.operations.ops import DowngradeOps, UpgradeOps
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, INET, JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

from orders.internal.database import autogenerate
from orders.internal.database.engine import create_engine

from tests.harness.postgres import catalogue

# Alembic compares texts here, which differ for equal expressions.
pytestmark = pytest.mark.filterwarnings("ignore:Computed default on")


class Mood(StrEnum):
    """A text that contains its member's name."""

    GOOD = "good"


COLUMNS: dict[str, tuple[Any, Any]] = {
    "json": (sa.JSON, '{"a": 1, "b":2}'),
    "json_in_sql": (sa.JSON, sa.text(r"""'{"a"\:1}'""")),
    "jsonb": (JSONB, sa.text(r"""'{"a"\:1}'::jsonb""")),
    "jsonb_function": (JSONB, sa.func.jsonb_build_object("a:1", "it's")),
    "apostrophe": (sa.Text, "it's"),
    "in_apostrophes": (sa.Text, "'quoted'"),
    "only_apostrophe": (sa.Text, "'"),
    "signs": (sa.Text, 'say "hi" \\ :name 50% %s %(x)s $1 ${x}'),
    "lines": (sa.Text, "two\nlines"),
    "empty": (sa.Text, ""),
    "like_a_function": (sa.Text, "now()"),
    "member": (sa.Text, Mood.GOOD),
    "escape": (sa.Text, sa.text(r"E'a\n'")),
    "moment": (sa.DateTime(timezone=True), sa.func.clock_timestamp()),
    "uuid": (sa.Uuid, sa.func.gen_random_uuid()),
    "cast": (sa.Text, sa.cast(sa.literal(5), sa.Text)),
    "array": (ARRAY(sa.Text), "{}"),
    "array_of_texts": (ARRAY(sa.Text), sa.text("ARRAY['a','it''s']")),
    "array_constructor": (ARRAY(sa.Text), postgresql.array(["a", "b:c"])),
    "number": (sa.Numeric(10, 2), sa.text("1 + 2 * 3")),
    "truth": (sa.Boolean, sa.false()),
    "address": (INET, sa.text("'::1'")),
}


def metadata(*columns: sa.Column[Any]) -> sa.MetaData:
    """Return models with one table of these columns."""
    tables = sa.MetaData()
    sa.Table("odd", tables, sa.Column("id", sa.Integer, primary_key=True), *columns)
    return tables


def with_defaults() -> sa.MetaData:
    """Return models with every default, and a computed column."""
    columns = [
        sa.Column(name, kind, server_default=default) for name, (kind, default) in COLUMNS.items()
    ]
    computed = sa.Computed(r"apostrophe || '\:1'", persisted=True)
    return metadata(*columns, sa.Column("computed", sa.Text, computed))


def revision(connection: sa.Connection, models: sa.MetaData) -> tuple[UpgradeOps, DowngradeOps]:
    """Return the operations that `make migration` would write."""
    script = produce_migrations(context_of(connection, models), models)
    assert script.upgrade_ops
    assert script.downgrade_ops
    return script.upgrade_ops, script.downgrade_ops


def context_of(connection: sa.Connection, models: sa.MetaData) -> MigrationContext:
    """Return Alembic's context, as the service configures it."""
    options = {
        "target_metadata": models,
        "compare_server_default": True,
        "autogenerate_plugins": ["alembic.autogenerate.*", autogenerate.plugin()],
        "render_item": autogenerate.render,
        "sqlalchemy_module_prefix": "sa.",
        "alembic_module_prefix": "op.",
        "user_module_prefix": None,
    }
    return MigrationContext.configure(connection, opts=options)


def run(connection: sa.Connection, models: sa.MetaData, ops: UpgradeOps | DowngradeOps) -> str:
    """Write operations as a revision, run it, and return it."""
    context = context_of(connection, models)
    code = render_python_code(ops, migration_context=context, render_item=autogenerate.render)
    names = {"op": Operations(context), "sa": sa, "postgresql": postgresql}
    exec(re.sub("^    ", "", code, flags=re.MULTILINE), names)  # noqa: S102 - the revision, as written
    return code


async def snapshot(url: str) -> catalogue.Catalogue:
    """Return the defaults in the database."""
    connection = await asyncpg.connect(url)
    try:
        return await catalogue.read(connection)
    finally:
        await connection.close()


@pytest.fixture(name="engine")
async def _engine(postgres: str) -> AsyncIterator[AsyncEngine]:
    """An engine of the service, on the test's database."""
    engine = create_engine(postgres)
    yield engine
    await engine.dispose()


async def test_a_revision_creates_the_defaults_of_the_models(
    postgres: str, engine: AsyncEngine
) -> None:
    """They are those that the models create, also after dropping and restoring the table."""
    models, without_defaults = with_defaults(), sa.MetaData()

    def create(connection: sa.Connection) -> None:
        run(connection, models, revision(connection, models)[0])
        assert not revision(connection, models)[0].ops
        connection.commit()

    def drop_and_restore(connection: sa.Connection) -> None:
        up, down = revision(connection, without_defaults)
        run(connection, without_defaults, up)
        run(connection, without_defaults, down)
        connection.commit()

    async with engine.connect() as connection:
        await connection.run_sync(create)
        migrated = await snapshot(postgres)
        await connection.run_sync(drop_and_restore)
        restored = await snapshot(postgres)
        await connection.run_sync(lambda sync: sa.Table("odd", without_defaults).drop(sync))
        await connection.run_sync(models.create_all)
        await connection.commit()
    assert catalogue.differences(await snapshot(postgres), migrated) == []
    assert catalogue.differences(migrated, restored) == []


async def test_only_a_changed_default_is_written(engine: AsyncEngine) -> None:
    """Columns with an unchanged default are not altered."""
    old, new = with_defaults(), with_defaults()
    changes: dict[str, Any] = {"json": '{"a":2}', "uuid": sa.text("uuidv7()"), "lines": "one"}
    for name, default in changes.items():
        new.tables["odd"].c[name].server_default = sa.DefaultClause(default)

    def change(connection: sa.Connection) -> str:
        old.create_all(connection)
        return run(connection, new, revision(connection, new)[0])

    async with engine.connect() as connection:
        code = await connection.run_sync(change)
        remaining, _ = await connection.run_sync(lambda sync: revision(sync, new))
    assert sorted(re.findall(r"alter_column\('odd', '(\w+)'", code)) == ["json", "lines", "uuid"]
    assert not remaining.ops


async def test_a_colon_that_starts_a_parameter_is_refused(engine: AsyncEngine) -> None:
    """Neither the models nor a revision can create such a default."""
    default = sa.text("""'{"a":1}'""")
    models = metadata(sa.Column("value", sa.JSON, server_default=default))

    def write(connection: sa.Connection) -> None:
        run(connection, models, revision(connection, models)[0])

    async with engine.connect() as connection:
        with pytest.raises(CommandError, match=r"default of odd\.value makes ':1' a parameter"):
            await connection.run_sync(write)

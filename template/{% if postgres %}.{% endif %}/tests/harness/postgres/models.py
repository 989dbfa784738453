"""Compare the models with the migrations by creating both databases."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import asyncpg
from sqlalchemy import MetaData
from sqlalchemy.schema import CreateSchema

from tests.harness.postgres import catalogue, service, stairs
from tests.harness.postgres.catalogue import Difference
from tests.harness.postgres.databases import Database, Databases
from tests.harness.postgres.naming import EMPTY

KINDS = {"table", "column", "index", "constraint", "sequence", "type", "comment on"}
"""The kinds of objects that models can define. Others, such as functions, need a migration."""

FUNCTIONS = """
SELECT pg_get_functiondef(oid) FROM pg_proc
WHERE pronamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_|^information_schema$')
AND prokind IN ('f', 'p')
AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
ORDER BY oid
"""


async def drift(
    databases: Databases, template: str, metadata: MetaData, exceptions: Sequence[str]
) -> list[str]:
    """Return one line for each difference between the models and the migrations."""
    migrated, modelled = await databases.copy(template), await databases.copy(EMPTY)
    try:
        await _make(modelled, metadata, like=migrated)
        async with stairs.reading(migrated) as before, stairs.reading(modelled) as after:
            differences = catalogue.compare(await before(), await after())
    finally:
        databases.give_back(migrated)
        databases.give_back(modelled)
    return [
        _describe(item)
        for item in differences
        if item.kind in KINDS
        and not any(fnmatchcase(f"{item.kind} {item.name}", pattern) for pattern in exceptions)
    ]


async def _make(database: Database, metadata: MetaData, *, like: Database) -> None:
    """Create all objects of the models, with the extensions and functions of the migrations."""
    await _copy_ground(like, database)
    engine = service.create_engine(database.url)
    try:
        async with engine.begin() as connection:
            for schema in sorted({table.schema or "public" for table in metadata.tables.values()}):
                await connection.execute(CreateSchema(schema, if_not_exists=True))
            await connection.run_sync(metadata.create_all)
    finally:
        await engine.dispose()


async def _copy_ground(source: Database, target: Database) -> None:
    """Create the extensions and functions that defaults, checks and indexes may use."""
    old, new = await asyncpg.connect(source.url), await asyncpg.connect(target.url)
    try:
        for record in await old.fetch("SELECT extname FROM pg_extension"):
            await new.execute(f'CREATE EXTENSION IF NOT EXISTS "{record["extname"]}" CASCADE')
        await new.execute("SET check_function_bodies = off")
        for record in await old.fetch(FUNCTIONS):
            try:
                await new.execute(record["pg_get_functiondef"])
            except asyncpg.PostgresError:
                continue  # it needs a table, so no default of a model can use it
    finally:
        await old.close()
        await new.close()


def _describe(item: Difference) -> str:
    name = f"{item.kind} {item.name}"
    if item.before is None:
        return f"{name}: a model has it, no migration makes it ({item.after})"
    if item.after is None:
        return f"{name}: the migrations make it, no model has it ({item.before})"
    return f"{name}: {item.after!r} in the models, {item.before!r} after the migrations"

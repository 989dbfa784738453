"""The models and the migrations describe the same database."""

from tests.harness.postgres import models, service
from tests.harness.postgres.databases import Databases


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

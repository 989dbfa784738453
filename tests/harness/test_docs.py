"""The examples on the service's page on testing work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness.services import Service

SCHEMAS = """
from marshmallow import Schema, fields

class ProductSchema(Schema):
    id = fields.UUID()
    sku = fields.String()
    name = fields.String()
    price = fields.Decimal()
    status = fields.String()
    version = fields.Integer()
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()
"""


def test_every_test_of_the_page_passes(service: Service) -> None:
    """The examples are complete tests that a developer can start with."""
    page = (service.folder / "docs/template/testing.md").read_text()
    blocks = [
        block
        for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL)
        if "def test_" in block
    ]
    service.write("tests/integration/schemas.py", SCHEMAS)
    for number, block in enumerate(blocks):
        (service.folder / f"tests/test_example_{number}.py").write_text(block)
    service.add_revision(
        "a01",
        'op.execute("CREATE TABLE people (name text, first text, last text)")',
        'op.execute("DROP TABLE people")',
    )
    service.add_revision(
        "3f2a9c01b7de",
        "op.execute(\"UPDATE people SET first = split_part(name, ' ', 1),\"\n"
        "    \" last = split_part(name, ' ', 2), name = NULL\")",
        "op.execute(\"UPDATE people SET name = first || ' ' || last\")",
        after="a01",
    )
    run = service.test("tests", "--ignore=tests/migration")
    assert run.code == 0, run.output
    assert run.counts("passed") == len(blocks) == 4


def test_other_files_of_a_migration_can_be_listed(service: Service) -> None:
    """The template is rebuilt if a file listed in the fixture changes."""
    service.write("data.csv", "one")
    service.add_revision(
        "a01",
        "text = pathlib.Path('data.csv').read_text()\n"
        "op.execute(f\"COMMENT ON TABLE products IS '{text}'\")",
        extra="import pathlib",
    )
    service.write(
        "tests/conftest.py",
        """
        from pathlib import Path

        import pytest

        @pytest.fixture(scope="session")
        def migration_sources(migration_sources: list[Path]) -> list[Path]:
            return [*migration_sources, Path("data.csv").absolute()]
        """,
    )
    for text in ("one", "two"):
        service.write("data.csv", text)
        service.write(
            "tests/test_one.py",
            f"""
            import asyncpg

            async def test_comment(migrated_postgres: str) -> None:
                connection = await asyncpg.connect(migrated_postgres)
                query = "SELECT obj_description('products'::regclass)"
                assert await connection.fetchval(query) == "{text}"
                await connection.close()
            """,
        )
        run = service.test("tests/test_one.py")
        assert run.code == 0, run.output

"""Faults of migrations are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness.services import NEWEST

if TYPE_CHECKING:
    from tests.harness.services import Service

MIGRATION = "tests/migration"
FILE = f"{MIGRATION}/test_migrations.py"
STAIRWAY = f"{FILE}::test_a_revision_goes_up_down_and_up"
ONE_HEAD = f"{FILE}::test_there_is_one_head"
SQL = (f"{FILE}::test_the_history_is_had_as_sql", f"{FILE}::test_a_revision_is_had_as_sql")
MODELS = f"{FILE}::test_models_and_migrations_agree"
LOCKS = f"{FILE}::test_a_revision_takes_no_lock_that_stops_production"
TABLE = 'op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True))'
DROP = 'op.drop_table("notes")'
MODEL = """

class Note(EntityModel):
    __tablename__ = "notes"
    text: Mapped[str]
"""


def test_the_original_service_passes(service: Service) -> None:
    """The template's own revisions pass all checks."""
    run = service.test(MIGRATION)
    assert run.code == 0, run.output
    # Three tests for each of two revisions, and four for all together.
    assert run.counts("passed") == 10


def leftovers() -> list[tuple[str, str, str]]:
    """Incomplete downgrades, each with the message about it."""
    after_table = f"{TABLE}\n"
    return [
        (
            "op.execute(\"CREATE TYPE mood AS ENUM ('good', 'bad')\")",
            "pass",
            "leaves type public.mood",
        ),
        (
            'op.create_index("ix_products_name", "products", ["name"])',
            "pass",
            "leaves index public.products.ix_products_name",
        ),
        (TABLE.replace("notes", "tags"), "pass", "leaves table public.tags"),
        (
            'op.execute("CREATE SEQUENCE counter")',
            "pass",
            "leaves sequence public.counter",
        ),
        (
            "op.execute(\"CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'\")",
            "pass",
            "leaves function public.one()",
        ),
        ('op.execute("CREATE VIEW all_products AS TABLE products")', "pass", "leaves view public"),
        ('op.execute("CREATE SCHEMA other")', "pass", "leaves schema other"),
        (
            'op.create_check_constraint("short", "products", "length(name) < 150")',
            "pass",
            "leaves constraint public.products.ck_products_short",
        ),
        (
            'op.execute("GRANT SELECT ON products TO PUBLIC")',
            "pass",
            "leaves grants on public.products",
        ),
        (
            "op.execute(\"COMMENT ON COLUMN products.name IS 'shown'\")",
            "pass",
            "leaves comment on public.products.name",
        ),
        (
            'op.alter_column("products", "name", server_default="x")',
            "pass",
            "changes column public.products.name: 'character varying(200) not null' became",
        ),
        (
            'op.drop_constraint("uq_products_sku", "products")',
            "pass",
            "loses constraint public.products.uq_products_sku",
        ),
        (
            (
                'op.execute("CREATE TRIGGER same BEFORE UPDATE ON products FOR EACH ROW '
                'EXECUTE FUNCTION suppress_redundant_updates_trigger()")'
            ),
            "pass",
            "leaves trigger public.products.same",
        ),
        (
            after_table + 'op.execute("CREATE DOMAIN email AS text")',
            DROP,
            "leaves type public.email",
        ),
    ]


def test_remains_of_a_downgrade_are_reported(service: Service) -> None:
    """Types, indexes, sequences, functions and others, each with its revision."""
    cases = leftovers()
    for number, (up, down, _) in enumerate(cases):
        service.add_revision(
            f"a{number:02}", up, down, after=f"a{number - 1:02}" if number else NEWEST
        )
    run = service.test(STAIRWAY, "-n", "2")
    assert run.counts("failed") == len(cases), run.output
    for number, (_, _, message) in enumerate(cases):
        assert f"downgrade of a{number:02} {message}" in run.output


def test_a_missing_downgrade_must_be_declared(service: Service) -> None:
    """A revision without a downgrade fails unless it says why it has none."""
    service.add_revision("a01", TABLE, None)
    service.add_revision("a02", "pass", None, after="a01", extra='irreversible = "data is merged"')
    service.add_revision("a03", "pass", "pass", after="a02", extra='irreversible = ""')
    run = service.test(STAIRWAY)
    assert "Migration a01 has no downgrade" in run.output
    assert "`irreversible` must say why" in run.output
    assert (run.counts("failed"), run.counts("passed")) == (2, 3), run.output


def test_branches_and_merges_are_handled(service: Service) -> None:
    """Each side of a branch is undone alone, and so is a merge, which keeps both sides."""
    service.add_revision("left1", TABLE, DROP)
    service.add_revision("right", TABLE.replace("notes", "tags"), DROP.replace("notes", "tags"))
    service.add_revision("merge", after=("left1", "right"))
    service.add_revision(
        "after1", TABLE.replace("notes", "ends"), DROP.replace("notes", "ends"), after="merge"
    )
    run = service.test(STAIRWAY, ONE_HEAD, *SQL)
    assert run.code == 0, run.output


def test_a_second_root_is_handled(service: Service) -> None:
    """A revision with no parent, which depends on another line, is undone alone."""
    service.add_revision("other", TABLE, DROP, after=None)
    service.replace(
        "migrations/versions/other.py", "depends_on = None", 'depends_on = "5f1d3a7c9e20"'
    )
    run = service.test(STAIRWAY)
    assert run.code == 0, run.output


def test_two_heads_are_reported(service: Service) -> None:
    """The message has both newest revisions, and the command that merges them."""
    service.add_revision("left1", TABLE, DROP)
    service.add_revision("right")
    run = service.test(ONE_HEAD)
    assert "there are 2 heads, left1, right" in run.output
    assert "alembic merge heads" in run.output


def test_drift_is_reported(service: Service) -> None:
    """Differences between models and migrations are reported, including checks and defaults."""
    service.replace(
        "orders/domain/product/model.py",
        "price >= 0",
        "price >= 1",
    )
    service.add_revision(
        "a01",
        f"""
        {TABLE}
        op.alter_column("products", "name", server_default="new")
        op.create_index("ix_products_name", "products", ["name"])
        """,
    )
    run = service.test(MODELS)
    assert "models and migrations disagree" in run.output
    for line in (
        "table public.notes: the migrations make it, no model has it",
        "index public.products.ix_products_name: the migrations make it",
        "constraint public.products.ck_products_price_not_negative: 'CHECK ((price >= (1)",
        "column public.products.name: 'character varying(200) not null' in the models",
    ):
        assert line in run.output, run.output
    service.write(
        "tests/conftest.py",
        """
        import pytest

        @pytest.fixture(scope="session")
        def schema_exceptions() -> list[str]:
            return ["table public.notes", "index *", "c* public.products.*"]
        """,
    )
    assert service.test(MODELS).code == 0


def test_a_model_without_a_migration_is_reported(service: Service) -> None:
    """A table that only a model has is reported once, without its columns."""
    model = service.folder / "orders/domain/product/model.py"
    model.write_text(model.read_text() + MODEL)
    run = service.test(MODELS)
    assert "table public.notes: a model has it, no migration makes it" in run.output
    assert "column public.notes" not in run.output


def test_a_lock_that_blocks_production_is_reported(service: Service) -> None:
    """An index that is not built concurrently is refused unless its file gives a reason."""
    service.add_revision(
        "a01",
        'op.create_index("ix_products_name", "products", ["name"])',
        'op.drop_index("ix_products_name", "products")',
    )
    run = service.test(LOCKS)
    assert "revision a01 may stop production" in run.output
    assert "require-concurrent-index-creation" in run.output
    assert run.counts("failed") == 1
    accepted = 'squawk_accepted = {"require-concurrent-index-creation": "the table is tiny"}'
    service.add_revision(
        "a01", 'op.create_index("ix_products_name", "products", ["name"])', extra=accepted
    )
    assert service.test(LOCKS).code == 0
    service.add_revision("a01", extra=accepted)
    run = service.test(LOCKS)
    assert "accepts require-concurrent-index-creation, which is not broken" in run.output


def test_a_concurrent_index_passes(service: Service) -> None:
    """Built outside the transaction, it passes every test."""
    service.add_revision(
        "a01",
        """
        with op.get_context().autocommit_block():
            op.create_index(
                "ix_products_name", "products", ["name"], postgresql_concurrently=True
            )
        """,
        """
        with op.get_context().autocommit_block():
            op.drop_index("ix_products_name", "products", postgresql_concurrently=True)
        """,
    )
    run = service.test(MIGRATION, "--deselect", MODELS)
    assert run.code == 0, run.output


def test_a_failing_migration_is_reported_once(service: Service) -> None:
    """A run of two workers shows its revision, line and SQL once. Other messages are short."""
    service.add_revision("a01", 'op.execute("UPDATE nonesuch SET x = 1")')
    service.write(
        "tests/test_many.py",
        """
        import pytest

        @pytest.mark.parametrize("number", range(20))
        async def test_database(migrated_postgres: str, number: int) -> None:
            pass

        async def test_empty_database(postgres: str) -> None:
            pass
        """,
    )
    run = service.test("tests/test_many.py", MIGRATION, "-n", "2")
    assert run.output.count("\nThe upgrade of a01 failed.\n") == 1, run.output
    assert run.output.count("  SQL:\n    UPDATE nonesuch SET x = 1\n  UndefinedTableError") == 1
    assert run.output.count("a01.py:") == 1
    short = "the upgrade of a01 failed: the first such failure of this run says how"
    assert run.output.count(f"\n{short}\n") == 21  # 20 tests, the models and a01, minus one
    assert "test_empty_database" not in run.output


@pytest.mark.parametrize("error", ["import nonesuch", "syntax error here"])
def test_an_unreadable_revision_is_reported(service: Service, error: str) -> None:
    """A file that Python refuses is reported once, not per test."""
    service.add_revision("a01", extra=error)
    service.write(
        "tests/test_one.py",
        """
        async def test_database(migrated_postgres: str) -> None:
            pass
        """,
    )
    run = service.test("tests/test_one.py")
    assert "a01.py" in run.output
    assert "nonesuch" in run.output or "invalid syntax" in run.output
    assert "Traceback" not in run.output


def test_data_migrations_can_be_tested(service: Service) -> None:
    """Rows before, rows after, and the downgrade."""
    service.add_revision(
        "a01",
        """
        op.add_column("products", sa.Column("label", sa.Text))
        op.execute("UPDATE products SET label = upper(name)")
        """,
        'op.drop_column("products", "label")',
    )
    service.write(
        "tests/test_labels.py",
        """
        from collections.abc import Awaitable, Callable
        from tests.harness.postgres.rows import DataMigration

        async def test_labels(data_migration: Callable[[str], Awaitable[DataMigration]]) -> None:
            migration = await data_migration("a01")
            await migration.execute(
                "INSERT INTO products (id, version, sku, name, price, status)"
                " VALUES (gen_random_uuid(), 1, 'a', 'lamp', 1, 'draft')"
            )
            await migration.upgrade()
            assert await migration.rows("SELECT name, label FROM products") == [("lamp", "LAMP")]
            await migration.downgrade()
            assert await migration.rows("SELECT name FROM products") == [("lamp",)]
        """,
    )
    run = service.test("tests/test_labels.py")
    assert run.code == 0, run.output


def test_a_service_without_revisions_passes(service: Service) -> None:
    """A service that has deleted the example, and has no revision, can run its tests."""
    forget_the_example(service)
    service.write(
        "tests/test_one.py",
        """
        async def test_database(migrated_postgres: str, api_client) -> None:
            assert (await api_client.get("/nonesuch")).status_code == 404
        """,
    )
    run = service.test("tests", "-n", "2")
    assert run.code == 0, run.output
    assert (run.counts("passed"), run.counts("skipped")) == (5, 3)


def test_a_long_history_is_tested(service: Service) -> None:
    """Two workers share more revisions than snapshots are kept, and test all of them."""
    previous = NEWEST
    for number in range(20):
        table = f"t{number}"
        service.add_revision(
            f"r{number:03}",
            TABLE.replace("notes", table),
            DROP.replace("notes", table),
            after=previous,
        )
        previous = f"r{number:03}"
    run = service.test(STAIRWAY, "-n", "2")
    assert run.code == 0, run.output
    assert run.counts("passed") == 22


def forget_the_example(service: Service) -> None:
    """Delete the example domain, as the owner of a service does."""
    for path in ("orders/domain/product", "migrations/versions"):
        for file in (service.folder / path).glob("*.py"):
            file.unlink()
    (service.folder / "orders/routers/product.py").unlink()
    service.write("orders/routers/__init__.py", '"""None."""\n\nROUTERS = ()\n')
    service.write(
        "orders/db/__init__.py",
        '''
        """No model."""

        from ..domain.common.model_base import BaseOrmModel

        metadata = BaseOrmModel.metadata
        ''',
    )

"""Repositories of all domains read by keys and pages."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from orders.domain.product.enums import ProductStatus
from orders.domain.product.model import Product
from orders.domain.product.repository import ProductRepository
from orders.internal.database import DatabaseSessionManager

COUNT = 5


@pytest.fixture(name="database")
async def _database(migrated_postgres: str) -> AsyncIterator[DatabaseSessionManager]:
    """Products: every other one is active, and the last has no name, which its column allows."""
    manager = DatabaseSessionManager()
    manager.init(str(migrated_postgres))
    async with manager.session() as session:
        await session.execute(text("ALTER TABLE products ALTER COLUMN name DROP NOT NULL"))
        for number in range(COUNT):
            status = ProductStatus.ACTIVE if number % 2 else ProductStatus.DRAFT
            product = Product(sku=f"P-{number}", name=f"{number}", price=number, status=status)
            await ProductRepository(session).add(product)
        await session.execute(text("UPDATE products SET name = NULL WHERE sku = 'P-4'"))
    yield manager
    await manager.close()


async def skus(database: DatabaseSessionManager, **equal: object) -> list[str]:
    """Read all pages of two, and return the SKUs in their order."""
    names: list[str] = []
    async with database.session(read_only=True) as session:
        page = await ProductRepository(session).page(after=None, limit=2, **equal)
        names += [product.sku for product in page.items]
        while page.next_after is not None:
            page = await ProductRepository(session).page(after=page.next_after, limit=2, **equal)
            names += [product.sku for product in page.items]
    return names


async def test_pages_follow_one_another(database: DatabaseSessionManager) -> None:
    """All selected rows come exactly once, also if there is none."""
    assert await skus(database) == ["P-0", "P-1", "P-2", "P-3", "P-4"]
    assert await skus(database, status=ProductStatus.ACTIVE) == ["P-1", "P-3"]
    assert await skus(database, status=ProductStatus.DRAFT, name="2") == ["P-2"]
    assert await skus(database, name=None) == ["P-4"]
    assert await skus(database, name=None, status=ProductStatus.ACTIVE) == []


async def test_a_model_is_read_once_by_its_key(database: DatabaseSessionManager) -> None:
    """A session has one object for each row, and reading does not write."""
    async with database.session() as session:
        repository = ProductRepository(session)
        (first,) = (await repository.page(after=None, limit=1)).items
        assert await repository.get(first.id) is first
        first.name = "changed"
        assert await repository.get(first.id) is first
        assert (first.name, first.version) == ("changed", 1)  # not written yet
        assert await repository.delete(first.id) is first
        assert await repository.get(first.id) is None

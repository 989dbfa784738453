"""Lists refuse wrong parameters with the allowed ones, as in the OpenAPI document."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import Depends, FastAPI
from httpx import AsyncClient
from pydantic import BaseModel, ValidationError

from orders.domain.common.sql_repository_base import SqlRepositoryBase
from orders.internal.http.lists import ListEnvelope, list_query
from orders.internal.lists import ListQuery, ListSchema, ParameterError
from orders.main import create_app

from .helpers import serve, settings
from tests.harness import check_response

PRODUCTS = "/api/v1/products"


class NoteRead(BaseModel):
    """A note, with a field of a type that lists do not support."""

    id: UUID
    text: str
    price: Decimal | None
    tags: list[str]
    made_at: datetime


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOTES = ListSchema(NoteRead, between=("price",), sort=("text", "price", "made_at"))


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: ListSchema(NoteRead, equal=("colour",)), "NoteRead has no field 'colour': use"),
        (lambda: ListSchema(NoteRead, sort=("tags",)), "NoteRead.tags cannot be filtered or sor"),
        (lambda: ListSchema(NoteRead, between=("text",)), "`between` needs a number, date or time"),
        (lambda: ListSchema(NoteRead, starts_with=("price",)), "`starts_with` needs a text: price"),
        (lambda: ListSchema(NoteRead, default_sort=("-text",)), "`default_sort` needs a column of"),
        (
            lambda: ListSchema(NoteRead, equal=("price",), one_of=("price",)),
            "price is named by `equal` and by `one_of`: name it once",
        ),
    ],
)
def test_an_invalid_declaration_is_refused(declare: Callable[[], object], message: str) -> None:
    """At import, with what to change."""
    with pytest.raises(TypeError, match=message):
        declare()


def test_a_repository_has_the_columns_of_its_lists() -> None:
    """A column that the model does not have is refused when the repository is defined."""

    class Model:
        id = text = made_at = None

    with pytest.raises(TypeError, match=r"Model has no column price: Repository\.lists"):

        class Repository(SqlRepositoryBase[Any]):
            model = Model
            lists = NOTES


def test_code_can_query_like_a_client() -> None:
    """A query has the same parameters and the same checks."""
    query = NOTES.query(price__gte="1.50", sort=["-price"], limit=5)
    assert query.values == {"price__gte": Decimal("1.50")}
    assert [tuple(key) for key in query.order] == [("price", True), ("id", True)]
    with pytest.raises(ParameterError, match="no such parameter"):
        NOTES.query(colour="red")
    with pytest.raises(ValidationError, match="name each column once"):
        NOTES.query(sort=["price", "-price"])


def test_sorting_ends_with_the_id() -> None:
    """Ids are unique, so further sort columns have no effect."""
    query = NOTES.query(sort=["-text", "-id", "price"])
    assert [tuple(key) for key in query.order] == [("text", True), ("id", True)]


@pytest.mark.parametrize(
    ("query", "location", "message"),
    [
        ("colour=red", "colour", "no such parameter. Use one of: created_at__gt, created_at__gte,"),
        ("self=1", "self", "no such parameter"),
        ("price__ge=1", "price__ge", "price__gte, price__lt, price__lte, sku, sort, status."),
        ("status=sold", "status.0", "'draft', 'active' or 'retired'"),
        ("sort=sku", "sort.0", "'name', '-name', 'price', '-price', 'id' or '-id'"),
        ("sort=price&sort=-price", "sort", "name each column once"),
        ("sort=id&sort=name&sort=price&sort=-id", "sort", "at most 3 items"),
        ("price__lt=cheap", "price__lt", "decimal number"),
        ("created_at__lte=0.5", "created_at__lte", "ISO 8601"),
        ("created_at__lte=-1.5E-3", "created_at__lte", "ISO 8601"),
        ("created_at__lte=20261128", "created_at__lte", "ISO 8601"),
        ("price__lt=1e999999999", "price__lt", "at most 100 digits"),
        ("price__lt=NaN", "price__lt", "decimal number"),
        ("created_at__gte=2026-01-01T00:00:00", "created_at__gte", "timezone"),
        ("name__startswith=%00", "name__startswith", "NUL is not allowed"),
        ("sku=%00", "sku", "NUL is not allowed"),
        ("limit=101", "limit", "less than or equal to 100"),
        ("sku=A&sku=B", "sku", "Send it once"),
        ("cursor=x", "cursor", "Invalid cursor. Use `page.next_cursor` or `page.previous_cursor`"),
        ("cursor=%C3%A9", "cursor", "pattern"),
    ],
)
async def test_a_wrong_parameter_is_answered_with_the_allowed_values(
    api_client: AsyncClient, query: str, location: str, message: str
) -> None:
    """The problem has the parameter's location, and what to send instead."""
    problem = check_response(await api_client.get(f"{PRODUCTS}?{query}"), 422)
    (error,) = problem["errors"]
    assert error["location"] == f"query.{location}"
    assert message in error["message"]


async def cursor_of(client: AsyncClient, **query: Any) -> str:  # noqa: ANN401 - as httpx takes it
    """Return the next cursor of a list of products."""
    response = await client.get(PRODUCTS, params={"limit": 1, **query})
    cursor: str = response.json()["page"]["next_cursor"]
    return cursor


@pytest.fixture(name="filled")
async def _filled(api_client: AsyncClient) -> AsyncClient:
    for number in range(3):
        body = {"sku": f"P-{number}", "name": "Lamp", "price": "10"}
        assert (await api_client.post(PRODUCTS, json=body)).is_success
    return api_client


async def test_a_cursor_of_another_sort_or_filter_is_refused(filled: AsyncClient) -> None:
    """It would start in the middle of another order. Another limit is fine."""
    cursor = await cursor_of(filled, sort="price", price__gte="1")
    parameters = {"sort": "price", "price__gte": "1", "cursor": cursor}
    check_response(await filled.get(PRODUCTS, params={**parameters, "limit": 2}), 200, many=True)
    for change in ({"sort": "-price"}, {"sort": "name"}, {"price__gte": "2"}, {"sku": "P-1"}):
        problem = check_response(await filled.get(PRODUCTS, params={**parameters, **change}), 422)
        assert problem["errors"][0]["location"] == "query.cursor"
        assert "another sort or other filters" in problem["errors"][0]["message"]
    check_response(await filled.get(PRODUCTS, params={"cursor": cursor}), 422)


@dataclass
class Note:
    """A note in memory."""

    id: UUID
    text: str = "buy lamps"
    price: Decimal | None = None
    tags: tuple[str, ...] = ()
    made_at: datetime = EPOCH


NoteQuery = Annotated[ListQuery, list_query(NOTES)]


def notes_app() -> FastAPI:
    """Return an application with a list of notes under each customer."""
    app = create_app(settings())

    @app.get("/customers/{customer}/notes")
    async def notes(customer: int, query: NoteQuery) -> ListEnvelope[NoteRead]:
        found = [Note(UUID(int=number)) for number in range(customer, customer + 3)]
        return ListEnvelope[NoteRead].of(query.page(found))

    return app


@pytest.mark.parametrize("root_path", ["", "/shop"])
async def test_a_cursor_of_another_path_is_refused(root_path: str) -> None:
    """It would start at an item of another list. The prefix of a proxy does not matter."""
    app = notes_app()
    async with serve(app) as client:
        page = (await client.get("/customers/1/notes?limit=1")).json()["page"]
    async with serve(app, root_path) as client:
        query = {"limit": 1, "cursor": page["next_cursor"]}
        same_path = await client.get(f"{root_path}/customers/1/notes", params=query)
        other_path = await client.get(f"{root_path}/customers/2/notes", params=query)
    check_response(same_path, 200, many=True)
    (error,) = check_response(other_path, 422)["errors"]
    assert error["message"].startswith("This cursor is from another list")


def test_an_endpoint_may_be_any_callable() -> None:
    """FastAPI serves instances and partial functions too, and finds lists in dependencies."""

    class Greeting:
        async def __call__(self, name: str) -> str:
            return name

    def limits(query: NoteQuery) -> int:
        return query.limit

    async def show(greeting: str, limit: Annotated[int, Depends(limits)]) -> str:
        return f"{greeting} {limit}"

    app = create_app(settings())
    app.get("/greeting")(Greeting())
    app.get("/partial")(partial(show, "Hello"))
    paths = app.openapi()["paths"]
    assert [parameter["name"] for parameter in paths["/greeting"]["get"]["parameters"]] == ["name"]
    assert "price__gte" in {
        parameter["name"] for parameter in paths["/partial"]["get"]["parameters"]
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: parts[:-1],
        lambda parts: [*parts, 1],
        lambda parts: [">>", *parts[1:]],
        lambda parts: [*parts[:2], "cheap", parts[3]],
        lambda parts: [*parts[:2], None, parts[3]],
        lambda parts: [*parts[:2], "1e999999999", parts[3]],
        lambda parts: [*parts[:3], "1"],
        lambda _: [],
        lambda _: {},
        lambda _: None,
    ],
)
async def test_a_modified_cursor_is_not_a_server_error(
    filled: AsyncClient, change: Callable[[Any], Any]
) -> None:
    """It is refused, or returns another page."""
    cursor = await cursor_of(filled, sort="price")
    parts = json.loads(urlsafe_b64decode(cursor + "=="))
    changed = json.dumps(change(parts), separators=(",", ":"))
    text = urlsafe_b64encode(changed.encode()).decode().rstrip("=")
    response = await filled.get(PRODUCTS, params={"sort": "price", "cursor": text})
    assert response.status_code in {200, 422}
    nested = urlsafe_b64encode(b"[" * 9000).decode().rstrip("=")
    check_response(await filled.get(PRODUCTS, params={"cursor": nested}), 422)


def test_the_openapi_document_shows_each_parameter() -> None:
    """With its type, its choices and a description."""
    app: FastAPI = create_app(settings())
    operation = app.openapi()["paths"][PRODUCTS]["get"]
    assert "422" in operation["responses"]
    parameters = operation["parameters"]
    schemas = {parameter["name"]: parameter["schema"] for parameter in parameters}
    assert set(schemas) == {
        *("sku", "status", "name__startswith", "sort", "limit", "cursor"),
        *(
            f"{column}__{operator}"
            for column in ("price", "created_at")
            for operator in ("gte", "gt", "lte", "lt")
        ),
    }
    assert all(parameter["description"] and parameter["in"] == "query" for parameter in parameters)
    assert schemas["sort"]["items"]["enum"] == ["name", "-name", "price", "-price", "id", "-id"]
    assert schemas["sort"]["default"] == ["id"]
    (status,) = (kind for kind in schemas["status"]["anyOf"] if kind["type"] == "array")
    assert status["items"] == {"$ref": "#/components/schemas/ProductStatus"}
    assert schemas["created_at__gte"]["anyOf"][0]["format"] == "date-time"

"""What every running service must answer, asked over real HTTP."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

PRODUCTS = "/api/v1/products"
HEALTHCHECKS = ("/healthcheck", "/healthcheck/live", "/healthcheck/ready")


def check_docs(client: httpx.Client) -> None:
    """The interactive docs are there and tell of the example."""
    page = client.get("/docs")
    assert page.status_code == HTTPStatus.OK
    assert "text/html" in page.headers["content-type"]
    assert PRODUCTS in client.get("/openapi.json").json()["paths"]


def check_products(client: httpx.Client) -> None:
    """A product is created, read, listed, changed, guarded against a stale change, and deleted."""
    created = client.post(PRODUCTS, json={"sku": "SMOKE-1", "name": "Smoke", "price": "9.90"})
    assert created.status_code == HTTPStatus.CREATED, created.text
    product = created.json()["data"]
    location = created.headers["location"]
    assert location.endswith(f"{PRODUCTS}/{product['id']}")

    assert client.get(location).json()["data"] == product
    products = client.get(PRODUCTS, params={"status": product["status"]}).json()
    assert product in products["data"]
    assert "next_cursor" in products["page"]

    change = {"version": product["version"], "name": "Smoke, renamed"}
    changed = client.patch(location, json=change)
    assert changed.status_code == HTTPStatus.OK, changed.text
    assert changed.json()["data"]["name"] == "Smoke, renamed"
    check_problem(client.patch(location, json=change), HTTPStatus.CONFLICT)

    assert client.delete(location).status_code == HTTPStatus.NO_CONTENT
    check_problem(client.get(location), HTTPStatus.NOT_FOUND)


def check_problems(client: httpx.Client) -> None:
    """What a client does wrong is answered by a problem document."""
    check_problem(client.get("/nowhere"), HTTPStatus.NOT_FOUND)
    check_problem(client.put(PRODUCTS), HTTPStatus.METHOD_NOT_ALLOWED)
    problem = check_problem(client.post(PRODUCTS, json={}), HTTPStatus.UNPROCESSABLE_ENTITY)
    assert problem["errors"]


def check_healthchecks(client: httpx.Client, *, expected: bool) -> None:
    """Health checks answer where they were chosen, and nothing does where they were not."""
    for path in HEALTHCHECKS:
        answer = client.get(path)
        if expected:
            assert answer.status_code == HTTPStatus.OK, answer.text
        else:
            check_problem(answer, HTTPStatus.NOT_FOUND)


def check_problem(answer: httpx.Response, status: HTTPStatus) -> dict[str, Any]:
    """An error is an RFC 9457 document with the status of the response."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert {"type", "title", "detail", "instance"} <= problem.keys()
    return problem

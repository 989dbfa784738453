"""A steady load of reads and writes, with a record of each request."""

from __future__ import annotations

import asyncio
import contextlib
from time import monotonic
from typing import Any, Self
from uuid import uuid4

import asyncpg
import httpx

from tests.faults.figures import BROKEN, HANG, REFUSED, Answer, Figures

PRODUCTS = "/api/v1/products"
PATIENCE = 20.0
"""Seconds after which a request counts as hanging, far above every timeout."""

PAUSE = 0.02
STEADY = 200
"""Requests after which the load is steady."""

RECOVERY = 60.0
"""Seconds for events that must happen. The figures show how long they took."""

SECRETS = ("Traceback", "planted-", "127.0.0.1")
"""Texts that no client may see."""

READ_BACK = "SELECT id::text, version FROM products WHERE id = ANY($1::uuid[])"


class Load:
    """Clients that create, read, list and change products until the block ends.

    After each response, whatever it is, a client pauses briefly and goes on.
    """

    def __init__(self, url: str, clients: int = 12) -> None:
        """Load the service at `url` from this many clients."""
        self.answers: list[Answer] = []
        self.acknowledged: dict[str, int] = {}
        self._clients = clients
        self._stopped = False
        self._tasks: list[asyncio.Task[None]] = []
        self._http = httpx.AsyncClient(base_url=url, timeout=PATIENCE)

    async def __aenter__(self) -> Self:
        """Start, and return when the load is steady."""
        self._tasks = [asyncio.create_task(self._client()) for _ in range(self._clients)]
        try:
            await self._until(lambda: len(self.answers) >= STEADY)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, when every request has been answered."""
        await self._close()

    async def stop(self) -> None:
        """Send no further request, and wait for the answers to those that were sent."""
        self._stopped = True
        await asyncio.gather(*self._tasks)

    async def refused(self) -> None:
        """Wait until the service refuses a request temporarily."""
        await self._until(
            lambda: any(
                answer.outcome == httpx.codes.SERVICE_UNAVAILABLE for answer in self.answers
            )
        )

    async def recover(self) -> float:
        """Record the end of the fault, wait for good responses, and return when the fault ended."""
        fault_ended = monotonic()
        with contextlib.suppress(TimeoutError):
            await self._until(
                lambda: any(
                    answer.is_good and answer.sent >= fault_ended for answer in self.answers
                )
            )
            count = len(self.answers)
            await self._until(lambda: len(self.answers) >= count + STEADY // 2)
        return fault_ended

    async def account(self, fault: str, fault_ended: float, database: str) -> Figures:
        """Compare acknowledged writes with the database, after the load has stopped."""
        connection = await asyncpg.connect(database)
        try:
            rows = await connection.fetch(READ_BACK, list(self.acknowledged))
        finally:
            await connection.close()
        stored = {row["id"]: row["version"] for row in rows}
        lost_keys = [
            key for key, version in self.acknowledged.items() if stored.get(key, 0) < version
        ]
        return Figures(fault, self.answers, fault_ended, len(lost_keys))

    async def request(self, method: str, path: str, **body: object) -> dict[str, Any] | None:
        """Send a request, record its outcome, and return the body of a good response."""
        sent = monotonic()
        data, outcome, flaw = None, None, None
        try:
            response = await self._http.request(method, path, json=body or None)
        except httpx.ConnectError:
            outcome = REFUSED
        except httpx.TimeoutException:
            outcome = HANG
        except httpx.TransportError:
            outcome = BROKEN
        else:
            flaw = flaw_of(response)
            data = response.json()["data"] if response.is_success else None
        finished = monotonic()
        self.answers.append(Answer(sent, finished, outcome or response.status_code, flaw))
        return data

    async def _close(self) -> None:
        await self.stop()
        await self._http.aclose()

    async def _client(self) -> None:
        while not self._stopped:
            await asyncio.sleep(PAUSE)
            sku = f"LOAD-{uuid4().hex.upper()}"
            product = await self._write("POST", PRODUCTS, sku=sku, name="Lamp", price="1.50")
            if product:
                path = f"{PRODUCTS}/{product['id']}"
                await self._ask("GET", path)
                await self._write("PATCH", path, version=1, name="Lamp, renamed")
            await self._ask("GET", f"{PRODUCTS}?limit=5")

    async def _ask(self, method: str, path: str, **body: object) -> dict[str, Any] | None:
        return None if self._stopped else await self.request(method, path, **body)

    async def _write(self, method: str, path: str, **body: object) -> dict[str, Any] | None:
        product = await self._ask(method, path, **body)
        if product:
            self.acknowledged[product["id"]] = product["version"]
        return product

    async def _until(self, condition: Any) -> None:  # noqa: ANN401 - a lambda, which has no type
        async with asyncio.timeout(RECOVERY):
            while not condition():  # noqa: ASYNC110 - each client moves it, none can tell
                await asyncio.sleep(0.005)


def flaw_of(response: httpx.Response) -> str | None:
    """Return what is wrong with a response, or None."""
    text = response.text
    if leaked := [secret for secret in SECRETS if secret in text]:
        return f"{response.status_code} tells {leaked}: {text}"
    if response.is_success:
        return None
    if response.headers.get("content-type") != "application/problem+json":
        return f"{response.status_code} is no problem document: {text}"
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        retry_after = response.headers.get("retry-after", "")
        return None if retry_after.isdigit() else "503 without Retry-After"
    return None

"""Run an application's lifespan as a server does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@contextlib.asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[ASGIApp]:
    """Start the application, provide it with its lifespan's state, and stop it.

    The whole lifespan runs in one task. pytest may run the two halves of a fixture in different
    tasks, which breaks task groups and cancel scopes in a lifespan.
    """
    state: dict[str, object] = {}
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    answers: asyncio.Queue[Message] = asyncio.Queue()

    async def live() -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}
        await app(scope, to_app.get, answers.put)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": dict(state)}, receive, send)

    lifespan = asyncio.create_task(live(), name="lifespan")

    async def exchange(phase: str) -> None:
        await to_app.put({"type": f"lifespan.{phase}"})
        answer = asyncio.create_task(answers.get())
        await asyncio.wait({answer, lifespan}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done() and answer.result()["type"] == f"lifespan.{phase}.complete":
            return
        answer.cancel()
        await lifespan
        raise RuntimeError(f"the application's {phase} failed without saying why")

    await exchange("startup")
    try:
        yield serve
    finally:
        await exchange("shutdown")
        await lifespan

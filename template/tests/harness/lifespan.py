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
    lifespan = _Lifespan(app)
    await lifespan.start()
    try:
        yield lifespan.serve
    finally:
        await lifespan.stop()


class _Lifespan:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._state: dict[str, object] = {}
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._answered: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Wait for the application's start, and raise its error if it fails."""
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self._state}
        self._task = asyncio.create_task(
            self._run(scope, self._to_app.get, self._answered.put), name="lifespan"
        )
        await self._exchange("startup")

    async def stop(self) -> None:
        """Wait for the application's stop, and raise its error if it fails."""
        await self._exchange("shutdown")
        if self._task:
            await self._task

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application as a server does, with the state of its lifespan."""
        await self._app({**scope, "state": dict(self._state)}, receive, send)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def _exchange(self, phase: str) -> None:
        await self._to_app.put({"type": f"lifespan.{phase}"})
        answer = asyncio.create_task(self._answered.get())
        tasks = {answer} | ({self._task} if self._task else set())
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if answer.done() and answer.result()["type"] == f"lifespan.{phase}.complete":
            return
        answer.cancel()
        if self._task:
            await self._task
        raise RuntimeError(f"the application's {phase} failed without saying why")

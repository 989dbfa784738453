"""A TCP proxy between a service and its database, which simulates network failures."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self

CHUNK = 65536


class Proxy:
    """Forwards connections to a port; can cut all of them, and can fall silent."""

    def __init__(self, port: int) -> None:
        """Forward to a port of this machine."""
        self._target = port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the remaining connections, and stop listening."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        """The address that it listens on."""
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def cut(self) -> int:
        """Reset every connection, and return their number."""
        for writer in self._writers:
            writer.transport.abort()
        return len(self._writers)

    def fall_silent(self) -> None:
        """Accept connections and bytes from now on, but forward nothing."""
        self._flowing.clear()

    def speak(self) -> None:
        """Forward what was held back, and everything after it."""
        self._flowing.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._flowing.wait()
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
            both_writers = {writer, server_writer}
            self._writers |= both_writers
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pump(reader, server_writer))
                    group.create_task(self._pump(server_reader, writer))
            finally:
                self._writers -= both_writers
                server_writer.close()
        writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

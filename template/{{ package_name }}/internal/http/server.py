"""The uvicorn server, with a graceful shutdown."""

import asyncio
import contextlib
import errno
import gc
import signal
import socket
import sys
from types import FrameType

import structlog
import uvicorn
import uvloop
from starlette.types import Message, Receive, Scope, Send

from ..config.settings_base import SettingsBase
from ..feature import StartError
from .openapi import Application
from .protocol import HttpProtocol

MAX_PORT = 65535

logger = structlog.get_logger(__name__)


class PortTakenError(Exception):
    """The service cannot listen on its address; the message says what to do."""

    def __init__(self, host: str, port: int, error: Exception) -> None:
        number = error.errno if isinstance(error, OSError) else None
        if number == errno.EADDRINUSE:
            advice = "Stop what listens there, or choose another port, such as " + _port(port + 1)
        elif number == errno.EACCES:
            advice = "Only an administrator may listen there: choose a port such as " + _port(8000)
        else:
            advice = (
                f"HOST is {host!r}, which some shells and tools set to the name of the machine. "
                "Set HOST=127.0.0.1 for this machine alone, or HOST=0.0.0.0 for every network"
            )
        reason = getattr(error, "strerror", None) or str(error)
        super().__init__(f"Cannot listen on {host}:{port}: {reason}. {advice}.")


def _port(number: int) -> str:
    return f"PORT={number if number <= MAX_PORT else 8000}"


class Server:
    """Serves the application: drains on SIGTERM, finishes the requests in flight, exits with 0."""

    def __init__(self, app: Application, settings: SettingsBase) -> None:
        self._app = app
        self._delay = 0.0 if settings.reload else settings.shutdown_delay
        self._task: asyncio.Task[None] | None = None
        self._is_up = False

        class Protocol(HttpProtocol):
            request_timeout = settings.request_timeout

        self._server = uvicorn.Server(
            uvicorn.Config(
                self._call,
                interface="asgi3",
                http=Protocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                root_path=settings.root_path,
                forwarded_allow_ips=settings.forwarded_allow_ips,
                timeout_keep_alive=settings.keep_alive_timeout,
                timeout_graceful_shutdown=settings.shutdown_timeout,
            )
        )

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal; one that comes during the start cancels the start."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve(sockets))

    async def _serve(self, sockets: list[socket.socket] | None) -> None:
        self._task = asyncio.current_task()
        with contextlib.suppress(asyncio.CancelledError):
            await self._server.serve(sockets)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            send = self._follow_start(send)
        await self._app(scope, receive, send)

    def _follow_start(self, send: Send) -> Send:
        """Handle signals from here on, and return a `send` that learns how the start ends."""
        # uvicorn has installed its own handlers before, and restores the former ones at the end.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle_signal)

        async def follow(message: Message) -> None:
            # The framework sends this while it handles the error, with a traceback as the text.
            error = sys.exception()
            if message["type"] == "lifespan.startup.failed" and isinstance(error, StartError):
                message = {**message, "message": str(error)}
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                self._is_up = True
                gc.freeze()  # what exists by now stays: the garbage collector can skip it

        return follow

    def _handle_signal(self, number: int, _frame: FrameType | None) -> None:
        """Stop at once on SIGINT; on SIGTERM give load balancers time to notice first."""
        if not self._is_up and self._task is not None:
            self._server.should_exit = True
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)
            return
        already_draining = self._app.draining
        self._app.draining = True
        if number == signal.SIGINT or already_draining:
            self._server.force_exit = self._server.should_exit and number == signal.SIGINT
            self._server.should_exit = True
            return
        asyncio.get_running_loop().call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        asyncio.get_running_loop().call_later(self._delay, self._stop)
        logger.info("draining", seconds=self._delay)

    def _stop(self) -> None:
        self._server.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host` and `port`; port 0 means any free port.

    Raises:
        PortTakenError: the address is in use, not this machine's, or not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, ValueError, TypeError) as error:  # the last two for malformed names
        listener.close()
        raise PortTakenError(host, port, error) from None
    listener.set_inheritable(True)
    return listener

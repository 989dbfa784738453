"""The uvicorn server, with a graceful end."""

import asyncio
import contextlib
import errno
import gc
import signal
import socket
import sys
from types import FrameType
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.lifespan.on import LifespanOn

from ..config.settings_base import SettingsBase
from ..feature import StartError
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


class Server(uvicorn.Server):
    """Is marked as draining first on SIGTERM, then finishes what is in flight, and exits with 0."""

    def __init__(self, app: FastAPI, settings: SettingsBase) -> None:
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http=HttpProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            root_path=settings.root_path,
            forwarded_allow_ips=settings.forwarded_allow_ips,
            timeout_keep_alive=settings.keep_alive_timeout,
            timeout_graceful_shutdown=settings.shutdown_timeout,
        )
        config.load()
        config.lifespan_class = _Lifespan
        super().__init__(config)
        self._app = app
        self._start: asyncio.Task[None] | None = None
        self._delay = 0.0 if settings.reload else settings.shutdown_delay

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal; one that comes while the service starts gives the start up."""
        self._start = asyncio.current_task()
        with contextlib.suppress(asyncio.CancelledError):
            await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and spare the garbage collector what has been made by then, for it stays."""
        await super().startup(sockets)
        gc.freeze()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the end: at once on SIGINT, else when load balancers have had time to look away."""
        del frame
        if not self.started and self._start is not None:
            self.should_exit = True
            self._start.get_loop().call_soon_threadsafe(self._start.cancel)
            return
        already_draining = self._app.state.draining
        self._app.state.draining = True
        if sig == signal.SIGINT or already_draining:
            self.force_exit = self.should_exit and sig == signal.SIGINT
            self.should_exit = True
            return
        asyncio.get_running_loop().call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        asyncio.get_running_loop().call_later(self._delay, self._stop)
        logger.info("draining", seconds=self._delay)

    def _stop(self) -> None:
        self.should_exit = True


class _Lifespan(LifespanOn):
    """Tells why a feature does not start in its own words, where these say all."""

    async def send(self, message: Any) -> None:  # noqa: ANN401 - a private type of uvicorn's
        # The framework sends this from where it handles the error, with a traceback as its text.
        error = sys.exception()
        if message["type"] == "lifespan.startup.failed" and isinstance(error, StartError):
            message = {**message, "message": str(error)}
        await super().send(message)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host` and `port`; 0 takes any free port.

    Raises:
        PortTakenError: the address is in use, not this machine's, or not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, ValueError, TypeError) as error:  # the latter for names that cannot be
        listener.close()
        raise PortTakenError(host, port, error) from None
    listener.set_inheritable(True)
    return listener

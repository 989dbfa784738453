"""The session of a request."""

from contextlib import AsyncExitStack
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from .session_manager import DatabaseSessionManager

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, section 9.2.1): their session only reads."""


async def request_database(request: Request) -> DatabaseSessionManager:
    """Return the database, to open a session that does not end with the request."""
    database: DatabaseSessionManager = request.app.state.database
    return database


async def request_session(request: Request) -> AsyncSession:
    """Return the session of this request: one request is one transaction."""
    database: DatabaseSessionManager = request.app.state.database
    # What FastAPI leaves before it sends the response. A dependency that yields ends there too,
    # but FastAPI shields it from cancellation, which this session is, and that costs a read 8 %.
    stack: AsyncExitStack = request.scope["fastapi_function_astack"]
    session = database.session(read_only=request.method in SAFE_METHODS)
    return await stack.enter_async_context(session)


# The transaction ends before the response is sent: a commit that fails is an error that the client
# sees. So FastAPI must not let anything hold the session for longer, which the scope says.
Session = Annotated[AsyncSession, Depends(request_session, scope="function")]

Database = Annotated[DatabaseSessionManager, Depends(request_database)]

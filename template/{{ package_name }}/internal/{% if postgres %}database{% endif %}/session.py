"""The session of a request."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from .session_manager import DatabaseSessionManager

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, section 9.2.1): their session only reads."""


async def request_session(request: Request) -> AsyncIterator[AsyncSession]:
    """Give the session of this request: one request is one transaction."""
    database: DatabaseSessionManager = request.app.state.database
    async with database.session(read_only=request.method in SAFE_METHODS) as session:
        yield session


# The scope "function" ends the transaction before the response is sent: a commit that fails
# is an error that the client sees.
Session = Annotated[AsyncSession, Depends(request_session, scope="function")]

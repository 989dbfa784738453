"""Keeps the issuer's keys in memory, and refreshes them."""

import asyncio
import time
from collections.abc import Callable

import structlog
from jwt import PyJWK

from .errors import KeysUnavailableError
from .issuer import Issuer, IssuerError
from .settings import AuthenticationSettings

logger = structlog.get_logger(__name__)


class IssuerKeys:
    """The keys with which the issuer signs tokens.

    They are read again at an interval, so that no request waits for it, and at once if a token
    names an unknown key: an issuer may change its keys at any time. While the issuer is
    unreachable, the last keys stay valid until their lifetime ends.

    Args:
        settings: the interval and the lifetime of keys.
        issuer: from which to read them.
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        settings: AuthenticationSettings,
        issuer: Issuer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._issuer = issuer
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: list[PyJWK] = []
        self._read_at: float | None = None
        self._tried_at: float | None = None

    @property
    def available(self) -> bool:
        """Whether there are keys within their lifetime."""
        lifetime = self._settings.authentication_keys_lifetime
        return self._read_at is not None and self._clock() - self._read_at < lifetime

    async def find(self, key_id: str | None, algorithm: str) -> list[PyJWK]:
        """Return the keys that may have signed a token; none if the issuer has no such key.

        Some issuers give several keys the same id (RFC 7517, section 4.5). A token without a key
        id can only be verified if there is a single key for its algorithm.

        Raises:
            KeysUnavailableError: the issuer is unreachable, and the keys are too old.
        """
        keys = self._pick(key_id, algorithm)
        if not keys or not self.available:
            await self.refresh()
            keys = self._pick(key_id, algorithm)
        if not self.available:
            raise KeysUnavailableError(retry_after=-self._overdue)
        return keys

    async def keep_fresh(self) -> None:
        """Read the keys now, and then again at the interval, forever."""
        while True:
            await self.refresh()
            failed = self._read_at != self._tried_at
            settings = self._settings
            await asyncio.sleep(
                settings.authentication_keys_cooldown
                if failed
                else settings.authentication_keys_interval
            )

    async def refresh(self) -> None:
        """Read the keys, unless the last attempt was within the cooldown; on failure, keep the old.

        Invented key ids therefore cause at most one request in each cooldown. Concurrent callers
        wait for the same response.
        """
        async with self._lock:
            if self._overdue >= 0:
                await self._read()

    @property
    def _overdue(self) -> float:
        """Seconds since the end of the cooldown; negative during it."""
        if self._tried_at is None:
            return 0
        return self._clock() - self._tried_at - self._settings.authentication_keys_cooldown

    async def _read(self) -> None:
        try:
            keys = await self._issuer.read_keys()
        except IssuerError as error:
            logger.warning("keys cannot be read", reason=str(error))
            self._tried_at = self._clock()
        else:
            self._keys = keys
            self._read_at = self._tried_at = self._clock()

    def _pick(self, key_id: str | None, algorithm: str) -> list[PyJWK]:
        candidates = [key for key in self._keys if key.algorithm_name == algorithm]
        if key_id is None:
            return candidates if len(candidates) == 1 else []
        return [key for key in candidates if key.key_id == key_id]

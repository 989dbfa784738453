"""Keeps the issuer's keys at hand, and up to date."""

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
    """The keys that the issuer signs with.

    They are read anew at an interval, so that no request waits for it, and at once when a token
    names a key that is not among them: an issuer may change its keys at any time. The last good
    ones serve while the issuer is away, until their lifetime is over.

    Args:
        settings: how often keys are read, and for how long they serve.
        issuer: whom to ask.
        clock: gives seconds that only ever grow.
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
        """Whether there are keys that may still be used."""
        lifetime = self._settings.authentication_keys_lifetime
        return self._read_at is not None and self._clock() - self._read_at < lifetime

    async def find(self, key_id: str | None, algorithm: str) -> list[PyJWK]:
        """Return the keys that a token may mean; none if the issuer has no such key.

        An issuer should give each key its own id, and some do not (RFC 7517, section 4.5). A token
        that names no key can only mean the single key of its algorithm.

        Raises:
            KeysUnavailableError: the issuer is away, and no key may be used any more.
        """
        keys = self._pick(key_id, algorithm)
        if not keys or not self.available:
            await self.refresh()
            keys = self._pick(key_id, algorithm)
        if not self.available:
            raise KeysUnavailableError(retry_after=-self._overdue)
        return keys

    async def keep_fresh(self) -> None:
        """Read the keys at once and then again and again, for ever."""
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
        """Read the keys, unless that was tried just now; if it fails the last good ones stay.

        Made-up names of keys therefore lead to no more than one question in each cooldown. Whoever
        comes while another one reads waits for the same answer.
        """
        async with self._lock:
            if self._overdue >= 0:
                await self._read()

    @property
    def _overdue(self) -> float:
        """Seconds since when the issuer may be asked again; below zero it may not yet."""
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
        able = [key for key in self._keys if key.algorithm_name == algorithm]
        if key_id is None:
            return able if len(able) == 1 else []
        return [key for key in able if key.key_id == key_id]

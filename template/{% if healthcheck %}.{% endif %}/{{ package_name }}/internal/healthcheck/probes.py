"""Checks everything that the service depends on, in parallel."""

import asyncio
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Literal

import structlog
from pydantic import BaseModel

from ..config.sources import EnvironmentSettings
from ..feature import Feature, NotReadyError, Probe, StartError
from ..resources import Resources
from .settings import HealthcheckSettings

logger = structlog.get_logger(__name__)


class Check(BaseModel):
    """The result of one probe; only required probes decide whether the service is ready."""

    status: Literal["ok", "failed"]
    required: bool
    detail: str
    duration_ms: float


class UnknownProbeError(StartError):
    """A setting names probes that do not exist."""

    def __init__(self, variable: str, unknown: set[str], probes: Mapping[str, Probe]) -> None:
        super().__init__(
            f"{variable}: the service has no probe named {', '.join(sorted(unknown))}. "
            f"Choose from {', '.join(probes)}."
        )


class Health:
    """Runs the probes of all features, and logs when one begins or stops failing.

    Args:
        features: whose probes to run.
        resources: of the service, for the probes.

    Raises:
        UnknownProbeError: the settings require a probe that does not exist.
    """

    def __init__(self, features: Sequence[Feature], resources: Resources) -> None:
        settings = resources.get(HealthcheckSettings)
        self._resources = resources
        self._timeout = settings.healthcheck_timeout
        reported = {
            name: probe for feature in features for name, probe in feature.reported_probes.items()
        }
        self._required = {
            name: probe for feature in features for name, probe in feature.probes.items()
        }
        self._probes = self._required | reported
        chosen = set(settings.healthcheck_required)
        if unknown := chosen - self._probes.keys():
            prefix = resources.get(EnvironmentSettings).model_config["env_prefix"]
            raise UnknownProbeError(f"{prefix}HEALTHCHECK_REQUIRED", unknown, self._probes)
        self._required |= {name: self._probes[name] for name in chosen}
        self._failing: set[str] = set()

    async def check(self) -> dict[str, Check]:
        """Run every probe with the timeout in the settings, and return the results by name."""
        checks = await asyncio.gather(*(self._run(name) for name in self._probes))
        return dict(zip(self._probes, checks, strict=True))

    async def _run(self, name: str) -> Check:
        started = perf_counter()
        reason = ""
        status: Literal["ok", "failed"] = "failed"
        try:
            async with asyncio.timeout(self._timeout):
                status, detail = "ok", await self._probes[name](self._resources)
        except TimeoutError:
            detail = f"no answer within {self._timeout:g} s"
        except NotReadyError as error:
            detail = str(error)
        except Exception as error:  # noqa: BLE001 - any error means that the probe failed
            detail, reason = "does not answer", f"{type(error).__name__}: {error}"
        self._log_change(name, status, reason or detail)
        return Check(
            status=status,
            required=name in self._required,
            detail=detail,
            duration_ms=round((perf_counter() - started) * 1000, 2),
        )

    def _log_change(self, name: str, status: str, reason: str) -> None:
        if status == "failed" and name not in self._failing:
            self._failing.add(name)
            required = name in self._required
            logger.warning("probe failed", probe=name, required=required, reason=reason)
        elif status == "ok" and name in self._failing:
            self._failing.remove(name)
            logger.info("probe recovered", probe=name)

"""Asks everything that the service depends on, all at once."""

import asyncio
from time import perf_counter
from typing import Literal

import structlog
from fastapi import FastAPI
from pydantic import BaseModel

from ..feature import NotReadyError, Probe

logger = structlog.get_logger(__name__)


class Check(BaseModel):
    """What one probe found."""

    status: Literal["ok", "failed"]
    detail: str
    duration_ms: float


async def run_probes(app: FastAPI, timeout: float) -> dict[str, Check]:  # noqa: ASYNC109 - of each probe
    """Return what every feature's probes find, by name; none takes over `timeout` seconds."""
    probes = {
        name: probe for feature in app.state.features for name, probe in feature.probes.items()
    }
    checks = await asyncio.gather(
        *(_run(app, name, probe, timeout) for name, probe in probes.items())
    )
    return dict(zip(probes, checks, strict=True))


async def _run(app: FastAPI, name: str, probe: Probe, seconds: float) -> Check:
    started = perf_counter()
    try:
        async with asyncio.timeout(seconds):
            status, detail = "ok", await probe(app)
    except TimeoutError:
        status, detail = "failed", f"no answer within {seconds:g} s"
    except NotReadyError as error:
        status, detail = "failed", str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the service is not ready
        status, detail = "failed", "does not answer"
        logger.warning("probe failed", probe=name, error=type(error).__name__, reason=str(error))
    duration = round((perf_counter() - started) * 1000, 2)
    return Check.model_validate({"status": status, "detail": detail, "duration_ms": duration})

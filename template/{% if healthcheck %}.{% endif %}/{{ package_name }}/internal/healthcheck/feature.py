"""The health check as a feature: endpoints for platforms that poll the service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from ..feature import Feature
from ..http.envelope import Envelope
from ..http.openapi import Application, problem_responses
from ..http.problems import FieldError, ProblemKind, problem_response
from ..http.routing import public
from ..resources import Resources, resources_of
from ..tasks import tasks_run
from .probes import Check, Health

router = APIRouter(prefix="/healthcheck", tags=["healthcheck"])

NOT_READY = ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, retry_after=1)


class Liveness(BaseModel):
    """The process responds."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """The service can serve requests; `degraded` names the dependencies that fail."""

    status: Literal["ready", "degraded"]
    degraded: list[str]
    checks: dict[str, Check]


@router.get("/live", summary="Is the process alive?")
@public
async def live(request: Request) -> Envelope[Liveness]:
    """Respond without checking anything: if this fails, a restart helps."""
    request.state.quiet = True
    return Envelope(data=Liveness())


@router.get(
    "", summary="Is the service healthy?", response_model=None, responses=problem_responses(503)
)
@router.get(
    "/ready",
    summary="Can the service take requests?",
    response_model=Envelope[Readiness],
    responses=problem_responses(503),
)
@public
async def ready(request: Request) -> Envelope[Readiness] | Response:
    """Check every dependency.

    If a required one fails, the service is not ready, and the problem names it. If another one
    fails, the service stays ready, and the response names it in `degraded`.
    """
    if request.app.draining:
        return problem_response(request.scope, NOT_READY, detail="The service is stopping.")
    checks = await resources_of(request).get(Health).check()
    failed = {name: check for name, check in checks.items() if check.status == "failed"}
    degraded = [name for name, check in failed.items() if not check.required]
    if len(degraded) < len(failed):
        return _not_ready(request, failed)
    request.state.quiet = True
    status: Literal["ready", "degraded"] = "degraded" if degraded else "ready"
    return Envelope(data=Readiness(status=status, degraded=degraded, checks=checks))


def _not_ready(request: Request, failed: dict[str, Check]) -> Response:
    errors = [
        FieldError(
            location=name,
            message=check.detail,
            type="probe" if check.required else "degraded",
        )
        for name, check in failed.items()
    ]
    required = [name for name, check in failed.items() if check.required]
    detail = f"Not ready: {', '.join(required)}."
    return problem_response(request.scope, NOT_READY, detail=detail, errors=errors)


@asynccontextmanager
async def background(resources: Resources) -> AsyncIterator[Health]:
    """Collect the probes of all features."""
    yield Health(resources.get(Application).features, resources)


FEATURE = Feature(background=background, routers=(router,), reported_probes={"tasks": tasks_run})

"""The endpoints that platforms poll."""

from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from ..http.envelope import Envelope
from ..http.openapi import problem_responses
from ..http.problems import FieldError, ProblemKind, problem_response
from .probes import Check, run_probes

router = APIRouter(prefix="/healthcheck", tags=["healthcheck"])

NOT_READY = ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, retry_after=1)


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Everything that the service depends on answers."""

    status: Literal["ready"] = "ready"
    checks: dict[str, Check]


@router.get("/live", summary="Is the process alive?")
async def live(request: Request) -> Envelope[Liveness]:
    """Answer without looking at anything else: a failure means that a restart would help."""
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
async def ready(request: Request) -> Envelope[Readiness] | Response:
    """Ask everything that the service depends on; a problem names what fails."""
    if request.app.state.draining:
        return problem_response(request.scope, NOT_READY, detail="The service is stopping.")
    checks = await run_probes(request.app, request.app.state.settings.healthcheck_timeout)
    failed = {name: check for name, check in checks.items() if check.status == "failed"}
    if not failed:
        request.state.quiet = True
        return Envelope(data=Readiness(checks=checks))
    errors = [
        FieldError(location=name, message=check.detail, type="probe")
        for name, check in failed.items()
    ]
    detail = f"Not ready: {', '.join(failed)}."
    return problem_response(request.scope, NOT_READY, detail=detail, errors=errors)

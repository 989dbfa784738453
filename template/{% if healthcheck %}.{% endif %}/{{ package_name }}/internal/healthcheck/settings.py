"""Settings of the health check."""

from typing import Annotated

from pydantic import BaseModel, Field

from ..config.values import Names


class HealthcheckSettings(BaseModel):
    """Settings whose names begin with `healthcheck_`."""

    healthcheck_timeout: Annotated[float, Field(gt=0, le=60, description="seconds")] = 2
    healthcheck_required: Names = ()

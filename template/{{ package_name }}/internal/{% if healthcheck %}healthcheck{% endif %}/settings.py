"""How the service looks after itself."""

from typing import Annotated

from pydantic import BaseModel, Field


class HealthcheckSettings(BaseModel):
    """Settings whose names begin with `healthcheck_`."""

    healthcheck_timeout: Annotated[float, Field(gt=0, le=60, description="seconds")] = 2

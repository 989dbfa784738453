"""How the service reaches its Kafka cluster."""

from typing import Annotated

from pydantic import BaseModel, Field

from ..config.sources import UNPREFIXED


class KafkaSettings(BaseModel):
    """Settings whose names begin with `kafka_`."""

    kafka_bootstrap_servers: Annotated[str, UNPREFIXED] = "localhost:9092"
    kafka_request_timeout: Annotated[float, Field(gt=0, le=600, description="seconds")] = 10

"""How the service reaches its Kafka cluster."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    FilePath,
    SecretStr,
    field_validator,
    model_validator,
)

from ..config.sources import UNPREFIXED
from ..config.values import Line

SERVER: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/@\[\]]+)(:[0-9]{1,5})?")

PemFile = Annotated[FilePath | None, BeforeValidator(lambda value: value or None)]
"""A file that exists, or nothing."""

Seconds = Annotated[float, Field(gt=0, le=600, description="seconds")]


class ConnectionSettings(BaseModel):
    """Where the cluster is, who the service is to it, and how events are sent."""

    kafka_bootstrap_servers: Annotated[Line, UNPREFIXED] = "localhost:9092"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    kafka_sasl_username: Line = ""
    kafka_sasl_password: SecretStr = SecretStr("")
    kafka_ssl_ca_file: PemFile = None
    kafka_ssl_certificate_file: PemFile = None
    kafka_ssl_key_file: PemFile = None
    kafka_namespace: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{0,100}$")] = ""
    kafka_request_timeout: Seconds = 10
    kafka_compression: Literal["none", "gzip", "lz4", "zstd"] = "lz4"
    kafka_buffer_size: Annotated[int, Field(ge=1, description="events")] = 10_000
    kafka_max_event_size: Annotated[int, Field(ge=1000, description="bytes")] = 900_000

    @model_validator(mode="after")
    def _has_credentials(self) -> Self:
        if "SASL" in self.kafka_security_protocol and not self.kafka_sasl_username:
            protocol = self.kafka_security_protocol
            raise ValueError(f"KAFKA_SASL_USERNAME: set it and the password, as {protocol} needs")
        if self.kafka_ssl_key_file and not self.kafka_ssl_certificate_file:
            raise ValueError("KAFKA_SSL_CERTIFICATE_FILE: set it too, as the key belongs to it")
        return self

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _are_servers(cls, value: str) -> str:
        if not all(SERVER.fullmatch(server.strip()) for server in value.split(",")):
            raise ValueError("write it as host:9092, several with commas between them")
        return value


class ConsumerSettings(BaseModel):
    """How events are consumed."""

    kafka_consumer_group: Line = ""
    kafka_consumer_concurrency: Annotated[int, Field(ge=1, le=1000)] = 10
    kafka_consumer_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    kafka_consumer_timeout: Annotated[float, Field(gt=0, le=86400, description="seconds")] = 300
    kafka_consumer_backoff: Seconds = 0.2
    kafka_consumer_backoff_limit: Seconds = 30
    kafka_session_timeout: Annotated[float, Field(ge=1, le=600, description="seconds")] = 10
    kafka_drain_timeout: Seconds = 10
    kafka_report_interval: Annotated[float, Field(gt=0, le=86400, description="seconds")] = 60

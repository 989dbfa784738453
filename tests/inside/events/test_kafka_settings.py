"""Settings of Kafka that cannot work are refused with their name and what to write."""

from pathlib import Path

import pytest

from orders.internal.config.errors import InvalidSettingsError
from orders.settings import Settings

WRONG = [
    ({"BOOTSTRAP_SERVERS": "kafka://broker:9092"}, "BOOTSTRAP_SERVERS: write it as host:9092"),
    ({"BOOTSTRAP_SERVERS": "one:9092,"}, "BOOTSTRAP_SERVERS: write it as host:9092"),
    ({"BOOTSTRAP_SERVERS": ""}, "BOOTSTRAP_SERVERS: write it as host:9092"),
    ({"BOOTSTRAP_SERVERS": "one:9092\n"}, "BOOTSTRAP_SERVERS: .*as 'one:9092'"),
    ({"SECURITY_PROTOCOL": "SASL_SSL"}, "SASL_USERNAME: set it and the password"),
    ({"SSL_CA_FILE": "/absent.pem"}, "SSL_CA_FILE: "),
    ({"SSL_KEY_FILE": __file__}, "SSL_CERTIFICATE_FILE: set it too"),
    ({"CONSUMER_GROUP": "orders\n"}, "CONSUMER_GROUP: .*as 'orders'"),
]


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A working folder without `.env`, and a database."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@db:5432/orders")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("variables", "line"), WRONG)
def test_an_invalid_value_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], line: str
) -> None:
    """The line starts with the variable to set."""
    for name, value in variables.items():
        monkeypatch.setenv(f"ORDERS_KAFKA_{name}", value)
    with pytest.raises(InvalidSettingsError, match=rf"\n  ORDERS_KAFKA_{line}") as refusal:
        Settings.load()
    assert len(str(refusal.value).splitlines()) == 2


@pytest.mark.parametrize("value", ["broker", "one:9092, two:9093", "[::1]:9092", "10.0.0.1:9092"])
def test_servers_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """An empty file name means no file."""
    monkeypatch.setenv("ORDERS_KAFKA_BOOTSTRAP_SERVERS", value)
    monkeypatch.setenv("ORDERS_KAFKA_SSL_CA_FILE", "")
    settings = Settings.load()
    assert (settings.kafka_bootstrap_servers, settings.kafka_ssl_ca_file) == (value, None)

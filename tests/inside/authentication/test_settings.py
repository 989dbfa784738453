"""Settings of authentication that would accept forged tokens are refused."""

import pytest

from orders.internal.config.errors import InvalidSettingsError
from orders.settings import Settings

SECRET = "a-secret-of-at-least-thirty-two-characters"
ISSUER = "https://login.example/realms/shop"


@pytest.fixture(name="environment", autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Variables of a service in production."""
    monkeypatch.setenv("ORDERS_ENVIRONMENT", "production")
    monkeypatch.setenv("ORDERS_SECRET_KEY", SECRET)
    monkeypatch.setenv("AUTHENTICATION_ISSUER", ISSUER)
    return monkeypatch


def test_lists_are_separated_by_commas(environment: pytest.MonkeyPatch) -> None:
    """Algorithms and claims are lists in one variable."""
    environment.setenv("ORDERS_AUTHENTICATION_ALGORITHMS", "ES256, EdDSA")
    environment.setenv("ORDERS_AUTHENTICATION_REQUIRED_CLAIMS", "jti,azp")
    settings = Settings.load()
    assert settings.authentication_issuer == ISSUER
    assert settings.authentication_algorithms == ("ES256", "EdDSA")
    assert settings.authentication_required_claims == ("jti", "azp")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTHENTICATION_ISSUER", "http://login.example"),
        ("ORDERS_AUTHENTICATION_JWKS_URL", "http://login.example/keys"),
    ],
)
def test_production_reads_keys_only_over_https(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Keys read over http could be modified. Only development may do so."""
    environment.setenv(name, value)
    variable = f"ORDERS_{name.removeprefix('ORDERS_')}"
    with pytest.raises(InvalidSettingsError, match=f"{variable}: .* must begin with https://"):
        Settings.load()
    environment.setenv("ORDERS_ENVIRONMENT", "development")
    Settings.load()


def test_production_needs_an_issuer(environment: pytest.MonkeyPatch) -> None:
    """Production refuses the development issuer."""
    environment.delenv("AUTHENTICATION_ISSUER")
    with pytest.raises(InvalidSettingsError, match="AUTHENTICATION_ISSUER"):
        Settings.load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ISSUER", "login.example"),
        ("ISSUER", "ftp://login.example"),
        ("ISSUER", "https://"),
        ("ISSUER", "https://login.example:port"),
        ("ISSUER", "https://user:planted-password@login.example"),
        ("ISSUER", "https://login.example?realm=shop"),
        ("JWKS_URL", "keys"),
        ("JWKS_URL", "https://login.example/keys#first"),
        ("ALGORITHMS", "HS256"),
        ("ALGORITHMS", "RS256,none"),
        ("ALGORITHMS", ""),
        ("LEEWAY", "3600"),
        ("ISSUER", "https://login.example\n"),
        ("ISSUER", "https://login.example/a realm"),
        ("JWKS_URL", "https://login.example/keys\n"),
        ("AUDIENCE", "orders\n"),
        ("ROLES_CLAIM", ""),
    ],
)
def test_an_invalid_value_is_refused(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A bad value stops the start. The message names the setting and does not repeat the value."""
    environment.setenv(f"ORDERS_AUTHENTICATION_{name}", value)
    with pytest.raises(InvalidSettingsError, match=f"ORDERS_AUTHENTICATION_{name}") as refusal:
        Settings.load()
    assert "planted-password" not in str(refusal.value)

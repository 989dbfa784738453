"""Settings come from the environment, and errors are reported together in readable lines."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import SettingsConfigDict

from orders.internal.config.errors import InvalidSettingsError
from orders.settings import Settings

URL = "postgresql://user:planted-password@db:5432/orders"
SECRET = "a-secret-of-at-least-thirty-two-characters"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment with a database, and a working folder without `.env`."""
    for name in ("HOST", "PORT", "LOG_LEVEL", "KAFKA_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def test_bare_names_are_read(environment: pytest.MonkeyPatch) -> None:
    """Platforms pass PORT and DATABASE_URL without a prefix."""
    environment.setenv("PORT", "9000")
    settings = Settings.load()
    assert (settings.port, settings.database_url) == (9000, URL)


def test_the_prefix_takes_precedence(environment: pytest.MonkeyPatch) -> None:
    """A variable with this service's prefix overrides one without."""
    environment.setenv("PORT", "9000")
    environment.setenv("ORDERS_PORT", "9001")
    assert Settings.load().port == 9001


def test_other_settings_need_the_prefix(environment: pytest.MonkeyPatch) -> None:
    """DEBUG in the user's shell is not this service's."""
    environment.setenv("DEBUG", "true")
    environment.setenv("ENVIRONMENT", "production")
    settings = Settings.load()
    assert (settings.debug, settings.environment) == (False, "development")


def test_the_environment_overrides_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`.env` sets what the environment does not."""
    (tmp_path / ".env").write_text("ORDERS_PORT=9002\nORDERS_LOG_LEVEL=debug\nOTHER=1\n")
    environment.setenv("PORT", "9000")
    settings = Settings.load()
    assert (settings.port, settings.log_level) == (9000, "debug")


def test_every_bad_variable_is_reported_in_one_line(environment: pytest.MonkeyPatch) -> None:
    """One start reports all errors, each with the variable to set."""
    environment.delenv("DATABASE_URL")
    environment.setenv("ORDERS_PORT", "eighty")
    environment.setenv("ORDERS_LOG_LEVEL", "loud")
    environment.setenv("ORDERS_MAX_BODY_SIZE", "0")
    with pytest.raises(InvalidSettingsError) as refusal:
        Settings.load()
    lines = str(refusal.value).splitlines()[1:]
    names = {"ORDERS_DATABASE_URL", "ORDERS_PORT", "ORDERS_LOG_LEVEL", "ORDERS_MAX_BODY_SIZE"}
    assert {line.split(":")[0].strip() for line in lines} == names


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORDERS_SECRET_KEY", "short"),
        ("ORDERS_DEBUG", "1"),
    ],
)
def test_production_refuses_settings_for_development(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A short secret and debug stop the start, and the message names them."""
    environment.setenv("ORDERS_ENVIRONMENT", "production")
    environment.setenv("ORDERS_SECRET_KEY", SECRET)
    environment.setenv(name, value)
    with pytest.raises(InvalidSettingsError, match=name) as refusal:
        Settings.load()
    assert len(str(refusal.value).splitlines()) == 2


def test_production_starts_with_or_without_a_secret(environment: pytest.MonkeyPatch) -> None:
    """A strong secret is used. Without one, each process generates its own."""
    environment.setenv("ORDERS_ENVIRONMENT", "production")
    first, second = (Settings.load().secret_key.get_secret_value() for _ in range(2))
    assert first != second
    assert min(len(first), len(second)) >= 32
    environment.setenv("ORDERS_SECRET_KEY", SECRET)
    assert Settings.load().secret_key.get_secret_value() == SECRET


@pytest.mark.parametrize("path", ["orders", "/orders/", "/", "https://a.example/orders", "/a b"])
def test_an_invalid_path_prefix_is_refused(environment: pytest.MonkeyPatch, path: str) -> None:
    """It must start with a slash and end without one."""
    environment.setenv("ORDERS_ROOT_PATH", path)
    with pytest.raises(InvalidSettingsError, match="ORDERS_ROOT_PATH"):
        Settings.load()


def test_a_kubernetes_link_is_not_a_port(environment: pytest.MonkeyPatch) -> None:
    """A Service called "orders" makes Kubernetes set ORDERS_PORT to an address."""
    environment.setenv("ORDERS_PORT", "tcp://10.0.0.7:80")
    assert Settings.load().port == 8000
    environment.setenv("PORT", "9000")
    assert Settings.load().port == 9000


@pytest.mark.parametrize(
    "url",
    [
        "postgres://user:planted-password@db/orders",
        "postgresql://user:planted-password@db/orders?sslmode=require",
        "postgresql+asyncpg://user:planted-password@db/orders",
    ],
)
def test_every_usual_form_of_a_database_url_is_accepted(
    environment: pytest.MonkeyPatch, url: str
) -> None:
    """The scheme is normalized, and the rest is kept."""
    environment.setenv("DATABASE_URL", url)
    assert Settings.load().database_url == "postgresql://" + url.partition("://")[2]


@pytest.mark.parametrize(
    "url", ["", "orders", "mysql://db/orders", "postgresql://db", "postgresql://db:x/o"]
)
def test_an_invalid_database_url_is_answered_with_an_example(
    environment: pytest.MonkeyPatch, url: str
) -> None:
    """The line shows the format."""
    environment.setenv("DATABASE_URL", url)
    with pytest.raises(InvalidSettingsError, match="postgresql://user:password@host:5432/database"):
        Settings.load()


def test_settings_do_not_disclose_secrets(environment: pytest.MonkeyPatch) -> None:
    """Neither their text nor an error contains a password."""
    environment.setenv("ORDERS_SECRET_KEY", SECRET)
    assert "planted-password" not in repr(Settings.load())
    assert SECRET not in repr(Settings.load())
    environment.setenv("DATABASE_URL", "mysql://user:planted-password@db/orders")
    with pytest.raises(InvalidSettingsError) as refusal:
        Settings.load()
    assert "planted-password" not in str(refusal.value)


class Mail(BaseModel):
    """Nested settings of a service."""

    model_config = ConfigDict(extra="forbid")

    server: str = "mail.example"
    port: int = 25


class OwnSettings(Settings):
    """A service's settings of kinds that the template does not use."""

    model_config = SettingsConfigDict(env_nested_delimiter="__")

    allowed: list[str] = Field(default_factory=list)
    limits: dict[str, int] = Field(default_factory=dict)
    mail: Mail = Mail()


def refused(settings: type[Settings] = OwnSettings) -> list[str]:
    """Return the lines about bad settings."""
    with pytest.raises(InvalidSettingsError) as refusal:
        settings.load()
    return [line.strip() for line in str(refusal.value).splitlines()[1:]]


def test_a_value_that_must_be_json_is_reported(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All at once, each with its format, also from the file."""
    environment.setenv("ORDERS_ALLOWED", "a,b")
    environment.setenv("ORDERS_LIMITS", "{broken")
    (tmp_path / ".env").write_text("ORDERS_MAIL=mail.example\n")
    assert refused() == [
        'ORDERS_ALLOWED: write it as JSON, such as ["a", "b"]',
        'ORDERS_LIMITS: write it as JSON, such as {"name": "value"}',
        'ORDERS_MAIL: write it as JSON, such as {"name": "value"}',
    ]


def test_a_nested_value_is_reported(environment: pytest.MonkeyPatch) -> None:
    """By its variable, for a wrong value and for an unknown field."""
    environment.setenv("ORDERS_MAIL__PORT", "smtp")
    environment.setenv("ORDERS_MAIL__PROT", "25")
    environment.setenv("ORDERS_LIMITS", '{"orders": "many"}')
    names = {line.split(": ")[0] for line in refused()}
    assert names == {"ORDERS_MAIL__PORT", "ORDERS_MAIL__PROT", "ORDERS_LIMITS__ORDERS"}


def test_nested_settings_need_the_prefix(environment: pytest.MonkeyPatch) -> None:
    """Variables of other programs are not read."""
    environment.setenv("MAIL__PORT", "26")
    environment.setenv("MAIL", '{"port": 27}')
    environment.setenv("ORDERS_MAIL__SERVER", "post.example")
    assert OwnSettings.load().mail == Mail(server="post.example", port=25)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_that_is_not_utf_8_is_reported_in_one_line(tmp_path: Path, encoding: str) -> None:
    """The line has the file, and the variable if possible."""
    text = "ORDERS_DEBUG=1\nORDERS_SERVICE_NAME=caf\u00e9\n"
    (tmp_path / ".env").write_bytes(text.encode(encoding))
    [line] = refused()
    assert line.endswith("save the file as UTF-8")
    if encoding == "latin-1":
        assert line.startswith("ORDERS_SERVICE_NAME in .env, line 2: ")


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    """Editors on Windows add one to the start of a file."""
    (tmp_path / ".env").write_text("ORDERS_PORT=9002\n", encoding="utf-8-sig")
    assert Settings.load().port == 9002


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("CORS_ORIGINS", "https://shop.example/", "write https://shop.example instead"),
        ("CORS_ORIGINS", "https://a.example,shop.example", "write https://shop.example instead"),
        ("CORS_ORIGINS", "https://Shop.example:443", "write https://shop.example instead"),
        ("CORS_ORIGINS", "https://shop.example/orders", "write https://shop.example instead"),
        ("CORS_ORIGINS", "https://b\u00fccher.example", "write https://xn--bcher-kva.example"),
        ("CORS_ORIGINS", "https://*.shop.example", "each one in full, or * alone"),
        ("CORS_ORIGINS", "https://", "write an origin as https://shop.example"),
        ("CORS_ORIGINS", "https://u:p@shop.example", "write an origin as https://shop.example"),
        ("CORS_ORIGINS", "https://shop.example:port", "write an origin as https://shop.example"),
        ("SERVICE_NAME", "orders\n", "as 'orders'"),
        ("SERVICE_NAME", "", "leave the variable out"),
        ("SERVICE_VERSION", "1.0\r", "as '1.0'"),
        ("HOST", "127.0.0.1\n", "as '127.0.0.1'"),
        ("HOST", "", "leave the variable out"),
    ],
)
def test_an_invalid_value_is_refused(
    environment: pytest.MonkeyPatch, name: str, value: str, advice: str
) -> None:
    """The line has the variable, and a value to write."""
    environment.setenv(f"ORDERS_{name}", value)
    [line] = refused(Settings)
    assert line.startswith(f"ORDERS_{name}")
    assert advice in line


@pytest.mark.parametrize(
    "value",
    [
        "*",
        "http://localhost:3000,http://127.0.0.1:3000",
        "http://[::1]:3000",
        "capacitor://localhost",
        "chrome-extension://abcdefghijklmnop",
        "null",
    ],
)
def test_an_origin_as_browsers_send_it_is_accepted(
    environment: pytest.MonkeyPatch, value: str
) -> None:
    """Also with other schemes."""
    environment.setenv("ORDERS_CORS_ORIGINS", value)
    assert Settings.load().cors_origins == tuple(value.split(","))


def test_origins_are_separated_by_commas(environment: pytest.MonkeyPatch) -> None:
    """The setting is a plain list, not JSON."""
    environment.setenv("ORDERS_CORS_ORIGINS", "https://a.example, https://b.example")
    assert Settings.load().cors_origins == ("https://a.example", "https://b.example")

"""Every parameter of a database's URL works, or is refused at the start."""

import pytest
from sqlalchemy import text

from orders.internal.database import DatabaseSessionManager
from orders.internal.database.database_url import check_url, connect_arguments

URL = "postgresql://user:p%40ss@db:5432/orders"


@pytest.mark.parametrize(
    "parameter",
    [
        "sslmode=bogus",
        "sslmod=require",
        "sslrootcert=/missing/root.pem",
        "target_session_attrs=leader",
        "channel_binding=require",
        "gssencmode=require",
        "connect_timeout=soon",
        "hostaddr=127.0.0.1",
        "load_balance_hosts=random",
        "pool_size=5",
        "pgbouncer=true",
    ],
)
def test_an_unsupported_parameter_is_refused_by_name(parameter: str) -> None:
    """Otherwise the service would start, and then fail at each request."""
    with pytest.raises(ValueError, match=f"its parameter {parameter.partition('=')[0]} "):
        check_url(f"{URL}?{parameter}")


@pytest.mark.parametrize(
    "query",
    [
        "connect_timeout=3&channel_binding=prefer&keepalives=1&keepalives_idle=20",
        "keepalives=0&tcp_user_timeout=5000&gssencmode=disable&sslcompression=0",
        "application_name=reports&client_encoding=UTF8&fallback_application_name=x",
        "search_path=public&statement_timeout=5s&app.tenant=acme",
        "options=-c%20work_mem%3D8MB&target_session_attrs=read-write&sslmode=prefer",
    ],
)
async def test_parameters_of_libpq_work(postgres: str, query: str) -> None:
    """A connection with these parameters can run a statement."""
    manager = DatabaseSessionManager()
    manager.init(f"{postgres}?{query}")
    try:
        await manager.check()
        async with manager.session() as session:
            assert await session.scalar(text("SELECT 1")) == 1
    finally:
        await manager.close()


async def test_the_first_available_host_is_used(postgres: str) -> None:
    """The first one is unavailable, and the second is the primary."""
    url = str(postgres)
    head, _, tail = url.partition("@")
    manager = DatabaseSessionManager()
    manager.init(f"{head}@127.0.0.1:1,{tail}")
    try:
        async with manager.session() as session:
            assert await session.scalar(text("SHOW transaction_read_only")) == "off"
    finally:
        await manager.close()


def test_values_reach_the_driver() -> None:
    """Parameters of libpq are passed under the driver's or the server's name."""
    arguments, settings = connect_arguments(
        f"{URL}?connect_timeout=7&keepalives_idle=20&sslmode=require", timeout=5
    )
    assert arguments == {"timeout": 7, "dsn": f"{URL}?sslmode=require"}
    assert settings == {"tcp_keepalives_idle": "20"}


@pytest.mark.parametrize(
    "url",
    [
        "mysql://db/orders",
        "postgresql://db",
        "postgresql://db:port/orders",
        "postgresql://one:5432,two:99999/orders",
    ],
)
def test_an_invalid_url_is_answered_with_an_example(url: str) -> None:
    """The message shows the format, but not the value, which contains a password."""
    with pytest.raises(ValueError, match="postgresql://user:password@host:5432/database"):
        check_url(url)

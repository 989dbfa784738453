"""Keys are read from the issuer, and remain valid during key changes and outages."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, closing
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, MockTransport, Response

from orders.internal.authentication import issuer as module
from orders.internal.authentication.errors import InvalidTokenError, KeysUnavailableError
from orders.internal.authentication.keys import IssuerKeys
from orders.internal.authentication.tokens import TokenVerifier
from orders.internal.feature import StartError
from orders.internal.http.server import listen
from orders.main import create_app

from ..helpers import serve, settings
from .helpers import call, is_let_in
from development.authentication import AUDIENCE, Issuer, SigningKey
from development.authentication.__main__ import ask
from tests.harness import check_response

KEYS = "/keys"
DISCOVERY = "/.well-known/openid-configuration"


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture(name="clock")
def _clock() -> Clock:
    return Clock()


@pytest.fixture(name="keys")
async def _keys(issuer: Issuer, clock: Clock) -> AsyncIterator[IssuerKeys]:
    """The issuer's keys: at least 10 seconds between requests, valid for an hour."""
    values = settings(authentication_issuer=issuer.url, authentication_timeout=5)
    async with module.http_client() as client:
        yield IssuerKeys(values, module.Issuer(values, client), clock)


async def test_keys_are_found_by_discovery(issuer: Issuer, keys: IssuerKeys) -> None:
    """The issuer publishes where its keys are, and one request serves all tokens."""
    for _ in range(3):
        matches = await keys.find(issuer.keys[0].id, "ES256")
        assert [key.key_id for key in matches] == [issuer.keys[0].id]
    assert issuer.requests == [DISCOVERY, KEYS]


async def test_a_new_key_is_read_when_a_token_names_it(
    issuer: Issuer, keys: IssuerKeys, clock: Clock
) -> None:
    """The issuer can change its keys at any time. The old key is no longer valid."""
    old = issuer.keys[0].id
    assert await keys.find(old, "ES256")
    issuer.rotate()
    clock.now += 10
    assert await keys.find(issuer.keys[0].id, "ES256")
    assert await keys.find(old, "ES256") == []


async def test_unknown_keys_do_not_flood_the_issuer(
    issuer: Issuer, keys: IssuerKeys, clock: Clock
) -> None:
    """Many tokens with unknown keys cause at most one request per cooldown."""
    assert await keys.find(issuer.keys[0].id, "ES256")
    for step in range(20):
        clock.now += 1
        lookups = [keys.find(f"made-up-{step}-{number}", "ES256") for number in range(5)]
        assert await asyncio.gather(*lookups) == [[]] * 5
    assert issuer.requests.count(KEYS) == 3


async def test_concurrent_requests_share_one_download(issuer: Issuer, keys: IssuerKeys) -> None:
    """Requests that need the keys at the same time wait for one response."""
    results = await asyncio.gather(*(keys.find(issuer.keys[0].id, "ES256") for _ in range(20)))
    assert all(results)
    assert issuer.requests.count(KEYS) == 1


async def test_the_last_keys_stay_valid_during_an_outage(clock: Clock) -> None:
    """Without its issuer, the service goes on until the keys expire."""
    issuer, stack = Issuer(AUDIENCE), AsyncExitStack()
    with issuer.serving():
        values = settings(authentication_issuer=issuer.url)
        client = await stack.enter_async_context(module.http_client())
        keys = IssuerKeys(values, module.Issuer(values, client), clock)
        assert await keys.find(issuer.keys[0].id, "ES256")
    async with stack:
        clock.now = 3599
        assert await keys.find(issuer.keys[0].id, "ES256")
        assert await keys.find("unknown", "ES256") == []
        clock.now = 3601
        with pytest.raises(KeysUnavailableError) as refusal:
            await keys.find(issuer.keys[0].id, "ES256")
        assert int((refusal.value.headers or {})["Retry-After"]) in range(1, 11)
        clock.now += 10
        with issuer.serving(port=int(issuer.url.rpartition(":")[2])):
            assert await keys.find(issuer.keys[0].id, "ES256")


@pytest.mark.parametrize(
    "documents",
    [
        {DISCOVERY: {"jwks_uri": "http://x"}},
        {DISCOVERY: None},
        {DISCOVERY: ["no object"]},
        {KEYS: None},
        {KEYS: {"keys": "none"}},
        {KEYS: {"keys": []}},
        {KEYS: {"keys": [7, {"kty": "oct", "kid": "x", "k": "AAAA"}, {"kty": 7}, {}]}},
        {KEYS: {"keys": [{"kty": "RSA", "n": 7, "e": None}]}},
        {KEYS: {"keys": [{"kty": ["RSA"], "alg": {}}]}},
        {KEYS: {"keys": [SigningKey("RS256").jwk | {"alg": ["RS256"]}]}},
    ],
)
async def test_an_invalid_response_does_not_change_the_keys(
    issuer: Issuer,
    keys: IssuerKeys,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    documents: dict[str, Any],
) -> None:
    """An issuer that returns nonsense, or another issuer's name, counts as unavailable."""
    original = issuer.documents()
    monkeypatch.setattr(issuer, "documents", lambda: original | documents)
    with pytest.raises(KeysUnavailableError):
        await keys.find("x", "ES256")
    monkeypatch.undo()
    clock.now += 10
    assert await keys.find(issuer.keys[0].id, "ES256")
    monkeypatch.setattr(issuer, "documents", lambda: original | documents)
    clock.now += 10
    assert await keys.find("x", "ES256") == []
    assert await keys.find(issuer.keys[0].id, "ES256")


@pytest.mark.parametrize("changes", [{"use": "enc"}, {"alg": "RS512"}, {"alg": "Ed448"}])
async def test_keys_for_other_purposes_are_ignored(
    issuer: Issuer, keys: IssuerKeys, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
) -> None:
    """The issuer also publishes a key that is not for signatures with an allowed algorithm."""
    unusable = SigningKey("RS256")
    key_set = {"keys": [{**unusable.jwk, **changes}, issuer.keys[0].jwk]}
    documents = issuer.documents() | {KEYS: key_set}
    monkeypatch.setattr(issuer, "documents", lambda: documents)
    assert await keys.find(issuer.keys[0].id, "ES256")
    assert await keys.find(unusable.id, "RS256") == []


async def test_a_token_without_a_key_id_is_refused_if_two_keys_match(
    issuer: Issuer, keys: IssuerKeys
) -> None:
    """The token could mean either key."""
    issuer.keys += [SigningKey("EdDSA"), SigningKey()]
    assert await keys.find(None, "ES256") == []
    assert await keys.find(None, "EdDSA")


async def test_keys_with_the_same_id_are_all_tried(issuer: Issuer, keys: IssuerKeys) -> None:
    """Some issuers give two keys the same id. Each key verifies the tokens that it signed."""
    first, second, unknown = SigningKey(), SigningKey(), SigningKey()
    second.id = unknown.id = first.id
    issuer.keys = [first, second]
    verifier = TokenVerifier(settings(authentication_issuer=issuer.url), keys, audience=AUDIENCE)
    for key in (first, second):
        assert (await verifier.verify(key.sign(issuer.claims()))).subject == "developer"
    with pytest.raises(InvalidTokenError, match="cannot be verified"):
        await verifier.verify(unknown.sign(issuer.claims()))
    with pytest.raises(InvalidTokenError, match="expired"):
        await verifier.verify(second.sign(issuer.claims(exp=1)))


PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "socks5://127.0.0.1:1", "nonsense"])
async def test_a_local_issuer_is_reached_without_a_proxy(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """A developer's machine may have a proxy, which cannot reach the loopback interface."""
    for name in PROXIES:
        monkeypatch.setenv(name, proxy)
    values = settings(authentication_issuer=issuer.url)
    async with module.http_client(issuer.url) as client:
        assert await module.Issuer(values, client).read_keys()


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "ftp://127.0.0.1:1"])
async def test_an_unusable_proxy_is_reported(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """The start fails with one line that says what to do."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(StartError, match=r"ALL_PROXY.*unset"):
        async with serve(create_app(settings(authentication_issuer="https://login.example"))):
            pytest.fail("it must not serve")


async def test_the_keys_address_can_be_set(issuer: Issuer) -> None:
    """With the address of the keys, the service does not use discovery."""
    values = settings(
        authentication_issuer="https://login.example", authentication_jwks_url=f"{issuer.url}/keys"
    )
    async with module.http_client() as client:
        keys = await module.Issuer(values, client).read_keys()
    assert [key.key_id for key in keys] == [issuer.keys[0].id]
    assert issuer.requests == [KEYS]


async def test_a_redirect_is_not_followed(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are read only from the configured address."""
    monkeypatch.setattr(issuer, "moved", {"/moved": f"{issuer.url}/keys"})
    values = settings(
        authentication_issuer="https://login.example", authentication_jwks_url=f"{issuer.url}/moved"
    )
    async with module.http_client() as client:
        with pytest.raises(module.IssuerError):
            await module.Issuer(values, client).read_keys()


async def test_an_issuer_with_another_name_is_refused(
    issuer: Issuer, keys: IssuerKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys are not used if the discovery document names another issuer."""
    original = issuer.documents()
    discovery = original[DISCOVERY] | {"issuer": "http://other.example"}
    monkeypatch.setattr(issuer, "documents", lambda: original | {DISCOVERY: discovery})
    with pytest.raises(KeysUnavailableError):
        await keys.find(issuer.keys[0].id, "ES256")


async def test_discovery_over_https_requires_keys_over_https() -> None:
    """Keys of an issuer at https cannot be read over http, where they could be modified."""
    documents = {
        DISCOVERY: {
            "issuer": "https://login.example",
            "jwks_uri": "http://login.example/keys",
        },
        "/keys": {"keys": [SigningKey().jwk]},
    }
    # No issuer here has a certificate that a client trusts.
    transport = MockTransport(lambda request: Response(200, json=documents[request.url.path]))
    async with AsyncClient(transport=transport) as client:
        values = settings(authentication_issuer="https://login.example")
        with pytest.raises(module.IssuerError, match="in transit"):
            await module.Issuer(values, client).read_keys()


class TestService:
    """A running service without a pause between requests to its issuer."""

    @pytest.fixture
    def settings_values(self, settings_values: dict[str, object]) -> dict[str, object]:
        """Remove the cooldown."""
        return {**settings_values, "authentication_keys_cooldown": 1e-9}

    async def test_keys_change_without_a_restart(
        self, issuer: Issuer, api_client: AsyncClient
    ) -> None:
        """After a change, a token of the new key is valid, and one of the old key is not."""
        old = issuer.token()
        assert await is_let_in(api_client, old)
        issuer.rotate("EdDSA")
        assert await is_let_in(api_client, issuer.token())
        assert not await is_let_in(api_client, old)

    async def test_a_token_of_the_development_issuer_is_valid(
        self, issuer: Issuer, api_client: AsyncClient
    ) -> None:
        """The service accepts the output of `make token`."""
        form = {"scope": "products:read products:write", "role": "admin", "subject": "ada"}
        token = await asyncio.to_thread(ask, issuer.url.removeprefix("http://"), form)
        assert await is_let_in(api_client, token, "/guarded/write")
        answer = await call(api_client, token, "/guarded/admin")
        assert check_response(answer, 200) == "ada"


class TestIssuerAway:
    """A service whose issuer accepts connections from the start, but never answers."""

    @pytest.fixture
    def settings_values(self, settings_values: dict[str, object]) -> Iterator[dict[str, object]]:
        """Configure an issuer that accepts connections and never answers."""
        with closing(listen("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            yield {
                **settings_values,
                "authentication_issuer": url,
                "authentication_timeout": 0.2,
            }

    async def test_a_service_starts_and_says_when_to_try_again(
        self, issuer: Issuer, app: FastAPI
    ) -> None:
        """Tokens cannot be verified, which answers 503. All other routes work."""
        # The service's own timeout ends the wait. This one only ends a test without it.
        async with asyncio.timeout(60), serve(app) as client:
            guarded = asyncio.create_task(call(client, issuer.token()))
            assert (await client.get("/healthcheck/live")).status_code == 200
            response = await guarded
        check_response(response, 503)
        assert int(response.headers["Retry-After"]) in range(1, 11)
        assert "WWW-Authenticate" not in response.headers

    async def test_readiness_reports_an_unavailable_issuer(self, app: FastAPI) -> None:
        """A service that cannot verify tokens stays ready for all other requests."""
        async with serve(app) as client:
            response = await client.get("/healthcheck/ready")
        assert response.status_code == 200
        assert response.json()["data"]["degraded"] == ["issuer"]

"""Malformed requests are refused, or read in one way only."""

from __future__ import annotations

import asyncio
import json
from time import monotonic
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest

from tests.faults.hostile.raw import exchange, post
from tests.faults.load import PRODUCTS

if TYPE_CHECKING:
    from tests.faults.replica import Replica

GET = b"GET /api/v1/products HTTP/1.1\r\nHost: orders\r\n"
POST = b"POST /api/v1/products HTTP/1.1\r\nHost: orders\r\nContent-Type: application/json\r\n"
HIDDEN = b"0\r\n\r\nGET /healthcheck/live HTTP/1.1\r\nHost: orders\r\n\r\n"
"""The end of a chunked body, followed by bytes that look like a second request."""

MALFORMED = {
    "length and chunks": POST
    + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(HIDDEN)
    + HIDDEN,
    "chunks and length": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN)
    + HIDDEN,
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 50\r\n\r\n" + HIDDEN,
    "length in words": POST + b"Content-Length: five\r\n\r\n" + HIDDEN,
    "negative length": POST + b"Content-Length: -1\r\n\r\n" + HIDDEN,
    "length with a sign": POST + b"Content-Length: +5\r\n\r\n" + HIDDEN,
    "length beyond all": POST + b"Content-Length: 99999999999999999999999\r\n\r\n" + HIDDEN,
    "unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + HIDDEN,
    "chunked is not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + HIDDEN,
    "size of a chunk in words": POST + b"Transfer-Encoding: chunked\r\n\r\nfive\r\n" + HIDDEN,
    "space before the colon": GET + b"Content-Length : 5\r\n\r\n" + HIDDEN,
    "folded header": GET + b"X-One: 1\r\n two\r\n\r\n",
    "header without a name": GET + b": nameless\r\n\r\n",
    "NUL in a header": GET + b"X-One: a\0b\r\n\r\n",
    "a tunnel": b"CONNECT db:5432 HTTP/1.1\r\nHost: db\r\n\r\n" + HIDDEN,
    "a tunnel to a path": b"CONNECT / HTTP/1.1\r\nHost: db\r\n\r\n" + HIDDEN,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    "an upgrade, and length and chunks": POST
    + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n"
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + HIDDEN,
    "another protocol": b"SSH-2.0-client\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}

BAD_BODIES = {
    "deep": b"[" * 90_000,
    "deep and closed": b"[" * 45_000 + b"]" * 45_000,
    "deep objects": b'{"a":' * 15_000 + b"1" + b"}" * 15_000,
    "huge integer": b'{"sku": "A", "name": "Lamp", "price": ' + b"9" * 50_000 + b"}",
    "huge exponent": b'{"sku": "A", "name": "Lamp", "price": 1e999999999}',
    "huge exponent as text": b'{"sku": "A", "name": "Lamp", "price": "1e999999999"}',
    "tiny exponent": b'{"sku": "A", "name": "Lamp", "price": "1e-999999999"}',
    "beyond the scale": b'{"sku": "A", "name": "Lamp", "price": "1.001"}',
    "beyond the digits": b'{"sku": "A", "name": "Lamp", "price": "12345678901.00"}',
    "minus zero": b'{"sku": "A", "name": "Lamp", "price": "-0"}',
    "an exponent": b'{"sku": "A", "name": "Lamp", "price": "1e2"}',
    "a sign": b'{"sku": "A", "name": "Lamp", "price": "+1"}',
    "digits of another script": '{"sku": "A", "name": "Lamp", "price": "\u0663"}'.encode(),
    "parts of a cent": b'{"sku": "A", "name": "Lamp", "price": 1.001}',
    "true for a number": b'{"sku": "A", "name": "Lamp", "price": true}',
    "not a number": b'{"sku": "A", "name": "Lamp", "price": NaN}',
    "not a number as text": b'{"sku": "A", "name": "Lamp", "price": "NaN"}',
    "infinite": b'{"sku": "A", "name": "Lamp", "price": -Infinity}',
    "negative": b'{"sku": "A", "name": "Lamp", "price": -1}',
    "NUL": b'{"sku": "A", "name": "L\\u0000mp", "price": 1}',
    "lone surrogate": b'{"sku": "A", "name": "L\\ud800mp", "price": 1}',
    "lone surrogate as a key": b'{"\\udfff": 1, "sku": "A", "name": "Lamp", "price": 1}',
    "SQL": b'{"sku": "A\'; DROP TABLE products; --", "name": "Lamp", "price": 1}',
    "another charset": '{"sku": "A", "name": "L\u00e4mp", "price": 1}'.encode("latin-1"),
    "no JSON": b"sku=A&name=Lamp&price=1",
    "an object in an object's place": b'{"sku": {"$ne": ""}, "name": ["Lamp"], "price": {}}',
    "unfinished": b'{"sku": "A", "name": "La',
}

BAD_CHANGES = {
    "nothing to change": b'{"version": 1}',
    "true for a version": b'{"version": true, "name": "Lamp"}',
    "a text for a version": b'{"version": "1", "name": "Lamp"}',
    "a version beyond all": b'{"version": 2147483648, "name": "Lamp"}',
    "null": b'{"version": 1, "name": null}',
}

OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
OFFERS = {
    "h2c, as Java's HttpClient sends it": OFFER,
    "websocket": b"connection: keep-alive, upgrade\r\nUPGRADE: websocket\r\n",
    "several": b"Upgrade: foo/2, h2c\r\nConnection: Upgrade\r\nConnection: close, Upgrade\r\n",
    "TLS": b"Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n",
}

BAD_CURSORS = (
    "",
    "A" * 32,
    "A" * 21 + "B",
    "A" * 22 + "%3D%3D",
    "=" * 32,
    "%00",
    "' OR '1'='1",
    "..%2f..%2fetc%2fpasswd",
    "\u00e9",
)
SQL = "'; DROP TABLE products; --"


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED.keys())
def test_invalid_http_is_refused_once(target: Replica, request_: bytes) -> None:
    """There is one response, a problem, and the following bytes are not a second request."""
    reply = exchange(target.port, request_, end=True)
    assert reply.statuses == [400], reply.data
    assert b"content-type: application/problem+json\r\n" in reply.data
    assert reply.body["status"] == 400


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_an_invalid_body_is_a_client_error(target: Replica, body: bytes) -> None:
    """The response is 4xx for any invalid body."""
    reply = exchange(target.port, post(body))
    assert reply.statuses in ([400], [422]), reply.data
    assert reply.body["status"] in {400, 422}


@pytest.mark.parametrize("body", BAD_CHANGES.values(), ids=BAD_CHANGES.keys())
def test_a_change_that_the_document_does_not_allow_is_refused(target: Replica, body: bytes) -> None:
    """Before the service looks for the product."""
    url = f"{target.url}{PRODUCTS}/{uuid4()}"
    response = httpx.patch(url, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422, response.text


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS.keys())
@pytest.mark.parametrize("pause", [0.0, 0.1])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_with_an_upgrade_keeps_its_body(
    target: Replica, offer: bytes, pause: float, *, chunked: bool
) -> None:
    """However it arrives, it is one request, and its body is not read as a second one."""
    sku = f"UP-{uuid4().hex[:12].upper()}"
    body = b'{"sku": "%s", "name": "Lamp", "price": 1}' % sku.encode()
    head = POST + offer + (b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d")
    framed = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    head = (head if chunked else head % len(body)) + b"\r\n\r\n"
    last = GET + b"Connection: close\r\n\r\n"
    reply = exchange(target.port, head, framed + last, delay=pause)
    # A request that ends the connection leaves the next one without a response.
    assert reply.statuses == ([201] if b"close" in offer else [201, 200]), reply.data
    assert sku.encode() in reply.data


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS.keys())
def test_no_request_hides_in_the_body_of_an_upgrade(target: Replica, offer: bytes) -> None:
    """A body that looks like a request is an invalid body."""
    smuggled = b"GET /healthcheck/live HTTP/1.1\r\nHost: orders\r\n\r\n"
    head = POST + offer + b"Content-Length: %d\r\n\r\n" % len(smuggled)
    for pieces in ([head + smuggled], [head, smuggled], [head[:-1], head[-1:], smuggled]):
        reply = exchange(target.port, *pieces, delay=0.05, end=True)
        assert reply.statuses == [422], reply.data


def test_pipelined_requests_with_upgrades_are_all_answered(target: Replica) -> None:
    """Pipelined requests keep their order and number."""
    request = GET.replace(b"/products", b"/products?limit=1") + OFFER + b"\r\n"
    last = GET + b"Connection: close\r\n\r\n"
    reply = exchange(target.port, request * 200 + last)
    assert reply.statuses == [200] * 201


def test_an_early_response_is_not_followed_by_a_timeout(target: Replica) -> None:
    """After a response that came before the body, the connection ends without a 408."""
    head = b"POST /nowhere HTTP/1.1\r\nHost: orders\r\nExpect: 100-continue\r\n"
    reply = exchange(target.port, head + b"Content-Length: 5\r\n\r\n")
    assert reply.statuses == [404], reply.data


@pytest.mark.parametrize("sent", [b"", b"\r\n", GET + b"\r\n", GET + b"\r\n\r\n"])
def test_an_idle_connection_is_closed_silently(target: Replica, sent: bytes) -> None:
    """A client would take an unexpected response for the response to its next request."""
    reply = exchange(target.port, sent)
    assert reply.statuses == [200] * sent.count(b"GET"), reply.data


@pytest.mark.parametrize("body", [b'{"a": 1}' * 20_000, b"\0" * 100_001])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(
    target: Replica, body: bytes, *, chunked: bool
) -> None:
    """With and without a Content-Length."""
    if chunked:
        head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
        reply = exchange(target.port, head + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
    else:
        reply = exchange(target.port, post(body))
    assert reply.statuses == [413], reply.data


def test_the_last_of_two_equal_keys_counts(target: Replica) -> None:
    """One product is made, and the response shows which."""
    body = b'{"sku": "TWICE-1", "sku": "TWICE-2", "name": "Lamp", "price": 1}'
    reply = exchange(target.port, post(body))
    assert reply.statuses == [201], reply.data
    assert b'"sku":"TWICE-2"' in reply.data


def test_an_incomplete_body_creates_no_product(target: Replica) -> None:
    """The client has disconnected, so the service ignores its part of the body."""
    body = b'{"sku": "HALF-1", "name": "Lamp", "price": 1}'
    exchange(target.port, post(body)[:-1], end=True)
    listed = httpx.get(f"{target.url}{PRODUCTS}", params={"limit": 100}).text
    assert "HALF-1" not in listed


@pytest.mark.parametrize("size", [200, 10_000])
def test_too_many_headers_are_refused(target: Replica, size: int) -> None:
    """Many headers, a large header and a long URL are refused before they are fully read."""
    headers = b"".join(
        b"X-%d: %s\r\n" % (number, b"x" * size) for number in range(2_000_000 // size)
    )
    for request in (
        GET + headers,
        GET + b"X-One: " + b"x" * 2_000_000,
        b"GET /" + b"x" * 2_000_000,
    ):
        reply = exchange(target.port, request)
        assert reply.statuses in ([431], []), reply.data  # none if it was reset while being sent


def test_the_header_limit_ignores_an_earlier_body(target: Replica) -> None:
    """Two requests that arrive in one piece are both answered."""
    body = b'{"sku": "PIPED-1", "name": "Lamp", "price": 1}' + b" " * 90_000
    first = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
    reply = exchange(target.port, first + GET, b"Connection: close\r\n\r\n", delay=0.5)
    assert reply.statuses == [201, 200], reply.data


@pytest.mark.parametrize("next_", [b"no HTTP\r\n\r\n", GET + b"X-One: " + b"x" * 500_000])
def test_a_refusal_follows_the_response_before_it(target: Replica, next_: bytes) -> None:
    """The valid request is answered first. Then the connection ends."""
    reply = exchange(target.port, GET + b"\r\n" + next_)
    assert reply.statuses in ([200], [200, 431]), reply.data


@pytest.mark.parametrize(
    "parts",
    [
        [b"G"] + [b"E"] * 20,
        [GET] + [b"X-One: 1\r\n"] * 20,
        [POST + b"Content-Length: 1000\r\n\r\n"] + [b" "] * 20,
        [POST + b"Transfer-Encoding: chunked\r\n\r\n"] + [b"1\r\n \r\n"] * 20,
    ],
    ids=["line", "headers", "body", "chunks"],
)
def test_a_slow_client_times_out(target: Replica, parts: list[bytes]) -> None:
    """A client that sends a byte now and then is disconnected early."""
    started = monotonic()
    reply = exchange(target.port, *parts, pause=0.5)
    assert reply.statuses in ([408], [400]), reply.data
    assert monotonic() - started < 10, "the connection was kept as long as bytes came"


@pytest.mark.parametrize(
    "forged", ["x\u0085y", 'a", "status": 200, "b": "', "../../etc/passwd", "x" * 5000, "\x1b[31m"]
)
def test_a_forged_request_id_is_replaced(target: Replica, forged: str) -> None:
    """An id that could forge a line, field or colour of a log is replaced."""
    head = GET + b"Connection: close\r\nX-Request-ID: " + forged.encode("latin-1") + b"\r\n\r\n"
    reply = exchange(target.port, head)
    assert reply.statuses in ([200], [400]), reply.data
    assert forged.encode("latin-1") not in reply.data
    later_path = f"/{uuid4()}"
    httpx.get(f"{target.url}{later_path}")
    asyncio.run(target.until_printed(later_path))
    assert forged not in target.output


def test_a_path_cannot_forge_a_log_line(target: Replica) -> None:
    """Line ends and quotes are escaped."""
    path = '/nowhere%0a{"event": "planted-line"}%0d%1b[31m'
    httpx.get(f"{target.url}{path}")
    asyncio.run(target.until_printed("planted-line"))
    lines = [json.loads(line) for line in target.output.splitlines() if "planted-line" in line]
    assert [line["event"] for line in lines] == ["request"]


@pytest.mark.parametrize("cursor", BAD_CURSORS)
def test_an_invalid_cursor_is_refused(target: Replica, cursor: str) -> None:
    """It never becomes part of a query."""
    response = httpx.get(f"{target.url}{PRODUCTS}", params={"cursor": cursor})
    assert response.status_code == 422, response.text


def test_sql_is_text(target: Replica) -> None:
    """As a name it is stored unchanged, and everywhere else it is refused."""
    with httpx.Client(base_url=target.url) as client:
        body = {"sku": "SQL-1", "name": SQL, "price": 1}
        assert client.post(PRODUCTS, json=body).json()["data"]["name"] == SQL
        assert client.get(f"{PRODUCTS}/{SQL}").status_code == 422
        assert client.patch("/api/v1/product-statistics", json=body).status_code == 405
        assert client.get(PRODUCTS, params={"status": SQL}).status_code == 422
        assert client.get(PRODUCTS).is_success

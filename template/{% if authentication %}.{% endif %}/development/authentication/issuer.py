"""An OpenID Connect issuer for development and tests, which issues any requested token.

It speaks real HTTP on the loopback interface, from a thread of this process, and creates new keys
at each start.
"""

import json
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

LIFETIME = 3600

GENERATORS: dict[str, Callable[[], Any]] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
}


class SigningKey:
    """A private key and its published public key."""

    def __init__(self, algorithm: str = "ES256") -> None:
        self.algorithm = algorithm
        self.id = secrets.token_hex(8)
        self.private = GENERATORS[algorithm]()

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key (RFC 7517)."""
        method: Any = get_default_algorithms()[self.algorithm]
        public = method.to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.id, "alg": self.algorithm, "use": "sig"}

    def sign(self, claims: dict[str, Any]) -> str:
        """Return a token with these claims."""
        return jwt.encode(claims, self.private, self.algorithm, {"kid": self.id})


class Issuer:
    """An issuer: it signs tokens, and publishes its metadata and keys over HTTP.

    Attributes:
        keys: what it shows; the first one signs.
        url: who it is, and where.
        moved: addresses that it sends clients on to, by path.
        requests: the paths that were asked for so far.
    """

    def __init__(self, audience: str) -> None:
        self.keys = [SigningKey()]
        self.url = ""
        self.moved: dict[str, str] = {}
        self.requests: list[str] = []
        self._audience = audience

    def rotate(self, algorithm: str = "ES256") -> None:
        """Replace the key with a new one."""
        self.keys = [SigningKey(algorithm)]

    def claims(self, scope: str = "", **others: Any) -> dict[str, Any]:  # noqa: ANN401 - as JSON is
        """Return the claims of a valid token, changed by `others`. A claim of None is removed."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": self._audience,
            "sub": "developer",
            "iat": now,
            "exp": now + LIFETIME,
            "scope": scope,
            **others,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, scope: str = "", **claims: Any) -> str:  # noqa: ANN401 - as JSON is
        """Return a valid token with these scopes, separated by spaces, and these claims."""
        return self.keys[0].sign(self.claims(scope, **claims))

    def documents(self) -> dict[str, Any]:
        """Return the published documents by path."""
        discovery = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint": f"{self.url}/token",
        }
        return {
            "/.well-known/openid-configuration": discovery,
            "/keys": {"keys": [key.jwk for key in self.keys]},
        }

    @contextmanager
    def serving(self, port: int = 0) -> Iterator[None]:
        """Serve HTTP in the block, on the given port or on a free one."""
        server = Server(("127.0.0.1", port), self._handler())
        self.url = self.url or f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.requests.append(self.path)
                document = issuer.documents().get(self.path)
                if address := issuer.moved.get(self.path):
                    self.answer(HTTPStatus.FOUND, document, Location=address)
                else:
                    self.answer(HTTPStatus.OK if document else HTTPStatus.NOT_FOUND, document)

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                claims = granted(form)
                answer = {"access_token": issuer.token(**claims), "token_type": "Bearer"}
                self.answer(HTTPStatus.OK, {**answer, "expires_in": LIFETIME})

            def answer(self, status: HTTPStatus, document: object, **headers: str) -> None:
                content = json.dumps(document).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
                """Do not log requests."""

        return Handler


class Server(ThreadingHTTPServer):
    """An HTTP server that tolerates disconnecting clients."""

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Report errors, except a disconnected client."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def granted(form: dict[str, list[str]]) -> dict[str, Any]:
    """Return the claims that a token request asks for: scope, roles, subject and audience."""
    wished = {
        "scope": " ".join(form.get("scope", [])),
        "roles": " ".join(form.get("role", [])).split() or None,
        "sub": "".join(form.get("subject", [])),
        "aud": "".join(form.get("audience", [])),
    }
    return {name: value for name, value in wished.items() if value}

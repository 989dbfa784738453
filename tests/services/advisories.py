"""A service of advisories on this machine, in place of the one on the internet (osv.dev)."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

DATES = {"modified": "2026-11-24T09:00:00Z", "published": "2026-11-24T09:00:00Z"}


@contextmanager
def advisories(package: str = "") -> Iterator[str]:
    """Run a service that knows a vulnerability of one package, or of none; give its address."""
    known = {"id": "GHSA-0000-0000-0000", **DATES}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            subject = {"package": {"ecosystem": "PyPI", "name": package}}
            affected = {
                **subject,
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
            }
            self.answer({**known, "summary": "Lets everybody in", "affected": [affected]})

        def do_POST(self) -> None:
            queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            matches = [query["package"]["name"] == package for query in queries]
            self.answer(
                {"results": [{"vulns": [known]} if is_affected else {} for is_affected in matches]}
            )

        def answer(self, document: dict[str, Any]) -> None:
            content = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- as inherited
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()

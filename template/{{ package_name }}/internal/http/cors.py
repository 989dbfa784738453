"""Cross-origin requests (CORS): allow the configured origins, and refuse others."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..utils import new_id
from .problems import ProblemKind, problem_response


class CrossOriginMiddleware(CORSMiddleware):
    """Starlette's middleware, with problem documents as refusals."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the response to a preflight request of a browser."""
        response = super().preflight_response(request_headers)
        if response.status_code < HTTPStatus.BAD_REQUEST:
            return response
        return _Refusal(response)


class _Refusal(Response):
    """A response that becomes a problem when it is sent, because it needs the request's path."""

    def __init__(self, refused: Response) -> None:
        super().__init__(status_code=refused.status_code)
        self._detail = bytes(refused.body).decode()
        self._kept = {
            name: value
            for name, value in refused.headers.items()
            if name.startswith("access-control-") or name == "vary"
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = new_id().hex
        scope.setdefault("state", {})["request_id"] = request_id
        kind = ProblemKind(
            HTTPStatus(self.status_code), headers={**self._kept, "X-Request-ID": request_id}
        )
        await problem_response(scope, kind, detail=f"{self._detail}.")(scope, receive, send)

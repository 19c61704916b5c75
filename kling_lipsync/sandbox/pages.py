"""Everything but the API: files under ``/media/`` and ``/results/``, and the controls under ``/sandbox/``."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

from attrs import frozen
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from kling_lipsync.sandbox.faults import Stage
from kling_lipsync.sandbox.fields import parse_json
from kling_lipsync.sandbox.figures import statistics, task_rows
from kling_lipsync.sandbox.files import file_answer
from kling_lipsync.sandbox.refusals import Refused
from kling_lipsync.sandbox.site import Site
from kling_lipsync.sandbox.striking import PlainAnswer, read_body, sender, strike


@frozen
class Files:
    """``/media/NAME``, open to everybody, or ``/results/NAME``, open to signed links."""

    site: Site
    kind: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        self.site.world.requests[self.kind] += 1
        # No key belongs here: a client that sends one has leaked it.
        self.site.world.leaked_keys += "authorization" in request.headers
        try:
            await strike(self.site, self.kind, Stage.BEFORE)
            response = await self._respond(request)
            await strike(self.site, self.kind, Stage.AFTER)
        except Refused as refused:
            response = PlainTextResponse(refused.message, refused.status)
        except PlainAnswer as plain:
            response = plain.response
        await sender(self.site, self.kind, response)(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        name = request.path_params["name"]
        if request.method not in {"GET", "HEAD"}:
            return PlainTextResponse("Method Not Allowed", 405, {"allow": "GET, HEAD"})
        if self.kind == "results" and not self._opens(name, request):
            return PlainTextResponse("AccessDenied", 403)
        path: Path | None = (
            self.site.studio.media(name) if self.kind == "media" else await self.site.studio.result(name)
        )
        return PlainTextResponse("NoSuchKey", 404) if path is None else file_answer(path, request)

    def _opens(self, name: str, request: Request) -> bool:
        return self.site.links.opens(name, parse_qs(request.url.query), self.site.clock())


@frozen
class Control:
    """``GET /sandbox/stats``, ``GET /sandbox/tasks``; ``GET``, ``POST`` and ``DELETE /sandbox/faults``."""

    site: Site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        try:
            response: Response = JSONResponse(await self._content(request))
        except Refused as refused:
            response = JSONResponse({"code": refused.code, "message": refused.message}, refused.status)
        except PlainAnswer as plain:
            response = plain.response
        await response(scope, receive, send)

    async def _content(self, request: Request) -> object:
        site, name = self.site, request.path_params["name"]
        if (request.method, name) == ("GET", "stats"):
            return statistics(site)
        if (request.method, name) == ("GET", "tasks"):
            return task_rows(site)
        if name != "faults" or request.method not in {"GET", "POST", "DELETE"}:
            raise Refused(1203)
        if request.method == "POST":
            site.faults.add_json(parse_json(await read_body(request, site.settings.body_bytes)))
        elif request.method == "DELETE":
            site.faults.clear()
        return [fault.as_dict() for fault in site.faults.rules]

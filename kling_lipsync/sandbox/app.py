"""The ASGI app: which path is which endpoint, who is let in, and what every answer has in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Any

from attrs import frozen
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kling_lipsync.sandbox import envelopes, error_shapes, lipsync, one_step, speaking, tasks
from kling_lipsync.sandbox.dialect import CREATES, LISTS, Dialect, Operation
from kling_lipsync.sandbox.faults import Stage
from kling_lipsync.sandbox.fields import Fields, parse_object
from kling_lipsync.sandbox.gateways import IDENTIFY_PATH
from kling_lipsync.sandbox.pages import Control, Files
from kling_lipsync.sandbox.refusals import Refused
from kling_lipsync.sandbox.signing import authenticate
from kling_lipsync.sandbox.site import Call, Site
from kling_lipsync.sandbox.striking import PlainAnswer, read_body, sender, strike
from kling_lipsync.sandbox.world import Account

Act = Callable[[Site, Call], Awaitable[Any]]
"""What an endpoint does: the ``data`` of its answer."""

ACTS: dict[str, Act] = {
    "identify": lipsync.identify,
    "create": lipsync.create,
    "query": tasks.query,
    "list": tasks.page,
    "one_step_create": one_step.create,
    "one_step_query": tasks.query,
    "one_step_list": tasks.page,
    "tts": speaking.tts,
    "costs": tasks.costs,
}
"""What the operations of all gateways do, by their names."""


def build_app(site: Site) -> ASGIApp:
    """The sandbox as an ASGI app."""
    dialect = site.settings.dialect
    router = Router(
        [
            *(
                Route(prefix + path, Endpoint(site, operations))
                for prefix in dialect.prefixes
                for path, operations in _operations(dialect).items()
            ),
            Route("/media/{name}", Files(site, "media")),
            Route("/results/{name}", Files(site, "results")),
            Route("/sandbox/{name}", Control(site)),
        ],
        redirect_slashes=False,
        default=Endpoint(site, {}),
    )
    return Front(site, router, tuple(prefix + IDENTIFY_PATH for prefix in dialect.prefixes))


def _operations(dialect: Dialect) -> dict[str, dict[str, Operation]]:
    """What each method of each path is."""
    paths: dict[str, dict[str, Operation]] = {}
    for operation in dialect.operations:
        if dialect.lists or operation.name not in LISTS:
            paths.setdefault(operation.path, {})[operation.method] = operation
    return paths


@frozen
class Front:
    """What happens to every request: identify-face in any case of letters, and the ``Date`` of every answer."""

    site: Site
    inner: ASGIApp
    any_case: tuple[str, ...]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] == "http" and scope["path"].lower() in self.any_case:
            scope = {**scope, "path": scope["path"].lower()}

        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = formatdate(self.site.clock(), usegmt=True).encode()
                message["headers"] = [*message["headers"], (b"date", date)]
            await send(message)

        await self.inner(scope, receive, send_dated)


UNKNOWN = Operation(method="", path="", name="unknown")


@frozen
class Endpoint:
    """One path of the API: what each method does there. Without any, it is a path that does not exist."""

    site: Site
    operations: Mapping[str, Operation]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        operation = self.operations.get(request.method, UNKNOWN)
        self.site.world.requests[operation.name] += 1
        try:
            response = await self._respond(operation, request)
        except ClientDisconnect:
            return  # who hung up in the midst of a request gets no answer
        await sender(self.site, operation.name, response)(scope, receive, send)

    async def _refuse(self, site: Site, call: Call) -> object:
        raise Refused(1202 if self.operations else 1203)

    async def _respond(self, operation: Operation, request: Request) -> Response:
        site, request_id = self.site, f"sandbox-{self.site.world.new_id('request')}"
        account: Account | None = None
        try:
            if operation.name in CREATES and site.settings.refuse_early:
                site.world.check_slot(self._account(request))
            body = await read_body(request, site.settings.body_bytes)
            account = self._account(request)
            account.requests[operation.name] += 1
            await strike(site, operation.name, Stage.BEFORE)
            data = await ACTS.get(operation.name, self._refuse)(site, self._call(account, operation, request, body))
            await strike(site, operation.name, Stage.AFTER)
        except Refused as refused:
            return self._refusal(refused, account, request_id)
        except PlainAnswer as plain:
            return plain.response
        return JSONResponse(envelopes.answer(site.settings.dialect, operation, data, request_id))

    def _account(self, request: Request) -> Account:
        name = authenticate(request.headers.get("authorization"), self.site.settings, self.site.clock())
        return self.site.world.account(name)

    def _call(self, account: Account, operation: Operation, request: Request, body: bytes) -> Call:
        is_known = request.method == "POST" and operation is not UNKNOWN
        return Call(
            account=account,
            endpoint=operation.name,
            under=operation.under,
            origin=f"{request.url.scheme}://{request.url.netloc}",
            fields=Fields(parse_object(body) if is_known else {}, numbers=self.site.settings.dialect.numbers),
            query=request.query_params,
            key=request.path_params.get("key", ""),
        )

    def _refusal(self, refused: Refused, account: Account | None, request_id: str) -> Response:
        self.site.world.refusals[refused.code] += 1
        if account is not None:
            account.refusals[refused.code] += 1
        headers = {} if refused.retry_after is None else {"retry-after": f"{refused.retry_after:g}"}
        status, body = error_shapes.refuse(self.site.settings.dialect.errors, refused, request_id)
        answer = HTMLResponse if isinstance(body, str) else JSONResponse
        return answer(body, status, headers)

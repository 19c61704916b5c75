"""The ASGI app: which path is which endpoint, who is let in, and what every answer has in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from functools import partial

from attrs import frozen
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kling_lipsync.sandbox import answers, lipsync, one_step, speaking, tasks
from kling_lipsync.sandbox.faults import Stage
from kling_lipsync.sandbox.fields import Fields, parse_object
from kling_lipsync.sandbox.model import Family
from kling_lipsync.sandbox.pages import Control, Files
from kling_lipsync.sandbox.refusals import Refused
from kling_lipsync.sandbox.signing import authenticate
from kling_lipsync.sandbox.site import Call, Site
from kling_lipsync.sandbox.striking import PlainAnswer, read_body, sender, strike
from kling_lipsync.sandbox.world import Account

Act = Callable[[Site, Call], Awaitable[object]]
"""What an endpoint does: the ``data`` of its answer."""

ENDPOINTS: dict[str, dict[str, tuple[str, Act]]] = {
    "/v1/videos/identify-face": {"POST": ("identify", lipsync.identify)},
    "/v1/videos/advanced-lip-sync": {
        "POST": ("create", lipsync.create),
        "GET": ("list", partial(tasks.page, family=Family.ADVANCED)),
    },
    "/v1/videos/advanced-lip-sync/{key}": {"GET": ("query", partial(tasks.query, family=Family.ADVANCED))},
    "/v1/videos/lip-sync": {
        "POST": ("one_step_create", one_step.create),
        "GET": ("one_step_list", partial(tasks.page, family=Family.ONE_STEP)),
    },
    "/v1/videos/lip-sync/{key}": {"GET": ("one_step_query", partial(tasks.query, family=Family.ONE_STEP))},
    "/v1/audio/tts": {"POST": ("tts", speaking.tts)},
    "/account/costs": {"GET": ("costs", tasks.costs)},
}
"""Paths of the official API; the same ones are served below ``/kling``."""

PREFIXES = ("", "/kling")
ANY_CASE = tuple(f"{prefix}/v1/videos/identify-face" for prefix in PREFIXES)


def build_app(site: Site) -> ASGIApp:
    """The sandbox as an ASGI app."""
    router = Router(
        [
            *(Route(prefix + path, Endpoint(site, acts)) for prefix in PREFIXES for path, acts in ENDPOINTS.items()),
            Route("/media/{name}", Files(site, "media")),
            Route("/results/{name}", Files(site, "results")),
            Route("/sandbox/{name}", Control(site)),
        ],
        redirect_slashes=False,
        default=Endpoint(site, {}),
    )
    return Front(site, router)


@frozen
class Front:
    """What happens to every request: identify-face in any case of letters, and the ``Date`` of every answer."""

    site: Site
    inner: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] == "http" and scope["path"].lower() in ANY_CASE:
            scope = {**scope, "path": scope["path"].lower()}

        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = formatdate(self.site.clock(), usegmt=True).encode()
                message["headers"] = [*message["headers"], (b"date", date)]
            await send(message)

        await self.inner(scope, receive, send_dated)


@frozen
class Endpoint:
    """One path of the API: what each method does there. Without any, it is a path that does not exist."""

    site: Site
    acts: Mapping[str, tuple[str, Act]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        name, act = self.acts.get(request.method, ("unknown", self._refuse))
        self.site.world.requests[name] += 1
        response = await self._respond(name, act, request)
        await sender(self.site, name, response)(scope, receive, send)

    async def _refuse(self, site: Site, call: Call) -> object:
        raise Refused(1202 if self.acts else 1203)

    async def _respond(self, name: str, act: Act, request: Request) -> Response:
        site, request_id = self.site, f"sandbox-{self.site.world.new_id('request')}"
        account: Account | None = None
        try:
            if name == "create" and site.settings.refuse_early:
                site.world.check_slot(self._account(request))
            body = await read_body(request, site.settings.body_bytes)
            account = self._account(request)
            account.requests[name] += 1
            await strike(site, name, Stage.BEFORE)
            data = await act(site, _call(account, name, request, body))
            await strike(site, name, Stage.AFTER)
        except Refused as refused:
            return self._refusal(refused, account, request_id)
        except PlainAnswer as plain:
            return plain.response
        return JSONResponse(answers.envelope(data, request_id))

    def _account(self, request: Request) -> Account:
        name = authenticate(request.headers.get("authorization"), self.site.settings, self.site.clock())
        return self.site.world.account(name)

    def _refusal(self, refused: Refused, account: Account | None, request_id: str) -> Response:
        self.site.world.refusals[refused.code] += 1
        if account is not None:
            account.refusals[refused.code] += 1
        headers = {} if refused.retry_after is None else {"retry-after": f"{refused.retry_after:g}"}
        return JSONResponse(answers.refusal(refused, request_id), refused.status, headers)


def _call(account: Account, name: str, request: Request, body: bytes) -> Call:
    return Call(
        account=account,
        endpoint=name,
        origin=f"{request.url.scheme}://{request.url.netloc}",
        fields=Fields(parse_object(body) if request.method == "POST" and name != "unknown" else {}),
        query=request.query_params,
        key=request.path_params.get("key", ""),
    )

"""Reading a request and sending an answer, with everything that can be made to go wrong on the way."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kling_lipsync.sandbox.faults import Fault, Stage
from kling_lipsync.sandbox.refusals import ConnectionDropped, Refused
from kling_lipsync.sandbox.site import Site

PAGE_502 = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
PAGE_413 = "<html><head><title>413 Request Entity Too Large</title></head></html>"
PAGE_200 = "<!doctype html><html><body>Please enable JavaScript to continue.</body></html>"


class PlainAnswer(Exception):
    """A request is answered with something that is not Kling's: ``response``."""

    def __init__(self, response: Response) -> None:
        self.response = response
        super().__init__(response.status_code)


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The whole body of a request.

    Raises:
        PlainAnswer: HTTP 413 as a proxy has it, where the body is longer than ``most_bytes``; the rest is read and
            thrown away.
    """
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= most_bytes:
            body += chunk
    if size > most_bytes:
        raise PlainAnswer(HTMLResponse(PAGE_413, 413))
    return bytes(body)


async def strike(site: Site, endpoint: str, stage: Stage) -> None:
    """Nothing, or what a fault at this moment does.

    Raises:
        Refused, PlainAnswer, ConnectionDropped: as the fault has it.
    """
    fault = site.faults.draw(endpoint, stage)
    if fault is None:
        return
    if fault.kind == "stall":
        await site.sleep(fault.seconds)
    elif fault.kind == "drop":
        raise ConnectionDropped
    else:
        raise _answer(fault)


def _answer(fault: Fault) -> Exception:
    headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    if fault.kind == "502":
        return PlainAnswer(HTMLResponse(PAGE_502, 502, headers))
    if fault.kind == "429":
        return PlainAnswer(PlainTextResponse(fault.message or "Too Many Requests", 429, headers))
    if fault.kind == "html":
        return PlainAnswer(HTMLResponse(PAGE_200, 200, headers))
    return Refused(int(fault.kind), fault.message, retry_after=fault.retry_after)


def sender(site: Site, endpoint: str, response: Response) -> ASGIApp:
    """The response as an ASGI app; it hangs up half-way where a fault wants that."""
    return response if site.faults.draw(endpoint, Stage.SENDING) is None else Cut(response)


class Cut:
    """Sends the head and half of the body that was promised, and hangs up.

    Raises:
        ConnectionDropped: always.
    """

    def __init__(self, response: Response) -> None:
        self._response = response
        self._rest = int(response.headers["content-length"]) // 2

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, in part."""

        async def send_half(message: Message) -> None:
            if message["type"] != "http.response.body":
                await send(message)
                return
            part = message.get("body", b"")[: self._rest]
            self._rest -= len(part)
            await send({"type": "http.response.body", "body": part, "more_body": True})
            if self._rest <= 0:
                raise ConnectionDropped

        await self._response(scope, receive, send_half)

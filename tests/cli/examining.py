"""Runs the doctor against servers that answer as a test tells them to."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from kling_lipsync.cli._examine import CHECKS

from ..transport.serving import Connection, Handler, Server, answer, serving
from .driving import Ended, Line

NAMES = [check.name for check in CHECKS]

Found = dict[str, dict[str, Any]]


def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the machine's own proxies out of the environment."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@contextmanager
def hosted(handler: Handler, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server of a test's own, in a thread of its own."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serving(handler, tls)) as server:
        yield server


def refusal(status: str, code: object, message: str = "no", **headers: str) -> bytes:
    body = {"code": code, "message": message, "request_id": "r"}
    return answer(json.dumps(body).encode(), status=status, headers={"Content-Type": "application/json", **headers})


def success(data: object) -> bytes:
    body = json.dumps({"code": 0, "message": "SUCCEED", "request_id": "r", "data": data}).encode()
    return answer(body, headers={"Content-Type": "application/json"})


def html(status: str = "200 OK") -> bytes:
    return answer(b"<html><title>Welcome</title></html>", status=status, headers={"Content-Type": "text/html"})


def routed(routes: Mapping[str, bytes], otherwise: bytes = refusal("404 Not Found", 1203)) -> Handler:
    """A server that knows the answer to requests by a part of their target."""

    async def handler(connection: Connection) -> None:
        while head := await connection.request():
            await connection.send(next((data for part, data in routes.items() if part in head.target), otherwise))

    return handler


def examined(line: Line, url: str, *options: str) -> tuple[Found, Ended]:
    """The findings by their checks' names, and what the command left."""
    ended = line("doctor", "--json", "--base-url", url, *options)
    assert [list(row) for row in ended.lines] == [["check", "verdict", "seen", "todo"]] * len(NAMES)
    assert [row["check"] for row in ended.lines] == NAMES
    assert "Traceback" not in ended.err
    return {row["check"]: row for row in ended.lines}, ended


def verdicts(found: Found) -> dict[str, str]:
    return {name: row["verdict"] for name, row in found.items()}

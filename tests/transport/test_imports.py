from __future__ import annotations

import subprocess
import sys


def printed(script: str) -> list[str]:
    """The words that a script prints in a process of its own."""
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603 - ours


LOADED = "print(*{{name.partition('.')[0] for name in sys.modules}} & {})"


def test_nothing_slow_is_imported_before_it_is_used() -> None:
    """The pool comes with the first request, so that a caller with a client of its own is spared it."""
    script = (
        "import sys, kling_lipsync._transport as t;"
        "from kling_lipsync.policies import Timeouts;"
        "t.HttpTransport(timeouts=Timeouts());"
    )
    slow = "{'asyncio', 'backoff', 'httpcore', 'httpcore2', 'trio', 'truststore'}"
    assert printed(script + LOADED.format(slow)) == []


def test_the_package_brings_its_tools_when_they_are_used() -> None:
    """Neither the rooms that run jobs, nor the database, nor a reader of media is imported with the public names."""
    script = "import sys; from kling_lipsync import Coordinator, KlingClient, Job;"
    names = "print(*(n for n in sys.modules if n.startswith(('kling_lipsync._media', 'kling_lipsync._checks'))));"
    tools = "{'asyncio', 'backoff', 'httpcore', 'httpcore2', 'sqlite3', 'tomllib', 'trio'}"
    assert printed(script + names + LOADED.format(tools)) == []


REQUEST_ON = """
import sys, anyio
from kling_lipsync._transport import HttpTransport
from kling_lipsync.abc import Request
from kling_lipsync.errors import NotSent
from kling_lipsync.policies import Timeouts

async def main():
    transport = HttpTransport(timeouts=Timeouts())
    try:
        await transport.send(Request(method="GET", url="http://127.0.0.1:1/"))
    except NotSent:
        print("asked")
    await transport.aclose()

for backend in {}:
    anyio.run(main, backend=backend)
    print("trio" in sys.modules)
"""


def test_trio_is_imported_where_it_runs_alone() -> None:
    """A request on asyncio does not import trio, and one on trio in the same process later works all the same."""
    assert printed(REQUEST_ON.format(["asyncio", "trio"])) == ["asked", "False", "asked", "True"]
    assert printed(REQUEST_ON.format(["trio", "asyncio"])) == ["asked", "True", "asked", "True"]

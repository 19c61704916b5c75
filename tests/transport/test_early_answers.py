from __future__ import annotations

import anyio
import pytest

from .conftest import Authority
from .serving import Connection, Handler, answer, post, serving, transport

pytestmark = pytest.mark.anyio

LARGE = bytes(16_000_000)
REFUSAL = answer(b"too large", status="413 Content Too Large", headers={"Connection": "close"})


async def answers_and_resets(connection: Connection) -> None:
    """Refuses as soon as it has seen the head, and hangs up on what is still coming."""
    await connection.head()
    await connection.body(100_000)
    await connection.send(REFUSAL)
    await connection.body(1_000_000)
    await connection.reset()


async def answers_and_reads_no_more(connection: Connection) -> None:
    """Refuses, and leaves the connection as it is."""
    await connection.head()
    await connection.send(REFUSAL)
    await anyio.sleep_forever()


async def answers_and_drains(connection: Connection) -> None:
    """Refuses, and politely lets the rest of the body run out."""
    await connection.head()
    await connection.send(REFUSAL)
    await connection.body(len(LARGE))


async def interrupts_and_answers(connection: Connection) -> None:
    """Says ``100 Continue`` though nobody asked, reads to the end and answers."""
    await connection.head()
    await connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    await connection.body(len(LARGE))
    await connection.send(REFUSAL)


HANDLERS: dict[str, Handler] = {
    "resets": answers_and_resets,
    "reads-no-more": answers_and_reads_no_more,
    "drains": answers_and_drains,
    "continues": interrupts_and_answers,
}


@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_an_answer_in_the_midst_of_the_upload_is_read(handler: Handler, tls: bool, authority: Authority) -> None:
    """The refusal is given back, so that the caller learns why and does not upload it all again."""
    context = authority.server_tls() if tls else None
    patience = 0.2 if handler is answers_and_reads_no_more else 60.0
    async with serving(handler, context) as server, transport(write=patience) as sender:
        response = await sender.send(post(server.url, LARGE))
        assert (response.status, response.body) == (413, b"too large")
    assert (server.connections, len(server.heads)) == (1, 1)


async def test_a_connection_that_answered_early_carries_no_other_request() -> None:
    """What is left on it belongs to the request before."""

    async def handler(connection: Connection) -> None:
        head = await connection.head()
        assert head is not None
        if int(head.headers["content-length"]) < 100:
            await connection.send(answer(b"second"))
            return
        await connection.send(answer(b"first"))
        await connection.body(len(LARGE) // 2)
        await connection.send(answer(b"stray"))
        await connection.body(len(LARGE) // 2)
        await anyio.sleep_forever()

    async with serving(handler) as server, transport() as sender:
        assert (await sender.send(post(server.url, LARGE))).body == b"first"
        assert (await sender.send(post(server.url, b"{}"))).body == b"second"
    assert server.connections == 2

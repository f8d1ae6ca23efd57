"""Connections: what a server may do to them, and what becomes of the request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvloop

from homeostat.live.client import Client
from homeostat.live.connections import Connections, LostError
from tests.cluster import Cluster as Plane
from tests.live.kinds import CONFIG_MAPS, config_map

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Plays a script for each connection; counts them."""

    def __init__(self, script: Script) -> None:
        self.connections = 0
        self.handlers: set[asyncio.Task[None] | None] = set()
        self._script = script

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.handlers.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._script(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def serving(script: Script, *, limit: int = 4, seconds: float = 10.0, path: str = "") -> AsyncIterator[tuple[Server, Connections]]:
    server = Server(script)
    listening = await asyncio.start_server(server._serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    pool = Connections(f"http://127.0.0.1:{port}{path}", tls=None, limit=limit, seconds=seconds)
    try:
        yield server, pool
    finally:
        await pool.aclose()
        listening.close()
        await asyncio.gather(*filter(None, server.handlers))


def answering(*answers: bytes) -> Script:
    """One answer per request on each connection, then the connection is closed."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

    return script


async def test_a_connection_serves_one_request_after_another() -> None:
    async with serving(answering(*[OK] * 9)) as (server, pool):
        for _ in range(3):
            assert await pool.request("GET", "/a", {}, None) == (200, b"ok", "")
    assert server.connections == 1


async def test_requests_side_by_side_are_bounded() -> None:
    at_once, most, go_on = 0, 0, asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal at_once, most
        while True:
            await reader.readuntil(b"\r\n\r\n")
            at_once += 1
            most = max(most, at_once)
            if at_once == 3:
                go_on.set()
            await go_on.wait()
            at_once -= 1
            writer.write(OK)

    async with serving(script, limit=3) as (server, pool):
        answers = await asyncio.gather(*(pool.request("GET", "/a", {}, None) for _ in range(20)))
    assert len(answers) == 20
    assert most == 3
    assert server.connections == 3


async def test_an_answer_in_chunks_and_pieces_is_put_together() -> None:
    pieces = [
        b"HTTP/1.1 201 Created\r\nTransfer-Enc",
        b"oding: chunked\r\nRetry-After: 7\r\n\r\n3\r\nabc\r\n",
        b"2\r\nde\r",
        b"\n0\r\n\r\n",
    ]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    async with serving(script) as (_, pool):
        assert await pool.request("POST", "/a", {"A": "b"}, b"{}") == (201, b"abcde", "7")


async def test_an_announcement_is_not_the_answer() -> None:
    async with serving(answering(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)) as (_, pool):
        assert (await pool.request("GET", "/a", {}, None)).body == b"ok"


async def test_a_server_that_wants_to_close_is_let() -> None:
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    async with serving(answering(closing)) as (server, pool):
        for _ in range(2):
            assert (await pool.request("GET", "/a", {}, None)).body == b"ok"
    assert server.connections == 2


async def test_a_connection_that_was_closed_while_idle_is_not_used_again() -> None:
    async with serving(answering(OK)) as (server, pool):
        await pool.request("GET", "/a", {}, None)
        await pool._idle[0].ended.wait()
        await pool.request("GET", "/a", {}, None)
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="half-a-head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", id="half-a-body"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", id="another-protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="a-bad-chunk"),
    ],
)
async def test_an_answer_that_breaks_off_or_is_none_is_told(answer: bytes) -> None:
    async with serving(answering(answer)) as (_, pool):
        with pytest.raises(LostError):
            await pool.request("GET", "/a", {}, None)


async def test_a_cancelled_request_leaves_no_answer_for_the_next() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"/slow" in head:
                asked.set()
                await reader.read()
            writer.write(OK)

    asked = asyncio.Event()
    async with serving(script) as (server, pool):
        async with asyncio.TaskGroup() as group:
            slow = group.create_task(pool.request("GET", "/slow", {}, None))
            await asked.wait()
            slow.cancel()
        assert (await pool.request("GET", "/a", {}, None)).body == b"ok"
    assert server.connections == 2


async def test_a_server_that_never_answers_is_given_up() -> None:
    async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(script, seconds=0.01) as (_, pool):
        with pytest.raises(TimeoutError, match="no answer within"):
            await pool.request("GET", "/a", {}, None)


async def test_what_nobody_asked_for_ends_the_connection() -> None:
    async with serving(answering(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", OK)) as (_, pool):
        assert (await pool.request("GET", "/a", {}, None)).body == b"ok"
        assert not pool._idle or not pool._idle[0].usable
        assert (await pool.request("GET", "/a", {}, None)).body == b"ok"


async def test_the_path_of_a_server_comes_first() -> None:
    heads = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)

    async with serving(script, path="/k8s/clusters/c-1/") as (_, pool):
        await pool.request("GET", "/version", {"Accept": "application/json"}, None)
    assert heads[0].startswith(b"GET /k8s/clusters/c-1/version HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(("path", "headers"), [("/a b", {}), ("/a\r\nX: y", {}), ("/a", {"Authorization": "x\r\nX: y"})])
async def test_nothing_can_be_slipped_into_a_request(path: str, headers: dict[str, str]) -> None:
    async with serving(answering(OK)) as (server, pool):
        with pytest.raises(ValueError, match="control characters"):
            await pool.request("GET", path, headers, None)
    assert server.connections == 0


def test_it_is_the_same_on_the_loop_of_the_controller(plane: Plane, namespace: str) -> None:
    async def story() -> None:
        async with await Client.connect(str(plane.kubeconfig)) as client:
            made = await asyncio.gather(*(client.apply(CONFIG_MAPS, config_map(namespace, f"n{number}")) for number in range(20)))
            assert len({obj["metadata"]["uid"] for obj in made}) == 20

    uvloop.run(story())

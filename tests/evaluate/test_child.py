"""Programs that are started beside the event loop: what they say arrives, and whoever is cancelled leaves none behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import uvloop

from homeostat.evaluate import child
from homeostat.model.tasks import spawn
from tests import processes

LOOPS = pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])

ENVIRONMENT = {"PATH": os.defpath, "WORD": "hello"}


async def test_what_a_program_says_arrives_and_its_code_is_known() -> None:
    process = await child.start(["sh", "-c", "echo $WORD; echo no >&2; exit 3"], environment=ENVIRONMENT)
    stdout, stderr = await process.output()
    assert await stdout.read() == b"hello\n"
    assert await stderr.read() == b"no\n"
    await process.wait()
    await process.end()
    assert process.code == 3


async def test_the_end_of_a_program_is_the_end_of_what_it_started(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = await child.start(["sh", "-c", f"sleep 1000 > {pipe} & echo started; wait"], environment=ENVIRONMENT)
    stdout, _ = await process.output()
    assert await stdout.readline() == b"started\n"
    held = await asyncio.to_thread(pipe.open, "rb")
    await process.end()
    assert process.code == -signal.SIGKILL
    with held:
        assert await asyncio.to_thread(held.read) == b"", "the helper held the other end until it died"


async def test_who_is_cancelled_while_a_program_starts_leaves_none_behind() -> None:
    before = processes.children()
    for _ in range(20):
        starting = asyncio.get_running_loop().create_task(child.start(["sleep", "1000"], environment=ENVIRONMENT), name="start")
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert processes.children() == before


async def test_who_is_cancelled_while_a_program_is_ended_leaves_nothing_open() -> None:
    sleeps = await child.start(["/bin/sleep", "1000"], environment={})
    output, errors = await sleeps.output()
    ending = spawn(sleeps.end(), name="end")
    await asyncio.sleep(0)  # it has begun, and waits
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    # Nothing is read from what is closed.
    assert (await output.read(), await errors.read()) == (b"", b"")
    await sleeps.wait()
    assert sleeps.code == -signal.SIGKILL


async def test_a_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        await child.start(["no-such-program"], environment=ENVIRONMENT)


@LOOPS
def test_programs_that_start_while_others_end_do_not_lose_their_descriptors(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def start_and_end() -> None:
        for _ in range(25):
            process = await child.start(["sh", "-c", "echo $WORD"], environment=ENVIRONMENT)
            stdout, _ = await process.output()
            assert await stdout.read() == b"hello\n"
            await process.wait()
            await process.end()

    async def many() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(start_and_end(), name=f"programs {number}")

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(many())


class _Talk(asyncio.SubprocessProtocol):
    """Collects what a program says, and notes its end."""

    def __init__(self) -> None:
        self.transport: asyncio.SubprocessTransport
        self.said = {1: b"", 2: b""}
        self.heard = asyncio.Event()
        self.ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.said[fd] += data
        self.heard.set()

    def connection_lost(self, exc: Exception | None) -> None:
        assert exc is None
        self.transport.close()
        self.ended.set_result(self.transport.get_returncode())


@LOOPS
def test_a_program_that_is_talked_with_answers_until_it_is_killed(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def story() -> None:
        talk = _Talk()
        await child.attach(talk, ["cat"], environment=ENVIRONMENT, folder="/")
        try:
            stdin = cast(asyncio.WriteTransport, talk.transport.get_pipe_transport(0))
            for word in (b"one", b"two"):
                talk.heard.clear()
                stdin.write(word)
                await talk.heard.wait()
            assert talk.said == {1: b"onetwo", 2: b""}
        finally:
            talk.transport.kill()
            assert await talk.ended == -signal.SIGKILL

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(story())


@LOOPS
def test_a_program_that_is_talked_with_ends_with_its_last_words(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def story() -> None:
        talk = _Talk()
        await child.attach(talk, ["sh", "-c", "pwd; echo sorry >&2; exit 7"], environment=ENVIRONMENT, folder="/")
        assert await talk.ended == 7
        assert talk.said == {1: b"/\n", 2: b"sorry\n"}

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(story())

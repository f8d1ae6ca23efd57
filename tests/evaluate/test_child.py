"""Programs that are started beside the event loop: what they say arrives, and whoever is cancelled leaves none behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from homeostat.evaluate import child
from tests import processes

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


async def test_a_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        await child.start(["no-such-program"], environment=ENVIRONMENT)


@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
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

"""Processes come when they are needed, go when they are not, and are never trusted twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from homeostat.evaluate import pool as pools
from homeostat.evaluate.errors import EvaluateError, EvaluationError, EvaluatorCrashError, UnsupportedError
from homeostat.evaluate.pool import Pool
from homeostat.evaluate.process import Process
from homeostat.evaluate.requests import DirectoryRequest, JqRequest, LuaRequest, Request, SemverRequest, YamlRequest
from homeostat.model.tree import Entry
from tests import evaluators

ONE = LuaRequest(script="return {one = 1}", obj={})
ENDLESS = LuaRequest(script="while true do end", obj={})


async def _process(pool: Pool) -> Process:
    """The only process of ``pool``, as soon as it runs a request."""
    while not pool._processes or not any(process.used for process in pool._processes):  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)
    (process,) = pool._processes
    return process


async def test_there_is_no_process_before_the_first_request_and_one_for_many() -> None:
    async with evaluators.pool(size=4) as pool:
        assert pool.processes == 0
        for _ in range(5):
            assert (await pool.evaluate(ONE)).value == {"one": 1}
        assert pool.processes == 1


async def test_there_are_never_more_processes_than_places() -> None:
    async with evaluators.pool(size=2) as pool, asyncio.TaskGroup() as group:
        tasks = [group.create_task(pool.evaluate(ONE)) for _ in range(20)]
        for task in tasks:
            await task
            assert pool.processes <= 2


async def test_an_evaluator_has_an_empty_environment_and_sits_at_the_root() -> None:
    async with evaluators.pool() as pool:
        await pool.evaluate(ONE)
        (process,) = pool._processes
        seen = psutil.Process(process.pid)
        assert seen.environ() == {}
        assert seen.cwd() == "/"
        assert os.getsid(process.pid) == process.pid


async def test_an_idle_process_goes_away() -> None:
    async with evaluators.pool(idle_seconds=0.01) as pool:
        await pool.evaluate(ONE)
        for process in list(pool._processes):
            await process.closed
        await asyncio.sleep(0)
        assert pool.processes == 0
        assert (await pool.evaluate(ONE)).value == {"one": 1}


async def test_a_process_that_was_killed_while_idle_is_replaced() -> None:
    async with evaluators.pool() as pool:
        await pool.evaluate(ONE)
        (process,) = pool._processes
        os.kill(process.pid, signal.SIGKILL)
        assert (await pool.evaluate(ONE)).value == {"one": 1}
        await process.closed


async def test_a_process_that_is_killed_at_work_fails_its_own_request_only() -> None:
    async with evaluators.pool(size=1) as pool, asyncio.TaskGroup() as group:
        failing = group.create_task(_unwrapped(pool, ENDLESS))
        process = await _process(pool)
        others = [group.create_task(pool.evaluate(ONE)) for _ in range(5)]
        os.kill(process.pid, signal.SIGKILL)
        error = await failing
        assert isinstance(error, EvaluatorCrashError)
        assert "killed from outside" in str(error)
        assert [(await other).value for other in others] == [{"one": 1}] * 5


async def _unwrapped(pool: Pool, request: Request) -> EvaluateError:
    with pytest.raises(EvaluateError) as caught:
        await pool.evaluate(request)
    return caught.value


async def test_a_request_that_is_cancelled_takes_its_process_with_it() -> None:
    async with evaluators.pool(size=1) as pool:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(pool.evaluate(ENDLESS))
            process = await _process(pool)
            task.cancel()
        assert task.cancelled()
        await process.closed
        assert (await pool.evaluate(ONE)).value == {"one": 1}


async def test_a_waiting_request_that_is_cancelled_leaves_the_queue() -> None:
    async with evaluators.pool(size=1) as pool:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(pool.evaluate(ENDLESS))
            await _process(pool)
            second = group.create_task(pool.evaluate(ONE))
            await asyncio.sleep(0)
            second.cancel()
            third = group.create_task(pool.evaluate(ONE))
            await asyncio.sleep(0)
            first.cancel()
        assert third.result().value == {"one": 1}


async def test_a_slow_request_gives_its_place_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "SLOW_SECONDS", 0.01)
    async with evaluators.pool(size=1) as pool, asyncio.TaskGroup() as group:
        slow = [group.create_task(pool.evaluate(ENDLESS)) for _ in range(3)]
        for _ in range(5):
            assert (await pool.evaluate(ONE)).value == {"one": 1}
        for task in slow:
            assert not task.done()
            task.cancel()


async def test_leaving_the_pool_leaves_no_process_and_fails_what_runs() -> None:
    async with asyncio.TaskGroup() as group:
        async with evaluators.pool(size=1) as pool:
            running = group.create_task(_unwrapped(pool, ENDLESS))
            process = psutil.Process((await _process(pool)).pid)
        assert isinstance(await running, EvaluatorCrashError)
    assert not process.is_running()
    assert pool.processes == 0
    with pytest.raises(RuntimeError, match="closed"):
        await pool.evaluate(ONE)


async def test_a_program_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    async with Pool(program=tmp_path / "nothing", size=1) as pool:
        with pytest.raises(EvaluatorCrashError, match="does not start"):
            await pool.evaluate(ONE)


@pytest.mark.parametrize(
    "behaviour", ["exit 3", "echo nonsense, much longer than a header", "printf '\\0\\0\\0\\2{}'", "head -c 5 >/dev/null; kill -9 $$"]
)
async def test_a_program_that_is_no_evaluator_is_a_clear_error(tmp_path: Path, behaviour: str) -> None:
    fake = tmp_path / "fake"
    fake.write_text(f"#!/bin/sh\n{behaviour}\n")
    fake.chmod(0o755)
    async with Pool(program=fake, size=1) as pool:
        with pytest.raises(EvaluateError, match=r"died|output"):
            await pool.evaluate(ONE)


def test_evaluators_die_with_a_killed_parent_even_in_an_endless_loop(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from homeostat.evaluate.pool import Pool\n"
        "from homeostat.evaluate.process import Limits\n"
        "from homeostat.evaluate.requests import LuaRequest\n"
        "async def main():\n"
        "    async with Pool(program=Path(sys.argv[1]), size=1, limits=Limits(quick_seconds=600)) as pool:\n"
        "        async with asyncio.TaskGroup() as group:\n"
        "            group.create_task(pool.evaluate(LuaRequest(script='while true do end', obj={})))\n"
        "            while not any(process.used for process in pool._processes):\n"
        "                await asyncio.sleep(0)\n"
        "            print(next(iter(pool._processes)).pid, flush=True)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, str(script), str(evaluators.program())], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    child.wait(20)
    assert not child.is_running()


async def test_jq_runs_each_program_over_each_input() -> None:
    async with evaluators.pool() as pool:
        answer = await pool.evaluate(JqRequest(programs=("del(.a)", ".b = 1"), inputs=({"a": 1}, {"c": 2})))
        assert answer.value == [{"b": 1}, {"b": 1, "c": 2}]


async def test_semver_answers_the_highest_that_fits() -> None:
    async with evaluators.pool() as pool:
        answer = await pool.evaluate(SemverRequest(constraint="1.x", versions=("1.2.3", "2.0.0", "v1.10.0")))
        assert answer.value == "v1.10.0"


async def test_an_error_of_the_input_names_file_and_line() -> None:
    async with evaluators.pool() as pool:
        with pytest.raises(EvaluationError) as caught:
            await pool.evaluate(YamlRequest(text="a: 1\nb:\n c: [1\nd: 2\n", file="all.yaml"), subject="app x")
        assert (caught.value.file, caught.value.evaluator, caught.value.subject) == ("all.yaml", "yaml", "app x")
        assert caught.value.line > 0


async def test_a_request_that_nobody_answers_is_not_supported() -> None:
    class Unheard(Request, frozen=True, tag="unheard"):
        pass

    async with evaluators.pool() as pool:
        with pytest.raises(UnsupportedError, match="unheard"):
            await pool.evaluate(Unheard())


class BrokenTree(evaluators.MemoryTree):
    def list(self, path: str) -> list[Entry] | None:
        raise OSError(f"the disk is broken at {path}")


async def test_an_error_of_the_tree_belongs_to_who_asked() -> None:
    async with evaluators.pool() as pool:
        with pytest.raises(OSError, match="the disk is broken"):
            await pool.evaluate(DirectoryRequest(path="a"), tree=BrokenTree({"a/b.yaml": ""}))
        assert (await pool.evaluate(ONE)).value == {"one": 1}

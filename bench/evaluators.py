"""Renders of many apps through a pool of evaluators, and what they cost; and the limit of that: the same evaluators with nobody between.

For the limit the frames are made beforehand, with every file told ahead, and the answers are thrown away unread. What is left is the
evaluators' own work and the pipes.
"""

from __future__ import annotations

import asyncio
import struct
import subprocess
import threading
import time
from collections.abc import Sequence

import msgspec
import psutil

from homeostat import toolchain
from homeostat.desired.render.detect import SourceType
from homeostat.desired.render.renderer import RenderContext, Rendered, Renderer
from homeostat.desired.render.request import request_of
from homeostat.evaluate import frames
from homeostat.evaluate.files import Files, Prefetch
from homeostat.evaluate.process import Limits
from homeostat.model.app import Source
from homeostat.model.tree import Tree

SIDE_BY_SIDE = 2
"""Evaluators at work, as `homeostat run` has them on two cores."""

_LENGTH = struct.Struct(">I")


class Job(msgspec.Struct, frozen=True):
    """One app to be rendered. ``kind`` is the tool that its folder asks for."""

    source: Source
    context: RenderContext
    kind: SourceType


class Spent(msgspec.Struct, frozen=True):
    """What renders took: seconds of the clock, and of processor time. ``fresh`` is how many were made anew."""

    seconds: float
    evaluators: float
    python: float
    rendered: Sequence[Rendered]

    @property
    def fresh(self) -> int:
        return sum(one.fresh for one in self.rendered)

    @property
    def note(self) -> str:
        each = 1000 / len(self.rendered)
        return f"{self.fresh} renders; processor time each: evaluator {each * self.evaluators:.2g} ms, Python {each * self.python:.2g} ms"


async def render(renderer: Renderer, jobs: Sequence[Job], tree: Tree, *, hard: bool = False) -> Spent:
    """All of them at once, over ``tree``; ``hard``: whatever is kept."""
    before, own, began = _processor_time(), time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(renderer.render(source=job.source, tree=tree, context=job.context, hard=hard)) for job in jobs]
    seconds = time.perf_counter() - began
    return Spent(seconds, _processor_time() - before, time.process_time() - own, [task.result() for task in tasks])


async def alone(renderer: Renderer, jobs: Sequence[Job], tree: Tree, *, places: int = SIDE_BY_SIDE) -> float:
    """Seconds that ``places`` evaluators, started for it, take for the same. ``renderer`` has rendered it before: it knows what is read."""
    told = []
    for number, job in enumerate(jobs, 1):
        trace = renderer.trace(source=job.source, context=job.context)
        ahead = Files(tree).told(Prefetch(trace=trace))
        told.append(frames.request(number, request_of(job.source, job.source.path, job.kind, job.context), ahead))
    program = await asyncio.to_thread(toolchain.program, "evaluator")
    return await asyncio.to_thread(_replay, str(program), [told[place::places] for place in range(places)])


def _replay(program: str, shares: Sequence[Sequence[bytes]]) -> float:
    failed: list[str] = []

    def work(mine: Sequence[bytes]) -> None:
        limits = Limits()
        command = [program, f"--memory-limit={limits.memory}", f"--output-limit={limits.output}"]
        with subprocess.Popen(command, env={}, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for frame in mine:
                process.stdin.write(frame)
                process.stdin.flush()
                answer = process.stdout.read(_LENGTH.unpack(process.stdout.read(_LENGTH.size))[0])
                if b'"ok":' not in answer[:100]:
                    failed.append(answer[:300].decode())
                    break
            process.stdin.close()

    threads = [threading.Thread(target=work, args=(share,)) for share in shares]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if failed:
        raise RuntimeError(f"an evaluator wants more than it was told: {failed[0]}")
    return seconds


def _processor_time() -> float:
    """Of the evaluators that are running."""
    children = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return sum(sum(child.cpu_times()[:2]) for child in children if any(part.startswith("--memory-limit=") for part in child.cmdline()))

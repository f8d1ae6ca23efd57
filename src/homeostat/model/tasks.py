"""The one place that starts a background task, so that every task has a name, an owner and a way to report its end.

An :class:`asyncio.TaskGroup` is the first choice: it waits for what it started. :func:`spawn` is for a task whose life belongs to an object
with an ``aclose`` of its own (a watch, a pool's process). asyncio keeps only weak references to tasks, so this module keeps a strong one until
the task ends. An error that nobody would see goes to the loop's exception handler, which the wiring turns into a log line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")

_running: set[asyncio.Task[Any]] = set()


def spawn(coro: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """Start ``coro`` as a task called ``name``. An exception other than cancellation is passed to the loop's exception handler."""
    task = asyncio.get_running_loop().create_task(coro, name=name)
    _running.add(task)
    task.add_done_callback(_ended)
    return task


async def together(*coros: Coroutine[Any, Any, T]) -> list[T]:
    """Run ``coros`` side by side and answer their results in order. The first error ends the others and is raised as it is, not in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            started = [group.create_task(coro) for coro in coros]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in started]


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel ``tasks`` and wait until each has ended. Their own errors were reported when they happened and are not raised again."""
    waiting = [task for task in tasks if not task.done()]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        context = {"message": f"task {task.get_name()} ended with an error", "exception": error, "task": task}
        task.get_loop().call_exception_handler(context)

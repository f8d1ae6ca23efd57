"""The queue hands out each app once, the most urgent first, and never loses a change."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from homeostat.loop.queue import AppQueue, Priority
from homeostat.model.app import AppKey


def key(name: str) -> AppKey:
    return AppKey("Application", "argocd", name)


async def drain(queue: AppQueue) -> list[str]:
    taken = []
    while len(queue):
        app, _ = await queue.take()
        taken.append(app.name)
        queue.done(app)
    return taken


async def test_what_a_human_asked_for_goes_first_and_periodic_work_last() -> None:
    queue = AppQueue()
    queue.add(key("periodic"), Priority.PERIODIC)
    queue.add(key("changed"), Priority.CHANGED)
    queue.add(key("human"), Priority.HUMAN)
    assert await drain(queue) == ["human", "changed", "periodic"]


async def test_an_app_that_is_added_twice_is_handed_out_once() -> None:
    queue = AppQueue()
    queue.add(key("a"), Priority.CHANGED)
    queue.add(key("a"), Priority.CHANGED)
    assert await drain(queue) == ["a"]


async def test_an_app_that_becomes_urgent_moves_forward() -> None:
    queue = AppQueue()
    queue.add(key("a"), Priority.PERIODIC)
    queue.add(key("b"), Priority.CHANGED)
    queue.add(key("a"), Priority.HUMAN)
    assert await drain(queue) == ["a", "b"]


async def test_a_change_during_the_work_makes_the_app_due_again() -> None:
    queue = AppQueue()
    queue.add(key("a"), Priority.CHANGED)
    app, _ = await queue.take()
    queue.add(app, Priority.CHANGED)
    assert len(queue) == 0, "nobody else may take it while it is worked on"
    queue.done(app)
    assert await drain(queue) == ["a"]


async def test_a_waiting_worker_is_woken_by_the_next_app() -> None:
    queue = AppQueue()
    async with asyncio.TaskGroup() as group:
        worker = group.create_task(queue.take(), name="worker")
        group.create_task(_add(queue, "a"), name="adder")
    assert worker.result() == (key("a"), Priority.CHANGED)


async def _add(queue: AppQueue, name: str) -> None:
    queue.add(key(name), Priority.CHANGED)


async def test_a_delayed_app_comes_at_the_earliest_of_its_times() -> None:
    queue = AppQueue()
    queue.add_later(key("a"), 3600)
    queue.add_later(key("a"), 0)
    queue.add_later(key("a"), 3600)
    app, _ = await queue.take()
    assert app == key("a")
    queue.done(app)
    assert queue.idle
    queue.close()


async def test_a_forgotten_app_is_not_handed_out() -> None:
    queue = AppQueue()
    queue.add(key("a"), Priority.CHANGED)
    queue.add_later(key("a"), 0)
    queue.add(key("b"), Priority.PERIODIC)
    queue.forget(key("a"))
    assert await drain(queue) == ["b"]


async def test_periodic_work_leaves_workers_to_what_is_more_urgent() -> None:
    queue = AppQueue(periodic=2)
    for name in ("first", "second", "third"):
        queue.add(key(name), Priority.PERIODIC)
    first, _ = await queue.take()
    second, _ = await queue.take()
    queue.add(key("urgent"), Priority.CHANGED)
    assert await queue.take() == (key("urgent"), Priority.CHANGED)
    async with asyncio.TaskGroup() as group:
        worker = group.create_task(queue.take(), name="worker")
        queue.done(first)
        await asyncio.wait([worker], timeout=0)
        assert not worker.done(), "one is all that periodic work gets meanwhile"
        queue.done(key("urgent"))
    assert worker.result() == (key("third"), Priority.PERIODIC)
    queue.done(second)


async def test_periodic_work_goes_on_beside_something_urgent_that_takes_long() -> None:
    queue = AppQueue()
    queue.add(key("urgent"), Priority.HUMAN)
    await queue.take()
    queue.add(key("first"), Priority.PERIODIC)
    assert await queue.take() == (key("first"), Priority.PERIODIC)


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from(list(Priority))), max_size=40))
def test_each_app_comes_once_by_its_best_priority(added: Sequence[tuple[str, Priority]]) -> None:
    async def run() -> list[tuple[str, Priority]]:
        queue = AppQueue()
        for name, priority in added:
            queue.add(key(name), priority)
        taken = []
        while len(queue):
            app, priority = await queue.take()
            taken.append((app.name, priority))
            queue.done(app)
        return taken

    taken = asyncio.run(run())
    best = {name: min(p for n, p in added if n == name) for name, _ in added}
    assert dict(taken) == best
    assert len(taken) == len(best)
    assert [p for _, p in taken] == sorted(p for _, p in taken)

"""The demo for a person: what happens is shown as it happens, and what to try is said, until somebody ends it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from homeostat.argo.control import DEFAULT_NAMESPACE
from homeostat.argo.resources import APPLICATIONS
from homeostat.cli.demos.board import Board, board
from homeostat.cli.demos.hints import what_to_try
from homeostat.cli.demos.stage import Stage
from homeostat.cli.demos.watching import changes
from homeostat.cli.demos.world import World, world
from homeostat.live.errors import UnavailableError

_LONGEST_WAIT = 30.0
"""Seconds until it is said what to try, if not all apps are well before: somebody may have left one broken the last time."""


async def show(stage: Stage, *, began: float, port: int | None) -> None:
    """Until it is cancelled. ``began`` is the start of the demo on the monotonic clock. Raises as :func:`world` does."""
    with board(began) as shown:
        shown.tell(f"the control plane is up at {stage.plane.server}")
        async with world(stage, port=port, tell=shown.tell) as made, asyncio.TaskGroup() as group:
            well = asyncio.Event()
            group.create_task(_advise(stage, made, shown, well), name="advice")
            await _follow(stage, made, shown, well)


async def _follow(stage: Stage, made: World, shown: Board, well: asyncio.Event) -> None:
    silent = False

    def lost(error: UnavailableError) -> None:
        nonlocal silent
        if not silent:
            shown.tell(f"{error}; `homeostat box up --name {stage.plane.name}` starts again what has crashed")
        silent = True

    async with aclosing(changes(made.client, APPLICATIONS, DEFAULT_NAMESPACE, lost=lost)) as apps:
        async for change in apps:
            if silent:
                shown.tell("the API server answers again")
                silent = False
            if change.name:
                shown.see(change.name, change.object)
            if shown.settled:
                well.set()


async def _advise(stage: Stage, made: World, shown: Board, well: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_LONGEST_WAIT):
            await well.wait()
        shown.tell(f"all {len(shown.rows)} apps are Synced and Healthy")
    except TimeoutError:
        shown.tell("not all apps are Synced and Healthy yet")
    advice = await asyncio.to_thread(what_to_try, stage, made.url)
    shown.write(f"\n{advice}\n")

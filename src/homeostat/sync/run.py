"""The runner: carries the tasks of a wave out against a cluster. The only module of a sync with effects.

SIGNATURES FIRST: the implementation is being written.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from homeostat.live.cluster import Cluster
from homeostat.model.objects import Object
from homeostat.model.sync import Task, TaskResult, Wave
from homeostat.sync.events import Listener, nobody


class RunOptions(msgspec.Struct, frozen=True):
    """How tasks are carried out; see ``run_options``. ``propagation`` is for prunes; ``take_over``: fields of predecessors become ours first."""

    propagation: str = "Foreground"
    take_over: bool = True
    dry_run: bool = False
    manager: str = "homeostat"


_DEFAULTS = RunOptions()


class Done(msgspec.Struct, frozen=True):
    """What became of one task. ``answer`` is the object as the server has it after an apply, ``None`` for everything else."""

    task: Task
    result: TaskResult
    answer: Object | None = None


def run_options(options: Sequence[str], *, dry_run: bool = False) -> RunOptions:
    """The run options that sync options (``sync.options.effective``) mean."""
    raise NotImplementedError


class Runner:
    """Carries out waves. One for a cluster serves all apps; it keeps nothing between calls."""

    def __init__(self, cluster: Cluster, *, parallel: int = 16) -> None: ...

    async def run(self, wave: Wave, *, options: RunOptions = _DEFAULTS, on_event: Listener = nobody) -> tuple[Done, ...]:
        """Carries out every task of ``wave``, group after group, and answers what became of each, in the order of the wave.

        Never raises for what a cluster or an object is to blame for: that is a SYNC_FAILED result. Cancelled, it stops after the requests under way;
        the same wave can be run again at any time.
        """
        raise NotImplementedError

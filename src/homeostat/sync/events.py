"""What a sync tells while it runs: one stream of typed events for the command line, logs and metrics alike.

A listener is called in the event loop and must return at once. What the events lead to (a line, a counter, a row) is not known here.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from homeostat.model.objects import Key
from homeostat.model.sync import OperationPhase, Phase, Task, TaskResult


class Event(msgspec.Struct, frozen=True):
    """Something happened in a sync."""


class WaveStarted(Event, frozen=True):
    phase: Phase
    number: int
    tasks: int


class TaskStarted(Event, frozen=True):
    task: Task


class TaskFinished(Event, frozen=True):
    """``seconds`` is how long it took."""

    task: Task
    result: TaskResult
    seconds: float


class Waiting(Event, frozen=True):
    """The sync goes on when something changes about ``keys``."""

    reason: str
    keys: tuple[Key, ...]


class SyncFinished(Event, frozen=True):
    phase: OperationPhase
    message: str


Listener = Callable[[Event], None]


def nobody(event: Event) -> None:
    """The listener who does not care."""

"""How an operation gets on, told line by line as the controller writes it down.

:class:`Progress` is pure: states of an Application in, lines out. :func:`watch` follows the Application until the operation has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

from homeostat.cli.apps import words
from homeostat.cli.apps.common import limited
from homeostat.cli.apps.control import Applications
from homeostat.cli.apps.errors import RefusedError, SyncFailedError
from homeostat.cli.apps.refresh import NO_CONTROLLER
from homeostat.model.objects import Object

_BAD = frozenset({"Failed", "Error"})


class Progress:
    """``before`` is the app as it was when the operation was asked for: the operation that its status tells of is an earlier one."""

    def __init__(self, before: Object) -> None:
        self._earlier = words.part(before, "status", "operationState")
        self._told: dict[tuple[str, str, str], tuple[str, str]] = {}
        self._stage = ("Sync", 0)
        self._message = ""
        self._retries = 0
        self.state: dict[str, Any] = {}
        self.done = False

    def see(self, app: Object) -> Iterator[str]:
        """The lines that ``app`` adds. Sets ``done`` with the last."""
        state = words.part(app, "status", "operationState")
        if not state or state == self._earlier:
            # An operation that went before it began is as good as done: somebody has called it off.
            self.done = not app.get("operation") and not state
            return
        self.state = state
        waves = {words.object_of(one): int(one.get("syncWave") or 0) for one in words.resources_of(app)}
        for one in words.results_of(app):
            key = (words.object_of(one), str(one.get("syncPhase")), str(one.get("hookType") or ""))
            news = (_state_of(one), str(one.get("message") or ""))
            if self._told.get(key) == news:
                continue
            self._told[key] = news
            # A hook's wave stands nowhere.
            stage = (key[1], 0 if key[2] else waves.get(key[0], 0))
            if stage != self._stage:
                self._stage = stage
                yield f"-- {stage[0]}" + (f", wave {stage[1]}" if stage[1] else "")
            hook = f"{key[2]} hook " if key[2] else ""
            yield f"{key[0]}   {hook}{news[0]}   {news[1]}".rstrip()
        retries = int(state.get("retryCount") or 0)
        message = str(state.get("message") or "")
        self.done = not app.get("operation") and words.phase_of(app) not in {"Running", "Terminating"}
        if not self.done and message and (message, retries) != (self._message, self._retries):
            yield message
        self._message, self._retries = message, retries

    @property
    def waiting_for(self) -> str:
        """The end of the sentence "timed out, …"."""
        if not self.state:
            return "the controller has not begun with the sync"
        return f"the sync goes on: {self._message}" if self._message else "the sync goes on"


def _state_of(result: dict[str, Any]) -> str:
    """What became of an object: of a hook how it ended, else the result of the apply unless something went wrong after it."""
    status, phase = str(result.get("status") or ""), str(result.get("hookPhase") or "")
    if result.get("hookType") and phase:
        return phase
    return "Failed" if phase in _BAD and status != "SyncFailed" else status


async def watch(
    applications: Applications, name: str, before: Object, tell: Callable[[str], None], *, seconds: float
) -> tuple[Object, Progress]:
    """Tells how the operation on ``before`` gets on until it has ended; answers the app as it is then.

    Raises :class:`TimedOutError` (the operation goes on), and :class:`RefusedError` when the app is deleted meanwhile.
    """
    progress = Progress(before)
    hint = f"it goes on without you: `homeostat app wait {name} --operation` waits on"
    async with (
        limited(seconds, lambda: progress.waiting_for, hint=hint if seconds else NO_CONTROLLER),
        aclosing(applications.follow(name, str(before["metadata"]["uid"]))) as states,
    ):
        async for app in states:
            if app is None:
                break
            for line in progress.see(app):
                tell(line)
            if progress.done:
                return app, progress
    raise RefusedError(f"app `{name}` was deleted meanwhile")


def judge(name: str, app: Object, progress: Progress, *, partial: bool, dry_run: bool) -> str:
    """How it ended, in a sentence. Raises :class:`SyncFailedError` when not well: what argocd's ``app sync`` exits with an error for."""
    state = progress.state
    phase, message = str(state.get("phase") or ""), str(state.get("message") or "")
    if not state:
        raise SyncFailedError(f"the sync of app `{name}` was called off before it began")
    if phase != "Succeeded":
        hint = f"`homeostat app get {name} --show-operation` shows what became of each object"
        raise SyncFailedError(f"the sync of app `{name}` ended as {phase}: {message}", hint=hint)
    results = list(words.results_of(app))
    kept = [one for one in results if one.get("status") == "PruneSkipped"]
    if kept and not partial and not dry_run and words.sync_of(app) != "Synced":
        raise SyncFailedError(
            f"app `{name}` was synced, but {_counted(len(kept))} to be pruned: {', '.join(map(words.object_of, kept[:3]))}"
            + (", …" if len(kept) > 3 else ""),
            hint=f"`homeostat app sync {name} --prune` deletes what is no longer in Git",
        )
    revision = words.revision_in(words.part(state, "syncResult"))
    return f"app `{name}` {'would be' if dry_run else 'is'} synced to {revision}: {message}"


def _counted(number: int) -> str:
    return "1 object is" if number == 1 else f"{number} objects are"

"""The deletion of an app with a finalizer: its objects go, the highest wave first, and then the app (reference 2.8).

Only what the app tracks and what speaks of itself is deleted; what else stands in the cluster is never touched. An object that is on its way out
is waited for by the watch, not by a worker. Which objects may go is ``sync/deletion.py``'s rule.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import structlog

from homeostat.live.cluster import Cluster
from homeostat.live.errors import NotFoundError
from homeostat.loop.look import Looker
from homeostat.loop.memory import Memory
from homeostat.model.app import App
from homeostat.model.settings import Settings
from homeostat.model.sync import ResultCode
from homeostat.sync.deletion import plan_deletion
from homeostat.sync.options import Propagation
from homeostat.sync.run import Runner, RunOptions

log = structlog.get_logger()

TRY_AGAIN = 10.0


class Pending(msgspec.Struct, frozen=True):
    """Why the app is still there. ``failed``: something refused to go; ``seconds``: when to look again if nothing is seen to change."""

    message: str
    failed: bool = False
    seconds: float | None = None


class Deleter:
    """Deletes the objects of apps on one cluster."""

    def __init__(self, cluster: Cluster, *, looker: Looker, settings: Callable[[], Settings]) -> None:
        self._cluster = cluster
        self._looker = looker
        self._settings = settings
        self._runner = Runner(cluster)

    async def delete(self, app: App, memory: Memory) -> Pending | None:
        """One step; ``None`` when nothing of the app is left that it may delete. Raises :class:`ApiError` when nobody can tell."""
        await self._looker.attend(app, (), memory)
        unavailable = self._cluster.unavailable({key.group_kind for key in app.recorded})
        # Of a kind that is served no more there is nothing left.
        unknown = {kind: error for kind, error in unavailable.items() if not isinstance(error, NotFoundError)}
        if unknown:
            told = "; ".join(f"{kind}: {error}" for kind, error in unknown.items())
            return Pending(f"what is left of the app cannot be told: {told}", failed=True, seconds=TRY_AGAIN)
        index = self._cluster.index
        live = [obj for obj in map(index.get, index.managed(app.id)) if obj is not None]
        plan = plan_deletion(live, app_id=app.id, options=app.policy.options, tracking=self._settings().tracking)
        if not plan.waves:
            log.info("app deleted", app=str(app.key))
            return None
        going = [task.key for task in plan.tasks if task.live is not None and "deletionTimestamp" in task.live["metadata"]]
        if going:
            return Pending(f"waiting for {len(going)} objects to go, {going[0]} for one")
        propagation: Propagation = "Background" if app.finalizer == "background" else "Foreground"
        done = await self._runner.run(plan.waves[0], options=RunOptions(propagation=propagation))
        failed = [d.result for d in done if d.result.status is ResultCode.SYNC_FAILED]
        if failed:
            return Pending("; ".join(f"{r.key}: {r.message}" for r in failed), failed=True, seconds=TRY_AGAIN)
        return Pending("waiting for objects to go", seconds=TRY_AGAIN)

"""The planner alone: one app of 1,000 objects in ten waves, with prunes and hooks, in processor time. No cluster is asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from bench.common import Stage
from bench.report import Row, median, percentile
from homeostat.model.health import Health, HealthStatus
from homeostat.model.manifest import Desired
from homeostat.model.objects import Object, key_of
from homeostat.model.sync import Operation, ResultCode, TaskResult
from homeostat.model.tracking import Tracking
from homeostat.sync.plan import PlanInput, Target, plan
from homeostat.sync.step import Observed, step

TITLE = "The planner: one app of 1,000 objects in ten waves"
BUDGET = 20.0
OBJECTS = 1000
WAVES = 10
TIMES = 100

_KINDS = (("v1", "ConfigMap"), ("apps/v1", "Deployment"), ("v1", "Service"), ("v1", "Secret"))
_WELL = Observed(Health(HealthStatus.HEALTHY))
_BEGAN = "2026-01-01T00:00:00Z"


async def measure(stage: Stage, count: int) -> list[Row]:
    del stage, count
    plain = [_object(number, "app") for number in range(OBJECTS)]
    old = [_object(number, "old") for number in range(OBJECTS // 10)]
    hooks = [_object(number, "hook", {"argocd.argoproj.io/hook": "PreSync,PostSync"}) for number in range(WAVES)]
    several = [_plan(plain), _plan(plain, old=old, hooks=hooks)]
    made = plan(several[0])
    recorded = tuple(TaskResult(task.key, task.version, task.phase, ResultCode.SYNCED, "created") for task in made.tasks[:-1])
    alone, whole = ([_timed(partial(plan, given)) for _ in range(TIMES)] for given in several)
    next_one = [_timed(partial(step, made, recorded, lambda _: _WELL)) for _ in range(TIMES)]
    return [
        Row("a plan, median", median(alone), "ms", BUDGET, note="processor time, all of them"),
        Row("a plan, 99 of 100", percentile(alone, 0.99), "ms"),
        Row("with 100 prunes and 20 hooks, median", median(whole), "ms", BUDGET),
        Row("what comes next in it, near its end, median", median(next_one), "ms"),
    ]


def _plan(plain: list[Object], *, old: list[Object] | None = None, hooks: list[Object] | None = None) -> PlanInput:
    wanted = [*plain, *(hooks or [])]
    return PlanInput(
        app_id="app",
        targets=[Target(Desired(key_of(one), one), one) for one in wanted],
        managed=[*plain, *(old or [])],
        namespace="bench",
        operation=Operation(prune=True),
        revision="0" * 40,
        started_at=_BEGAN,
        run=f"{_BEGAN}/0",
    )


def _object(number: int, prefix: str, annotations: dict[str, str] | None = None) -> Object:
    api_version, kind = _KINDS[number % len(_KINDS)]
    marks = {"argocd.argoproj.io/sync-wave": str(number % WAVES), **(annotations or {})}
    uid = f"{prefix}-{number}"
    one: Object = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": uid, "namespace": "bench", "uid": uid, "annotations": marks},
    }
    Tracking().mark(one, app_id="app", namespace="bench")
    return one


def _timed(what: Callable[[], object]) -> float:
    began = time.process_time()
    what()
    return 1000 * (time.process_time() - began)

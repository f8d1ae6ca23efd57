"""One commit that touches one app of many in a repository: how many renders it costs, and what it costs the others.

The app is refreshed; the others hear of it from the controller. Each of them is asked whether its render read what changed (a trace check). Their new
revision is written to their status, behind everything that is more urgent.
"""

from __future__ import annotations

import time

from bench import apps as making
from bench.common import Stage, watched
from bench.refresh import refresh, shows
from bench.report import Row
from homeostat.argo.resources import CONFIG_MAPS

TITLE = "One commit that touches one app of a repository"


async def measure(stage: Stage, count: int) -> list[Row]:
    names = await stage.synced(count)
    name = names[len(names) // 2]
    text = "one commit"
    namespace = making.namespace_of(int(name.rpartition("-")[2]), "bench")
    applied = await watched(stage.client, CONFIG_MAPS, namespace, shows(name, text))
    commit = await stage.push_plain([name], text)
    metrics, usage, versions = await stage.controller.metrics(), stage.controller.usage(), await stage.versions()

    began = time.perf_counter()
    await refresh(stage, name)
    until_applied = await applied() - began
    states = stage.apps.states
    noted = await stage.apps.until(lambda: all(states[one].status.sync.revision == commit for one in names)) - began

    await stage.quiet()
    now, spent = await stage.controller.metrics(), stage.controller.usage()
    changed = sum(before != version for before, version in zip(versions.values(), (await stage.versions()).values(), strict=True))

    def more(metric: str) -> float:
        return now[metric] - metrics[metric]

    checks = more("homeostat_trace_check_seconds_count")
    return [
        Row("renders", more("homeostat_renders_total"), "", 1),
        Row("trace checks of all apps together", 1000 * more("homeostat_trace_check_seconds_sum"), "ms", 100, note=f"{checks:.0f} checks"),
        Row("objects written", changed, "", 1),
        Row("until the app's objects are applied", 1000 * until_applied, "ms"),
        Row("until every app's status names the commit", noted, "s"),
        Row("processor time for all of it", spent.seconds - usage.seconds, "s"),
    ]

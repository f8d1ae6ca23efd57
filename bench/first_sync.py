"""First sync: how many new apps a second go from Git to the API server, their status written.

The controller runs and is idle, the repository has a folder for each app. The clock runs from the first Application that is created to the last
one that is Synced.
"""

from __future__ import annotations

import time

from bench import bare
from bench.common import Stage
from bench.report import Row

TITLE = "First sync of apps of 4 objects each, from one repository"
BUDGET = 40.0


async def measure(stage: Stage, count: int) -> list[Row]:
    objects = await bare.applies(stage, min(count, 250))
    apps = await bare.traffic(stage, min(count, 250))
    names = [f"app-{number}" for number in range(count)]
    await stage.push_plain(names)
    await stage.namespaces("bench")
    await stage.running()
    await stage.quiet()

    before, used, asked, written = time.perf_counter(), stage.controller.usage(), await stage.requests(), stage.apps.writes
    await stage.create(names)
    done = await stage.apps.until(lambda: sum(state.synced for state in stage.apps.states.values()) >= count)
    spent, said = stage.controller.usage(), await stage.requests()

    seconds = done - before
    requests = {name: round((said[name] - asked.get(name, 0)) / count, 2) for name in said}
    often = ", ".join(f"{name} {share:g}" for name, share in sorted(requests.items()) if share >= 0.05)
    return [
        Row("apps a second", count / seconds, "/s", BUDGET, apps, more=True, note="limit: a bare client with the same traffic"),
        Row("objects a second", 4 * count / seconds, "/s", 0, objects, more=True, note="limit: bare server-side applies"),
        Row("until all are synced", seconds, "s", note=f"{count} apps"),
        Row("processor time an app, controller", 1000 * (spent.controller - used.controller) / count, "ms"),
        Row("processor time an app, evaluators", 1000 * (spent.evaluators - used.evaluators) / count, "ms"),
        Row("events of an Application", (stage.apps.writes - written) / count, "", note="1 creation, then status writes"),
        Row("requests an app, all clients", sum(requests.values()), "", note=often),
        Row("resident memory afterwards, with evaluators", spent.memory / 2**20, "MiB"),
    ]

"""The figures of apps, as dashboards made for Argo CD read them (reference 1.14): one row of ``argocd_app_info`` per Application.

Read from what is known at the moment of the scrape: nothing is kept. What the loop counts is in ``loop/metrics.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from homeostat.argo.store import Store
from homeostat.desired.sources.urls import redact

_INFO = (
    "namespace",
    "name",
    "project",
    "repo",
    "dest_server",
    "dest_namespace",
    "sync_status",
    "health_status",
    "operation",
    "autosync_enabled",
)
_CONDITION = ("namespace", "name", "condition")


class AppCollector(Collector):
    """Collects from ``store``. Register it once per process."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("argocd_app_info", "Information about an application.", labels=_INFO)
        conditions = GaugeMetricFamily("argocd_app_condition", "How many conditions of a type an application has.", labels=_CONDITION)
        for key in self._store.keys():  # noqa: SIM118 (a store is no mapping)
            app, obj = self._store.get(key), self._store.object(key)
            if app is None or obj is None:
                continue
            status: Mapping[str, Any] = obj.get("status") or {}
            source = app.sources[0] if app.sources else None
            info.add_metric(
                (
                    key.namespace,
                    key.name,
                    app.project,
                    redact(source.repo_url) if source is not None else "",
                    app.destination.server or app.destination.name,
                    app.destination.namespace,
                    (status.get("sync") or {}).get("status") or "Unknown",
                    (status.get("health") or {}).get("status") or "Unknown",
                    "delete" if app.deleting else "sync" if app.requested is not None else "",
                    str(app.policy.automated).lower(),
                ),
                1,
            )
            counted: dict[str, int] = {}
            for condition in status.get("conditions") or ():
                counted[condition["type"]] = counted.get(condition["type"], 0) + 1
            for kind, number in counted.items():
                conditions.add_metric((key.namespace, key.name, kind), number)
        yield info
        yield conditions

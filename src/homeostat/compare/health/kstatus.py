"""Health of a kind that nobody here knows, by the conventions that most controllers keep (sigs.k8s.io/cli-utils, pkg/kstatus).

An observed generation that is behind, Reconciling, Stalled, Ready, in this order. Beyond kstatus, which calls Current whatever has none of these:
a few more condition types that mean the same everywhere count too, and where nothing at all can be told, there is no health.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import Object

_BAD: Final = ("Failed", "Degraded", "Error", "ErrorOccurred")
_GOOD: Final = (
    "Available",
    "Healthy",
    "Succeeded",
    "Complete",
    "Completed",
    "Programmed",
    "Established",
    "Reconciled",
    "Synced",
    "Accepted",
)


def judge(obj: Object) -> Health | None:
    """The health of any object that has a status; ``None`` when nothing in it tells. Fields of other shapes than expected tell nothing."""
    status = obj.get("status")
    if not isinstance(status, dict):
        return None
    metadata = obj.get("metadata")
    generation = metadata.get("generation") if isinstance(metadata, dict) else None
    observed = status.get("observedGeneration")
    watched = isinstance(observed, int)
    if isinstance(generation, int) and isinstance(observed, int) and observed < generation:
        return Health(HealthStatus.PROGRESSING, f"Waiting for generation {generation} to be observed")
    conditions = status.get("conditions")
    found = {one.get("type"): one for one in conditions if _is_condition(one)} if isinstance(conditions, list) else {}
    for kind, condition in found.items():
        if condition["status"] == "True" and kind in _ABNORMAL:
            return Health(_ABNORMAL[kind], _said(condition))
    ready = found.get("Ready")
    if ready is not None:
        return Health(HealthStatus.HEALTHY if ready["status"] == "True" else HealthStatus.PROGRESSING, _said(ready))
    for kind in _BAD:
        if kind in found and found[kind]["status"] == "True":
            return Health(HealthStatus.DEGRADED, _said(found[kind]))
    good = [found[kind] for kind in _GOOD if kind in found]
    for condition in good:
        if condition["status"] != "True":
            return Health(HealthStatus.PROGRESSING, _said(condition))
    return Health(HealthStatus.HEALTHY, _said(good[0]) if good else "") if good or watched else None


_ABNORMAL: Final = {"Reconciling": HealthStatus.PROGRESSING, "Stalled": HealthStatus.DEGRADED}


def _is_condition(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("type"), str) and isinstance(value.get("status"), str)


def _said(condition: Mapping[str, Any]) -> str:
    texts = (condition.get("message"), condition.get("reason"))
    return next((text for text in texts if isinstance(text, str) and text), "")

"""Health of what scales and what keeps scaling down in bounds: HorizontalPodAutoscaler, PodDisruptionBudget."""

from __future__ import annotations

from typing import Any

import orjson

from homeostat.compare.health import read
from homeostat.compare.health.read import Fields, MalformedError
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import Object, annotations_of, version_of

CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
"""Where autoscaling/v1 keeps the conditions."""

_DEGRADED = {
    ("AbleToScale", "FailedGetScale"),
    ("AbleToScale", "FailedUpdateScale"),
    ("ScalingActive", "FailedGetResourceMetric"),
    ("ScalingActive", "FailedGetObjectMetric"),
    ("ScalingActive", "FailedGetPodsMetric"),
    ("ScalingActive", "FailedGetExternalMetric"),
    ("ScalingActive", "FailedComputeMetricsReplicas"),
    ("ScalingActive", "InvalidSelector"),
}
_HEALTHY = {"AbleToScale", "ScalingLimited"}


def horizontal_pod_autoscaler(obj: Object) -> Health:
    conditions = _annotated(obj) if version_of(obj) == "v1" else read.items(read.mapping(obj, "status"), "conditions")
    for condition in conditions:
        if (condition.get("type"), condition.get("reason")) in _DEGRADED:
            return Health(HealthStatus.DEGRADED, read.text(condition, "message"))
    for condition in conditions:
        if read.text(condition, "type") in _HEALTHY and condition.get("status") == "True":
            return Health(HealthStatus.HEALTHY, read.text(condition, "message"))
    return Health(HealthStatus.PROGRESSING, "Waiting to Autoscale")


def _annotated(obj: Object) -> list[Fields]:
    text = annotations_of(obj).get(CONDITIONS)
    if text is None:
        return []
    try:
        conditions: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedError(f"annotation {CONDITIONS}", expected="a JSON list", found=text) from error
    return read.items({CONDITIONS: conditions}, CONDITIONS)


def pod_disruption_budget(obj: Object) -> Health:
    """Too few pods is what a budget is for, so it is Healthy (argo-cd#20171)."""
    health = Health(HealthStatus.PROGRESSING, "Waiting for status")
    for condition in read.items(read.mapping(obj, "status"), "conditions"):
        reason = read.text(condition, "reason")
        message = f"PodDisruptionBudget has {reason}"
        if condition.get("status") == "False" and reason != "InsufficientPods":
            return Health(HealthStatus.DEGRADED, message)
        health = Health(HealthStatus.HEALTHY, message)
    return health

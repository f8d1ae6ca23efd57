"""Health of what adds to the API: APIService, CustomResourceDefinition."""

from __future__ import annotations

from homeostat.compare.health import read
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import Object


def api_service(obj: Object) -> Health:
    available = read.condition(read.mapping(obj, "status"), "Available")
    if available is None:
        return Health(HealthStatus.PROGRESSING, "Waiting to be processed")
    status = HealthStatus.HEALTHY if available.get("status") == "True" else HealthStatus.PROGRESSING
    return Health(status, f"{read.text(available, 'reason')}: {read.text(available, 'message')}")


def custom_resource_definition(obj: Object) -> Health:
    """One that is still on its way to being established is Progressing, also before the API server says so (argo-cd#26346)."""
    conditions = read.items(read.mapping(obj, "status"), "conditions")
    if not conditions:
        return Health(HealthStatus.PROGRESSING, "Status conditions not found")
    for condition in conditions:
        match condition.get("type"), condition.get("status"):
            case "Terminating", "True":
                return Health(HealthStatus.PROGRESSING, f"CRD is terminating: {read.text(condition, 'message')}")
            case "NamesAccepted", "False":
                return Health(HealthStatus.DEGRADED, f"CRD names have not been accepted: {read.text(condition, 'message')}")
            case "NonStructuralSchema", "True":
                return Health(HealthStatus.DEGRADED, f"Schema violations found: {read.text(condition, 'message')}")
    established = read.condition(read.mapping(obj, "status"), "Established") or {"reason": "Installing"}
    if established.get("status") == "True":
        return Health(HealthStatus.HEALTHY, "CRD is healthy")
    if established.get("reason") == "Installing":
        return Health(HealthStatus.PROGRESSING, "CRD is being installed")
    return Health(HealthStatus.DEGRADED, "CRD is not established")

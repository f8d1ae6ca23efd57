"""Health of what is reached from outside: Service, Ingress. And of a PersistentVolumeClaim, which waits for somebody outside as well."""

from __future__ import annotations

from homeostat.compare.health import read
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import Object


def service(obj: Object) -> Health:
    if read.text(read.mapping(obj, "spec"), "type") == "LoadBalancer":
        return _by_load_balancer(obj)
    return Health(HealthStatus.HEALTHY)


def ingress(obj: Object) -> Health:
    return _by_load_balancer(obj)


def _by_load_balancer(obj: Object) -> Health:
    given = read.items(read.mapping(obj, "status", "loadBalancer"), "ingress")
    return Health(HealthStatus.HEALTHY if given else HealthStatus.PROGRESSING)


_CLAIMS = {"Lost": HealthStatus.DEGRADED, "Pending": HealthStatus.PROGRESSING, "Bound": HealthStatus.HEALTHY}


def persistent_volume_claim(obj: Object) -> Health:
    return Health(_CLAIMS.get(read.text(read.mapping(obj, "status"), "phase"), HealthStatus.UNKNOWN))

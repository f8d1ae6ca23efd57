"""Health of what keeps pods running: Deployment, StatefulSet, ReplicaSet, DaemonSet."""

from __future__ import annotations

from homeostat.compare.health import read
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import Object

_ROLLOUT = "Waiting for rollout to finish: "


def deployment(obj: Object) -> Health:
    spec, status = read.mapping(obj, "spec"), read.mapping(obj, "status")
    if read.flag(spec, "paused"):
        return Health(HealthStatus.SUSPENDED, "Deployment is paused")
    if _is_stale(obj):
        return Health(HealthStatus.PROGRESSING, _ROLLOUT + "observed deployment generation less than desired generation")
    progressing = read.condition(status, "Progressing")
    if progressing is not None and progressing.get("reason") == "ProgressDeadlineExceeded":
        return Health(HealthStatus.DEGRADED, f"Deployment {_quoted(obj)} exceeded its progress deadline")
    wanted = read.maybe_number(spec, "replicas")
    replicas, updated, available = (read.number(status, name) for name in ("replicas", "updatedReplicas", "availableReplicas"))
    if wanted is not None and updated < wanted:
        return Health(HealthStatus.PROGRESSING, _ROLLOUT + f"{updated} out of {wanted} new replicas have been updated...")
    if replicas > updated:
        return Health(HealthStatus.PROGRESSING, _ROLLOUT + f"{replicas - updated} old replicas are pending termination...")
    if available < updated:
        return Health(HealthStatus.PROGRESSING, _ROLLOUT + f"{available} of {updated} updated replicas are available...")
    return Health(HealthStatus.HEALTHY)


def stateful_set(obj: Object) -> Health:
    spec, status = read.mapping(obj, "spec"), read.mapping(obj, "status")
    if read.number(status, "observedGeneration") == 0 or _is_stale(obj):
        return Health(HealthStatus.PROGRESSING, "Waiting for statefulset spec update to be observed...")
    wanted = read.maybe_number(spec, "replicas")
    ready, updated = read.number(status, "readyReplicas"), read.number(status, "updatedReplicas")
    if wanted is not None and ready < wanted:
        return Health(HealthStatus.PROGRESSING, f"Waiting for {wanted - ready} pods to be ready...")
    strategy = read.mapping(spec, "updateStrategy")
    kind = read.text(strategy, "type")
    if kind == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
        partition = read.maybe_number(read.mapping(strategy, "rollingUpdate"), "partition")
        if wanted is not None and partition is not None and updated < wanted - partition:
            return Health(
                HealthStatus.PROGRESSING,
                f"Waiting for partitioned roll out to finish: {updated} out of {wanted - partition} new pods have been updated...",
            )
        return Health(HealthStatus.HEALTHY, f"partitioned roll out complete: {updated} new pods have been updated...")
    if kind == "OnDelete":
        return Health(HealthStatus.HEALTHY, f"statefulset has {ready} ready pods")
    current, target = read.text(status, "currentRevision"), read.text(status, "updateRevision")
    if target != current:
        return Health(
            HealthStatus.PROGRESSING, f"waiting for statefulset rolling update to complete {updated} pods at revision {target}..."
        )
    pods = read.number(status, "currentReplicas")
    return Health(HealthStatus.HEALTHY, f"statefulset rolling update complete {pods} pods at revision {current}...")


def replica_set(obj: Object) -> Health:
    spec, status = read.mapping(obj, "spec"), read.mapping(obj, "status")
    if _is_stale(obj):
        return Health(HealthStatus.PROGRESSING, _ROLLOUT + "observed replica set generation less than desired generation")
    failure = read.condition(status, "ReplicaFailure")
    if failure is not None and failure.get("status") == "True":
        return Health(HealthStatus.DEGRADED, read.text(failure, "message"))
    wanted = read.maybe_number(spec, "replicas")
    available = read.number(status, "availableReplicas")
    if wanted is not None and available < wanted:
        return Health(HealthStatus.PROGRESSING, _ROLLOUT + f"{available} out of {wanted} new replicas are available...")
    return Health(HealthStatus.HEALTHY)


def daemon_set(obj: Object) -> Health:
    spec, status = read.mapping(obj, "spec"), read.mapping(obj, "status")
    if _is_stale(obj):
        return Health(HealthStatus.PROGRESSING, _ROLLOUT + "observed daemon set generation less than desired generation")
    wanted, updated, available = (
        read.number(status, name) for name in ("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable")
    )
    if read.text(read.mapping(spec, "updateStrategy"), "type") == "OnDelete":
        return Health(HealthStatus.HEALTHY, f"daemon set {updated} out of {wanted} new pods have been updated")
    waiting = f"Waiting for daemon set {_quoted(obj)} rollout to finish: "
    if updated < wanted:
        return Health(HealthStatus.PROGRESSING, waiting + f"{updated} out of {wanted} new pods have been updated...")
    if available < wanted:
        return Health(HealthStatus.PROGRESSING, waiting + f"{available} of {wanted} updated pods are available...")
    return Health(HealthStatus.HEALTHY)


def _is_stale(obj: Object) -> bool:
    """Whether the status speaks of an older spec."""
    generation = read.number(read.mapping(obj, "metadata"), "generation")
    return generation > read.number(read.mapping(obj, "status"), "observedGeneration")


def _quoted(obj: Object) -> str:
    return f'"{read.text(read.mapping(obj, "metadata"), "name")}"'

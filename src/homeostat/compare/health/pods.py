"""Health of a Pod.

A pod that ends by itself (restartPolicy OnFailure or Never) is usually a hook: running it is Progressing, and one that cannot pull its image is
not Degraded, for the hook would be given up while the pod may still run. The annotation says of a pod that is no hook that it runs for ever.
"""

from __future__ import annotations

from homeostat.compare.health import read
from homeostat.compare.health.read import Fields
from homeostat.model.health import Health, HealthStatus
from homeostat.model.hooks import is_hook
from homeostat.model.objects import Object, annotations_of

IGNORE_RESTART_POLICY = "argocd.argoproj.io/ignore-restart-policy"

_PHASES = {"Pending": HealthStatus.PROGRESSING, "Succeeded": HealthStatus.HEALTHY}


def pod(obj: Object) -> Health:
    status = read.mapping(obj, "status")
    policy = read.text(read.mapping(obj, "spec"), "restartPolicy")
    containers = read.items(status, "containerStatuses")
    stays = policy == "Always" or (IGNORE_RESTART_POLICY in annotations_of(obj) and not is_hook(obj))
    if stays:
        stuck = [waiting for container in containers if _is_stuck(waiting := read.mapping(container, "state", "waiting"))]
        if stuck:
            return Health(HealthStatus.DEGRADED, ", ".join(read.text(waiting, "message") for waiting in stuck))
    phase, message = read.text(status, "phase"), read.text(status, "message")
    if phase in _PHASES:
        return Health(_PHASES[phase], message)
    if phase == "Failed":
        return Health(HealthStatus.DEGRADED, message or _failure([*read.items(status, "initContainerStatuses"), *containers]))
    if phase == "Running" and stays:
        return Health(_running(status, containers), message)
    if phase == "Running" and policy in {"OnFailure", "Never"}:
        return Health(HealthStatus.PROGRESSING, message)
    return Health(HealthStatus.UNKNOWN, message)


def _is_stuck(waiting: Fields) -> bool:
    reason = read.text(waiting, "reason")
    return reason.startswith("Err") or reason.endswith(("Error", "BackOff"))


def _running(status: Fields, containers: list[Fields]) -> HealthStatus:
    ready = read.condition(status, "Ready")
    if ready is not None and ready.get("status") == "True":
        return HealthStatus.HEALTHY
    if any(read.mapping(container, "lastState").get("terminated") is not None for container in containers):
        return HealthStatus.DEGRADED
    return HealthStatus.PROGRESSING


def _failure(containers: list[Fields]) -> str:
    """Why the first container that failed did, as far as it says so."""
    for container in containers:
        terminated = read.mapping(container, "state", "terminated")
        message = read.text(terminated, "message")
        if message:
            return message
        if terminated.get("reason") == "OOMKilled":
            return "OOMKilled"
        code = read.number(terminated, "exitCode")
        if code:
            return f'container "{read.text(container, "name")}" failed with exit code {code}'
    return ""

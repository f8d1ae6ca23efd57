"""The Argo projects: CD's ApplicationSet, Rollouts, Workflows, Events (argo-rollouts.readthedocs.io, argo-workflows.readthedocs.io).

A child Application has no health here, as in Argo CD, so that it never spoils that of its parent; what a wave asks is in ``application``.
"""

from __future__ import annotations

from typing import Final

from homeostat.compare.health import read
from homeostat.compare.health.shapes import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    SUSPENDED,
    Conditions,
    Phases,
    RuleFunction,
    by_type,
    generations,
    kinds,
    unjudged,
    words,
)
from homeostat.model.health import Health
from homeostat.model.objects import GroupKind, Object

_ABORTED = {"RolloutAborted", "ProgressDeadlineExceeded"}


def rollout(obj: Object) -> Health:
    """Conditions, pauses, replicas, then the strategy's own end: active service (blue-green), stable ReplicaSet (canary)"""
    spec, status = read.mapping(obj, "spec"), read.mapping(obj, "status")
    generation, observed = generations(obj)
    # Its observedGeneration is a text, and was a hash before version 1.0, which says nothing.
    if "observedGeneration" not in status or (observed is not None and observed != generation):
        return Health(PROGRESSING, "Waiting for rollout spec update to be observed")
    found = by_type(status)
    if "InvalidSpec" in found:
        return Health(DEGRADED, read.text(found["InvalidSpec"], "message"))
    if "Progressing" in found and read.text(found["Progressing"], "reason") in _ABORTED:
        return Health(DEGRADED, read.text(found["Progressing"], "message"))
    if status.get("pauseConditions") or read.flag(spec, "paused"):
        return Health(SUSPENDED, "Rollout is paused")
    pod_hash = read.text(status, "currentPodHash")
    if not pod_hash:
        return Health(PROGRESSING, "Waiting for the status of this Rollout")
    waiting = _rollout_waits(obj, pod_hash)
    return Health(PROGRESSING, f"Waiting for the rollout: {waiting}") if waiting else Health(HEALTHY)


def _rollout_waits(obj: Object, pod_hash: str) -> str:
    spec, status = read.mapping(obj, "spec"), read.mapping(obj, "status")
    wanted = read.maybe_number(spec, "replicas")
    wanted = 1 if wanted is None else wanted
    replicas, updated, available = (read.number(status, name) for name in ("replicas", "updatedReplicas", "availableReplicas"))
    if updated < wanted:
        return f"{updated} of {wanted} replicas are updated"
    if available < updated:
        return f"{available} of {updated} updated replicas are available"
    stable = read.text(status, "stableRS") or read.text(read.mapping(status, "canary"), "stableRS")
    strategy = read.mapping(spec, "strategy")
    if strategy.get("blueGreen") is not None:
        if read.text(read.mapping(status, "blueGreen"), "activeSelector") != pod_hash:
            return "the active service still selects the old pods"
        return "its analysis goes on" if stable not in {"", pod_hash} else ""
    if strategy.get("canary") is not None:
        if replicas > updated:
            return f"{replicas - updated} old replicas are to be ended"
        return "its steps go on" if stable != pod_hash else ""
    return ""


def application_set(obj: Object) -> Health:
    """Conditions ErrorOccurred, ResourcesUpToDate, RolloutProgressing"""
    found = by_type(read.mapping(obj, "status"))
    for kind, value, health in (
        ("ErrorOccurred", "True", DEGRADED),
        ("ResourcesUpToDate", "False", DEGRADED),
        ("RolloutProgressing", "True", PROGRESSING),
        ("ResourcesUpToDate", "True", HEALTHY),
    ):
        if kind in found and found[kind].get("status") == value:
            return Health(health, read.text(found[kind], "message"))
    return Health(PROGRESSING, "Waiting for the status of this ApplicationSet")


def cron_workflow(obj: Object) -> Health:
    """Degraded by conditions SpecError, SubmissionError; else Healthy"""
    for condition in read.items(read.mapping(obj, "status"), "conditions"):
        if read.text(condition, "type") in {"SpecError", "SubmissionError"} and condition.get("status") == "True":
            return Health(DEGRADED, read.text(condition, "message"))
    return Health(HEALTHY)


_RUN = words(healthy="Successful", progressing="Pending|Running", degraded="Failed|Error", unknown="Inconclusive")

KINDS: Final[dict[GroupKind, RuleFunction]] = {
    **kinds(
        "argoproj.io", "Application AppProject WorkflowTemplate ClusterWorkflowTemplate AnalysisTemplate ClusterAnalysisTemplate", unjudged
    ),
    **kinds("argoproj.io", "ApplicationSet", application_set),
    **kinds("argoproj.io", "Rollout", rollout),
    **kinds("argoproj.io", "AnalysisRun Experiment", Phases(words=_RUN)),
    **kinds("argoproj.io", "CronWorkflow", cron_workflow),
    **kinds("argoproj.io", "EventBus", Conditions(good=("Deployed",))),
    **kinds("argoproj.io", "EventSource", Conditions(good=("SourcesProvided", "Deployed"))),
    **kinds("argoproj.io", "Sensor", Conditions(good=("DependenciesProvided", "TriggersProvided", "Deployed"))),
}

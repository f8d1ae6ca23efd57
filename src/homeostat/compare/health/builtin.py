"""The built-in rules: which function judges which kind, at which versions, and what holds for every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from homeostat.compare.health import extensions, jobs, network, pods, scaling, workloads
from homeostat.compare.health.read import MalformedError
from homeostat.model import hooks
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import GroupKind, Object, split_api_version


class Rule(NamedTuple):
    """A function and the API versions that it understands; none: any."""

    judge: Callable[[Object], Health]
    versions: frozenset[str] = frozenset()


_V1 = frozenset({"v1"})

RULES: Final[dict[GroupKind, Rule]] = {
    GroupKind("apps", "Deployment"): Rule(workloads.deployment, _V1),
    GroupKind("apps", "StatefulSet"): Rule(workloads.stateful_set, _V1),
    GroupKind("apps", "ReplicaSet"): Rule(workloads.replica_set, _V1),
    GroupKind("apps", "DaemonSet"): Rule(workloads.daemon_set, _V1),
    GroupKind("", "Pod"): Rule(pods.pod, _V1),
    GroupKind("", "Service"): Rule(network.service, _V1),
    GroupKind("", "PersistentVolumeClaim"): Rule(network.persistent_volume_claim, _V1),
    GroupKind("extensions", "Ingress"): Rule(network.ingress),
    GroupKind("networking.k8s.io", "Ingress"): Rule(network.ingress),
    GroupKind("batch", "Job"): Rule(jobs.job, _V1),
    GroupKind("batch", "CronJob"): Rule(jobs.cron_job),
    GroupKind("argoproj.io", "Workflow"): Rule(jobs.workflow),
    GroupKind("autoscaling", "HorizontalPodAutoscaler"): Rule(
        scaling.horizontal_pod_autoscaler, frozenset({"v1", "v2", "v2beta1", "v2beta2"})
    ),
    GroupKind("policy", "PodDisruptionBudget"): Rule(scaling.pod_disruption_budget),
    GroupKind("apiregistration.k8s.io", "APIService"): Rule(extensions.api_service, frozenset({"v1", "v1beta1"})),
    GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"): Rule(extensions.custom_resource_definition),
}

_SHORT = {"HorizontalPodAutoscaler": "HPA"}


def judge(obj: Object) -> Health | None:
    """The health of ``obj`` by the built-in rules; ``None`` when there is none for its kind. Never raises."""
    return deletion(obj) or by_rule(obj)


def deletion(obj: Object) -> Health | None:
    """An object that is being deleted is Progressing, whatever its kind; but for a hook whose end is still to be seen."""
    metadata = obj.get("metadata")
    if isinstance(metadata, dict) and metadata.get("deletionTimestamp") and not hooks.has_finalizer(obj):
        return Health(HealthStatus.PROGRESSING, "Pending deletion")
    return None


def by_rule(obj: Object) -> Health | None:
    """The health by the rule of its kind alone. A version that the rule does not understand, or a malformed field, is Unknown."""
    kind = obj.get("kind")
    group, version = split_api_version(str(obj.get("apiVersion") or ""))
    rule = RULES.get(GroupKind(group, kind)) if isinstance(kind, str) else None
    if rule is None:
        return None
    if rule.versions and version not in rule.versions:
        return Health(HealthStatus.UNKNOWN, f"unsupported {_SHORT.get(str(kind), kind)} GVK: {group}/{version}, Kind={kind}")
    try:
        return rule.judge(obj)
    except MalformedError as error:
        return Health(HealthStatus.UNKNOWN, f"{kind}: {error}")

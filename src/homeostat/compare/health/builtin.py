"""The built-in rules: which function judges which kind, at which versions, and what holds for every kind.

Order: the rule of the kind, that of its group (``*.crossplane.io``), the conventions of kstatus. A look-up is one in a dictionary, and a few
comparisons for a kind that is not in it: this runs with every event.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from homeostat.compare.health import custom, extensions, jobs, kstatus, network, pods, scaling, workloads
from homeostat.compare.health.read import MalformedError
from homeostat.compare.health.shapes import RuleFunction
from homeostat.model import hooks
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import GroupKind, Object, split_api_version


class Rule(NamedTuple):
    """A function and the API versions that it understands; none: any."""

    judge: RuleFunction
    versions: frozenset[str] = frozenset()


class Verdict(NamedTuple):
    """A health and where it comes from: a built-in rule, by what it is for, or words. Both are empty when nobody has a say."""

    health: Health | None = None
    words: str = ""
    built_in: GroupKind | str = ""

    @property
    def rule(self) -> str:
        """For people; put together only when somebody asks."""
        return f"built-in rule for {self.built_in}" if self.built_in else self.words


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
    **{kind: Rule(judge) for kind, judge in custom.KINDS.items()},
}

_GROUPS: Final = tuple((ending, f"*{ending}" if ending[0] == "." else ending, Rule(judge)) for ending, judge in custom.GROUPS)

KSTATUS: Final = "kstatus conventions"
PENDING_DELETION: Final = "pending deletion"

STATUSLESS: Final = frozenset(
    {
        *(GroupKind("", kind) for kind in ("ConfigMap", "Endpoints", "LimitRange", "PodTemplate", "Secret", "ServiceAccount")),
        *(GroupKind("rbac.authorization.k8s.io", kind) for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")),
        GroupKind("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        GroupKind("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        GroupKind("networking.k8s.io", "IngressClass"),
        GroupKind("networking.k8s.io", "NetworkPolicy"),
        GroupKind("scheduling.k8s.io", "PriorityClass"),
        GroupKind("storage.k8s.io", "StorageClass"),
    }
)
"""Kinds that have no status at all: who only wants their health need not look at them."""

_SHORT = {"HorizontalPodAutoscaler": "HPA"}


def judge(obj: Object) -> Health | None:
    """The health of ``obj`` by the built-in rules; ``None`` when there is none for its kind. Never raises."""
    return deletion(obj) or verdict(obj).health


def deletion(obj: Object) -> Health | None:
    """An object that is being deleted is Progressing, whatever its kind; but for a hook whose end is still to be seen."""
    metadata = obj.get("metadata")
    if isinstance(metadata, dict) and metadata.get("deletionTimestamp") and not hooks.has_finalizer(obj):
        return Health(HealthStatus.PROGRESSING, "Pending deletion")
    return None


def verdict(obj: Object) -> Verdict:
    """The health by the rules of its kind alone. A version that a rule does not understand, or a malformed field, is Unknown."""
    kind = obj.get("kind")
    if not isinstance(kind, str):
        return Verdict()
    group, version = split_api_version(str(obj.get("apiVersion") or ""))
    source: GroupKind | str = GroupKind(group, kind)
    rule = RULES.get(GroupKind(group, kind))
    if rule is None:
        for ending, whole, by_group in _GROUPS:
            if group.endswith(ending):
                source, rule = whole, by_group
                break
    if rule is None:
        by_conventions = kstatus.judge(obj)
        return Verdict(by_conventions, KSTATUS) if by_conventions is not None else Verdict()
    if rule.versions and version not in rule.versions:
        return Verdict(
            Health(HealthStatus.UNKNOWN, f"unsupported {_SHORT.get(kind, kind)} GVK: {group}/{version}, Kind={kind}"), built_in=source
        )
    try:
        health = rule.judge(obj)
    except MalformedError as error:
        return Verdict(Health(HealthStatus.UNKNOWN, f"{kind}: {error}"), built_in=source)
    return Verdict(health, built_in=source) if health is not None else Verdict()

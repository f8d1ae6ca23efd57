"""What provides infrastructure: Crossplane and its like for the clouds, Cluster API, Karpenter, KEDA, VPA, OLM."""

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
    held_up,
    kinds,
    waiting_for,
    words,
)
from homeostat.model.health import Health
from homeostat.model.objects import GroupKind, Object

# docs.crossplane.io/latest/packages: Healthy stays Unknown or False for a while after Installed, which is no fault yet.
_PACKAGE = Conditions(
    good=("Installed", "Healthy"), tell="reason", reasons={"UnknownPackageRevisionHealth": PROGRESSING, "Unpacking": PROGRESSING}
)
_REVISION = Conditions(good=("Healthy",), tell="reason")
_REVISION_V2 = Conditions(good=("RevisionHealthy",), tell="reason")

_NO_STATUS = ("Config", "ConfigUsage", "Composition", "CompositionRevision", "Lock")
"""How kinds end that never have conditions: ProviderConfig, DeploymentRuntimeConfig, EnvironmentConfig, ImageConfig, StoreConfig, …"""

_CROSSPLANE_GOOD = ("Ready", "Healthy", "Offered", "Established", "ValidPipeline", "RevisionHealthy")


def crossplane(obj: Object) -> Health | None:
    """Conditions Synced, LastAsyncOperation; one of Ready, Healthy, Offered, Established, …; configuration without a status is Healthy"""
    status = read.mapping(obj, "status")
    found = by_type(status)
    if not found and obj["kind"].endswith(_NO_STATUS):
        return Health(HEALTHY)
    for kind in ("LastAsyncOperation", "Synced"):
        if kind in found and found[kind].get("status") == "False":
            return Health(DEGRADED, read.text(found[kind], "message") or read.text(found[kind], "reason"))
    if any(kind in found and found[kind].get("status") == "True" for kind in _CROSSPLANE_GOOD):
        return held_up(obj) or Health(HEALTHY)
    waits = next((found[kind] for kind in _CROSSPLANE_GOOD if kind in found), {})
    return Health(PROGRESSING, read.text(waits, "message") or read.text(waits, "reason") or waiting_for(obj))


def package_revision(obj: Object) -> Health | None:
    """Condition Healthy, or RevisionHealthy since Crossplane 2"""
    return (_REVISION_V2 if "RevisionHealthy" in by_type(read.mapping(obj, "status")) else _REVISION)(obj)


_CNRM = {"UpToDate": HEALTHY, "UpdateFailed": DEGRADED, "DependencyNotFound": DEGRADED, "DependencyNotReady": SUSPENDED}


def config_connector(obj: Object) -> Health:
    """The reason of the conditions: UpToDate, UpdateFailed, DependencyNotFound, DependencyNotReady; of ConfigConnector the boolean `status.healthy`"""
    held = held_up(obj)
    if held is not None:
        return held
    status = read.mapping(obj, "status")
    if obj["kind"] in {"ConfigConnector", "ConfigConnectorContext"} and status.get("healthy") is not None:
        return Health(HEALTHY if read.flag(status, "healthy") else DEGRADED)
    for condition in read.items(status, "conditions"):
        health = _CNRM.get(read.text(condition, "reason"))
        if health is not None and (health is not HEALTHY or condition.get("status") == "True"):
            return Health(health, read.text(condition, "message"))
    return Health(PROGRESSING, waiting_for(obj))


def azure(obj: Object) -> Health:
    """Condition Ready, and its severity: Error is Degraded, Warning and Info are Progressing"""
    ready = read.condition(read.mapping(obj, "status"), "Ready")
    if ready is None:
        return Health(PROGRESSING, waiting_for(obj))
    message = read.text(ready, "message") or read.text(ready, "reason")
    if ready.get("status") == "True":
        return Health(HEALTHY, message)
    return Health(DEGRADED if ready.get("severity") == "Error" else PROGRESSING, message)


# aws-controllers-k8s.github.io/docs: what can be tried again is False. Before 2025 there was no Ready.
_ACK = Conditions(bad=("ACK.Terminal",), when_false=PROGRESSING)
_ACK_SYNCED = Conditions(good=("ACK.ResourceSynced",), bad=("ACK.Terminal",), when_false=PROGRESSING)


def ack(obj: Object) -> Health | None:
    """Condition Ready, else ACK.ResourceSynced; Degraded by ACK.Terminal"""
    return (_ACK if "Ready" in by_type(read.mapping(obj, "status")) else _ACK_SYNCED)(obj)


# cluster-api.sigs.k8s.io/reference
_PAUSED: Final = ("spec", "paused")
_MACHINES = words(healthy="Running", progressing="Pending|Provisioning|Provisioned|ScalingUp|ScalingDown|Deleting", degraded="Failed")


def cluster(obj: Object) -> Health | None:
    """`status.phase`, and Degraded while condition Ready is False; `spec.paused`"""
    health = Phases(words=words(healthy="Provisioned", degraded="Failed"), suspend=_PAUSED)(obj)
    ready = read.condition(read.mapping(obj, "status"), "Ready")
    if health is not None and health.status is not SUSPENDED and ready is not None and ready.get("status") == "False":
        return Health(DEGRADED, read.text(ready, "message"))
    return health


def machine(obj: Object) -> Health | None:
    """`status.phase`; the message is that of condition Ready"""
    health = Phases(words=_MACHINES)(obj)
    ready = read.condition(read.mapping(obj, "status"), "Ready") or {}
    if health is not None and health.status is not HEALTHY and ready.get("status") == "False":
        return Health(health.status, read.text(ready, "message") or health.message)
    return health


def machines(obj: Object) -> Health | None:
    """`status.phase` if there is one, and all replicas updated and ready; `spec.paused`"""
    held = held_up(obj, _PAUSED)
    if held is not None:
        return held
    status = read.mapping(obj, "status")
    phase = read.text(status, "phase")
    wanted = read.maybe_number(read.mapping(obj, "spec"), "replicas")
    replicas, ready = read.number(status, "replicas"), read.number(status, "readyReplicas")
    updated = read.maybe_number(status, "updatedReplicas")
    wanted = replicas if wanted is None else wanted
    if phase and phase != "Running":
        return Health(_MACHINES.get(phase, PROGRESSING), phase)
    if not status:
        return Health(PROGRESSING, waiting_for(obj))
    if wanted != replicas or ready < replicas or (updated is not None and updated < replicas):
        changed = "" if updated is None else f", {updated} updated"
        return Health(PROGRESSING, f"{wanted} machines are wanted: {replicas} exist{changed}, {ready} ready")
    return Health(HEALTHY)


def machine_pool(obj: Object) -> Health | None:
    """`status.phase`; the message lists the conditions that are False"""
    table = words(healthy="Running|Scaling", degraded="Failed|Unknown")
    health = Phases(words=table, said=("status", "failureMessage"))(obj)
    lacks = [str(kind) for kind, found in by_type(read.mapping(obj, "status")).items() if found.get("status") == "False"]
    return Health(health.status, f"{health.message}: not {', '.join(lacks)}") if health is not None and lacks else health


def control_plane(obj: Object) -> Health | None:
    """Etcd and the components are healthy, no rollout, all machines updated and ready"""
    status = read.mapping(obj, "status")
    found = by_type(read.mapping(status, "v1beta2")) | by_type(status)
    etcd = found.get("EtcdClusterHealthy")
    if etcd is not None and etcd.get("status") != "True":
        return Health(DEGRADED if etcd.get("status") == "False" else PROGRESSING, read.text(etcd, "message") or "etcd is not healthy")
    for kind, good in (
        ("MachinesReady", "True"),
        ("MachinesUpToDate", "True"),
        ("ControlPlaneComponentsHealthy", "True"),
        ("RollingOut", "False"),
    ):
        if kind in found and found[kind].get("status") != good:
            return Health(PROGRESSING, read.text(found[kind], "message") or f"{kind} is {read.text(found[kind], 'status')}")
    return machines(obj)


def machine_health_check(obj: Object) -> Health:
    """`status.currentHealthy` against `status.expectedMachines`"""
    status = read.mapping(obj, "status")
    healthy, expected = read.maybe_number(status, "currentHealthy"), read.number(status, "expectedMachines")
    if healthy is None:
        return Health(PROGRESSING, waiting_for(obj))
    return Health(HEALTHY if healthy == expected else DEGRADED, f"{healthy} of {expected} machines are healthy")


def subscription(obj: Object) -> Health:
    """Conditions of OLM: an install plan that is pending is Progressing, one that failed or cannot be resolved is Degraded"""
    status = read.mapping(obj, "status")
    found = by_type(status)
    if not found:
        return Health(PROGRESSING, waiting_for(obj))
    for kind, condition in found.items():
        missing = kind == "InstallPlanMissing" and condition.get("reason") != "ReferencedInstallPlanNotFound"
        failed = kind in {"CatalogSourcesUnhealthy", "InstallPlanFailed", "ResolutionFailed"} and condition.get("status") == "True"
        if missing or failed:
            return Health(DEGRADED, read.text(condition, "message") or read.text(condition, "reason"))
    pending = found.get("InstallPlanPending", {})
    if pending.get("status") == "True":
        return Health(PROGRESSING, read.text(pending, "message") or "an install plan is pending")
    return Health(HEALTHY)


_SCALED = Conditions(bad=("Fallback",))


def scaled(obj: Object) -> Health | None:
    """Conditions Ready, Fallback; Suspended while Paused is True"""
    health = _SCALED(obj)
    paused = read.condition(read.mapping(obj, "status"), "Paused") or {}
    if health is not None and health.status is HEALTHY and paused.get("status") == "True":
        return Health(SUSPENDED, read.text(paused, "message"))
    return health


_CSV = words(healthy="Succeeded", progressing="Pending|InstallReady|Installing|Replacing|Deleting", degraded="Failed", unknown="Unknown")

KINDS: Final[dict[GroupKind, RuleFunction]] = {
    **kinds("pkg.crossplane.io", "Provider Configuration Function", _PACKAGE),
    **kinds("pkg.crossplane.io", "ProviderRevision ConfigurationRevision FunctionRevision", package_revision),
    **kinds("apiextensions.crossplane.io", "CompositeResourceDefinition Composition", crossplane),
    **kinds("cluster.x-k8s.io", "Cluster", cluster),
    **kinds("cluster.x-k8s.io", "Machine", machine),
    **kinds("cluster.x-k8s.io", "MachineDeployment MachineSet", machines),
    **kinds("cluster.x-k8s.io", "MachinePool", machine_pool),
    **kinds("cluster.x-k8s.io", "MachineHealthCheck", machine_health_check),
    **kinds("controlplane.cluster.x-k8s.io", "KubeadmControlPlane", control_plane),
    **kinds("addons.cluster.x-k8s.io", "ClusterResourceSet", Conditions(good=("ResourcesApplied",))),
    **kinds("addons.cluster.x-k8s.io", "HelmChartProxy HelmReleaseProxy", Conditions()),
    # karpenter.sh/docs/concepts
    **kinds("karpenter.sh", "NodePool", Conditions()),
    **kinds("karpenter.sh", "NodeClaim", Conditions(paused=("Disrupting",))),
    **kinds("karpenter.k8s.aws", "EC2NodeClass", Conditions()),
    # keda.sh/docs/latest/reference
    **kinds("keda.sh", "ScaledObject ScaledJob", scaled),
    **kinds(
        "autoscaling.k8s.io",
        "VerticalPodAutoscaler",
        Conditions(good=("RecommendationProvided",), bad=("NoPodsMatched",), when_false=PROGRESSING),
    ),
    # olm.operatorframework.io/docs/concepts/crds
    **kinds("operators.coreos.com", "Subscription", subscription),
    **kinds("operators.coreos.com", "ClusterServiceVersion", Phases(words=_CSV)),
    **kinds(
        "operators.coreos.com", "InstallPlan", Phases(words=words(healthy="Complete", suspended="RequiresApproval", degraded="Failed"))
    ),
    **kinds(
        "operators.coreos.com",
        "CatalogSource",
        Phases(words=words(healthy="READY"), path=("status", "connectionState", "lastObservedState"), other=DEGRADED),
    ),
}

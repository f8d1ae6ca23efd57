"""API versions that Kubernetes has stopped serving, and those that it will: the deprecation guide of its documentation.

Only what manifests in the wild still use. Which kinds there are in a version is in its schemas; here stands what became of the others.
"""

from __future__ import annotations

from typing import NamedTuple


class Gone(NamedTuple):
    """``since`` is the first version that does not serve it; ``instead`` what to write."""

    since: str
    instead: str


def _of(since: str, api_version: str, instead: str, *kinds: str) -> dict[tuple[str, str], Gone]:
    return {(api_version, kind): Gone(since, instead) for kind in kinds}


_RBAC = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
_WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_STORAGE = ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment")
_FLOW = ("FlowSchema", "PriorityLevelConfiguration")

REMOVED: dict[tuple[str, str], Gone] = {
    **_of("1.16", "extensions/v1beta1", "apps/v1", "DaemonSet", "Deployment", "ReplicaSet"),
    **_of("1.16", "extensions/v1beta1", "networking.k8s.io/v1", "NetworkPolicy"),
    **_of("1.16", "extensions/v1beta1", "nothing: PodSecurityPolicy is gone, Pod Security admission took its place", "PodSecurityPolicy"),
    **_of("1.16", "apps/v1beta1", "apps/v1", "ControllerRevision", "Deployment", "StatefulSet"),
    **_of("1.16", "apps/v1beta2", "apps/v1", "ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
    **_of("1.22", "extensions/v1beta1", "networking.k8s.io/v1", "Ingress"),
    **_of("1.22", "networking.k8s.io/v1beta1", "networking.k8s.io/v1", "Ingress", "IngressClass"),
    **_of("1.22", "admissionregistration.k8s.io/v1beta1", "admissionregistration.k8s.io/v1", *_WEBHOOKS),
    **_of("1.22", "apiextensions.k8s.io/v1beta1", "apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    **_of("1.22", "apiregistration.k8s.io/v1beta1", "apiregistration.k8s.io/v1", "APIService"),
    **_of("1.22", "certificates.k8s.io/v1beta1", "certificates.k8s.io/v1", "CertificateSigningRequest"),
    **_of("1.22", "coordination.k8s.io/v1beta1", "coordination.k8s.io/v1", "Lease"),
    **_of("1.22", "rbac.authorization.k8s.io/v1beta1", "rbac.authorization.k8s.io/v1", *_RBAC),
    **_of("1.22", "rbac.authorization.k8s.io/v1alpha1", "rbac.authorization.k8s.io/v1", *_RBAC),
    **_of("1.22", "scheduling.k8s.io/v1beta1", "scheduling.k8s.io/v1", "PriorityClass"),
    **_of("1.22", "storage.k8s.io/v1beta1", "storage.k8s.io/v1", *_STORAGE),
    **_of("1.25", "batch/v1beta1", "batch/v1", "CronJob"),
    **_of("1.25", "discovery.k8s.io/v1beta1", "discovery.k8s.io/v1", "EndpointSlice"),
    **_of("1.25", "events.k8s.io/v1beta1", "events.k8s.io/v1", "Event"),
    **_of("1.25", "autoscaling/v2beta1", "autoscaling/v2", "HorizontalPodAutoscaler"),
    **_of("1.25", "policy/v1beta1", "policy/v1", "PodDisruptionBudget"),
    **_of("1.25", "policy/v1beta1", "nothing: PodSecurityPolicy is gone, Pod Security admission took its place", "PodSecurityPolicy"),
    **_of("1.25", "node.k8s.io/v1beta1", "node.k8s.io/v1", "RuntimeClass"),
    **_of("1.26", "autoscaling/v2beta2", "autoscaling/v2", "HorizontalPodAutoscaler"),
    **_of("1.26", "flowcontrol.apiserver.k8s.io/v1beta1", "flowcontrol.apiserver.k8s.io/v1", *_FLOW),
    **_of("1.27", "storage.k8s.io/v1beta1", "storage.k8s.io/v1", "CSIStorageCapacity"),
    **_of("1.29", "flowcontrol.apiserver.k8s.io/v1beta2", "flowcontrol.apiserver.k8s.io/v1", *_FLOW),
    **_of("1.32", "flowcontrol.apiserver.k8s.io/v1beta3", "flowcontrol.apiserver.k8s.io/v1", *_FLOW),
}

DEPRECATED: dict[tuple[str, str], str] = {
    ("v1", "Endpoints"): "deprecated since Kubernetes 1.33: write discovery.k8s.io/v1 EndpointSlice",
    ("v1", "ComponentStatus"): "deprecated since Kubernetes 1.19",
}


def removed(api_version: str, kind: str, version: str) -> Gone | None:
    """What became of a kind that Kubernetes ``version`` (``1.36``) does not serve any more."""
    gone = REMOVED.get((api_version, kind))
    return gone if gone is not None and _number(gone.since) <= _number(version) else None


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))

"""Volumes and backups: snapshots, Velero, Longhorn, Rook, Trident, MinIO."""

from __future__ import annotations

from typing import Final

from homeostat.compare.health import read
from homeostat.compare.health.shapes import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    UNKNOWN,
    Conditions,
    Phases,
    RuleFunction,
    kinds,
    waiting_for,
    words,
)
from homeostat.model.health import Health
from homeostat.model.objects import GroupKind, Object


def volume_snapshot(obj: Object) -> Health:
    """`status.readyToUse`, `status.error`"""
    status = read.mapping(obj, "status")
    if read.flag(status, "readyToUse"):
        return Health(HEALTHY)
    if status.get("error") is not None:
        return Health(DEGRADED, read.text(read.mapping(status, "error"), "message"))
    return Health(PROGRESSING, waiting_for(obj))


def longhorn_volume(obj: Object) -> Health:
    """`status.state` and `status.robustness`: a detached volume is Healthy, a faulted one Degraded, one that rebuilds replicas Progressing"""
    status = read.mapping(obj, "status")
    state, robustness = read.text(status, "state"), read.text(status, "robustness")
    if robustness == "faulted":
        return Health(DEGRADED, "the volume is faulted")
    if state == "detached" or (state == "attached" and robustness == "healthy"):
        return Health(HEALTHY, state)
    return Health(PROGRESSING, f"{state}, {robustness}" if state and robustness else state or waiting_for(obj))


_CEPH = {"HEALTH_OK": HEALTHY, "HEALTH_WARN": DEGRADED, "HEALTH_ERR": DEGRADED}


def ceph_cluster(obj: Object) -> Health:
    """`status.ceph.health`, then `status.state`"""
    status = read.mapping(obj, "status")
    ceph = read.mapping(status, "ceph")
    word, state = read.text(ceph, "health"), read.text(status, "state")
    details = read.mapping(ceph, "details")
    said = [text for name in sorted(details) if (text := read.text(read.mapping(details, name), "message"))]
    message = "; ".join([word, *said] if word else [read.text(status, "message") or waiting_for(obj)])
    health = _CEPH.get(word, PROGRESSING)
    if health is HEALTHY and state not in {"", "Created", "Connected"}:
        return Health(DEGRADED if state == "Error" else PROGRESSING, f"{state}: {read.text(status, 'message')}".removesuffix(": "))
    return Health(health, message)


def trident_backend(obj: Object) -> Health:
    """`status.phase` Bound and `status.lastOperationStatus`"""
    status = read.mapping(obj, "status")
    outcome, message = read.text(status, "lastOperationStatus"), read.text(status, "message")
    if outcome == "Failed":
        return Health(DEGRADED, message)
    return Health(HEALTHY if outcome == "Success" and status.get("phase") == "Bound" else PROGRESSING, message or waiting_for(obj))


_BROKEN_TENANTS = {
    "Statefulset not controlled by operator",
    "Another MinIO Tenant already exists in the namespace",
    "Different versions across MinIO Pools",
}


def minio_tenant(obj: Object) -> Health:
    """`status.currentState`: Initialized is Healthy; Provisioning…, Waiting…, Updating…, Restarting… are Progressing"""
    state = read.text(read.mapping(obj, "status"), "currentState")
    if state == "Initialized":
        return Health(HEALTHY, state)
    if not state or state.startswith(("Provisioning", "Waiting", "Updating", "Restarting")):
        return Health(PROGRESSING, state or waiting_for(obj))
    return Health(DEGRADED if state in _BROKEN_TENANTS else UNKNOWN, state)


_BACKUP = Phases(
    words=words(
        healthy="Completed",
        degraded="FailedValidation|Failed|PartiallyFailed|WaitingForPluginOperationsPartiallyFailed|FinalizingPartiallyFailed",
    ),
    said=("status", "failureReason"),
)
_ROOK = Phases(words=words(healthy="Ready|Connected", degraded="Failure|Failed|ReconcileFailed"))

KINDS: Final[dict[GroupKind, RuleFunction]] = {
    # kubernetes-csi.github.io/docs/snapshot-restore-feature.html
    **kinds("snapshot.storage.k8s.io", "VolumeSnapshot VolumeSnapshotContent", volume_snapshot),
    # velero.io/docs/main/api-types
    **kinds("velero.io", "Backup Restore", _BACKUP),
    **kinds("velero.io", "Schedule", Phases(words=words(healthy="Enabled", degraded="FailedValidation"))),
    **kinds("velero.io", "BackupStorageLocation", Phases(words=words(healthy="Available", degraded="Unavailable"))),
    **kinds("velero.io", "BackupRepository", Phases(words=words(healthy="Ready", progressing="New", degraded="NotReady"))),
    **kinds("longhorn.io", "Volume", longhorn_volume),
    # rook.io/docs/rook/latest/CRDs
    **kinds("ceph.rook.io", "CephCluster", ceph_cluster),
    **kinds("ceph.rook.io", "CephBlockPool CephFilesystem CephObjectStore CephObjectStoreUser", _ROOK),
    **kinds("objectbucket.io", "ObjectBucketClaim", Phases(words=words(healthy="Bound", progressing="Pending", degraded="Failed"))),
    # docs.netapp.com/us-en/trident
    **kinds("trident.netapp.io", "TridentBackendConfig", trident_backend),
    **kinds(
        "trident.netapp.io",
        "TridentOrchestrator",
        Phases(words=words(healthy="Installed", degraded="Failed|Error"), path=("status", "status")),
    ),
    **kinds("minio.min.io", "Tenant", minio_tenant),
    # kubevirt.io/user-guide/storage/containerized_data_importer
    **kinds("cdi.kubevirt.io", "CDI", Conditions(good=("Available",), bad=("Degraded",))),
}

"""The few facts that are kept of an object that no app manages, for the resource tree, and which kinds such objects have.

One entry per kind, as data. A body is never kept for these; whoever wants to know more asks the server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from homeostat.model.objects import GroupKind

Facts = Mapping[str, str]

NO_FACTS: Facts = {}

CHILDREN: Mapping[GroupKind, tuple[GroupKind, ...]] = {
    GroupKind("apps", "Deployment"): (GroupKind("apps", "ReplicaSet"), GroupKind("", "Pod")),
    GroupKind("apps", "ReplicaSet"): (GroupKind("", "Pod"),),
    GroupKind("apps", "StatefulSet"): (GroupKind("", "Pod"),),
    GroupKind("apps", "DaemonSet"): (GroupKind("", "Pod"),),
    GroupKind("batch", "Job"): (GroupKind("", "Pod"),),
    GroupKind("batch", "CronJob"): (GroupKind("batch", "Job"), GroupKind("", "Pod")),
    GroupKind("argoproj.io", "Rollout"): (GroupKind("apps", "ReplicaSet"), GroupKind("", "Pod")),
    GroupKind("argoproj.io", "Workflow"): (GroupKind("", "Pod"),),
}
"""Kinds that the objects of a kind bring with them; they are watched along with it."""


class _Container(msgspec.Struct):
    image: str = ""


class _PodSpec(msgspec.Struct, rename="camel"):
    containers: list[_Container] = []
    init_containers: list[_Container] = []
    node_name: str = ""


class _ContainerStatus(msgspec.Struct, rename="camel"):
    ready: bool = False
    restart_count: int = 0


class _PodStatus(msgspec.Struct, rename="camel"):
    phase: str = ""
    reason: str = ""
    container_statuses: list[_ContainerStatus] | None = None


class _Pod(msgspec.Struct):
    spec: _PodSpec = msgspec.field(default_factory=_PodSpec)
    status: _PodStatus = msgspec.field(default_factory=_PodStatus)


class _ReplicaSpec(msgspec.Struct):
    replicas: int = 1


class _ReplicaStatus(msgspec.Struct, rename="camel"):
    ready_replicas: int = 0


class _ReplicaSet(msgspec.Struct):
    spec: _ReplicaSpec = msgspec.field(default_factory=_ReplicaSpec)
    status: _ReplicaStatus = msgspec.field(default_factory=_ReplicaStatus)


_decode_pod = msgspec.json.Decoder(_Pod).decode
_decode_replica_set = msgspec.json.Decoder(_ReplicaSet).decode


def _pod(raw: bytes) -> Facts:
    """``images`` are separated by spaces, init containers' first; ``ready`` is ``1/2``."""
    pod = _decode_pod(raw)
    statuses = pod.status.container_statuses or []
    images = dict.fromkeys(container.image for container in (*pod.spec.init_containers, *pod.spec.containers) if container.image)
    return {
        "phase": pod.status.reason or pod.status.phase,
        "ready": f"{sum(status.ready for status in statuses)}/{len(pod.spec.containers)}",
        "restarts": str(sum(status.restart_count for status in statuses)),
        "images": " ".join(images),
        "node": pod.spec.node_name,
    }


def _replica_set(raw: bytes) -> Facts:
    told = _decode_replica_set(raw)
    return {"ready": f"{told.status.ready_replicas}/{told.spec.replicas}"}


_READERS: Mapping[GroupKind, Callable[[bytes], Facts]] = {
    GroupKind("", "Pod"): _pod,
    GroupKind("apps", "ReplicaSet"): _replica_set,
}


def facts_of(group_kind: GroupKind, raw: bytes) -> Facts:
    """The facts in an object's JSON; none for most kinds, and none where the object is not as its kind has it."""
    reader = _READERS.get(group_kind)
    if reader is None:
        return NO_FACTS
    try:
        return reader(raw)
    except msgspec.DecodeError:
        return NO_FACTS


def with_children(kinds: set[GroupKind]) -> set[GroupKind]:
    """``kinds`` and those that their objects bring with them."""
    return kinds.union(*(CHILDREN.get(kind, ()) for kind in kinds))

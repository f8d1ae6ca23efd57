"""Deletion guards: prunes that are held until somebody confirms them, for they look like an accident or would lose data. Pure.

Ours, not Argo CD's (docs/differences.md says why). Each guard is a small function of the objects that a sync would prune; what else has to be known
(is a namespace empty, has a kind objects left?) is asked by ``loop/guarding.py`` with the rules of :func:`survivor`. What is asked for by hand with
``prune`` is not held.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import msgspec

from homeostat.model.app import App
from homeostat.model.guards import DeletionGuard
from homeostat.model.hooks import is_hook
from homeostat.model.objects import GroupKind, Key, Object, key_of, split_api_version
from homeostat.model.tracking import Tracking
from homeostat.sync.order import CRD, NAMESPACE

HELD = "DeletionHeldWarning"
"""The condition that says what is held."""

FEWEST = 5
"""Fewer objects than that are no mass deletion."""

_NAMED = 10
_MARK = "held by the deletion guard {}: "
_CLAIM, _VOLUME, _STATEFUL_SET = GroupKind("", "PersistentVolumeClaim"), GroupKind("", "PersistentVolume"), GroupKind("apps", "StatefulSet")

DERIVED_GROUPS = frozenset(
    {"events.k8s.io", "metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io", "packages.operators.coreos.com"}
)
"""API groups whose objects say something about others, or stand in every namespace: nothing is lost with them."""

DERIVED_KINDS = frozenset(
    {
        GroupKind("", "Event"),
        GroupKind("", "Endpoints"),
        GroupKind("discovery.k8s.io", "EndpointSlice"),
        GroupKind("coordination.k8s.io", "Lease"),
    }
)
_IN_EVERY_NAMESPACE = frozenset(
    {
        ("ServiceAccount", "default"),
        ("ConfigMap", "kube-root-ca.crt"),
        ("ConfigMap", "istio-ca-root-cert"),
        # OpenShift's own.
        ("ConfigMap", "openshift-service-ca.crt"),
        ("ServiceAccount", "builder"),
        ("ServiceAccount", "deployer"),
        ("RoleBinding", "system:deployers"),
        ("RoleBinding", "system:image-builders"),
        ("RoleBinding", "system:image-pullers"),
    }
)
_ACCOUNT = "kubernetes.io/service-account.name"


class Going(msgspec.Struct, frozen=True):
    """What an app is about to lose, and what it keeps: ``uids`` of the objects that will be pruned, the keys that it ``wants``."""

    app_id: str
    uids: frozenset[str]
    wants: Collection[Key]
    tracking: Tracking = Tracking()


def evident(prunes: Sequence[Object], *, kept: int, on: Collection[DeletionGuard], held_before: bool = False) -> dict[Key, str]:
    """What is held for what is known already, with the reason.

    ``prunes`` are the live objects that the sync would prune, ``kept`` is how many others of the app there are. ``held_before``: a mass deletion is
    held already and nobody has confirmed it (:func:`mass_is_held`); it stays held even if the app grows in the meantime.
    """
    keys = [key_of(obj) for obj in prunes]
    if DeletionGuard.MASS_DELETION in on and (held_before or (len(keys) >= FEWEST and len(keys) > kept)):
        return dict.fromkeys(
            keys, _reason(DeletionGuard.MASS_DELETION, f"{len(keys)} of the app's {len(keys) + kept} objects would be deleted")
        )
    if DeletionGuard.VOLUME not in on:
        return {}
    held = {key: _reason(DeletionGuard.VOLUME, loss) for key, obj in zip(keys, prunes, strict=True) if (loss := _data_in(key, obj))}
    claims = {key.namespace: key for key in sorted(held, reverse=True) if key.namespace}
    for key in keys:
        if key.group_kind == NAMESPACE and key.name in claims:
            held[key] = _reason(DeletionGuard.VOLUME, f"{claims[key.name]} is in it")
    return held


def questions(prunes: Iterable[Object], *, on: Collection[DeletionGuard], held: Collection[Key]) -> list[Object]:
    """The namespaces and CRDs among ``prunes`` of which it has to be found out what they would take along."""
    asked = {NAMESPACE: DeletionGuard.NAMESPACE, CRD: DeletionGuard.CRD}
    return [obj for obj in prunes if asked.get((key := key_of(obj)).group_kind) in on and key not in held]


def with_survivor(key: Key, told: str) -> str:
    """Why the namespace or CRD ``key`` is held; ``told`` is what :func:`survivor` said of an object in it."""
    guard = DeletionGuard.NAMESPACE if key.group_kind == NAMESPACE else DeletionGuard.CRD
    return _reason(guard, f"it would take {told} along")


def in_doubt(key: Key, why: str) -> str:
    """Why ``key`` is held when nobody can tell what it would take along."""
    guard = DeletionGuard.NAMESPACE if key.group_kind == NAMESPACE else DeletionGuard.CRD
    return _reason(guard, f"what it would take along cannot be told: {why}")


def survivor(key: Key, metadata: Mapping[str, object], going: Going, *, namespaced: Callable[[GroupKind], bool | None]) -> str:
    """What the object with ``metadata`` is called when it would still be wanted after the prune; empty when nothing is lost with it.

    ``namespaced`` says of a kind whether it is (``None``: it is not known). What has an owner beside it goes, or stays, with that one.
    """
    obj = {"metadata": metadata}
    if metadata.get("uid") in going.uids or metadata.get("deletionTimestamp") or _is_noise(key, metadata):
        return ""
    owners = list(_owners(metadata))
    if any(uid in going.uids or (key.namespace and namespaced(kind)) for kind, uid in owners):
        return ""
    if key in going.wants:
        return f"{key}, which the app wants,"
    if going.tracking.app_of(obj) == going.app_id:
        return "" if is_hook(obj) else f"{key}, which is not to be deleted,"
    return f"{key}, which this app does not manage,"


def message(app: App, held: Mapping[Key, str]) -> str:
    """The condition: what is held, by which guard, and how to confirm it. The same for the same prunes, so that its time says since when."""
    parts = []
    for reason, members in groupby(sorted(held, key=lambda key: (held[key], key)), key=lambda key: held[key]):
        keys = list(members)
        more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
        parts.append(f"{', '.join(map(str, keys[:_NAMED]))}{more}: {reason}")
    return f"not deleted: {'; '.join(parts)} (to confirm: homeostat app confirm-deletion {app.key.name}, or homeostat app sync {app.key.name} --prune)"


def approved(app: App, held: Mapping[Key, str]) -> bool:
    """Whether somebody confirmed that what is held may go: after it was told, and exactly what was told.

    Both times are whole seconds, so that who confirms within the second in which it was told is heard, too.
    """
    told = message(app, held) if held else ""
    return any(said == told and 0 < since <= app.approved_at for said, since in app.holds)


def mass_is_held(app: App) -> bool:
    """Whether the app's status says that a mass deletion is held."""
    return any(_MARK.format(DeletionGuard.MASS_DELETION) in said for said, _ in app.holds)


def _reason(guard: DeletionGuard, why: str) -> str:
    return _MARK.format(guard) + why


def _data_in(key: Key, obj: Object) -> str:
    """Which data would go with the object; empty when none would."""
    kind, phase = key.group_kind, (obj.get("status") or {}).get("phase")
    if kind == _CLAIM and phase == "Bound":
        return f"it is bound to {(obj.get('spec') or {}).get('volumeName') or 'a volume'}, whose data may be lost"
    if kind == _VOLUME and phase in {"Bound", "Released"}:
        return "it holds the data of a claim"
    if kind == _STATEFUL_SET:
        spec = obj.get("spec") or {}
        if spec.get("volumeClaimTemplates") and (spec.get("persistentVolumeClaimRetentionPolicy") or {}).get("whenDeleted") == "Delete":
            return "its volumes are deleted with it (persistentVolumeClaimRetentionPolicy)"
    return ""


def _owners(metadata: Mapping[str, object]) -> Iterator[tuple[GroupKind, str]]:
    owners = metadata.get("ownerReferences")
    for owner in owners if isinstance(owners, list) else ():
        yield GroupKind(split_api_version(owner.get("apiVersion") or "")[0], owner.get("kind") or ""), owner.get("uid") or ""


def _is_noise(key: Key, metadata: Mapping[str, object]) -> bool:
    if key.group in DERIVED_GROUPS or key.group_kind in DERIVED_KINDS or (key.kind, key.name) in _IN_EVERY_NAMESPACE:
        return True
    annotations = metadata.get("annotations")
    return key.kind == "Secret" and isinstance(annotations, dict) and annotations.get(_ACCOUNT) == "default"

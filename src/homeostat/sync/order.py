"""The order of tasks: by phase, wave, kind and name, with dependencies pulled forward. Data and pure functions.

Rules: reference 1.4 and 2.5, ``gitops-engine/pkg/sync/{sync_tasks,syncwaves}``. A wave that is no whole number is an error here, where Argo CD takes
it for 0. Which tasks there are does not belong here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from msgspec.structs import replace

from homeostat.model.manifest import Origin
from homeostat.model.objects import GroupKind, Object, annotations_of, key_of
from homeostat.model.sync import Action, Phase, Task, Wave
from homeostat.sync.errors import WaveError

SYNC_WAVE = "argocd.argoproj.io/sync-wave"
HOOK_WEIGHT = "helm.sh/hook-weight"

KINDS = (
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
)
"""Kinds in the order in which they are applied, whatever their group; every other kind comes after them."""

_RANK = {kind: rank for rank, kind in enumerate(KINDS)}
_LAST = len(KINDS)
_PHASES = {phase: place for place, phase in enumerate(Phase)}
_NOWHERE = Origin()
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")

_MAKING = frozenset({Action.APPLY, Action.RUN_HOOK})

CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")
NAMESPACE = GroupKind("", "Namespace")


def kind_rank(kind: str) -> int:
    """The place of ``kind`` in :data:`KINDS`; one number behind all of them for every other kind."""
    return _RANK.get(kind, _LAST)


def wave_of(obj: Object, origin: Origin = _NOWHERE) -> int:
    """The sync wave of ``obj``; 0 when it names none. Raises :class:`WaveError`, which names the object and its ``origin``."""
    annotations = annotations_of(obj)
    for annotation in (SYNC_WAVE, HOOK_WEIGHT):
        value = annotations.get(annotation)
        if value is None:
            continue
        text = str(value)
        if not _WHOLE_NUMBER.fullmatch(text):
            raise WaveError(key_of(obj), annotation, value, origin)
        return int(text)
    return 0


def wave_or_zero(obj: Object) -> int:
    """The wave of a live object, which nobody can be asked to correct: one that is no whole number counts as 0."""
    try:
        return wave_of(obj)
    except WaveError:
        return 0


def sort_key(task: Task) -> tuple[int, int, int, str, str, str]:
    """Phase, wave, kind, name as in Argo CD; namespace and group after them, so that the order is always the same."""
    key = task.key
    return _PHASES[task.phase], task.wave, _RANK.get(key.kind, _LAST), key.name, key.namespace, key.group


def adjust_dependencies(tasks: Sequence[Task]) -> list[Task]:
    """Pulls a Namespace before its first user, and a CRD before its first CR, where the order has them later.

    What is pulled forward takes over phase and wave of the task that needs it. ``tasks`` are in order; prunes are not looked at: they need nothing to
    be there. A hook that is a Namespace or a CRD stays in the phase that it names.
    """
    providers: dict[object, int] = {}
    for place, task in enumerate(tasks):
        provided = _provides(task)
        if provided is not None:
            providers.setdefault(provided, place)
    if not providers:
        return list(tasks)
    needed_at: dict[int, int] = {}
    for place, task in enumerate(tasks):
        if task.action not in _MAKING:
            continue
        for need in (task.key.namespace, task.key.group_kind):
            provider = providers.get(need)
            if provider is not None and provider > place and (not tasks[provider].hook_type or tasks[provider].phase is task.phase):
                needed_at.setdefault(provider, place)
    pulled: dict[int, list[int]] = {}
    for provider, place in needed_at.items():
        pulled.setdefault(place, []).append(provider)
    ordered: list[Task] = []
    for place, task in enumerate(tasks):
        ordered.extend(replace(tasks[provider], phase=task.phase, wave=task.wave) for provider in sorted(pulled.get(place, ())))
        if place not in needed_at:
            ordered.append(task)
    return ordered


def into_waves(tasks: Iterable[Task]) -> tuple[Wave, ...]:
    """Cuts ordered tasks into waves, and each wave into groups.

    Prunes (skipped ones too) are the first group of a wave; then each run of one kind is a group, so that what later kinds rely on is there.
    """
    waves: list[Wave] = []
    for (phase, number), members in groupby(tasks, key=lambda task: (task.phase, task.wave)):
        prunes: list[Task] = []
        rest: list[Task] = []
        for task in members:
            (prunes if task.action in {Action.PRUNE, Action.SKIP_PRUNE} else rest).append(task)
        groups = [tuple(prunes)] if prunes else []
        groups.extend(tuple(run) for _, run in groupby(rest, key=lambda task: task.key[:2]))
        waves.append(Wave(phase, number, tuple(groups)))
    return tuple(waves)


def _provides(task: Task) -> object:
    """What others may need of ``task``: a namespace (by name), a kind (by group and name), or nothing."""
    if task.action not in _MAKING or task.desired is None:
        return None
    group_kind = task.key.group_kind
    if group_kind == NAMESPACE:
        return task.key.name
    if group_kind == CRD:
        return defined_by(task.desired)
    return None


def defined_by(crd: Object) -> GroupKind | None:
    """The kind that a CustomResourceDefinition defines, or ``None`` when it does not say."""
    spec = crd.get("spec")
    names = spec.get("names") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(names, dict) or not names.get("kind"):
        return None
    return GroupKind(str(spec.get("group") or ""), str(names["kind"]))

"""Hooks: objects that a sync runs at a certain time instead of keeping them, by the annotations of Argo CD and of Helm.

Pure: tells what an object is. When a hook runs, and what follows from it, is planned in ``sync``. Rules: reference 1.4,
``gitops-engine/pkg/sync/{hook,ignore}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from homeostat.model.objects import annotations_of

HOOK = "argocd.argoproj.io/hook"
HELM_HOOK = "helm.sh/hook"
HOOK_FINALIZER = "argocd.argoproj.io/hook-finalizer"
DELETE_POLICY = "argocd.argoproj.io/hook-delete-policy"
HELM_DELETE_POLICY = "helm.sh/hook-delete-policy"
RUN = "homeostat/run"
"""Annotation of a hook's object: the attempt of the sync that made it and the phase, ``<started at>/<retry>/<phase>``, so that nobody takes the Job of
an earlier one for it."""

_CRD_INSTALL = "crd-install"


_Meaning = TypeVar("_Meaning")


class HookType(StrEnum):
    """``argocd.argoproj.io/hook``. PreDelete and PostDelete belong to the deletion of an app, not to its syncs."""

    PRE_SYNC = "PreSync"
    SYNC = "Sync"
    POST_SYNC = "PostSync"
    SYNC_FAIL = "SyncFail"
    SKIP = "Skip"
    PRE_DELETE = "PreDelete"
    POST_DELETE = "PostDelete"


class DeletePolicy(StrEnum):
    """``argocd.argoproj.io/hook-delete-policy``: when the object of a hook goes."""

    HOOK_SUCCEEDED = "HookSucceeded"
    HOOK_FAILED = "HookFailed"
    BEFORE_HOOK_CREATION = "BeforeHookCreation"


_ARGO: Mapping[str, HookType] = {str(hook): hook for hook in HookType}
_HELM: Mapping[str, HookType] = {
    "pre-install": HookType.PRE_SYNC,
    "pre-upgrade": HookType.PRE_SYNC,
    "post-install": HookType.POST_SYNC,
    "post-upgrade": HookType.POST_SYNC,
    "pre-delete": HookType.PRE_DELETE,
    "post-delete": HookType.POST_DELETE,
}
_ARGO_POLICIES: Mapping[str, DeletePolicy] = {str(policy): policy for policy in DeletePolicy}
_HELM_POLICIES: Mapping[str, DeletePolicy] = {
    "hook-succeeded": DeletePolicy.HOOK_SUCCEEDED,
    "hook-failed": DeletePolicy.HOOK_FAILED,
    "before-hook-creation": DeletePolicy.BEFORE_HOOK_CREATION,
}
_ONLY_SKIP = (HookType.SKIP,)


def hook_types(obj: Mapping[str, Any]) -> tuple[HookType, ...]:
    """The hook types of ``obj`` in the order in which they are written; Helm's count only where Argo CD's say nothing that is known."""
    annotations = annotations_of(obj)
    types = _known(annotations.get(HOOK), _ARGO)
    return types or _known(annotations.get(HELM_HOOK), _HELM)


def delete_policies(obj: Mapping[str, Any]) -> tuple[DeletePolicy, ...]:
    """The delete policies of a hook, Argo CD's and Helm's together; ``BeforeHookCreation`` where none is known."""
    annotations = annotations_of(obj)
    policies = _known(annotations.get(DELETE_POLICY), _ARGO_POLICIES) + _known(annotations.get(HELM_DELETE_POLICY), _HELM_POLICIES)
    return tuple(dict.fromkeys(policies)) or (DeletePolicy.BEFORE_HOOK_CREATION,)


def is_hook(obj: Mapping[str, Any]) -> bool:
    """Whether ``obj`` is marked as a hook, be it of a type that nobody runs. One of type Skip alone, or ``crd-install``, is none."""
    annotations = annotations_of(obj)
    if HOOK in annotations:
        return hook_types(obj) != _ONLY_SKIP
    return annotations.get(HELM_HOOK, _CRD_INSTALL) != _CRD_INSTALL


def is_ignored(obj: Mapping[str, Any]) -> bool:
    """Whether ``obj`` takes part in nothing: of type Skip alone, or a hook without any type that is known (Helm's ``test``, for one)."""
    annotations = annotations_of(obj)
    if HOOK not in annotations and HELM_HOOK not in annotations:
        return False
    types = hook_types(obj)
    return types == _ONLY_SKIP or (not types and is_hook(obj))


def takes_part(obj: Mapping[str, Any]) -> bool:
    """Whether ``obj`` is a plain object: one that is compared, applied and pruned."""
    annotations = annotations_of(obj)
    if HOOK not in annotations and HELM_HOOK not in annotations:
        return True
    return not is_hook(obj) and not is_ignored(obj)


def is_skipped(obj: Mapping[str, Any]) -> bool:
    """Whether ``obj`` is never to be applied: its only hook type is Skip."""
    return hook_types(obj) == _ONLY_SKIP


def has_finalizer(obj: Mapping[str, Any]) -> bool:
    """Whether a hook's end is still to be seen by us, although it is being deleted."""
    return HOOK_FINALIZER in ((obj.get("metadata") or {}).get("finalizers") or ())


def _known(value: object, meanings: Mapping[str, _Meaning]) -> tuple[_Meaning, ...]:
    words = (word.strip() for word in str(value or "").split(","))
    return tuple(meanings[word] for word in words if word in meanings)

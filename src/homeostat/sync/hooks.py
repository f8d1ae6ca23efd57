"""Which desired objects are hooks, by Argo CD's annotations and by Helm's.

Rules: reference 1.4, ``gitops-engine/pkg/sync/{hook,ignore}``. Hooks are not run yet: an app that has some is refused with an error that names
them. How and when a hook runs will be the planner's business, which already knows phases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from homeostat.model.manifest import Desired
from homeostat.model.objects import Object, annotations_of
from homeostat.sync.errors import HooksNotSupportedError

HOOK = "argocd.argoproj.io/hook"
HELM_HOOK = "helm.sh/hook"

_CRD_INSTALL = "crd-install"


class HookType(StrEnum):
    """``argocd.argoproj.io/hook``. PreDelete and PostDelete belong to the deletion of an app, not to its syncs."""

    PRE_SYNC = "PreSync"
    SYNC = "Sync"
    POST_SYNC = "PostSync"
    SYNC_FAIL = "SyncFail"
    SKIP = "Skip"
    PRE_DELETE = "PreDelete"
    POST_DELETE = "PostDelete"


_ARGO: Mapping[str, HookType] = {str(hook): hook for hook in HookType}
_HELM: Mapping[str, HookType] = {
    "pre-install": HookType.PRE_SYNC,
    "pre-upgrade": HookType.PRE_SYNC,
    "post-install": HookType.POST_SYNC,
    "post-upgrade": HookType.POST_SYNC,
    "pre-delete": HookType.PRE_DELETE,
    "post-delete": HookType.POST_DELETE,
}
_ONLY_SKIP = (HookType.SKIP,)


class Sorted(msgspec.Struct, frozen=True):
    """The objects of an app by what they are to a sync. ``ignored`` ones (Skip, Helm's tests and rollback hooks) take no part in anything."""

    plain: tuple[Desired, ...]
    hooks: tuple[Desired, ...] = ()
    ignored: tuple[Desired, ...] = ()


def hook_types(obj: Object) -> tuple[HookType, ...]:
    """The hook types of ``obj`` in the order in which they are written; Helm's count only where Argo CD's say nothing that is known."""
    annotations = annotations_of(obj)
    types = _known(annotations.get(HOOK), _ARGO)
    return types or _known(annotations.get(HELM_HOOK), _HELM)


def is_hook(obj: Object) -> bool:
    """Whether ``obj`` is marked as a hook, be it of a type that nobody runs. One of type Skip alone, or ``crd-install``, is none."""
    annotations = annotations_of(obj)
    if HOOK in annotations:
        return hook_types(obj) != _ONLY_SKIP
    return annotations.get(HELM_HOOK, _CRD_INSTALL) != _CRD_INSTALL


def is_ignored(obj: Object) -> bool:
    """Whether ``obj`` takes part in nothing: of type Skip alone, or a hook without any type that is known (Helm's ``test``, for one)."""
    annotations = annotations_of(obj)
    if HOOK not in annotations and HELM_HOOK not in annotations:
        return False
    types = hook_types(obj)
    return types == _ONLY_SKIP or (not types and is_hook(obj))


def takes_part(obj: Object) -> bool:
    """Whether ``obj`` is a plain object: one that is compared, applied and pruned."""
    annotations = annotations_of(obj)
    if HOOK not in annotations and HELM_HOOK not in annotations:
        return True
    return not is_hook(obj) and not is_ignored(obj)


def sort_out(objects: Iterable[Desired]) -> Sorted:
    """Tells plain objects, hooks and ignored ones apart; each keeps its order."""
    plain: list[Desired] = []
    hooks: list[Desired] = []
    ignored: list[Desired] = []
    for desired in objects:
        if takes_part(desired.object):
            plain.append(desired)
        elif is_ignored(desired.object):
            ignored.append(desired)
        else:
            hooks.append(desired)
    return Sorted(tuple(plain), tuple(hooks), tuple(ignored))


def refuse_hooks(objects: Iterable[Desired]) -> None:
    """Raises :class:`HooksNotSupportedError` when there is a hook among ``objects``."""
    hooks = sort_out(objects).hooks
    if hooks:
        raise HooksNotSupportedError(hooks)


def _known(value: object, types: Mapping[str, HookType]) -> tuple[HookType, ...]:
    words = (word.strip() for word in str(value or "").split(","))
    return tuple(types[word] for word in words if word in types)

"""Sync options: the strings of ``syncOptions`` and of the annotation ``argocd.argoproj.io/sync-options``, and which of them Homeostat honours.

Rules: reference 1.3. Options are exact strings. Those accepted because there is nothing to do: ``ServerSideApply=true`` (everything is applied so),
``SkipDryRunOnMissingResource=true`` (there is no dry run that could fail), ``Validate=…`` (the server validates what it is sent, and says so), and
``Prune=true``, ``Delete=true``, ``Replace=false`` and so on, which name the default.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from homeostat.model.app import Policy
from homeostat.model.manifest import Desired
from homeostat.model.objects import Object, annotations_of
from homeostat.model.sync import Operation
from homeostat.sync.errors import at

SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
RESOURCE_POLICY = "helm.sh/resource-policy"

CREATE_NAMESPACE = "CreateNamespace=true"
PRUNE_LAST = "PruneLast=true"
OUT_OF_SYNC_ONLY = "ApplyOutOfSyncOnly=true"
NO_PRUNE = "Prune=false"
CONFIRM_PRUNE = "Prune=confirm"
NO_DELETE = "Delete=false"
CONFIRM_DELETE = "Delete=confirm"
NO_MIGRATION = "ClientSideApplyMigration=false"

Propagation = Literal["Background", "Foreground", "Orphan"]

_PROPAGATION: dict[str, Propagation] = {
    "PrunePropagationPolicy=foreground": "Foreground",
    "PrunePropagationPolicy=background": "Background",
    "PrunePropagationPolicy=orphan": "Orphan",
}

_UNSUPPORTED = {
    "Replace=true": "objects are always applied, never replaced",
    "Force=true": "objects are never deleted to be made anew",
    "ServerSideApply=false": "every object is applied server-side",
    "RespectIgnoreDifferences=true": "ignored fields are applied as they are desired",
    "FailOnSharedResource=true": "an object that another app tracks is taken over",
    "Prune=confirm": "pruning cannot wait for a confirmation",
    "Delete=confirm": "deletion cannot wait for a confirmation",
}


def effective(policy: Policy, operation: Operation) -> tuple[str, ...]:
    """The options that hold for one sync: the operation's where it names any, else the app's own."""
    return operation.options or policy.options


def resource_options(obj: Object) -> tuple[str, ...]:
    """The options on one object, without the blanks around them."""
    value = annotations_of(obj).get(SYNC_OPTIONS)
    if not value:
        return ()
    return tuple(option.strip() for option in str(value).split(","))


def always_applied(obj: Object) -> bool:
    """Whether ``obj`` wants to be applied in every sync, ``ApplyOutOfSyncOnly=true`` on its app or not."""
    return "ApplyOutOfSyncOnly=false" in resource_options(obj)


def propagation(options: Sequence[str]) -> Propagation:
    """How the dependants of a pruned object go: ``Foreground`` unless an option says otherwise."""
    return next((_PROPAGATION[option] for option in options if option in _PROPAGATION), "Foreground")


def prune_forbidden(obj: Object, options: Sequence[str]) -> bool:
    """Whether ``obj`` must never be pruned. What the object says goes before what the app says; Helm's ``keep`` cannot be overruled.

    An object that asks for a confirmation is not pruned either: nobody can give one yet.
    """
    if annotations_of(obj).get(RESOURCE_POLICY) == "keep":
        return True
    own = resource_options(obj)
    for option in own:
        if option.startswith("Prune="):
            return option in {NO_PRUNE, CONFIRM_PRUNE}
    return NO_PRUNE in options or CONFIRM_PRUNE in options


def deletion_forbidden(obj: Object, options: Sequence[str]) -> bool:
    """Whether ``obj`` stays when its app is deleted; by the same rules as :func:`prune_forbidden`, for ``Delete=…``."""
    if annotations_of(obj).get(RESOURCE_POLICY) == "keep":
        return True
    for option in resource_options(obj):
        if option.startswith("Delete="):
            return option in {NO_DELETE, CONFIRM_DELETE}
    return NO_DELETE in options or CONFIRM_DELETE in options


def unsupported_options(policy: Policy, objects: Iterable[Desired], operation: Operation | None = None) -> tuple[str, ...]:
    """What is asked for by an option and not done, one message each, with the object and its place where an object asks. Empty: all is well.

    ``operation`` adds what one sync asks for: its options, ``force`` in its strategy, manifests that do not come from the source.
    """
    told = [_told("spec.syncPolicy.syncOptions", option) for option in policy.options if option in _UNSUPPORTED]
    if policy.namespace_labels or policy.namespace_annotations:
        told.append("spec.syncPolicy.managedNamespaceMetadata is not supported: a namespace is created without labels and annotations")
    for desired in objects:
        if SYNC_OPTIONS in annotations_of(desired.object):
            named = f"{desired.key}{at(desired.origin)}, annotation {SYNC_OPTIONS}"
            told.extend(_told(named, option) for option in resource_options(desired.object) if option in _UNSUPPORTED)
    if operation is not None:
        told.extend(_told("operation.sync.syncOptions", o) for o in operation.options if o in _UNSUPPORTED and o not in policy.options)
        told.extend(_unsupported_operation(operation))
    return tuple(told)


def _told(place: str, option: str) -> str:
    return f"{place}: {option} is not supported: {_UNSUPPORTED[option]}"


def _unsupported_operation(operation: Operation) -> list[str]:
    sync = operation.raw.get("sync")
    if not isinstance(sync, dict):
        return []
    told = []
    if sync.get("manifests"):
        told.append("operation.sync.manifests is not supported: objects come from the app's source alone")
    strategy = sync.get("syncStrategy")
    for name, value in strategy.items() if isinstance(strategy, dict) else ():
        if isinstance(value, dict) and value.get("force"):
            told.append(f"operation.sync.syncStrategy.{name}.force is not supported: objects are never deleted to be made anew")
    return told

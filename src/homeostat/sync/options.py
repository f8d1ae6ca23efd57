"""Sync options: the strings of ``syncOptions`` and of the annotation ``argocd.argoproj.io/sync-options``, and what each of them means.

Rules: reference 1.3. Options are exact strings: ``replace=True`` is none. What nobody knows is passed over, as in Argo CD, and told as a warning
(:func:`ignored_options`). What an object says goes before what its app says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from homeostat.model.app import Policy
from homeostat.model.manifest import Desired
from homeostat.model.objects import GroupKind, Object, annotations_of, key_of
from homeostat.model.sync import Method, Operation, Writing
from homeostat.sync.errors import at

SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
RESOURCE_POLICY = "helm.sh/resource-policy"

CREATE_NAMESPACE = "CreateNamespace=true"
PRUNE_LAST = "PruneLast=true"
OUT_OF_SYNC_ONLY = "ApplyOutOfSyncOnly=true"
NO_MIGRATION = "ClientSideApplyMigration=false"
SKIP_DRY_RUN = "SkipDryRunOnMissingResource=true"
FAIL_ON_SHARED = "FailOnSharedResource=true"
RESPECT_IGNORED = "RespectIgnoreDifferences=true"

Propagation = Literal["Background", "Foreground", "Orphan"]

_PROPAGATION: dict[str, Propagation] = {
    "PrunePropagationPolicy=foreground": "Foreground",
    "PrunePropagationPolicy=background": "Background",
    "PrunePropagationPolicy=orphan": "Orphan",
}

_SWITCHES = frozenset({"true", "false"})
_ON_APPS = {
    "Prune": _SWITCHES | {"confirm"},
    "Delete": _SWITCHES | {"confirm"},
    "PrunePropagationPolicy": frozenset({"foreground", "background", "orphan"}),
    **dict.fromkeys(
        (
            "Validate",
            "SkipDryRunOnMissingResource",
            "ApplyOutOfSyncOnly",
            "PruneLast",
            "Replace",
            "ServerSideApply",
            "ClientSideApplyMigration",
            "FailOnSharedResource",
            "RespectIgnoreDifferences",
            "CreateNamespace",
        ),
        _SWITCHES,
    ),
}
_ON_OBJECTS = {
    "Force": _SWITCHES,
    **{
        name: _ON_APPS[name]
        for name in (
            "Prune",
            "Delete",
            "Validate",
            "SkipDryRunOnMissingResource",
            "ApplyOutOfSyncOnly",
            "PruneLast",
            "Replace",
            "ServerSideApply",
        )
    },
}

_PRECIOUS = frozenset(
    {
        GroupKind("", "Namespace"),
        GroupKind("", "PersistentVolume"),
        GroupKind("", "PersistentVolumeClaim"),
        GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"),
    }
)
"""Kinds that take data with them when they are deleted."""


def effective(policy: Policy, operation: Operation) -> tuple[str, ...]:
    """The options that hold for one sync: the operation's where it names any, else the app's own."""
    return operation.options or policy.options


def resource_options(obj: Object) -> tuple[str, ...]:
    """The options on one object, without the blanks around them."""
    value = annotations_of(obj).get(SYNC_OPTIONS)
    if not value:
        return ()
    return tuple(option.strip() for option in str(value).split(","))


def writing(desired: Object, live: Object | None, options: Sequence[str], operation: Operation) -> Writing:
    """How ``desired`` is written, by the ``options`` that hold for the sync and those on the object; ``live`` is what is there now.

    ``Replace`` wins over ``ServerSideApply``; it and ``Force`` count on the live object, too. ``Force`` is heard on an object, or from the
    operation's strategy: not among the options of an app, as in Argo CD. The strategy's force spares kinds that take data with them.
    ``Validate=false`` means a patch unless server-side apply is asked for by name: that refuses unknown fields in any case.
    """
    own = resource_options(desired)
    there = resource_options(live) if live is not None else ()
    validate = _value("Validate", own, options) != "false"
    server_side = _value("ServerSideApply", own, options)
    method = Method.APPLY
    if _asked("Replace", own, there, options):
        method = Method.REPLACE
    elif server_side == "false" or (not validate and server_side != "true"):
        method = Method.THREE_WAY
    force = _asked("Force", own, there, ()) or (
        operation.force and _value("Force", own) != "false" and key_of(desired).group_kind not in _PRECIOUS
    )
    return Writing(method, force=force, validate=validate)


def _value(name: str, *places: Sequence[str]) -> str:
    """What the first of ``places`` that knows the option says; empty when none does."""
    prefix = f"{name}="
    return next((option[len(prefix) :] for place in places for option in place if option.startswith(prefix)), "")


def _asked(name: str, own: Sequence[str], there: Sequence[str], options: Sequence[str]) -> bool:
    return (_value(name, own) or ("true" if f"{name}=true" in there else _value(name, options))) == "true"


def always_applied(obj: Object) -> bool:
    """Whether ``obj`` wants to be applied in every sync, ``ApplyOutOfSyncOnly=true`` on its app or not."""
    return "ApplyOutOfSyncOnly=false" in resource_options(obj)


def may_be_unknown(obj: Object, options: Sequence[str]) -> bool:
    """Whether a dry run passes ``obj`` over while nobody serves its kind (``SkipDryRunOnMissingResource=true``)."""
    return _value("SkipDryRunOnMissingResource", resource_options(obj), options) == "true"


def propagation(options: Sequence[str]) -> Propagation:
    """How the dependants of a pruned object go: ``Foreground`` unless an option says otherwise."""
    return next((_PROPAGATION[option] for option in options if option in _PROPAGATION), "Foreground")


def prune_forbidden(obj: Object, options: Sequence[str]) -> bool:
    """Whether ``obj`` must never be pruned. What the object says goes before what the app says; Helm's ``keep`` cannot be overruled."""
    return _is_kept(obj) or _value("Prune", resource_options(obj), options) == "false"


def prune_needs_confirmation(obj: Object, options: Sequence[str]) -> bool:
    """Whether somebody has to approve before ``obj`` is pruned (``Prune=confirm``)."""
    return _value("Prune", resource_options(obj), options) == "confirm"


def deletion_forbidden(obj: Object, options: Sequence[str]) -> bool:
    """Whether ``obj`` stays when its app is deleted; by the same rules as :func:`prune_forbidden`, for ``Delete=…``."""
    return _is_kept(obj) or _value("Delete", resource_options(obj), options) == "false"


def deletion_needs_confirmation(obj: Object, options: Sequence[str]) -> bool:
    """Whether somebody has to approve before ``obj`` goes with its app (``Delete=confirm``)."""
    return _value("Delete", resource_options(obj), options) == "confirm"


def asks_before_deletion(obj: Object, options: Sequence[str]) -> bool:
    """Whether somebody has to approve before ``obj`` goes in any way."""
    return prune_needs_confirmation(obj, options) or deletion_needs_confirmation(obj, options)


def _is_kept(obj: Object) -> bool:
    return annotations_of(obj).get(RESOURCE_POLICY) == "keep"


def ignored_options(policy: Policy, objects: Iterable[Desired], operation: Operation | None = None) -> tuple[str, ...]:
    """The options that mean nothing where they stand, one message each, with the object and its place where an object has them.

    Argo CD passes over them, and so does a sync here: this is for a warning, since most of them are misspelled.
    """
    told = [_told("spec.syncPolicy.syncOptions", option) for option in policy.options if not _is_known(option, _ON_APPS)]
    for desired in objects:
        if SYNC_OPTIONS in annotations_of(desired.object):
            named = f"{desired.key}{at(desired.origin)}, annotation {SYNC_OPTIONS}"
            told.extend(
                _told(named, option) for option in resource_options(desired.object) if option and not _is_known(option, _ON_OBJECTS)
            )
    asked = [option for option in operation.options if option not in policy.options] if operation is not None else []
    told.extend(_told("operation.sync.syncOptions", option) for option in asked if not _is_known(option, _ON_APPS))
    return tuple(told)


def _is_known(option: str, known: dict[str, frozenset[str]]) -> bool:
    name, _, value = option.partition("=")
    return value in known.get(name, ())


def _told(place: str, option: str) -> str:
    name = option.partition("=")[0]
    elsewhere = name in _ON_OBJECTS and name not in _ON_APPS and "syncOptions" in place
    why = "only objects and the strategy of an operation have it" if elsewhere else "it means nothing here"
    return f"{place}: {option} is ignored: {why}"

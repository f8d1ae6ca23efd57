"""Which kinds nobody looks at: ``resource.exclusions``, ``resource.inclusions``, and those that are left out whatever the settings say.

An excluded kind is neither watched, compared, pruned nor synced. Rules: Argo CD's ``util/settings/resources_filter.go`` (reference 1.15): an
exclusion wins; where there are inclusions for a cluster, only what they name is looked at there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from homeostat.model.glob import matches
from homeostat.model.objects import GroupKind
from homeostat.model.settings import ResourceFilter, Settings

IN_CLUSTER: Final = "https://kubernetes.default.svc"
"""The address by which filters know the cluster that the controller works on."""

_ALWAYS: Final = (
    ResourceFilter(api_groups=("events.k8s.io", "metrics.k8s.io")),
    ResourceFilter(api_groups=("",), kinds=("Event",)),
    ResourceFilter(api_groups=("coordination.k8s.io",), kinds=("Lease",)),
)
"""Kinds with many short-lived objects that nobody manages from Git."""


def is_excluded(settings: Settings, kind: GroupKind, server: str = IN_CLUSTER) -> bool:
    """Whether objects of ``kind`` are left alone on the cluster at ``server``."""
    if any(_names(one, kind, server) for one in (*_ALWAYS, *settings.exclusions)):
        return True
    here = [one for one in settings.inclusions if _any(one.clusters, server)]
    return bool(here) and not any(_names(one, kind, server) for one in here)


def _names(one: ResourceFilter, kind: GroupKind, server: str) -> bool:
    return _any(one.api_groups, kind.group) and _any(one.kinds, kind.kind) and _any(one.clusters, server)


def _any(patterns: Iterable[str], text: str) -> bool:
    """An empty list of globs matches everything."""
    patterns = tuple(patterns)
    return not patterns or any(matches(pattern, text) for pattern in patterns)

"""resource.exclusions and resource.inclusions: which kinds are left alone."""

from __future__ import annotations

import pytest

from homeostat.model.filters import IN_CLUSTER, is_excluded
from homeostat.model.objects import GroupKind
from homeostat.model.settings import ResourceFilter, Settings

DEPLOYMENT = GroupKind("apps", "Deployment")
CONFIG_MAP = GroupKind("", "ConfigMap")


@pytest.mark.parametrize(
    ("kind", "left_alone"),
    [
        (GroupKind("", "Event"), True),
        (GroupKind("events.k8s.io", "Event"), True),
        (GroupKind("metrics.k8s.io", "PodMetrics"), True),
        (GroupKind("coordination.k8s.io", "Lease"), True),
        (GroupKind("example.org", "Event"), False),
        (GroupKind("discovery.k8s.io", "EndpointSlice"), False),
        (DEPLOYMENT, False),
    ],
)
def test_what_is_left_out_without_any_setting(kind: GroupKind, left_alone: bool) -> None:
    assert is_excluded(Settings(), kind) is left_alone


@pytest.mark.parametrize(
    ("excluded", "found"),
    [
        (ResourceFilter(("apps",), ("Deployment",), (IN_CLUSTER,)), True),
        (ResourceFilter(("a*",), ("*",), ("*",)), True),
        (ResourceFilter(kinds=("Deployment",)), True),
        (ResourceFilter(("",), ("Deployment",)), False),
        (ResourceFilter(("apps",), ("StatefulSet",)), False),
        (ResourceFilter(("apps",), ("Deployment",), ("https://elsewhere",)), False),
        (ResourceFilter(), True),
    ],
)
def test_an_exclusion_names_groups_kinds_and_clusters_by_globs_and_nothing_means_all(excluded: ResourceFilter, found: bool) -> None:
    assert is_excluded(Settings(exclusions=(excluded,)), DEPLOYMENT) is found


def test_with_inclusions_for_a_cluster_only_those_kinds_are_looked_at() -> None:
    settings = Settings(inclusions=(ResourceFilter(("apps",), ("*",)),))
    assert not is_excluded(settings, DEPLOYMENT)
    assert is_excluded(settings, CONFIG_MAP)
    elsewhere = Settings(inclusions=(ResourceFilter(("apps",), ("*",), ("https://elsewhere",)),))
    assert not is_excluded(elsewhere, CONFIG_MAP)
    assert is_excluded(elsewhere, CONFIG_MAP, "https://elsewhere")


def test_an_exclusion_wins_over_an_inclusion() -> None:
    settings = Settings(inclusions=(ResourceFilter(("apps",)),), exclusions=(ResourceFilter(("apps",), ("Deployment",)),))
    assert is_excluded(settings, DEPLOYMENT)
    assert not is_excluded(settings, GroupKind("apps", "StatefulSet"))

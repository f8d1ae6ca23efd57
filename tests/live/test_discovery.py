"""What a server serves: read in one go, kept current while kinds come and go, also when a part of it is broken."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from homeostat.live.client import Client
from homeostat.live.discovery import Discovery
from homeostat.live.errors import UnavailableError
from homeostat.model.objects import GroupKind
from tests.live.kinds import CRDS, custom_kind
from tests.proxy import Proxy

pytestmark = pytest.mark.cluster

DEPLOYMENT = GroupKind("apps", "Deployment")


async def discover(plane: Any) -> Discovery:
    async with await Client.connect(str(plane.kubeconfig)) as client:
        discovery = Discovery(client)
        await discovery.refresh()
    return discovery


async def test_every_kind_is_found_with_its_path_scope_and_verbs(plane: Any) -> None:
    discovery = await discover(plane)
    deployments = discovery.find(DEPLOYMENT)
    assert deployments is not None
    assert (deployments.plural, deployments.api_version, deployments.namespaced) == ("deployments", "apps/v1", True)
    assert deployments.watchable
    assert "deploy" in deployments.short_names
    assert discovery.scope(GroupKind("", "Namespace")) is False
    assert discovery.scope(GroupKind("", "Pod")) is True
    assert discovery.scope(GroupKind("example.com", "Nothing")) is None
    assert discovery.find(DEPLOYMENT, "v1beta1") is None


async def test_the_preferred_version_is_the_servers(plane: Any) -> None:
    discovery = await discover(plane)
    scalers = GroupKind("autoscaling", "HorizontalPodAutoscaler")
    preferred, older = discovery.find(scalers), discovery.find(scalers, "v1")
    assert preferred is not None
    assert older is not None
    assert (preferred.version, older.version) == ("v2", "v1")


async def test_versions_are_spelled_as_helm_and_argo_cd_spell_them(plane: Any) -> None:
    discovery = await discover(plane)
    assert {"v1", "v1/Pod", "apps/v1", "apps/v1/Deployment", "policy/v1/PodDisruptionBudget"} <= set(discovery.api_versions)
    assert list(discovery.api_versions) == sorted(discovery.api_versions)
    assert discovery.server_version.count(".") == 2
    assert discovery.server_version.replace(".", "").isdigit()


async def test_kinds_come_and_go(plane: Any) -> None:
    group = f"{uuid.uuid4().hex[:8]}.example.com"
    kind = GroupKind(group, "Widget")
    async with await Client.connect(str(plane.kubeconfig)) as client:
        discovery = Discovery(client)
        await discovery.refresh()
        before = discovery.generation
        await client.create(CRDS, custom_kind(group, "Widget", versions=("v1beta1", "v1")))
        plane.established(f"widgets.{group}")
        while discovery.find(kind) is None:
            await discovery.refresh()
        assert discovery.generation > before
        found = discovery.find(kind)
        assert found is not None
        assert (found.plural, found.version) == ("widgets", "v1")
        await client.delete(CRDS, "", f"widgets.{group}")
        while discovery.find(kind) is not None:
            await discovery.refresh()
        assert f"{group}/v1/Widget" not in discovery.api_versions


async def test_a_server_without_aggregated_discovery_tells_the_same(plane: Any) -> None:
    whole = await discover(plane)
    async with Proxy(plane.kubeconfig) as proxy:
        proxy.accept = "application/json"
        async with await Client.connect(str(proxy.kubeconfig)) as client:
            piecewise = Discovery(client)
            await piecewise.refresh()
    assert set(piecewise.resources()) == set(whole.resources())
    assert piecewise.api_versions == whole.api_versions


async def test_a_broken_group_costs_only_itself(plane: Any) -> None:
    async with Proxy(plane.kubeconfig) as proxy:
        proxy.accept = "application/json"
        async with await Client.connect(str(proxy.kubeconfig)) as client:
            discovery = Discovery(client)
            proxy.fault(path="/apis/batch/v1$", status=500, message="the server is currently unable", times=-1)
            await discovery.refresh()
            assert discovery.find(GroupKind("batch", "Job")) is None
            assert discovery.find(DEPLOYMENT) is not None
            assert discovery.broken == {"batch/v1": "the server is currently unable"}
            proxy.faults.clear()
            await discovery.refresh()
            assert discovery.find(GroupKind("batch", "Job")) is not None
            proxy.fault(path="/apis/batch/v1$", status=500, message="again", times=-1)
            await discovery.refresh()
            assert discovery.find(GroupKind("batch", "Job")) is not None, "what was known of it stays"


async def test_a_dead_api_service_costs_only_its_group(plane: Any) -> None:
    group = f"{uuid.uuid4().hex[:8]}.example.com"
    service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1.{group}"},
        "spec": {
            "group": group,
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"name": "nobody", "namespace": "default"},
        },
    }
    import json

    plane.kubectl("apply", "-f", "-", stdin=json.dumps(service))
    try:
        discovery = await discover(plane)
        while f"{group}/v1" not in discovery.broken:
            discovery = await discover(plane)
        assert discovery.find(DEPLOYMENT) is not None
    finally:
        plane.kubectl("delete", "apiservice", f"v1.{group}")


async def test_a_missing_kind_is_asked_for_once_by_many(plane: Any) -> None:
    async with Proxy(plane.kubeconfig) as proxy, await Client.connect(str(proxy.kubeconfig)) as client:
        discovery = Discovery(client)
        await discovery.resolve(DEPLOYMENT)
        for _ in range(20):
            assert await discovery.resolve(GroupKind("example.com", "Nothing")) is None
        assert proxy.count("GET", "^/apis$") == 1


async def test_a_server_that_is_down_is_an_error(plane: Any) -> None:
    async with Proxy(plane.kubeconfig) as proxy, await Client.connect(str(proxy.kubeconfig)) as client:
        proxy.fault(path="^/version", status=500, times=-1)
        with pytest.raises(UnavailableError):
            await Discovery(client).refresh()

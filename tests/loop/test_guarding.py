"""What a namespace or a CRD would take along is asked of the API server; what cannot be found out is not deleted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from homeostat.live.client import Client
from homeostat.live.cluster import Cluster
from homeostat.loop.guarding import Guarding
from homeostat.model.app import App, AppKey, Destination, Policy
from homeostat.model.guards import DeletionGuard
from homeostat.model.objects import GroupKind, Key, Object, key_of
from homeostat.model.report import ResourceReport
from homeostat.model.settings import Settings
from homeostat.model.sync import SyncStatus
from homeostat.model.tracking import Tracking, TrackingMethod
from tests.cluster import Cluster as Plane
from tests.live.kinds import config_map, custom_kind
from tests.proxy import Proxy

NAMESPACE = GroupKind("", "Namespace")


class Stage:
    """One app on a cluster, what it has there, and what it wants no more."""

    def __init__(self, plane: Plane, cluster: Cluster, app_id: str, settings: Settings) -> None:
        self.plane = plane
        self.cluster = cluster
        key = AppKey("Application", "argocd", app_id)
        self.app = App(
            key=key,
            id=app_id,
            uid="u",
            resource_version="1",
            sources=(),
            destination=Destination(),
            policy=Policy(automated=True, prune=True),
        )
        self.settings = settings
        self.guarding = Guarding(cluster, settings=lambda: self.settings)

    def apply(self, *objects: Object, mine: bool = False) -> None:
        for obj in objects:
            if mine:
                self.settings.tracking.mark(obj, app_id=self.app.id, namespace="")
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.plane.kubectl("apply", "-f", "-", stdin=json.dumps(items))

    async def held(self, *, wanted: Collection[Key] = (), app: App | None = None) -> dict[Key, str]:
        """What is held of all that the app has and does not want."""
        await self.cluster.ensure([NAMESPACE, GroupKind("", "ConfigMap"), GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")])
        kinds = {key.group_kind for key in self.cluster.index.managed(self.app.id)}
        await self.cluster.ensure(kinds)
        self.cluster.index.claim(self.app.id, wanted)
        resources = [
            ResourceReport(key, "v1", SyncStatus.OUT_OF_SYNC, requires_pruning=key not in wanted)
            for key in sorted(self.cluster.index.managed(self.app.id) | set(wanted))
        ]
        return await self.guarding.held(app or self.app, resources, wanted)


@asynccontextmanager
async def stage(plane: Plane, namespace: str, *, tracking: Tracking | None = None, kubeconfig: Path | None = None) -> AsyncIterator[Stage]:
    settings = Settings(tracking=tracking or Tracking())
    async with await Client.connect(str(kubeconfig or plane.kubeconfig)) as client, Cluster(client, tracking=settings.tracking) as cluster:
        yield Stage(plane, cluster, f"app-{namespace[-20:].strip('-')}", settings)


def namespace_object(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def deployment(namespace: str, name: str) -> Object:
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "registry.example/x"}]}}
    spec: dict[str, Any] = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


async def test_a_namespace_with_nothing_but_what_goes_as_well_is_not_held(plane: Plane, namespace: str) -> None:
    async with stage(plane, namespace) as on:
        on.apply(namespace_object(namespace), config_map(namespace, "a"), deployment(namespace, "web"), mine=True)
        # The deployment's pods are there, and they are nobody's loss; nor is what Kubernetes puts into every namespace.
        plane.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=60s")
        await on.cluster.ensure([GroupKind("apps", "Deployment")])
        assert len(on.cluster.index.managed(on.app.id)) == 1  # namespaces and config maps are not watched yet
        assert await on.held() == {}
        assert len(on.cluster.index.managed(on.app.id)) == 3


async def test_a_namespace_that_holds_what_the_app_does_not_manage_is_held_and_the_rest_is_not(plane: Plane, namespace: str) -> None:
    async with stage(plane, namespace) as on:
        on.apply(namespace_object(namespace), config_map(namespace, "a"), mine=True)
        on.apply(config_map(namespace, "legacy"))
        key = Key("", "Namespace", "", namespace)
        said = f"held by the deletion guard namespace: it would take ConfigMap {namespace}/legacy, which this app does not manage, along"
        assert await on.held() == {key: said}

        switched_off = replace(on.app, guards_off=frozenset({DeletionGuard.NAMESPACE}))
        assert await on.held(app=switched_off) == {}
        on.settings = replace(on.settings, guards=frozenset({DeletionGuard.CRD}))
        assert await on.held() == {}


async def test_an_object_without_an_owner_is_found_among_many_that_have_one(plane: Plane, namespace: str) -> None:
    async with stage(plane, namespace) as on:
        on.apply(namespace_object(namespace), deployment(namespace, "web"), mine=True)
        plane.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=60s")
        plane.kubectl("run", "zz-debug", "--image=registry.example/x", "-n", namespace)
        await on.cluster.ensure([GroupKind("apps", "Deployment")])
        (reason,) = (await on.held()).values()
        assert f"Pod {namespace}/zz-debug, which this app does not manage," in reason


async def test_a_namespace_is_held_while_the_app_wants_something_in_it(plane: Plane, namespace: str) -> None:
    async with stage(plane, namespace) as on:
        on.apply(namespace_object(namespace), config_map(namespace, "a"), mine=True)
        held = await on.held(wanted=[Key("", "ConfigMap", namespace, "a")])
        assert held == {
            Key("", "Namespace", "", namespace): (
                f"held by the deletion guard namespace: it would take ConfigMap {namespace}/a, which the app wants, along"
            )
        }


async def test_an_app_that_does_not_prune_by_itself_is_not_asked_about(plane: Plane, namespace: str) -> None:
    async with stage(plane, namespace) as on:
        on.apply(namespace_object(namespace), mine=True)
        on.apply(config_map(namespace, "legacy"))
        for policy in (Policy(), Policy(automated=True)):
            assert await on.held(app=replace(on.app, policy=policy)) == {}


async def test_what_is_protected_anyway_is_no_loss(plane: Plane, namespace: str) -> None:
    async with stage(plane, namespace) as on:
        kept = namespace_object(namespace)
        kept["metadata"]["annotations"] = {"argocd.argoproj.io/sync-options": "Prune=false"}
        on.apply(kept, mine=True)
        on.apply(config_map(namespace, "legacy"))
        assert await on.held() == {}


async def test_a_crd_is_held_while_somebody_else_has_objects_of_its_kind(plane: Plane, namespace: str) -> None:
    # Only tracking by label tells whose a CRD is.
    async with stage(plane, namespace, tracking=Tracking(TrackingMethod.LABEL)) as on:
        mark = namespace[-6:]
        crd = custom_kind(f"guard{mark}.example.com", "Widget")
        crd["metadata"]["labels"] = {"app.kubernetes.io/instance": on.app.id}
        on.apply(crd)
        plane.established(crd["metadata"]["name"])
        try:
            await on.cluster.discovery.refresh()
            assert await on.held() == {}
            widget = {"apiVersion": f"guard{mark}.example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": namespace}}
            on.apply(dict(widget))
            (held,) = (await on.held()).items()
            assert held[0] == key_of(crd)
            assert f"it would take Widget.guard{mark}.example.com {namespace}/w, which this app does not manage, along" in held[1]
        finally:
            plane.kubectl("delete", "crd", crd["metadata"]["name"], "--wait=false")


async def test_a_crd_whose_kind_is_not_served_is_held(plane: Plane, namespace: str) -> None:
    async with stage(plane, namespace, tracking=Tracking(TrackingMethod.LABEL)) as on:
        mark = namespace[-6:]
        crd = custom_kind(f"unserved{mark}.example.com", "Widget")
        crd["spec"]["versions"][0]["served"] = False
        crd["metadata"]["labels"] = {"app.kubernetes.io/instance": on.app.id}
        on.apply(crd)
        try:
            (reason,) = (await on.held()).values()
            assert f"what it would take along cannot be told: kind unserved{mark}.example.com/Widget is not served" in reason
        finally:
            plane.kubectl("delete", "crd", crd["metadata"]["name"], "--wait=false")


async def test_what_may_not_be_asked_is_held(plane: Plane, namespace: str) -> None:
    async with Proxy(plane.kubeconfig) as proxy, stage(plane, namespace, kubeconfig=proxy.kubeconfig) as on:
        on.apply(namespace_object(namespace), mine=True)
        proxy.fault(method="GET", path=f"/namespaces/{namespace}/secrets", status=403, message="secrets is forbidden", reason="Forbidden")
        (reason,) = (await on.held()).values()
        assert reason.startswith("held by the deletion guard namespace: what it would take along cannot be told: ")
        assert "secrets is forbidden" in reason

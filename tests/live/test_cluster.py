"""A cluster as apps see it: kinds are watched as they are needed, changes reach whom they concern, own writes are seen at once."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from homeostat.live import errors
from homeostat.live.client import Client
from homeostat.live.cluster import Cluster
from homeostat.live.index import Change
from homeostat.model.objects import GroupKind, Key, Object
from homeostat.model.tracking import TRACKING_ID, Tracking, TrackingMethod
from tests.cluster import Cluster as Plane
from tests.live.ears import Concerned
from tests.live.kinds import CONFIG_MAPS, CRDS, config_map, custom_kind
from tests.proxy import Proxy

CONFIG_MAP = GroupKind("", "ConfigMap")


@contextlib.asynccontextmanager
async def live(kubeconfig: Any) -> AsyncIterator[Cluster]:
    async with await Client.connect(str(kubeconfig)) as client, Cluster(client) as cluster:
        yield cluster


def marked(namespace: str, name: str, app: str, **data: str) -> Object:
    obj = config_map(namespace, name, **data)
    obj["metadata"]["annotations"] = {TRACKING_ID: f"{app}:/ConfigMap:{namespace}/{name}"}
    return obj


def key(namespace: str, name: str) -> Key:
    return Key("", "ConfigMap", namespace, name)


def listen(cluster: Cluster) -> Concerned:
    ear = Concerned()
    cluster.subscribe(ear)
    return ear


def overhear(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Concerned:
    """Like :func:`listen`, and is told also of what concerns no app."""
    ear, tell = Concerned(), cluster.tell

    def overheard(change: Change) -> None:
        tell(change)
        ear(change.key, change.apps)

    monkeypatch.setattr(cluster, "tell", overheard)
    return ear


async def test_the_objects_of_an_app_are_known_once_its_kinds_are_ensured(plane: Plane, namespace: str) -> None:
    async with live(plane.kubeconfig) as cluster:
        app = f"app-{namespace}"
        await cluster.client.apply(CONFIG_MAPS, marked(namespace, "one", app, a="1"))
        assert set(cluster.unavailable([CONFIG_MAP])) == {CONFIG_MAP}
        await cluster.ensure([CONFIG_MAP])
        assert cluster.unavailable([CONFIG_MAP]) == {}
        assert cluster.index.managed(app) == {key(namespace, "one")}
        body = cluster.index.get(key(namespace, "one"))
        assert body is not None
        assert (body["apiVersion"], body["kind"], body["data"]) == ("v1", "ConfigMap", {"a": "1"})


async def test_a_change_by_somebody_else_reaches_the_app(plane: Plane, namespace: str) -> None:
    async with live(plane.kubeconfig) as cluster:
        app = f"app-{namespace}"
        await cluster.ensure([CONFIG_MAP])
        ear = listen(cluster)
        plane.kubectl("create", "configmap", "stranger", "-n", namespace)
        await cluster.client.apply(CONFIG_MAPS, marked(namespace, "one", app))
        await ear.until(lambda: ("one", {app}) in ear.told)
        plane.kubectl("delete", "configmap", "one", "-n", namespace)
        await ear.until(lambda: ear.told.count(("one", {app})) == 2)
        assert cluster.index.managed(app) == frozenset()
    assert {name for name, _ in ear.told} == {"one"}, "what no app manages concerns nobody"


async def test_an_object_that_an_app_desires_is_fetched_and_followed_though_nobody_manages_it(plane: Plane, namespace: str) -> None:
    async with live(plane.kubeconfig) as cluster:
        await cluster.client.create(CONFIG_MAPS, config_map(namespace, "found", a="1"))
        await cluster.ensure([CONFIG_MAP])
        found = key(namespace, "found")
        assert cluster.index.get(found) is None
        cluster.index.claim("web", [found, key(namespace, "absent")])
        await cluster.fetch([found, key(namespace, "absent")])
        body = cluster.index.get(found)
        assert body is not None
        assert body["data"] == {"a": "1"}
        ear = listen(cluster)
        await cluster.client.patch(CONFIG_MAPS, namespace, "found", {"data": {"a": "2"}})
        await ear.until(lambda: ("found", {"web"}) in ear.told)
        await cluster.client.create(CONFIG_MAPS, config_map(namespace, "absent"))
        await ear.until(lambda: ("absent", {"web"}) in ear.told)
        cluster.release("web")
        assert cluster.index.get(found) is None


async def test_an_own_write_is_seen_at_once_and_tells_nobody(plane: Plane, namespace: str) -> None:
    async with live(plane.kubeconfig) as cluster:
        app = f"app-{namespace}"
        await cluster.ensure([CONFIG_MAP])
        ear = listen(cluster)
        answer = await cluster.client.apply(CONFIG_MAPS, marked(namespace, "one", app, a="1"))
        ear.told.clear()
        cluster.note(answer)
        assert cluster.index.get(key(namespace, "one")) == answer
        await cluster.client.apply(CONFIG_MAPS, marked(namespace, "two", app))
        await ear.until(lambda: ("two", {app}) in ear.told)
        assert ("one", {app}) not in ear.told


async def test_an_answer_that_the_watch_has_overtaken_changes_nothing(plane: Plane, namespace: str) -> None:
    async with live(plane.kubeconfig) as cluster:
        app = f"app-{namespace}"
        await cluster.ensure([CONFIG_MAP])
        ear = listen(cluster)
        answer = await cluster.client.apply(CONFIG_MAPS, marked(namespace, "one", app))
        await cluster.client.delete(CONFIG_MAPS, namespace, "one")
        await ear.until(lambda: cluster.index.node(key(namespace, "one")) is None and bool(ear.told))
        cluster.note(answer)
        assert key(namespace, "one") not in cluster.index


async def test_kinds_that_cannot_be_watched_cost_only_themselves(plane: Plane, namespace: str) -> None:
    plane.kubectl("create", "serviceaccount", "weak", "-n", namespace)
    plane.kubectl("create", "clusterrole", namespace, "--verb=list,watch,get", "--resource=configmaps")
    plane.kubectl("create", "clusterrolebinding", namespace, f"--clusterrole={namespace}", f"--serviceaccount={namespace}:weak")
    secret, nothing, review = (
        GroupKind("", "Secret"),
        GroupKind("example.com", "Nothing"),
        GroupKind("authentication.k8s.io", "TokenReview"),
    )
    try:
        async with Proxy(plane.kubeconfig) as proxy:
            proxy.token = plane.kubectl("create", "token", "weak", "-n", namespace).strip()
            async with live(proxy.kubeconfig) as cluster:
                await cluster.ensure([CONFIG_MAP, secret, nothing, review])
                problems = cluster.unavailable([CONFIG_MAP, secret, nothing, review])
                assert cluster.connected
    finally:
        plane.kubectl("delete", "clusterrole,clusterrolebinding", namespace)
    assert set(problems) == {secret, nothing, review}
    assert isinstance(problems[secret], errors.ForbiddenError)
    assert "cannot list resource" in problems[secret].message
    assert isinstance(problems[nothing], errors.NotFoundError)
    assert "neither listed nor watched" in problems[review].message


async def test_a_new_kind_is_found_and_one_that_went_away_is_told(plane: Plane, namespace: str) -> None:
    group = f"{uuid.uuid4().hex[:8]}.example.com"
    kind = GroupKind(group, "Widget")
    async with live(plane.kubeconfig) as cluster:
        served = Concerned()
        cluster.subscribe_kinds(served._told)
        await cluster.client.create(CRDS, custom_kind(group, "Widget"))
        await served.until(lambda: cluster.discovery.find(kind) is not None)
        await cluster.ensure([kind])
        assert cluster.unavailable([kind]) == {}
        widgets = cluster.discovery.find(kind)
        assert widgets is not None
        one = Key(group, "Widget", namespace, "one")
        cluster.index.claim("web", [one])
        ear = listen(cluster)
        await cluster.client.apply(
            widgets, {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "one", "namespace": namespace}}
        )
        await ear.until(lambda: one in cluster.index)
        await cluster.client.delete(CRDS, "", f"widgets.{group}")
        await served.until(lambda: cluster.discovery.find(kind) is None)
        await ear.until(lambda: one not in cluster.index)


async def test_the_kinds_of_children_are_watched_along(plane: Plane, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": namespace,
            "annotations": {TRACKING_ID: f"web-{namespace}:apps/Deployment:{namespace}/web"},
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "registry.example/web:1"}]}},
        },
    }
    async with live(plane.kubeconfig) as cluster:
        kind = GroupKind("apps", "Deployment")
        await cluster.ensure([kind])
        resource = cluster.discovery.find(kind)
        assert resource is not None
        ear = overhear(cluster, monkeypatch)
        await cluster.client.apply(resource, deployment)

        def has_replica_set() -> bool:
            return [node.key.kind for node in cluster.index.tree(f"web-{namespace}")] == ["Deployment", "ReplicaSet"]

        await ear.until(has_replica_set)
        await cluster.client.delete(resource, namespace, "web", propagation="Foreground")
        await ear.until(lambda: not list(cluster.index.tree(f"web-{namespace}")))


async def test_a_body_is_had_at_the_version_that_is_asked_for(plane: Plane, namespace: str) -> None:
    kind = GroupKind("autoscaling", "HorizontalPodAutoscaler")
    scaler = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "maxReplicas": 3,
            "targetCPUUtilizationPercentage": 50,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        },
    }
    async with live(plane.kubeconfig) as cluster:
        older = cluster.discovery.find(kind, "v1")
        assert older is not None
        await cluster.client.apply(older, scaler)
        web = Key("autoscaling", "HorizontalPodAutoscaler", namespace, "web")
        await cluster.ensure([kind])
        cluster.index.claim("web", [web])
        as_v1, as_v2 = await cluster.body(web, "v1"), await cluster.body(web, "v2")
        assert as_v1 is not None
        assert as_v2 is not None
        assert as_v1["spec"]["targetCPUUtilizationPercentage"] == 50
        assert as_v2["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
        assert await cluster.body(web._replace(name="absent"), "v1") is None


async def test_other_tracking_settings_are_read_anew(plane: Plane, namespace: str) -> None:
    async with live(plane.kubeconfig) as cluster:
        app = f"app-{namespace}"[:63].rstrip("-")
        obj = config_map(namespace, "one")
        obj["metadata"]["labels"] = {"app.kubernetes.io/instance": app}
        await cluster.client.apply(CONFIG_MAPS, obj)
        await cluster.ensure([CONFIG_MAP])
        assert cluster.index.managed(app) == frozenset()
        await cluster.retrack(Tracking(method=TrackingMethod.LABEL))
        await cluster.ensure([CONFIG_MAP])
        assert cluster.index.managed(app) == {key(namespace, "one")}


async def test_an_excluded_kind_is_not_watched_and_nobodys_trouble_and_watched_once_it_is_not_excluded(
    plane: Plane, namespace: str
) -> None:
    app = f"app-{namespace}"
    excluded: set[GroupKind] = set()
    async with await Client.connect(str(plane.kubeconfig)) as client, Cluster(client, excluded=excluded.__contains__) as cluster:
        await client.apply(CONFIG_MAPS, marked(namespace, "one", app))
        await cluster.ensure([CONFIG_MAP])
        assert cluster.index.managed(app) == {key(namespace, "one")}
        ear = listen(cluster)
        excluded.add(CONFIG_MAP)
        await cluster.refilter()
        assert ("one", {app}) in ear.told, "the app looks again"
        assert cluster.index.managed(app) == frozenset()
        await cluster.ensure([CONFIG_MAP])
        assert cluster.unavailable([CONFIG_MAP]) == {}
        assert cluster.index.managed(app) == frozenset()
        excluded.clear()
        await cluster.ensure([CONFIG_MAP])
        assert cluster.index.managed(app) == {key(namespace, "one")}


async def test_a_cluster_that_went_away_is_told_and_caught_up_with(plane: Plane, namespace: str) -> None:
    async with Proxy(plane.kubeconfig) as proxy, live(proxy.kubeconfig) as cluster, await Client.connect(str(plane.kubeconfig)) as direct:
        app = f"app-{namespace}"
        await cluster.ensure([CONFIG_MAP])
        await proxy.down()
        for _ in range(2):
            with pytest.raises(errors.UnavailableError):
                await cluster.client.create(CONFIG_MAPS, config_map(namespace, "lost"))
        connected: bool = cluster.connected
        assert not connected
        await direct.apply(CONFIG_MAPS, marked(namespace, "meanwhile", app))
        ear = listen(cluster)
        await proxy.up()
        await ear.until(lambda: ("meanwhile", {app}) in ear.told)
        assert cluster.connected
        assert cluster.unavailable([CONFIG_MAP]) == {}


async def test_a_cluster_that_cannot_be_reached_does_not_start(plane: Plane) -> None:
    async with Proxy(plane.kubeconfig) as proxy, await Client.connect(str(proxy.kubeconfig)) as client:
        proxy.fault(path="^/api", status=500, times=-1)
        with pytest.raises(errors.UnavailableError):
            await Cluster(client).start()


async def test_a_watch_that_no_app_needs_ends(plane: Plane, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeostat.live.cluster._SWEEP_SECONDS", 0.01)
    monkeypatch.setattr("homeostat.live.cluster._IDLE_SECONDS", 0.05)

    def template(name: str) -> Object:
        containers = [{"name": "c", "image": "registry.example/web:1"}]
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": "v1", "kind": "PodTemplate", "metadata": metadata, "template": {"spec": {"containers": containers}}}

    async with live(plane.kubeconfig) as cluster:
        kind = GroupKind("", "PodTemplate")  # one that no other test, and hardly any cluster, uses
        templates = cluster.discovery.find(kind)
        assert templates is not None
        one, two = Key("", "PodTemplate", namespace, "one"), Key("", "PodTemplate", namespace, "two")
        cluster.index.claim("web", [one])
        await cluster.client.create(templates, template("one"))
        await cluster.ensure([kind])
        ear = overhear(cluster, monkeypatch)
        cluster.index.claim("other", [one])
        cluster.release("web")
        cluster.index.claim("other", [two])
        await cluster.client.create(templates, template("two"))
        await ear.until(lambda: ("two", {"other"}) in ear.told)
        assert cluster.unavailable([kind]) == {}, "an app still needs it"
        cluster.release("other")
        await ear.until(lambda: one not in cluster.index)
        assert set(cluster.unavailable([kind])) == {kind}

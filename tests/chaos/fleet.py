"""Several apps of several kinds that change with every commit: waves, an overlay, a definition with its objects, many small objects, prunes.

The fleet knows what Git wants, so it can tell whether the cluster is what Git wants, and whether anything was lost on the way.
"""

from __future__ import annotations

import base64
import json
import random
from types import TracebackType
from typing import Any, NamedTuple, Self

from homeostat.model.objects import GroupKind, Key, Object, key_of
from homeostat.model.tasks import together
from tests.e2e.apps import AUTOMATED, Apps
from tests.e2e.repository import Repository

TRACKING = "argocd.argoproj.io/tracking-id"
BYSTANDER = "somebody-elses"

KINDS = [GroupKind("", "ConfigMap"), GroupKind("", "Secret"), GroupKind("", "Service"), GroupKind("", "ServiceAccount")]
DEPLOYMENT = GroupKind("apps", "Deployment")

Manifests = dict[str, list[Object]]
"""App → what Git wants of it."""


class Commit(NamedTuple):
    revision: str
    manifests: Manifests


class Fleet:
    """Its repository, its commits and its apps. An async context manager: the definition that it brings is deleted in the end."""

    def __init__(self, apps: Apps, repository: Repository, rng: random.Random) -> None:
        self.apps = apps
        self.repository = repository
        self.commits: list[Commit] = []
        self.names: dict[str, str] = {}
        self.group = f"g{apps.mark}.example.com"
        self._rng = rng
        self._uids: dict[Key, str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.apps.plane.kubectl("delete", "crd", f"widgets.{self.group}", "--ignore-not-found", "--wait=false")

    @property
    def head(self) -> Commit:
        return self.commits[-1]

    async def create(self, **policy: Any) -> None:
        """The first commit, and the apps. A bystander that is nobody's stands in each namespace."""
        await self.commit()
        for about in self.head.manifests:
            path = "overlay/production" if about == "overlay" else about
            namespace = self.apps.namespace(about)
            self.apps.plane.kubectl("create", "namespace", namespace)
            self.apps.plane.kubectl("-n", namespace, "create", "configmap", BYSTANDER, "--from-literal=a=b")
            sync_policy = {**AUTOMATED, **policy}
            if about == "widgets":
                # In the foreground the deletion waits for the garbage collector, which hears of a new kind within half a minute.
                sync_policy["syncOptions"] = ["CreateNamespace=true", "PrunePropagationPolicy=background"]
            self.names[about] = await self.apps.create(about, self.repository.url, path, syncPolicy=sync_policy, revisionHistoryLimit=100)

    async def commit(self) -> None:
        """Everything changes, some objects go, others come. The apps are asked to look."""
        number = len(self.commits)
        manifests = self._manifests(number)
        for about, objects in manifests.items():
            text = "---\n".join(f"{json.dumps(obj, indent=1)}\n" for obj in objects)
            if about == "overlay":
                self.repository.write("overlay/base/all.yaml", text.replace('"name": "production-', '"name": "'))
                self.repository.write("overlay/base/kustomization.yaml", "resources: [all.yaml]\n")
                self.repository.write("overlay/production/kustomization.yaml", "resources: [../base]\nnamePrefix: production-\n")
            else:
                self.repository.write(f"{about}/all.yaml", text)
        self.commits.append(Commit(await self.repository.push(f"commit {number}"), manifests))
        for name in self.names.values():
            await self.apps.refresh(name)

    async def synced(self, *, seconds: float = 90) -> None:
        """Every app is synced at the newest commit, and healthy, and no sync is under way."""
        revision = self.head.revision
        await together(*(self._synced(name, revision, seconds) for name in self.names.values()))

    async def _synced(self, name: str, revision: str, seconds: float) -> None:
        def wanted(app: Object) -> bool:
            status = app.get("status") or {}
            sync = status.get("sync") or {}
            state = status.get("operationState") or {}
            return (
                sync.get("status") == "Synced"
                and sync.get("revision") == revision
                and state.get("phase") == "Succeeded"
                and status["health"]["status"] == "Healthy"
                and "operation" not in app
            )

        await self.apps.until(name, wanted, seconds=seconds)

    async def drift(self) -> None:
        """Somebody changes an object by hand and deletes another; waits until both are healed."""
        namespace = self.apps.namespace("wide")
        kubectl = self.apps.plane.kubectl
        changed = f"always-{self._rng.randrange(10)}"
        kubectl("-n", namespace, "patch", "configmap", changed, "--type=merge", '-p={"data":{"commit":"by hand"}}')
        deleted = [obj["metadata"]["name"] for obj in self.head.manifests["wide"] if "sometimes" in obj["metadata"]["name"]]
        if deleted:
            kubectl("-n", namespace, "delete", "configmap", "--wait=false", *deleted)
        commit = str(len(self.commits) - 1)
        for name in (changed, *deleted):
            await self.apps.until_live(
                "", "ConfigMap", namespace, name, lambda live: live is not None and live["data"] == {"commit": commit}
            )

    async def remember(self) -> None:
        """Takes down who is who, for :meth:`check`: an object that is deleted and made again is another one."""
        self._uids = {key: obj["metadata"]["uid"] for key, obj in (await self._live()).items() if "sometimes" not in key.name}

    async def check(self) -> None:
        """The cluster is what Git wants, no more and no less; nothing that Git always wanted was ever deleted; the history is sound."""
        live = await self._live()
        wanted = {
            key._replace(namespace=self.apps.namespace(about)): obj
            for about, objects in self.head.manifests.items()
            for obj in objects
            if (key := key_of(obj)).kind != "CustomResourceDefinition"
        }
        assert live.keys() == wanted.keys()
        for key, obj in wanted.items():
            assert contains(live[key], obj), f"{key} is not what Git wants: {live[key]}"
        assert {key: uid for key, uid in self._uids.items() if live[key]["metadata"]["uid"] != uid} == {}, "were deleted on the way"
        for about in self.names:
            bystander = await self.apps.live("", "ConfigMap", self.apps.namespace(about), BYSTANDER)
            assert bystander is not None, "what is nobody's was deleted"
            assert bystander["data"] == {"a": "b"}
        revisions = [commit.revision for commit in self.commits]
        for name in self.names.values():
            history = (await self.apps.get(name))["status"]["history"]
            synced = [entry["revision"] for entry in history]
            assert [entry["id"] for entry in history] == list(range(len(history)))
            assert synced == [revision for revision in revisions if revision in set(synced)], f"{name}: each at most once, and in order"
            assert synced[-1] == revisions[-1]

    async def is_at_rest(self) -> None:
        """Looked at again from the beginning, nothing is written to any object, and no sync is started."""
        before = await self._versions()
        for name in self.names.values():
            await self.apps.refresh(name, "hard")
        for name in self.names.values():
            await self.apps.until(name, lambda app: "argocd.argoproj.io/refresh" not in (app["metadata"].get("annotations") or {}))
        assert await self._versions() == before

    async def _versions(self) -> dict[Key, Any]:
        """What moves when somebody writes to an object or starts a sync; a Deployment's own controller moves its resource version."""
        versions: dict[Key, Any] = {}
        for key, obj in (await self._live()).items():
            metadata = obj["metadata"]
            versions[key] = metadata["generation"] if key.group_kind == DEPLOYMENT else metadata["resourceVersion"]
        for name in self.names.values():
            versions[Key("", "Application", "", name)] = (await self.apps.get(name))["status"]["operationState"]
        return versions

    async def _live(self) -> dict[Key, Object]:
        """The objects that apps track, in the namespaces of the fleet."""
        found: dict[Key, Object] = {}
        for kind in (*KINDS, DEPLOYMENT, GroupKind(self.group, "Widget")):
            resource = await self.apps.discovery.resolve(kind)
            if resource is None:
                continue
            for about in self.names:
                listed = await self.apps.client.list(resource, namespace=self.apps.namespace(about))
                found |= {key_of(obj): obj for obj in listed.items if TRACKING in (obj["metadata"].get("annotations") or {})}
        return found

    def _manifests(self, number: int) -> Manifests:
        commit = str(number)
        sometimes = [i for i in range(10) if self._rng.random() < 0.5]
        return {
            "waves": [
                _config("first", commit, wave="-1"),
                _deployment("second", commit, wave="1"),
                _named("v1", "Service", "second", wave="1", spec={"selector": {"app": "second"}, "ports": [{"port": 80 + number}]}),
                _config("third", commit, wave="2"),
                *(_config(f"sometimes-{i}", commit, wave="3") for i in sometimes[:2]),
            ],
            "wide": [
                *(_config(f"always-{i}", commit) for i in range(10)),
                *(_config(f"sometimes-{i}", commit) for i in sometimes),
                _named("v1", "Secret", "secret", data={"commit": base64.b64encode(commit.encode()).decode()}),
                _named("v1", "ServiceAccount", "robot", labels={"commit": commit}),
            ],
            "overlay": [_config("production-settings", commit), _deployment("production-web", commit)],
            "widgets": [
                self._definition(),
                _named(f"{self.group}/v1", "Widget", "one", spec={"size": number}),
                *(_named(f"{self.group}/v1", "Widget", f"sometimes-{i}", spec={"size": number}) for i in sometimes[:3]),
            ],
        }

    def _definition(self) -> Object:
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        names = {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"}
        spec = {"group": self.group, "names": names, "scope": "Namespaced", "versions": [version]}
        return _named("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"widgets.{self.group}", spec=spec)


def contains(live: Any, wanted: Any) -> bool:
    """Whether everything of ``wanted`` stands in ``live``."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(contains(live.get(name), inner) for name, inner in wanted.items())
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(contains, live, wanted))
    return bool(live == wanted)


def _named(api_version: str, kind: str, name: str, *, wave: str = "", labels: dict[str, str] | None = None, **fields: Any) -> Object:
    metadata: Object = {"name": name}
    if wave:
        metadata["annotations"] = {"argocd.argoproj.io/sync-wave": wave}
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def _config(name: str, commit: str, *, wave: str = "") -> Object:
    return _named("v1", "ConfigMap", name, wave=wave, data={"commit": commit})


def _deployment(name: str, commit: str, *, wave: str = "") -> Object:
    template = {
        "metadata": {"labels": {"app": name}, "annotations": {"commit": commit}},
        "spec": {"containers": [{"name": "web", "image": "registry.example/web:1.0"}]},
    }
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template}
    return _named("apps/v1", "Deployment", name, wave=wave, spec=spec)

"""Applications as tests make them, look at them and wait for them. Waiting is watching: nothing here sleeps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from homeostat.argo.resources import APPLICATIONS
from homeostat.live.client import Client
from homeostat.live.discovery import Discovery
from homeostat.live.errors import GoneError, NotFoundError
from homeostat.model.objects import GroupKind, Object
from homeostat.model.resources import Resource
from tests.cluster import Cluster

FINALIZER = "resources-finalizer.argocd.argoproj.io"
AUTOMATED = {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true"]}


class Apps:
    """The Applications of one control namespace. ``client`` is for everything else in the cluster."""

    def __init__(self, plane: Cluster, control: str, mark: str) -> None:
        self.plane = plane
        self.control = control
        self.mark = mark
        self.client: Client
        self.discovery: Discovery
        self._names: set[str] = set()
        self._namespaces: set[str] = set()

    async def __aenter__(self) -> Self:
        self.client = await Client.connect(str(self.plane.kubeconfig))
        self.discovery = Discovery(self.client)
        await self.discovery.refresh()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for name in self._names:
            try:
                await self.client.patch(APPLICATIONS, self.control, name, {"metadata": {"finalizers": None}})
                await self.client.delete(APPLICATIONS, self.control, name)
            except NotFoundError:
                continue
        await self.client.aclose()
        if self._namespaces:
            self.plane.kubectl("delete", "namespace", "--wait=false", "--ignore-not-found", *self._namespaces)

    def namespace(self, about: str) -> str:
        """The name of a namespace for an app; it is not there yet."""
        name = f"{about}-{self.mark}"
        self._namespaces.add(name)
        return name

    async def create(self, about: str, repo: str, path: str, **spec: Any) -> str:
        """Creates an Application and answers its name. Its namespace is named after it; ``spec`` overrides, ``source`` is merged, and left out when it is ``None``."""
        name = f"{about}-{self.mark}"
        given = spec.pop("source", {})
        source = {"source": {"repoURL": repo, "path": path, "targetRevision": "main", **given}} if given is not None else {}
        finalizers = spec.pop("finalizers", [FINALIZER])
        destination = spec.pop("destination", None)
        body: Object = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name, "namespace": self.control, "finalizers": finalizers},
            "spec": {
                "project": "default",
                **source,
                "destination": destination or {"server": "https://kubernetes.default.svc", "namespace": self.namespace(about)},
                "syncPolicy": AUTOMATED,
                **spec,
            },
        }
        self._names.add(name)
        await self.client.create(APPLICATIONS, body)
        return name

    async def get(self, name: str) -> Object:
        return await self.client.get(APPLICATIONS, self.control, name)

    async def patch(self, name: str, body: Object) -> None:
        await self.client.patch(APPLICATIONS, self.control, name, body)

    async def refresh(self, name: str, how: str = "normal") -> None:
        await self.patch(name, {"metadata": {"annotations": {"argocd.argoproj.io/refresh": how}}})

    async def until(self, name: str, wanted: Callable[[Object], bool], *, seconds: float = 60) -> Object:
        """The Application as soon as ``wanted`` is true of it."""
        last: Object = {}
        try:
            async with asyncio.timeout(seconds):
                while True:
                    last = await self.get(name)
                    if wanted(last):
                        return last
                    try:
                        async for event in self.client.watch(
                            APPLICATIONS,
                            resource_version=last["metadata"]["resourceVersion"],
                            namespace=self.control,
                            field_selector=f"metadata.name={name}",
                        ):
                            if event.type in {"ADDED", "MODIFIED"}:
                                last = event.object
                                if wanted(last):
                                    return last
                    except GoneError:
                        continue
        except TimeoutError:
            raise AssertionError(f"{name} did not come to the state awaited: {json.dumps(last.get('status'), indent=1)}") from None

    async def synced(self, name: str, revision: str = "", *, seconds: float = 60) -> Object:
        """The Application once it is Synced (at ``revision``) and no operation is under way."""

        def wanted(app: Object) -> bool:
            status = app.get("status") or {}
            sync = status.get("sync") or {}
            phase = (status.get("operationState") or {}).get("phase")
            return sync.get("status") == "Synced" and phase != "Running" and (not revision or sync.get("revision") == revision)

        return await self.until(name, wanted, seconds=seconds)

    async def _resource(self, group: str, kind: str) -> Resource:
        found = self.discovery.find(GroupKind(group, kind))
        if found is None:  # it may have come since
            await self.discovery.refresh()
            found = self.discovery.find(GroupKind(group, kind))
        assert found is not None, f"{group}/{kind} is not served"
        return found

    async def live(self, group: str, kind: str, namespace: str, name: str) -> Object | None:
        """An object of the cluster, or ``None``."""
        resource = await self._resource(group, kind)
        try:
            return await self.client.get(resource, namespace, name)
        except NotFoundError:
            return None

    async def until_live(
        self, group: str, kind: str, namespace: str, name: str, wanted: Callable[[Object | None], bool], *, seconds: float = 60
    ) -> Object | None:
        """The object (``None``: it is gone) as soon as ``wanted`` is true of it."""
        resource = await self._resource(group, kind)
        last: Object | None = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found = await self.client.list(resource, namespace=namespace, field_selector=f"metadata.name={name}")
                    last = found.items[0] if found.items else None
                    if wanted(last):
                        return last
                    async for event in self.client.watch(
                        resource, resource_version=found.resource_version, namespace=namespace, field_selector=f"metadata.name={name}"
                    ):
                        if event.type != "BOOKMARK":
                            last = None if event.type == "DELETED" else event.object
                            if wanted(last):
                                return last
        except TimeoutError:
            raise AssertionError(f"{kind} {namespace}/{name} did not come to the state awaited: {json.dumps(last, indent=1)}") from None


def conditions_of(app: Object) -> dict[str, str]:
    """Condition type → message."""
    return {one["type"]: one["message"] for one in (app.get("status") or {}).get("conditions") or ()}

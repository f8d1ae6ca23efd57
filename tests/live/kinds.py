"""The kinds that these tests use, without asking a server."""

from __future__ import annotations

from typing import Any

from homeostat.model.objects import Object
from homeostat.model.resources import Resource

_ALL = frozenset({"create", "delete", "get", "list", "patch", "update", "watch"})


def _core(kind: str, plural: str, *, namespaced: bool = True) -> Resource:
    return Resource(group="", version="v1", kind=kind, plural=plural, namespaced=namespaced, verbs=_ALL)


CONFIG_MAPS = _core("ConfigMap", "configmaps")
SECRETS = _core("Secret", "secrets")
PODS = _core("Pod", "pods")
NAMESPACES = _core("Namespace", "namespaces", namespaced=False)
DEPLOYMENTS = Resource(group="apps", version="v1", kind="Deployment", plural="deployments", namespaced=True, verbs=_ALL)
CRDS = Resource(
    group="apiextensions.k8s.io",
    version="v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    namespaced=False,
    verbs=_ALL,
)


def config_map(namespace: str, name: str, **data: str) -> Object:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def custom_kind(group: str, kind: str, *, versions: tuple[str, ...] = ("v1",)) -> Object:
    """A CustomResourceDefinition of a namespaced kind with ``spec.size``, a number."""
    plural = kind.lower() + "s"
    size = {"type": "object", "properties": {"size": {"type": "integer"}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": size}}}
    served = [{"name": version, "served": True, "storage": version == versions[0], "schema": schema} for version in versions]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural}, "versions": served},
    }

"""Small objects for the tests of plans and steps, as the renderers and the cluster would give them."""

from __future__ import annotations

from typing import Any

from homeostat.model.manifest import Desired, Origin
from homeostat.model.objects import Object, key_of
from homeostat.model.tracking import Tracking

APP = "shop"
NAMESPACE = "apps"


def obj(
    kind: str,
    name: str,
    *,
    namespace: str | None = NAMESPACE,
    group: str = "",
    version: str = "v1",
    wave: object = None,
    options: str = "",
    annotations: dict[str, Any] | None = None,
    **rest: Any,
) -> Object:
    """An object of ``kind``; ``namespace=None`` makes it cluster-scoped."""
    marks = dict(annotations or {})
    if wave is not None:
        marks["argocd.argoproj.io/sync-wave"] = str(wave)
    if options:
        marks["argocd.argoproj.io/sync-options"] = options
    metadata: dict[str, Any] = {"name": name}
    if namespace is not None:
        metadata["namespace"] = namespace
    if marks:
        metadata["annotations"] = marks
    return {"apiVersion": f"{group}/{version}" if group else version, "kind": kind, "metadata": metadata, **rest}


def hook(types: str, name: str = "", *, kind: str = "Job", policies: str = "", wave: object = None, **metadata: Any) -> Object:
    """A hook of Argo CD; a Job unless told otherwise. ``generateName=…`` in place of a name."""
    annotations = {"argocd.argoproj.io/hook": types, **({"argocd.argoproj.io/hook-delete-policy": policies} if policies else {})}
    thing = obj(kind, name, group="batch" if kind == "Job" else "", wave=wave, annotations=annotations)
    if not name:
        del thing["metadata"]["name"]
    thing["metadata"].update(metadata)
    return thing


def desired(thing: Object, *, file: str = "", line: int = 0) -> Desired:
    metadata = thing["metadata"]
    key = key_of(thing)
    # As the renderer has it: what has no name yet has a key all the same.
    return Desired(key if key.name else key._replace(name=f"{metadata.get('generateName')}0"), thing, Origin(file, line))


def live(thing: Object, *, app: str = APP, uid: str = "", **metadata: Any) -> Object:
    """``thing`` as the cluster has it, tracked by ``app`` (by nobody when that is empty)."""
    copy: Object = {**thing, "metadata": {**thing["metadata"], "annotations": dict(thing["metadata"].get("annotations") or {})}}
    if app:
        Tracking().mark(copy, app_id=app, namespace=NAMESPACE)
    copy["metadata"].update({"uid": uid or f"uid-{thing['kind']}-{thing['metadata']['name']}", "resourceVersion": "1", **metadata})
    return copy


def crd(kind: str, *, group: str = "example.org", wave: object = None) -> Object:
    plural = f"{kind.lower()}s"
    thing = obj("CustomResourceDefinition", f"{plural}.{group}", namespace=None, group="apiextensions.k8s.io", wave=wave)
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    thing["spec"] = {
        "group": group,
        "scope": "Namespaced",
        "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
    }
    return thing

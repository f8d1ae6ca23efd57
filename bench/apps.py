"""Apps by the thousand: what stands in the repository, and the Applications that deliver it.

Each app has four light objects of four kinds that no controller of the control plane works on, so that what is measured is the way from Git to the
API server and not what happens behind it: a ConfigMap, a Secret, a headless Service without selector and a NetworkPolicy.
"""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from homeostat.argo.resources import CONFIG_MAPS, SECRETS
from homeostat.model.objects import Object
from homeostat.model.resources import Resource

VERBS = CONFIG_MAPS.verbs
SERVICES = Resource("", "v1", "Service", "services", namespaced=True, verbs=VERBS)
POLICIES = Resource("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", namespaced=True, verbs=VERBS)
KINDS = (CONFIG_MAPS, SECRETS, SERVICES, POLICIES)

NAMESPACES = 10
"""The apps of a bench share this many namespaces: to make one is the business of another controller."""

IN_CLUSTER = "https://kubernetes.default.svc"


def namespace_of(number: int, prefix: str) -> str:
    return f"{prefix}-{number % NAMESPACES}"


def namespaces(prefix: str) -> list[str]:
    return [f"{prefix}-{number}" for number in range(NAMESPACES)]


def objects(name: str, text: str = "first") -> list[Object]:
    """The four objects of an app, without namespace. ``text`` is a value in the ConfigMap."""
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "bench"}

    def metadata() -> Object:
        return {"name": name, "labels": dict(labels)}

    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(), "data": {"text": text, "LOG_LEVEL": "info", "PORT": "8080"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata(), "stringData": {"password": f"secret-of-{name}"}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(),
            "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata(),
            "spec": {"podSelector": {"matchLabels": dict(labels)}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 8080}]}]},
        },
    ]


def plain(name: str, text: str = "first") -> Mapping[str, str]:
    """The files of an app of plain YAML."""
    return {f"{name}/all.yaml": _yaml(objects(name, text))}


def overlay(name: str) -> Mapping[str, str]:
    """An overlay over the base that all share."""
    return {f"overlays/{name}/kustomization.yaml": f"nameSuffix: -{name}\nresources: [../../base]\nlabels: [{{pairs: {{app: {name}}}}}]\n"}


def base(text: str = "first") -> Mapping[str, str]:
    """That base. An overlay's objects are called ``base-`` and its name."""
    return {"base/kustomization.yaml": "resources: [all.yaml]\n", "base/all.yaml": _yaml(objects("base", text))}


def application(name: str, *, control: str, repo: str, path: str, namespace: str) -> Object:
    """An Application that syncs by itself."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": control},
        "spec": {
            "project": "default",
            "source": {"repoURL": repo, "path": path, "targetRevision": "main"},
            "destination": {"server": IN_CLUSTER, "namespace": namespace},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
    }


def _yaml(found: list[Object]) -> str:
    return yaml.safe_dump_all(found, sort_keys=False)

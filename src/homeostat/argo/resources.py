"""How Argo CD's kinds, and the core kinds that hold its settings, are reached over the API."""

from __future__ import annotations

from homeostat.argo.crds import GROUP, VERSION
from homeostat.model.resources import Resource

_VERBS = frozenset({"get", "list", "watch", "create", "update", "patch", "delete"})

APPLICATIONS = Resource(GROUP, VERSION, "Application", "applications", namespaced=True, verbs=_VERBS)
PROJECTS = Resource(GROUP, VERSION, "AppProject", "appprojects", namespaced=True, verbs=_VERBS)
CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=_VERBS)
SECRETS = Resource("", "v1", "Secret", "secrets", namespaced=True, verbs=_VERBS)
EVENTS = Resource("", "v1", "Event", "events", namespaced=True, verbs=_VERBS)
NAMESPACES = Resource("", "v1", "Namespace", "namespaces", namespaced=False, verbs=_VERBS)
DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False, verbs=_VERBS
)

"""Pieces that both the spec and the status of an Application hold."""

from __future__ import annotations

from homeostat.argo.types.base import Wire


class ApplicationDestination(Wire, frozen=True):
    """The cluster, by URL or by name, and the namespace for objects that name none."""

    server: str = ""
    namespace: str = ""
    name: str = ""


class IgnoreDifference(Wire, frozen=True):
    """Fields of some objects whose differences do not count."""

    kind: str
    group: str = ""
    name: str = ""
    namespace: str = ""
    json_pointers: tuple[str, ...] = ()
    jq_path_expressions: tuple[str, ...] = ()
    managed_fields_managers: tuple[str, ...] = ()


class ManagedNamespaceMetadata(Wire, frozen=True):
    """Labels and annotations for a namespace that a sync creates."""

    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None

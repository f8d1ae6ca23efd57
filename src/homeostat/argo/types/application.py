"""The ``Application`` resource and its spec."""

from __future__ import annotations

from homeostat.argo.types.base import FreeObject, Wire
from homeostat.argo.types.operation import Info, Operation, RetryStrategy
from homeostat.argo.types.shared import ApplicationDestination, IgnoreDifference, ManagedNamespaceMetadata
from homeostat.argo.types.source import ApplicationSource, SourceHydrator
from homeostat.argo.types.status import ApplicationStatus


class Automated(Wire, frozen=True):
    """Syncs that nobody has to ask for. ``enabled`` is true unless it is said to be false."""

    prune: bool = False
    self_heal: bool = False
    allow_empty: bool = False
    enabled: bool | None = None


class SyncPolicy(Wire, frozen=True):
    """When and how an Application is synced."""

    automated: Automated | None = None
    sync_options: tuple[str, ...] = ()
    retry: RetryStrategy | None = None
    managed_namespace_metadata: ManagedNamespaceMetadata | None = None


class ApplicationSpec(Wire, frozen=True):
    """What is delivered, from where, to where, and by which policy. An empty project is the project ``default``."""

    destination: ApplicationDestination
    source: ApplicationSource | None = None
    project: str = ""
    sync_policy: SyncPolicy | None = None
    ignore_differences: tuple[IgnoreDifference, ...] = ()
    info: tuple[Info, ...] = ()
    revision_history_limit: int | None = None
    sources: tuple[ApplicationSource, ...] = ()
    source_hydrator: SourceHydrator | None = None


class Application(Wire, frozen=True):
    """An Application: manifests in Git that are kept applied to a cluster."""

    metadata: FreeObject
    spec: ApplicationSpec
    api_version: str = ""
    kind: str = ""
    operation: Operation | None = None
    status: ApplicationStatus | None = None

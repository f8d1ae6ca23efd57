"""The ``status`` of an Application: what was compared, what was done, how it is."""

from __future__ import annotations

from typing import Literal

from homeostat.argo.types.base import Time, Wire
from homeostat.argo.types.operation import Initiator, Operation
from homeostat.argo.types.shared import ApplicationDestination, IgnoreDifference, ManagedNamespaceMetadata
from homeostat.argo.types.source import ApplicationSource, SourceHydrator


class HealthStatus(Wire, frozen=True):
    """Healthy, Progressing, Degraded, Suspended, Missing or Unknown, and why."""

    status: str = ""
    message: str = ""
    last_transition_time: Time | None = None


class ResourceStatus(Wire, frozen=True):
    """One object of an Application."""

    group: str = ""
    version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    status: str = ""
    health: HealthStatus | None = None
    hook: bool = False
    requires_pruning: bool = False
    sync_wave: int = 0
    requires_deletion_confirmation: bool = False


class ComparedTo(Wire, frozen=True):
    """The parts of the spec that were compared."""

    destination: ApplicationDestination
    source: ApplicationSource | None = None
    sources: tuple[ApplicationSource, ...] = ()
    ignore_differences: tuple[IgnoreDifference, ...] = ()


class SyncStatus(Wire, frozen=True):
    """Synced, OutOfSync or Unknown, and against what."""

    status: str
    compared_to: ComparedTo | None = None
    revision: str = ""
    revisions: tuple[str, ...] = ()


class RevisionHistory(Wire, frozen=True):
    """One successful full sync."""

    deployed_at: Time
    id: int
    revision: str = ""
    source: ApplicationSource | None = None
    deploy_started_at: Time | None = None
    sources: tuple[ApplicationSource, ...] = ()
    revisions: tuple[str, ...] = ()
    initiated_by: Initiator | None = None


class ApplicationCondition(Wire, frozen=True):
    """Something that a user should know."""

    type: str
    message: str
    last_transition_time: Time | None = None


class ResourceResult(Wire, frozen=True):
    """What became of one object in a sync."""

    group: str
    version: str
    kind: str
    namespace: str
    name: str
    status: str = ""
    message: str = ""
    hook_type: str = ""
    hook_phase: str = ""
    sync_phase: str = ""
    images: tuple[str, ...] = ()


class SyncResult(Wire, frozen=True):
    """What became of a sync, object by object."""

    revision: str
    resources: tuple[ResourceResult, ...] = ()
    source: ApplicationSource | None = None
    sources: tuple[ApplicationSource, ...] = ()
    revisions: tuple[str, ...] = ()
    managed_namespace_metadata: ManagedNamespaceMetadata | None = None


class OperationState(Wire, frozen=True):
    """The operation that runs, or the last one that did."""

    operation: Operation
    phase: str
    started_at: Time
    message: str = ""
    sync_result: SyncResult | None = None
    finished_at: Time | None = None
    retry_count: int = 0


class ApplicationSummary(Wire, frozen=True):
    """What is of interest in the live objects."""

    external_urls: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    is_app_of_apps: bool = False


class HydrateOperation(Wire, frozen=True):
    """The hydration that runs, or the last one that did."""

    message: str
    phase: Literal["Hydrating", "Failed", "Hydrated"]
    started_at: Time | None = None
    finished_at: Time | None = None
    dry_sha: str = ""
    hydrated_sha: str = ""
    source_hydrator: SourceHydrator | None = None


class SuccessfulHydrateOperation(Wire, frozen=True):
    """The last hydration that succeeded."""

    dry_sha: str = ""
    hydrated_sha: str = ""
    source_hydrator: SourceHydrator | None = None


class SourceHydratorStatus(Wire, frozen=True):
    """How hydration is getting on."""

    last_successful_operation: SuccessfulHydrateOperation | None = None
    current_operation: HydrateOperation | None = None
    last_compared_dry_revision: str = ""


class ApplicationStatus(Wire, frozen=True):
    """How an Application is, as the controller last saw it."""

    resources: tuple[ResourceStatus, ...] = ()
    sync: SyncStatus | None = None
    health: HealthStatus | None = None
    history: tuple[RevisionHistory, ...] = ()
    conditions: tuple[ApplicationCondition, ...] = ()
    reconciled_at: Time | None = None
    operation_state: OperationState | None = None
    observed_at: Time | None = None
    source_type: str = ""
    summary: ApplicationSummary | None = None
    resource_health_source: str = ""
    source_types: tuple[str, ...] = ()
    controller_namespace: str = ""
    source_hydrator: SourceHydratorStatus | None = None

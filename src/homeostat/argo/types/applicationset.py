"""The ``ApplicationSet`` resource: generators and a template make Applications.

Generators and the template are free-form here: the schema of Argo CD repeats the Application inside each of its generators, nested twice, and is
fifteen thousand lines for it. What they mean is checked by who runs them.
"""

from __future__ import annotations

from typing import Literal

from homeostat.argo.types.base import FreeObject, IntOrString, Time, Wire
from homeostat.argo.types.status import HealthStatus, ResourceStatus


class SetSyncPolicy(Wire, frozen=True):
    """What a set may do to its Applications."""

    preserve_resources_on_deletion: bool = False
    applications_sync: Literal["create-only", "create-update", "create-delete", "sync"] | None = None


class MatchExpression(Wire, frozen=True):
    """A condition on the labels of an Application; the operators are those of label selectors that take values."""

    key: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class RolloutStep(Wire, frozen=True):
    """Applications that are updated together, and how many of them at once (a number or a percentage)."""

    match_expressions: tuple[MatchExpression, ...] = ()
    max_update: IntOrString | None = None


class RollingSync(Wire, frozen=True):
    """Steps, each of which begins when the Applications of the one before are healthy."""

    steps: tuple[RolloutStep, ...] = ()


class SetStrategy(Wire, frozen=True):
    """In which order Applications are updated and deleted."""

    type: str = ""
    rolling_sync: RollingSync | None = None
    deletion_order: str = ""


class PreservedFields(Wire, frozen=True):
    """Labels and annotations of Applications that a set does not touch."""

    annotations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


class SetIgnoreDifference(Wire, frozen=True):
    """Fields of Applications that a set does not touch."""

    name: str = ""
    json_pointers: tuple[str, ...] = ()
    jq_path_expressions: tuple[str, ...] = ()


class ApplicationSetSpec(Wire, frozen=True):
    """What generates Applications, and from which template."""

    generators: tuple[FreeObject, ...]
    template: FreeObject
    go_template: bool = False
    sync_policy: SetSyncPolicy | None = None
    strategy: SetStrategy | None = None
    preserved_fields: PreservedFields | None = None
    go_template_options: tuple[str, ...] = ()
    apply_nested_selectors: bool = False
    ignore_application_differences: tuple[SetIgnoreDifference, ...] = ()
    template_patch: str | None = None


class SetCondition(Wire, frozen=True):
    """A condition as Kubernetes writes them."""

    type: str
    message: str
    status: str
    reason: str
    last_transition_time: Time | None = None


class SetApplicationStatus(Wire, frozen=True):
    """How far a rollout has got with one Application."""

    application: str
    message: str
    status: str
    step: str
    target_revisions: tuple[str, ...]
    last_transition_time: Time | None = None


class ApplicationSetStatus(Wire, frozen=True):
    """How a set is."""

    conditions: tuple[SetCondition, ...] = ()
    application_status: tuple[SetApplicationStatus, ...] = ()
    resources: tuple[ResourceStatus, ...] = ()
    resources_count: int = 0
    health: HealthStatus | None = None


class ApplicationSet(Wire, frozen=True):
    """A set of Applications that are generated from a template."""

    metadata: FreeObject
    spec: ApplicationSetSpec
    api_version: str = ""
    kind: str = ""
    status: ApplicationSetStatus | None = None

"""An app: what is delivered as one unit (sources, how to render them, destination, policy).

An Argo CD ``Application``, a Flux ``Kustomization`` and a ``HelmRelease`` are each read into one :class:`App` by their API package; the loop
knows only this. Field names of the render options are Argo CD's in snake case (``reference`` 1.1): Flux's say the same with other words.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from homeostat.model.guards import NO_GUARD, DeletionGuard
from homeostat.model.integrity import GitPolicy
from homeostat.model.objects import Key
from homeostat.model.sync import History, Operation, OperationState
from homeostat.model.windows import Window


class AppKey(NamedTuple):
    """The resource that an app is read from."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class HelmParameter(msgspec.Struct, frozen=True):
    name: str = ""
    value: str = ""
    force_string: bool = False


class HelmFileParameter(msgspec.Struct, frozen=True):
    name: str = ""
    path: str = ""


class HelmOptions(msgspec.Struct, frozen=True):
    """Precedence: the chart's values < value_files in order < values (values_object wins over values) < parameters < file_parameters."""

    release_name: str = ""
    namespace: str = ""
    value_files: tuple[str, ...] = ()
    ignore_missing_value_files: bool = False
    values: str = ""
    values_object: dict[str, Any] | None = None
    parameters: tuple[HelmParameter, ...] = ()
    file_parameters: tuple[HelmFileParameter, ...] = ()
    skip_crds: bool = False
    skip_tests: bool = False
    skip_schema_validation: bool = False
    pass_credentials: bool = False
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()
    version: str = ""


class KustomizeReplica(msgspec.Struct, frozen=True):
    name: str = ""
    count: int | str = 0


class KustomizePatch(msgspec.Struct, frozen=True):
    path: str = ""
    patch: str = ""
    target: dict[str, str] | None = None
    options: dict[str, bool] | None = None


class KustomizeOptions(msgspec.Struct, frozen=True):
    name_prefix: str = ""
    name_suffix: str = ""
    namespace: str = ""
    images: tuple[str, ...] = ()
    replicas: tuple[KustomizeReplica, ...] = ()
    common_labels: dict[str, str] = msgspec.field(default_factory=dict)
    common_annotations: dict[str, str] = msgspec.field(default_factory=dict)
    common_annotations_envsubst: bool = False
    force_common_labels: bool = False
    force_common_annotations: bool = False
    label_without_selector: bool = False
    label_include_templates: bool = False
    patches: tuple[KustomizePatch, ...] = ()
    components: tuple[str, ...] = ()
    ignore_missing_components: bool = False
    version: str = ""
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()


class JsonnetVar(msgspec.Struct, frozen=True):
    name: str = ""
    value: str = ""
    code: bool = False


class DirectoryOptions(msgspec.Struct, frozen=True):
    recurse: bool = False
    include: str = ""
    exclude: str = ""
    disable_extension_filter: bool = False
    ext_vars: tuple[JsonnetVar, ...] = ()
    tlas: tuple[JsonnetVar, ...] = ()
    libs: tuple[str, ...] = ()


class Source(msgspec.Struct, frozen=True):
    """Where desired state lives. At most one of the option fields is set; none means: detect the type.

    ``ref`` is the name by which value files of other sources of the app are found in this one (``$ref/path``, from its root).
    """

    repo_url: str
    path: str = ""
    target_revision: str = ""
    chart: str = ""
    ref: str = ""
    name: str = ""
    tag_prefix: str = ""
    """What the tags begin with among which a version or a range is looked for."""
    helm: HelmOptions | None = None
    kustomize: KustomizeOptions | None = None
    directory: DirectoryOptions | None = None
    plugin: dict[str, Any] | None = None

    @property
    def only_ref(self) -> bool:
        """It renders nothing: the value files of other sources are in it."""
        return bool(self.ref) and not self.path and not self.chart


class Destination(msgspec.Struct, frozen=True):
    """The cluster (``server`` or ``name``) and the namespace for objects that name none. ``known``: it is a cluster that can be reached."""

    server: str = ""
    name: str = ""
    namespace: str = ""
    known: bool = True


class Ignore(msgspec.Struct, frozen=True):
    """One ``ignoreDifferences`` rule. ``group`` and ``kind`` are globs; ``name`` and ``namespace`` match exactly when not empty.

    ``origin`` is the setting that it stands in; empty: the app's own spec.
    """

    group: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    json_pointers: tuple[str, ...] = ()
    jq_path_expressions: tuple[str, ...] = ()
    managed_fields_managers: tuple[str, ...] = ()
    origin: str = ""


class Retry(msgspec.Struct, frozen=True):
    """How a failed sync is retried within one operation. Seconds. ``limit`` < 0 is without end."""

    limit: int = 5
    duration: float = 5.0
    factor: float = 2.0
    max_duration: float = 180.0


class Policy(msgspec.Struct, frozen=True):
    """When and how an app is synced. ``options`` are Argo CD's ``syncOptions``, exact strings such as ``CreateNamespace=true``."""

    automated: bool = False
    prune: bool = False
    self_heal: bool = False
    allow_empty: bool = False
    retry: Retry | None = None
    options: tuple[str, ...] = ()
    history_limit: int = 10
    namespace_labels: dict[str, str] | None = None
    """Labels for the namespace that ``CreateNamespace=true`` creates (``managedNamespaceMetadata``); the annotations likewise."""
    namespace_annotations: dict[str, str] | None = None

    def has(self, option: str) -> bool:
        return option in self.options


class Duty(StrEnum):
    """What has to be done before the resource of an app may go, in the order in which it is done. Each is a finalizer of the resource."""

    BEFORE = "hooks before the deletion"
    OBJECTS = "objects"
    AFTER = "hooks after the deletion"
    CLEANUP_BEFORE = "what is left of the hooks before the deletion"
    CLEANUP_AFTER = "what is left of the hooks after the deletion"


NO_DUTIES: frozenset[Duty] = frozenset()


class App(msgspec.Struct, frozen=True):
    """Everything the loop needs to know of one app, as its resource said at ``resource_version``.

    ``id`` is the name by which its objects are tracked (``name``, or ``namespace_name`` outside the control namespace). ``problems`` are what
    is wrong with the spec: an app with problems is neither rendered nor synced nor pruned; they become conditions. ``refresh`` is
    ``""``, ``normal`` or ``hard``. ``finalizer`` is ``""`` (leave the objects), ``foreground`` or ``background``. ``recorded`` are the
    objects that the status names: what an earlier process managed, whose kinds must be watched before anything is pruned or deleted.
    """

    key: AppKey
    id: str
    uid: str
    resource_version: str
    sources: tuple[Source, ...]
    destination: Destination
    project: str = "default"
    policy: Policy = Policy()
    ignore: tuple[Ignore, ...] = ()
    problems: tuple[str, ...] = ()
    refresh: str = ""
    deleting: bool = False
    finalizer: str = ""
    requested: Operation | None = None
    state: OperationState | None = None
    history: tuple[History, ...] = ()
    synced_revision: str = ""
    spec: dict[str, Any] = msgspec.field(default_factory=dict)
    """The spec in its resource's own words: what status and operations quote of it is taken from here."""
    skip: bool = False
    """Asked to be left alone (``argocd.argoproj.io/skip-reconcile``): neither looked at nor written to."""
    recorded: tuple[Key, ...] = ()
    created: float = 0.0
    """When the resource was made, in seconds since the epoch; 0 when that is not known."""
    operation_sources: tuple[Source, ...] = ()
    """The sources that an operation of a human names, which is asked for or under way: they hold for that operation, whatever the spec says (a rollback)."""
    approved_at: float = 0.0
    """When somebody confirmed deletions (``argocd.argoproj.io/deletion-approved``), in seconds since the epoch; 0: nobody did."""
    migration_manager: str = ""
    """Whose fields become ours besides those of well-known tools (``argocd.argoproj.io/client-side-apply-migration-manager``)."""
    duties: frozenset[Duty] = NO_DUTIES
    """Our finalizers on the resource."""
    deleted_at: float = 0.0
    """When its deletion was asked for, in seconds since the epoch; 0 when it was not."""
    unfit: str = ""
    """Why its project does not let it be; one of ``problems`` too."""
    windows: tuple[Window, ...] = ()
    """The sync windows of its project that are about it."""
    guards_off: frozenset[DeletionGuard] = NO_GUARD
    """The deletion guards that are switched off for it (``homeostat/deletion-guards``)."""
    holds: tuple[tuple[str, float], ...] = ()
    """What its status says is held by deletion guards, and since when (seconds since the epoch)."""
    signatures: tuple[GitPolicy, ...] = ()
    """Which signatures its project asks for."""
    generate_paths: tuple[str, ...] = ()
    """What its author says that its manifests are made of (``argocd.argoproj.io/manifest-generate-paths``)."""

"""Where an Application's manifests come from, and the options of each renderer (``spec.source``, and wherever a source is repeated)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from homeostat.argo.types.base import FreeObject, IntOrString, Wire


class HelmParameter(Wire, frozen=True):
    """One ``--set`` (or ``--set-string``) of ``helm template``."""

    name: str = ""
    value: str = ""
    force_string: bool = False


class HelmFileParameter(Wire, frozen=True):
    """One ``--set-file`` of ``helm template``."""

    name: str = ""
    path: str = ""


class HelmSource(Wire, frozen=True):
    """How a chart is rendered."""

    value_files: tuple[str, ...] = ()
    parameters: tuple[HelmParameter, ...] = ()
    release_name: str = ""
    values: str = ""
    file_parameters: tuple[HelmFileParameter, ...] = ()
    version: str = ""
    pass_credentials: bool = False
    ignore_missing_value_files: bool = False
    skip_crds: bool = False
    values_object: FreeObject | None = None
    namespace: str = ""
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()
    skip_tests: bool = False
    skip_schema_validation: bool = False


class KustomizeReplica(Wire, frozen=True):
    """The number of replicas of one workload."""

    name: str
    count: IntOrString


class KustomizeSelector(Wire, frozen=True):
    """Which objects a patch is meant for; every field is a regular expression or a label selector, as in a kustomization."""

    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    annotation_selector: str = ""
    label_selector: str = ""


class KustomizePatch(Wire, frozen=True):
    """A patch that is added to the kustomization."""

    path: str = ""
    patch: str = ""
    target: KustomizeSelector | None = None
    options: dict[str, bool] | None = None


class KustomizeSource(Wire, frozen=True):
    """What is edited into a kustomization before it is built."""

    name_prefix: str = ""
    name_suffix: str = ""
    images: tuple[str, ...] = ()
    common_labels: dict[str, str] = msgspec.field(default_factory=dict)
    version: str = ""
    common_annotations: dict[str, str] = msgspec.field(default_factory=dict)
    force_common_labels: bool = False
    force_common_annotations: bool = False
    namespace: str = ""
    common_annotations_envsubst: bool = False
    replicas: tuple[KustomizeReplica, ...] = ()
    patches: tuple[KustomizePatch, ...] = ()
    components: tuple[str, ...] = ()
    ignore_missing_components: bool = False
    label_without_selector: bool = False
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()
    label_include_templates: bool = False


class JsonnetVar(Wire, frozen=True):
    """A Jsonnet variable; ``code`` says that the value is Jsonnet and not a string."""

    name: str
    value: str
    code: bool = False


class JsonnetSource(Wire, frozen=True):
    """How Jsonnet files are evaluated."""

    ext_vars: tuple[JsonnetVar, ...] = ()
    tlas: tuple[JsonnetVar, ...] = ()
    libs: tuple[str, ...] = ()


class DirectorySource(Wire, frozen=True):
    """Which files of a directory are read. ``include`` and ``exclude`` are globs."""

    recurse: bool = False
    jsonnet: JsonnetSource | None = None
    exclude: str = ""
    include: str = ""
    disable_extension_filter: bool = False


class EnvEntry(Wire, frozen=True):
    """An environment variable of a plugin."""

    name: str
    value: str


class PluginParameter(Wire, frozen=True):
    """A parameter of a plugin: one of the three."""

    name: str = ""
    string: str | None = None
    map: dict[str, str] | None = None
    array: tuple[str, ...] | None = None


class PluginSource(Wire, frozen=True):
    """A config management plugin."""

    name: str = ""
    env: tuple[EnvEntry, ...] = ()
    parameters: tuple[PluginParameter, ...] = ()


class ApplicationSource(Wire, frozen=True):
    """Where manifests live and how they are rendered. At most one of helm, kustomize, directory and plugin is set."""

    repo_url: str
    path: str = ""
    target_revision: str = ""
    helm: HelmSource | None = None
    kustomize: KustomizeSource | None = None
    directory: DirectorySource | None = None
    plugin: PluginSource | None = None
    chart: str = ""
    ref: str = ""
    name: str = ""
    tag_prefix: str = ""


class DrySource(Wire, frozen=True):
    """Where unrendered manifests live, for the source hydrator."""

    repo_url: str
    target_revision: str
    path: str
    helm: HelmSource | None = None
    kustomize: KustomizeSource | None = None
    directory: DirectorySource | None = None
    plugin: PluginSource | None = None


class SyncSource(Wire, frozen=True):
    """Where rendered manifests are committed and synced from. The path is not the root of the repository."""

    target_branch: str
    path: Annotated[str, msgspec.Meta(min_length=1, extra_json_schema={"pattern": "^.{2,}|[^./]$"})]
    repo_url: str = ""


class HydrateTo(Wire, frozen=True):
    """A branch that rendered manifests wait in."""

    target_branch: str


class SourceHydrator(Wire, frozen=True):
    """Rendered manifests are pushed to Git before they are synced."""

    dry_source: DrySource
    sync_source: SyncSource
    hydrate_to: HydrateTo | None = None

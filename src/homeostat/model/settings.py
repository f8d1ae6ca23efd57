"""What an operator has set for the whole control plane: tracking, health overrides, ignored differences, certificates.

The fields are Argo CD's (``argocd-cm`` and its companions; reference 1.6, 1.7, 1.15). Reading them is ``argo/settings.py``'s business.
Credentials of repositories are no settings: they stay in their Secrets until a fetch needs them.
"""

from __future__ import annotations

import msgspec

from homeostat.model.app import Ignore
from homeostat.model.guards import ALL_GUARDS, DeletionGuard
from homeostat.model.tracking import Tracking


class HealthScript(msgspec.Struct, frozen=True):
    """A Lua health check. ``group`` and ``kind`` are globs; ``open_libs`` gives it the whole standard library."""

    group: str
    kind: str
    script: str
    open_libs: bool = False


class ActionScripts(msgspec.Struct, frozen=True):
    """An operator's resource actions for one kind. ``group`` and ``kind`` are globs.

    ``discovery`` is the Lua script that says which actions an object has; ``definitions`` maps their names to the scripts that carry them
    out. With ``merge_builtin`` the built-in actions of the kind stay, and give way to those of the same name.
    """

    group: str
    kind: str
    discovery: str = ""
    definitions: dict[str, str] = {}
    merge_builtin: bool = False


class ResourceFilter(msgspec.Struct, frozen=True):
    """One of ``resource.exclusions`` or ``resource.inclusions``; all three are lists of globs, and an empty list matches everything."""

    api_groups: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()


class KnownType(msgspec.Struct, frozen=True):
    """A field (its names joined by dots; lists are walked through) of a custom resource that holds a type of Kubernetes, such as ``core/v1/PodSpec``."""

    group: str
    kind: str
    field: str
    type: str


class Settings(msgspec.Struct, frozen=True):
    """Everything above in one value. ``warnings`` are settings that could not be read: their defaults are in force.

    Times are seconds. ``timeout`` 0 means: nothing is resolved again unless something says so. ``tls_certs`` maps a host to PEM text,
    ``known_hosts`` is the text of a known_hosts file.
    """

    namespace: str = "argocd"
    tracking: Tracking = Tracking()
    health_scripts: tuple[HealthScript, ...] = ()
    actions: tuple[ActionScripts, ...] = ()
    ignore: tuple[Ignore, ...] = ()
    ignore_aggregated_roles: bool = False
    ignore_resource_status_field: str = "all"
    ignore_updates: tuple[Ignore, ...] = ()
    """Changes that make no app due; empty when that is switched off."""
    known_types: tuple[KnownType, ...] = ()
    exclusions: tuple[ResourceFilter, ...] = ()
    inclusions: tuple[ResourceFilter, ...] = ()
    timeout: float = 120.0
    timeout_jitter: float = 60.0
    timeout_hard: float = 0.0
    kustomize_build_options: str = ""
    kustomize_enabled: bool = True
    helm_enabled: bool = True
    jsonnet_enabled: bool = True
    helm_value_file_schemes: tuple[str, ...] = ("https", "http")
    tls_certs: dict[str, str] = msgspec.field(default_factory=dict)
    known_hosts: str = ""
    signing_keys: dict[str, str] = msgspec.field(default_factory=dict)
    """The public keys that may sign commits, by id: armoured keys of GnuPG, SSH public keys, or lines of allowed signers."""
    webhook_limit: int = 50 * 1024 * 1024
    """The most bytes that the payload of a webhook may have."""
    webhook_secrets_required: bool = False
    """Webhooks of senders for whom no secret is set are refused."""
    warnings: tuple[str, ...] = ()
    guards: frozenset[DeletionGuard] = ALL_GUARDS
    """The deletion guards that are on; an app may switch some of them off for itself."""
    wave_delay: float = 0.0
    """Seconds between two waves of a sync, on top of waiting for health."""
    git_submodules: bool = True
    """Whether the trees of Git repositories hold their submodules."""
    oci_media_types: tuple[str, ...] = ()
    """The media types of layers that an OCI artefact may have its files in; empty: those of ``artefacts.MEDIA_TYPES``."""
    sync_timeout: float = 0.0
    """Seconds after which a running sync is called off; 0 is never."""

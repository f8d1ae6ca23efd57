"""The ``AppProject`` resource: what the Applications of a group may use, and who may do what with them."""

from __future__ import annotations

from typing import Annotated

import msgspec

from homeostat.argo.types.base import FreeObject, Wire
from homeostat.argo.types.shared import ApplicationDestination


class ClusterResource(Wire, frozen=True):
    """A cluster-scoped kind; ``name`` is a glob that narrows it."""

    group: str
    kind: str
    name: str = ""


class GroupKind(Wire, frozen=True):
    """A namespaced kind."""

    group: str
    kind: str


class JwtToken(Wire, frozen=True):
    """A token that was given out for a role: when, until when, its id. Seconds since the epoch."""

    iat: int
    exp: int = 0
    id: str = ""


class JwtTokens(Wire, frozen=True):
    """The tokens of one role."""

    items: tuple[JwtToken, ...] = ()


class ProjectRole(Wire, frozen=True):
    """A role within a project: policies in casbin's CSV, groups of the identity provider that have it."""

    name: str
    description: str = ""
    policies: tuple[str, ...] = ()
    jwt_tokens: tuple[JwtToken, ...] = ()
    groups: tuple[str, ...] = ()


class OrphanedResource(Wire, frozen=True):
    """Objects that do not count as orphaned; globs."""

    group: str = ""
    kind: str = ""
    name: str = ""


class OrphanedResources(Wire, frozen=True):
    """Whether objects that no Application manages are looked for."""

    warn: bool | None = None
    ignore: tuple[OrphanedResource, ...] = ()


class SyncWindow(Wire, frozen=True):
    """A time in which syncs are allowed or denied. ``schedule`` is cron, ``duration`` a Go duration."""

    kind: str = ""
    schedule: str = ""
    duration: str = ""
    applications: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    manual_sync: bool = False
    time_zone: str = ""
    and_operator: bool = False
    description: str = ""
    sync_overrun: bool = False


class SignatureKey(Wire, frozen=True):
    """A GnuPG key that commits must be signed with."""

    key_id: str


class RepositoryUrl(Wire, frozen=True):
    """Repositories that a policy is about; a glob."""

    url: str


class GpgPolicy(Wire, frozen=True):
    """Which signatures are asked for: mode ``none``, ``head`` or ``strict``."""

    keys: tuple[str, ...]
    mode: str


class GitPolicy(Wire, frozen=True):
    """Which signatures are asked for in which repositories."""

    gpg: GpgPolicy
    repos: tuple[RepositoryUrl, ...]


class GitIntegrity(Wire, frozen=True):
    """Policies for Git repositories."""

    policies: tuple[GitPolicy, ...]


class SourceIntegrity(Wire, frozen=True):
    """What must be shown of a source before it is trusted."""

    git: GitIntegrity


class DestinationServiceAccount(Wire, frozen=True):
    """The service account that is impersonated for a destination."""

    default_service_account: str
    server: str
    namespace: str = ""


class AppProjectSpec(Wire, frozen=True):
    """What the Applications of the project may use. Lists of globs; ``None`` and empty differ for namespaced kinds."""

    source_repos: tuple[str, ...] = ()
    destinations: tuple[ApplicationDestination, ...] = ()
    description: Annotated[str, msgspec.Meta(max_length=255)] = ""
    roles: tuple[ProjectRole, ...] = ()
    cluster_resource_whitelist: tuple[ClusterResource, ...] = ()
    namespace_resource_blacklist: tuple[GroupKind, ...] = ()
    orphaned_resources: OrphanedResources | None = None
    sync_windows: tuple[SyncWindow, ...] = ()
    namespace_resource_whitelist: tuple[GroupKind, ...] | None = None
    signature_keys: tuple[SignatureKey, ...] = ()
    cluster_resource_blacklist: tuple[ClusterResource, ...] = ()
    source_namespaces: tuple[str, ...] = ()
    permit_only_project_scoped_clusters: bool = False
    destination_service_accounts: tuple[DestinationServiceAccount, ...] = ()
    source_integrity: SourceIntegrity | None = None


class AppProjectStatus(Wire, frozen=True):
    """The tokens that are valid, by role."""

    jwt_tokens_by_role: dict[str, JwtTokens] | None = None


class AppProject(Wire, frozen=True):
    """A project: a group of Applications, what they may use, and who may do what with them."""

    metadata: FreeObject
    spec: AppProjectSpec
    api_version: str = ""
    kind: str = ""
    status: AppProjectStatus | None = None

"""What an operator has set for the whole control plane: tracking, health overrides, ignored differences, credentials, certificates.

The fields are Argo CD's (``argocd-cm`` and its companions; ``reference`` 1.6, 1.7, 1.15). Reading them is ``argo/settings.py``'s business.
Credentials are values here and never printed: their ``repr`` names the URL and nothing else.
"""

from __future__ import annotations

import msgspec

from homeostat.model.app import Ignore
from homeostat.model.tracking import Tracking


class HealthScript(msgspec.Struct, frozen=True):
    """A Lua health check. ``group`` and ``kind`` are globs; ``open_libs`` gives it the whole standard library."""

    group: str
    kind: str
    script: str
    open_libs: bool = False


class ResourceFilter(msgspec.Struct, frozen=True):
    """One of ``resource.exclusions`` or ``resource.inclusions``; all three are lists of globs, and an empty list matches everything."""

    api_groups: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()


class Repository(msgspec.Struct, frozen=True):
    """One repository Secret, or a template for all URLs that begin with ``url`` (``prefix``)."""

    url: str
    prefix: bool = False
    type: str = "git"
    name: str = ""
    project: str = ""
    username: str = ""
    password: str = ""
    bearer_token: str = ""
    ssh_private_key: str = ""
    tls_client_cert: str = ""
    tls_client_key: str = ""
    insecure: bool = False
    force_http_basic_auth: bool = False
    enable_lfs: bool = False
    enable_oci: bool = False
    depth: int = 0
    proxy: str = ""
    no_proxy: str = ""
    unsupported: tuple[str, ...] = ()
    """Keys that were set and mean a way to sign in that is not supported yet."""

    def __repr__(self) -> str:
        return f"Repository(url={self.url!r}, prefix={self.prefix})"

    __str__ = __repr__


class Settings(msgspec.Struct, frozen=True):
    """Everything above in one value. ``warnings`` are settings that could not be read: their defaults are in force.

    Times are seconds. ``timeout`` 0 means: nothing is resolved again unless something says so. ``tls_certs`` maps a host to PEM text,
    ``known_hosts`` is the text of a known_hosts file.
    """

    namespace: str = "argocd"
    tracking: Tracking = Tracking()
    health_scripts: tuple[HealthScript, ...] = ()
    ignore: tuple[Ignore, ...] = ()
    ignore_aggregated_roles: bool = False
    ignore_resource_status_field: str = "all"
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
    repositories: tuple[Repository, ...] = ()
    tls_certs: dict[str, str] = msgspec.field(default_factory=dict)
    known_hosts: str = ""
    warnings: tuple[str, ...] = ()

"""Projects: their sync windows, the signatures they ask for, and what their restrictions mean for their apps as long as these are not enforced.

An app in a project that restricts anything is refused, never treated as unrestricted: whoever wrote the restriction counts on it. Only the
shape of the ``default`` project that Argo CD ships (everything allowed) lets an app through. Pure; watching projects is ``control.py``'s business.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from homeostat.argo.types.project import AppProjectSpec, ClusterResource, GroupKind
from homeostat.desired.sources import integrity
from homeostat.model.errors import InvalidError
from homeostat.model.integrity import GitPolicy
from homeostat.model.objects import Object
from homeostat.model.windows import Window


class Project(msgspec.Struct, frozen=True):
    """``restrictions`` are the fields by which the project restricts its apps, in words; empty when it allows everything.

    ``windows`` are its sync windows, those that cannot be read included: they let nothing through. ``signatures`` are its policies for Git
    repositories, ``flaw`` is what is wrong with them.
    """

    name: str
    restrictions: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()
    signatures: tuple[GitPolicy, ...] = ()
    flaw: str = ""


def read_project(obj: Object) -> Project:
    """Never raises: what cannot be read counts as a restriction."""
    name = str((obj.get("metadata") or {}).get("name") or "")
    try:
        spec = msgspec.convert(obj.get("spec") or {}, AppProjectSpec)
    except msgspec.ValidationError as error:
        return Project(name, (f"something that cannot be read ({error})",))
    signatures, flaw = _signatures(spec), ""
    try:
        integrity.check(signatures)
    except InvalidError as error:
        flaw = f"project {name}: spec.sourceIntegrity.git.policies: {error}"
    return Project(name, tuple(_restrictions(spec)), windows_of(name, spec), signatures, flaw)


def windows_of(name: str, spec: AppProjectSpec) -> tuple[Window, ...]:
    """The sync windows of the project ``name``, in their order."""
    return tuple(
        Window(where=f"project {name}: spec.syncWindows[{number}]", **{field: getattr(window, field) for field in window.__struct_fields__})
        for number, window in enumerate(spec.sync_windows)
    )


def problem_of(projects: Mapping[str, Project], name: str) -> str:
    """Why an app of the project ``name`` may not be synced; empty when it may."""
    project = projects.get(name)
    if project is None:
        return f"Application referencing project {name} which does not exist"
    if not project.restrictions:
        return project.flaw
    restricted = ", ".join(project.restrictions)
    return f"project {name} restricts {restricted}: enforcing projects is not supported yet, so this app is not synced"


def _restrictions(spec: AppProjectSpec) -> list[str]:
    denied = any(repo.startswith("!") for repo in spec.source_repos)
    found = {
        "sourceRepos": denied or "*" not in spec.source_repos,
        "destinations": not _all_destinations(spec),
        "clusterResourceWhitelist": not _all_kinds(spec.cluster_resource_whitelist),
        "clusterResourceBlacklist": bool(spec.cluster_resource_blacklist),
        # No list at all allows every namespaced kind; an empty one allows none.
        "namespaceResourceWhitelist": spec.namespace_resource_whitelist is not None and not _all_kinds(spec.namespace_resource_whitelist),
        "namespaceResourceBlacklist": bool(spec.namespace_resource_blacklist),
        "permitOnlyProjectScopedClusters": spec.permit_only_project_scoped_clusters,
        "destinationServiceAccounts": bool(spec.destination_service_accounts),
    }
    return [field for field, restricts in found.items() if restricts]


def _signatures(spec: AppProjectSpec) -> tuple[GitPolicy, ...]:
    own = spec.source_integrity.git.policies if spec.source_integrity is not None else ()
    return integrity.policies(
        signature_keys=[key.key_id for key in spec.signature_keys],
        git=[GitPolicy(tuple(repo.url for repo in policy.repos), policy.gpg.mode, policy.gpg.keys) for policy in own],
    )


def _all_destinations(spec: AppProjectSpec) -> bool:
    """Whether one destination allows every namespace of every cluster and none takes something away."""
    if any(part.startswith("!") for to in spec.destinations for part in (to.server, to.name, to.namespace)):
        return False
    return any(to.namespace == "*" and (to.server == "*" or to.name == "*") for to in spec.destinations)


def _all_kinds(kinds: tuple[ClusterResource | GroupKind, ...]) -> bool:
    return any(kind.group == "*" and kind.kind == "*" and getattr(kind, "name", "") in {"", "*"} for kind in kinds)

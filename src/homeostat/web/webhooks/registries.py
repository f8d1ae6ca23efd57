"""What OCI registries say of an artefact that was pushed, sender by sender. A reader answers ``None`` for an event that means nothing to us.

Only tags count: what was pushed by digest alone is asked for by nobody who does not know it already.
"""

from __future__ import annotations

from collections.abc import Iterable

from homeostat.loop.pushes import Published
from homeostat.web.webhooks.delivery import Delivery, Part, addresses, decode

EVENTS_TYPES = frozenset({"application/vnd.docker.distribution.events.v1+json", "application/vnd.docker.distribution.events.v2+json"})
"""Content types by which CNCF Distribution, and who builds on it, sends events."""


class _Tag(Part, frozen=True):
    name: str | None = None


class _Container(Part, frozen=True):
    tag: _Tag | None = None


class _Version(Part, frozen=True):
    container_metadata: _Container | None = None
    package_url: str | None = None


class _Owner(Part, frozen=True):
    login: str | None = None


class _Package(Part, frozen=True):
    name: str | None = None
    package_type: str | None = None
    type: str | None = None
    owner: _Owner | None = None
    version: str | None = None
    html_url: str | None = None
    package_version: _Version | None = None


class _Packaged(Part, frozen=True):
    action: str | None = None
    package: _Package | None = None
    registry_package: _Package | None = None


def ghcr(delivery: Delivery) -> Published | None:
    """GitHub's container registry: the events ``package`` and ``registry_package``."""
    told = decode(delivery, "ghcr", _Packaged)
    package = told.package or told.registry_package
    if told.action not in {"published", "updated"} or package is None or (package.package_type or "").lower() != "container":
        return None
    version = package.package_version or _Version()
    tag = version.container_metadata.tag if version.container_metadata is not None else None
    owner = package.owner.login if package.owner is not None else None
    named = f"ghcr.io/{owner}/{package.name}" if owner and package.name else None
    # An enterprise's own registry has another host, which only this address tells: `containers.HOST/owner/name:tag`.
    return _told((_without_tag(version.package_url), named), (tag.name if tag is not None else None,))


def gitea(delivery: Delivery) -> Published | None:
    """The container registry of Gitea and Forgejo: it is at their own host."""
    told = decode(delivery, "gitea", _Packaged)
    package = told.package
    if told.action != "created" or package is None or package.type != "container" or package.owner is None:
        return None
    host = _host(package.html_url)
    named = f"{host}/{package.owner.login}/{package.name}" if host and package.owner.login and package.name else None
    return _told((named,), (package.version,))


class _HubPush(Part, frozen=True):
    tag: str | None = None


class _HubRepository(Part, frozen=True):
    repo_name: str | None = None
    name: str | None = None
    namespace: str | None = None


class _Hub(Part, frozen=True):
    push_data: _HubPush | None = None
    repository: _HubRepository | None = None


def docker_hub(delivery: Delivery) -> Published | None:
    """Docker Hub. Its official images have no namespace but ``library``."""
    told = decode(delivery, "dockerhub", _Hub)
    repository = told.repository or _HubRepository()
    name = repository.repo_name or "/".join(part for part in (repository.namespace, repository.name) if part)
    if name and "/" not in name:
        name = f"library/{name}"
    return _told((f"docker.io/{name}" if name else None,), (told.push_data.tag if told.push_data is not None else None,))


class _HarborResource(Part, frozen=True):
    tag: str | None = None
    resource_url: str | None = None


class _HarborRepository(Part, frozen=True):
    repo_full_name: str | None = None
    namespace: str | None = None
    name: str | None = None


class _HarborData(Part, frozen=True):
    resources: tuple[_HarborResource, ...] | None = None
    repository: _HarborRepository | None = None


class _Harbor(Part, frozen=True):
    type: str | None = None
    event_data: _HarborData | None = None
    data: _HarborData | None = None


def harbor(delivery: Delivery) -> Published | None:
    """Harbor, in its own format and as CloudEvents."""
    told = decode(delivery, "harbor", _Harbor)
    data = told.event_data or told.data
    if told.type not in {"PUSH_ARTIFACT", "harbor.artifact.pushed"} or data is None:
        return None
    repository = data.repository or _HarborRepository()
    full = repository.repo_full_name or "/".join(part for part in (repository.namespace, repository.name) if part)
    resources = [one for one in data.resources or () if one.tag and one.resource_url]
    hosts = {_host(one.resource_url) for one in resources}
    return _told((f"{host}/{full}" for host in sorted(hosts) if host and full), (one.tag for one in resources))


class _Target(Part, frozen=True):
    repository: str | None = None
    tag: str | None = None
    url: str | None = None


class _Request(Part, frozen=True):
    host: str | None = None


class _Event(Part, frozen=True):
    action: str | None = None
    target: _Target | None = None
    request: _Request | None = None


class _Events(_Event, frozen=True):
    events: tuple[_Event, ...] | None = None


def distribution(delivery: Delivery) -> Published | None:
    """CNCF Distribution's envelope of events, and one event without envelope, as Azure's registry sends it.

    All repositories and tags of an envelope are told of as if each tag were in each of them: one look too many at worst.
    """
    told = decode(delivery, "registry", _Events)
    found: list[str | None] = []
    tags: list[str | None] = []
    for event in told.events if told.events is not None else (told,):
        target = event.target
        if event.action not in {"push", "chart_push"} or target is None or not target.repository or not target.tag:
            continue
        hosts = (event.request.host if event.request is not None else None, _host(target.url))
        found += [f"{host}/{target.repository}" for host in hosts if host]
        tags.append(target.tag)
    return _told(found, tags)


def _told(found: Iterable[str | None], tags: Iterable[str | None]) -> Published | None:
    named, tagged = addresses(*found), frozenset(tag for tag in tags if tag)
    return Published(named, tagged) if named and tagged else None


def _host(url: str | None) -> str:
    """``https://host/path`` or ``host/path`` → ``host``."""
    return (url or "").rpartition("://")[2].partition("/")[0]


def _without_tag(reference: str | None) -> str | None:
    """``host:5000/name:tag`` → ``host:5000/name``."""
    if not reference:
        return None
    path, slash, name = reference.partition("@")[0].rpartition("/")
    return path + slash + name.partition(":")[0]

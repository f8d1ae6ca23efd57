"""What Git hosts say of a push, sender by sender. A reader answers ``None`` for an event that means nothing to us, a ping for one.

Every reference that a push names counts, and every address that the host has for the repository. Lists of changed files are not read: hosts cut them
short or leave them out, and the traces of renders tell it exactly once the commit is here.
"""

from __future__ import annotations

from homeostat.loop.pushes import Push
from homeostat.web.webhooks.delivery import Delivery, Part, addresses, decode


class _Repository(Part, frozen=True):
    html_url: str | None = None
    clone_url: str | None = None
    ssh_url: str | None = None
    git_url: str | None = None
    default_branch: str | None = None


class _Push(Part, frozen=True):
    ref: str | None = None
    ref_type: str | None = None
    repository: _Repository | None = None


_KINDS = {"branch": "refs/heads/", "tag": "refs/tags/"}


def github(delivery: Delivery, sender: str = "github", event: str = "") -> Push | None:
    """GitHub, and those who write likewise: Gitea, Forgejo, Gogs. Tags that are made or removed may come as ``create`` and ``delete``."""
    event = event or delivery.header("X-GitHub-Event")
    if event not in {"push", "create", "delete"}:
        return None
    push = decode(delivery, sender, _Push)
    repository, name = push.repository or _Repository(), push.ref or ""
    if event != "push" and not name.startswith("refs/"):
        name = _KINDS.get(push.ref_type or "", "") + name
    return _told(
        addresses(repository.html_url, repository.clone_url, repository.ssh_url, repository.git_url), {name}, repository.default_branch
    )


def gitea(delivery: Delivery) -> Push | None:
    """Gitea and Forgejo."""
    return github(delivery, "gitea", delivery.header("X-Forgejo-Event") or delivery.header("X-Gitea-Event"))


def gogs(delivery: Delivery) -> Push | None:
    return github(delivery, "gogs", delivery.header("X-Gogs-Event"))


class _Project(Part, frozen=True):
    web_url: str | None = None
    homepage: str | None = None
    git_http_url: str | None = None
    git_ssh_url: str | None = None
    http_url: str | None = None
    ssh_url: str | None = None
    url: str | None = None
    default_branch: str | None = None


class _GitLab(Part, frozen=True):
    event_name: str | None = None
    object_kind: str | None = None
    ref: str | None = None
    refs: tuple[str, ...] | None = None
    project: _Project | None = None
    repository: _Project | None = None


def gitlab(delivery: Delivery) -> Push | None:
    """Hooks of projects and groups, and system hooks: ``push``, ``tag_push``, ``repository_update``."""
    told = decode(delivery, "gitlab", _GitLab)
    if not {told.event_name, told.object_kind} & {"push", "tag_push", "repository_update"}:
        return None
    found: list[str | None] = []
    for one in (told.project, told.repository):
        if one is not None:
            found += [one.git_http_url, one.git_ssh_url, one.web_url, one.http_url, one.ssh_url, one.homepage, one.url]
    default = told.project.default_branch if told.project is not None else None
    return _told(addresses(*found), set(told.refs or (told.ref or "",)), default)


class _Link(Part, frozen=True):
    href: str | None = None


class _CloudLinks(Part, frozen=True):
    html: _Link | None = None


class _CloudRepository(Part, frozen=True):
    full_name: str | None = None
    links: _CloudLinks | None = None


class _CloudReference(Part, frozen=True):
    type: str | None = None
    name: str | None = None


class _CloudChange(Part, frozen=True):
    new: _CloudReference | None = None
    old: _CloudReference | None = None


class _CloudChanges(Part, frozen=True):
    changes: tuple[_CloudChange, ...] | None = None


class _Cloud(Part, frozen=True):
    push: _CloudChanges | None = None
    repository: _CloudRepository | None = None


def bitbucket(delivery: Delivery) -> Push | None:
    """Bitbucket Cloud. It does not say which branch is the default one."""
    if delivery.header("X-Event-Key") != "repo:push":
        return None
    told = decode(delivery, "bitbucket", _Cloud)
    repository = told.repository or _CloudRepository()
    page = repository.links.html.href if repository.links is not None and repository.links.html is not None else None
    named = f"https://bitbucket.org/{repository.full_name}" if repository.full_name else None
    changes = (told.push.changes if told.push is not None else None) or ()
    references = {
        _KINDS["tag" if one.type == "tag" else "branch"] + one.name
        for change in changes
        for one in (change.new, change.old)
        if one is not None and one.name
    }
    return _told(addresses(page, named), references, None)


class _Clone(Part, frozen=True):
    href: str | None = None


class _ServerLinks(Part, frozen=True):
    clone: tuple[_Clone, ...] | None = None


class _ServerRepository(Part, frozen=True):
    links: _ServerLinks | None = None


class _ServerReference(Part, frozen=True):
    id: str | None = None


class _ServerChange(Part, frozen=True):
    ref: _ServerReference | None = None
    refId: str | None = None  # noqa: N815 - the sender's name for it


class _Server(Part, frozen=True):
    changes: tuple[_ServerChange, ...] | None = None
    repository: _ServerRepository | None = None
    refLimitExceeded: bool | None = None  # noqa: N815 - the sender's name for it


def bitbucket_server(delivery: Delivery) -> Push | None:
    """Bitbucket Server and Data Center, mirrors included. A push of many references is one event; too many, and none is named."""
    if delivery.header("X-Event-Key") not in {"repo:refs_changed", "mirror:repo_synchronized"}:
        return None
    told = decode(delivery, "bitbucketserver", _Server)
    links = told.repository.links if told.repository is not None else None
    found = addresses(*(one.href for one in (links.clone if links is not None else None) or ()))
    if told.refLimitExceeded:
        return Push(found) if found else None
    references = {change.refId or (change.ref.id if change.ref is not None else None) or "" for change in told.changes or ()}
    return _told(found, references, None)


class _Update(Part, frozen=True):
    name: str | None = None


class _AzureRepository(Part, frozen=True):
    remoteUrl: str | None = None  # noqa: N815 - the sender's name for it
    sshUrl: str | None = None  # noqa: N815 - the sender's name for it
    defaultBranch: str | None = None  # noqa: N815 - the sender's name for it


class _Resource(Part, frozen=True):
    refUpdates: tuple[_Update, ...] | None = None  # noqa: N815 - the sender's name for it
    repository: _AzureRepository | None = None


class _Azure(Part, frozen=True):
    eventType: str | None = None  # noqa: N815 - the sender's name for it
    resource: _Resource | None = None


def azure(delivery: Delivery) -> Push | None:
    """Azure DevOps, "Code pushed" with all details of the resource."""
    told = decode(delivery, "azuredevops", _Azure)
    if told.eventType != "git.push" or told.resource is None or told.resource.repository is None:
        return None
    repository = told.resource.repository
    references = {update.name or "" for update in told.resource.refUpdates or ()}
    return _told(
        addresses(repository.remoteUrl, repository.sshUrl), references, (repository.defaultBranch or "").removeprefix("refs/heads/")
    )


def _told(found: tuple[str, ...], references: set[str], default: str | None) -> Push | None:
    """Names that are missing are as good as all names: better one fetch too many."""
    if not found:
        return None
    return Push(found, frozenset(references) if references and "" not in references else None, default or "")

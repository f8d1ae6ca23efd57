"""Where a repository is, whatever way leads to it: ``https://git.example/team/apps.git`` and ``git@git.example:team/apps`` are one place.

Somebody who tells of a push names the repository by the address of its page, or by one of several for cloning; the app may use another one. So both
sides are reduced to host and path, as Argo CD does it (``util/webhook GetWebURLRegex``): scheme, user, port, case, ``.git`` and the hosts that
services have for SSH alone do not count. Two repositories may so be taken for one: then one is asked without need, which is harmless. An address is
only ever compared here. Whether it may be fetched from is ``urls``' business.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

from homeostat.desired.sources import urls
from homeostat.desired.sources.errors import RefusedError

_SSH_HOST = re.compile(r"^(?:alt)?ssh\.(?=.*\.)")
_DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com"})


@lru_cache(maxsize=4096)
def of_repository(url: str) -> str:
    """The place of a Git repository: ``git.example/team/apps``. Empty when the address is none."""
    try:
        address = urls.parse(url)
    except RefusedError:
        return ""
    if address.scheme == "file":
        return address.key
    host = address.host.lower()
    if address.scheme == "ssh":
        host = _SSH_HOST.sub("", host, count=1)
    path = _path(address)
    return _azure(host, path) or f"{host}{path}"


@lru_cache(maxsize=4096)
def of_artefact(url: str) -> str:
    """The place of a repository in an OCI registry, with or without ``oci://`` before it: ``ghcr.io/team/chart``. Empty when the address is none."""
    try:
        address = urls.parse("https://" + url.strip().removeprefix("oci://"))
    except RefusedError:
        return ""
    host = address.host.lower()
    return f"{'docker.io' if host in _DOCKER_HUB else host}{_path(address)}"


def _path(address: urls.Address) -> str:
    return unquote("/" + address.key.partition("://")[2].partition("/")[2]).lower()


def _azure(host: str, path: str) -> str:
    """Azure DevOps has four spellings for one repository, two of them without ``_git``."""
    parts = path.strip("/").split("/")
    if host in {"dev.azure.com", "vs-ssh.visualstudio.com"} and len(parts) == 4 and parts[0] == "v3":
        organisation, project, repository = parts[1:]
    elif "_git" in parts[:-1] and (host == "dev.azure.com" or host.endswith(".visualstudio.com")):
        if host != "dev.azure.com":
            parts = [host.removesuffix(".visualstudio.com"), *(part for part in parts if part != "defaultcollection")]
        at = parts.index("_git")
        repository = "/".join(parts[at + 1 :])
        organisation, project = parts[0], parts[1] if at > 1 else repository
    else:
        return ""
    return f"dev.azure.com/{organisation}/{project}/_git/{repository}"

"""Puts on a cluster what Homeostat needs there: the definitions of Argo CD's kinds, the namespace, the settings objects, the default project.

It can be run again, and over an Argo CD. The definitions are ours to change: they are applied. Settings are the operator's: an object that is
there already is left exactly as it is. The files are those of ``deploy/``, in a checkout and in an installed package alike. Running
Homeostat inside the cluster (``deploy/install.yaml``) is not done here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import yaml

from homeostat.argo.control import DEFAULT_NAMESPACE
from homeostat.argo.errors import InstallError
from homeostat.argo.resources import APPLICATIONS, CONFIG_MAPS, DEFINITIONS, NAMESPACES, PROJECTS, SECRETS
from homeostat.live.client import Client
from homeostat.live.errors import AlreadyExistsError, NotFoundError
from homeostat.model.objects import Key, Object, key_of
from homeostat.model.resources import Resource

DEFINITION_FILES = ("application-crd.yaml", "applicationset-crd.yaml", "appproject-crd.yaml")
SETTINGS_FILE = "settings.yaml"
ESTABLISHED_WITHIN = 60.0
"""Seconds until the API server must serve a new kind."""

_RESOURCES = {resource.kind: resource for resource in (APPLICATIONS, CONFIG_MAPS, DEFINITIONS, NAMESPACES, PROJECTS, SECRETS)}


class Outcome(StrEnum):
    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"


class Installed(msgspec.Struct, frozen=True):
    """What became of one object."""

    key: Key
    outcome: Outcome


Listener = Callable[[Installed], None]


def folder() -> Path:
    """Where the files of ``deploy/`` are. Raises :class:`InstallError` when the installation is incomplete."""
    here = Path(__file__).parent
    for candidate in (here / "_deploy", here.parents[2] / "deploy"):
        if (candidate / SETTINGS_FILE).is_file():
            return candidate
    raise InstallError(f"the files to install are missing beside {here}", hint="install Homeostat anew")


def manifests(namespace: str = DEFAULT_NAMESPACE) -> list[Object]:
    """Everything that is installed, in the order in which it is."""
    files = folder()
    definitions = [obj for name in DEFINITION_FILES for obj in _load(files / "crds" / name)]
    settings = _load(files / SETTINGS_FILE)
    for obj in settings:
        obj["metadata"]["namespace"] = namespace
    return [*definitions, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, *settings]


def export(namespace: str = DEFAULT_NAMESPACE) -> str:
    """The same as one YAML stream."""
    return yaml.safe_dump_all(manifests(namespace), explicit_start=True, width=140, sort_keys=False)


async def install(client: Client, *, namespace: str = DEFAULT_NAMESPACE, told: Listener = lambda _: None) -> None:
    """Installs, telling of each object, and returns when the API server serves the new kinds.

    Raises :class:`ApiError` when the API server refuses something, and :class:`InstallError` when a kind is not served in time.
    """
    objects = await asyncio.to_thread(manifests, namespace)
    definitions = [obj for obj in objects if obj["kind"] == DEFINITIONS.kind]
    for obj in definitions:
        told(await _apply(client, DEFINITIONS, obj))
    await asyncio.gather(*(_established(client, obj["metadata"]["name"]) for obj in definitions))
    for obj in objects[len(definitions) :]:
        told(await _create(client, _RESOURCES[obj["kind"]], obj))


async def _apply(client: Client, resource: Resource, obj: Object) -> Installed:
    before = ""
    with contextlib.suppress(NotFoundError):
        before = _version(await client.get(resource, "", obj["metadata"]["name"]))
    # By force: the fields of a definition belong together, whoever put an older one there.
    after = _version(await client.apply(resource, obj, force=True))
    outcome = Outcome.CREATED if not before else Outcome.UNCHANGED if before == after else Outcome.CONFIGURED
    return Installed(key_of(obj), outcome)


async def _create(client: Client, resource: Resource, obj: Object) -> Installed:
    try:
        await client.create(resource, obj)
    except AlreadyExistsError:
        return Installed(key_of(obj), Outcome.UNCHANGED)
    return Installed(key_of(obj), Outcome.CREATED)


async def _established(client: Client, name: str) -> None:
    try:
        async with asyncio.timeout(ESTABLISHED_WITHIN):
            await _wait_established(client, name)
    except TimeoutError as error:
        raise InstallError(
            f"the API server does not serve {name} after {ESTABLISHED_WITHIN:.0f} seconds",
            hint=f"look at `kubectl describe crd {name}`",
        ) from error


async def _wait_established(client: Client, name: str) -> None:
    selector = f"metadata.name={name}"
    while True:
        listing = await client.list(DEFINITIONS, field_selector=selector)
        if any(_is_established(obj) for obj in listing.items):
            return
        events = client.watch(DEFINITIONS, resource_version=listing.resource_version, field_selector=selector)
        async with contextlib.aclosing(events):
            async for event in events:
                if event.type == "MODIFIED" and _is_established(event.object):
                    return


def _is_established(definition: Object) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(condition.get("type") == "Established" and condition.get("status") == "True" for condition in conditions)


def _version(obj: Object) -> str:
    return str(obj["metadata"]["resourceVersion"])


def _load(file: Path) -> list[dict[str, Any]]:
    return [obj for obj in yaml.load_all(file.read_text(encoding="utf-8"), yaml.CSafeLoader) if obj]

"""What a plugin is told of its app: ``source.plugin`` and Argo CD's build environment as variables (reference 1.1, 1.16; ``util/app`` of Argo CD).

What an app's author chooses is always behind a prefix (``ARGOCD_ENV_``, ``PARAM_``), so that no variable of the system can be set from Git.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from homeostat.desired.errors import RenderFailedError
from homeostat.desired.render.request import expand


class EnvEntry(msgspec.Struct, frozen=True):
    name: str
    value: str = ""


class Parameter(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of ``string``, ``map`` and ``array`` is set."""

    name: str = ""
    string: str | None = None
    map: dict[str, str] | None = None
    array: tuple[str, ...] | None = None


class PluginSource(msgspec.Struct, frozen=True):
    """``source.plugin`` of an Application. Without a ``name`` the plugins say themselves whose the folder is."""

    name: str = ""
    env: tuple[EnvEntry, ...] = ()
    parameters: tuple[Parameter, ...] = ()


def plugin_source(options: Mapping[str, Any]) -> PluginSource:
    """The options as an Application or ``.argocd-source.yaml`` writes them. Raises :class:`RenderFailedError`."""
    try:
        return msgspec.convert(options, PluginSource)
    except msgspec.ValidationError as error:
        raise RenderFailedError(f"spec.source.plugin: {error}") from error


def variables(build: Mapping[str, str], source: PluginSource | None) -> dict[str, str]:
    """All variables; ``build`` is Argo CD's build environment, which values in ``source.env`` may refer to. Empty ones are left out, as by Argo CD."""
    found = dict(build)
    if source is not None:
        for entry in source.env:
            found[f"ARGOCD_ENV_{entry.name}"] = expand(entry.value, build)
        found |= _parameters(source.parameters)
    for name, value in found.items():
        if "\0" in name or "\0" in value or "=" in name:
            raise RenderFailedError(f"spec.source.plugin: {name!r} cannot be a variable: names hold no `=`, and nothing holds a NUL")
    return {name: value for name, value in found.items() if value}


def _parameters(parameters: tuple[Parameter, ...]) -> dict[str, str]:
    told = [{"name": one.name} | msgspec.to_builtins(one) for one in parameters]
    found = {"ARGOCD_APP_PARAMETERS": orjson.dumps(told or None, option=orjson.OPT_SORT_KEYS).decode()}
    for one in parameters:
        base = f"PARAM_{_escaped(one.name)}"
        if one.string is not None:
            found[base] = one.string
        for key, value in (one.map or {}).items():
            found[f"{base}_{_escaped(key)}"] = value
        for number, value in enumerate(one.array or ()):
            found[f"{base}_{number}"] = value
    return found


def _escaped(name: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "_", name.upper())

"""Where the command line finds config management plugins: the options of those who run them, and the variables that all others go by."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from homeostat.desired.plugins.config import read_folder
from homeostat.desired.plugins.plugins import Plugins

_C = TypeVar("_C", bound=Callable[..., Any])

_FOLDER, _SOCKETS = "HOMEOSTAT_PLUGINS", "HOMEOSTAT_PLUGIN_SOCKETS"


class Found(NamedTuple):
    """The folder of ``plugin.yaml`` files and the one of sockets, as far as there are any."""

    plugins: Path | None
    plugin_sockets: Path | None


def plugin_options(function: _C) -> _C:
    """``--plugins`` as ``plugins`` and ``--plugin-sockets`` as ``plugin_sockets``."""
    sockets = click.option(
        "--plugin-sockets",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        envvar=_SOCKETS,
        show_envvar=True,
        help="The folder that plugin sidecars (argocd-cmp-server) put their sockets into.",
    )
    folder = click.option(
        "--plugins",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        metavar="DIR",
        envvar=_FOLDER,
        show_envvar=True,
        help="A folder with the plugin.yaml files of config management plugins that are commands of this machine.",
    )
    return folder(sockets(function))


def given(folder: Path | None, sockets: Path | None) -> Plugins:
    """The plugins that the options of :func:`plugin_options` name. Raises :class:`homeostat.desired.plugins.errors.PluginConfigError`."""
    return Plugins(read_folder(folder) if folder else (), sockets=sockets)


def from_environment() -> Found:
    """For verbs that look at apps as the controller does, and take no options for it."""
    folder, sockets = (Path(path) if (path := os.environ.get(name)) else None for name in (_FOLDER, _SOCKETS))
    return Found(folder, sockets)

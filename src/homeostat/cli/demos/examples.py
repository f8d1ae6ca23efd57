"""The examples: where they are, in a checkout and in an installed package alike, and the Applications among them."""

from __future__ import annotations

from pathlib import Path

import yaml

from homeostat.cli.demos.errors import ExamplesError
from homeostat.model.objects import Object

WRITTEN_AS = {"guestbook": "plain YAML", "shop": "Kustomize", "blog": "Helm", "metrics": "Jsonnet"}
"""The example apps, in the order in which they are shown."""

_PLACE_OF_URL = "{{REPO}}"


def repository() -> Path:
    """The folder whose content the demo's repository begins with. Raises :class:`ExamplesError`."""
    return _folder() / "demo"


def applications(url: str) -> list[Object]:
    """The Applications of the examples, with ``url`` as their repository. Raises :class:`ExamplesError`."""
    files = [_folder() / "apps" / f"{name}.yaml" for name in WRITTEN_AS]
    return [yaml.load(file.read_text(encoding="utf-8").replace(_PLACE_OF_URL, url), yaml.CSafeLoader) for file in files]


def _folder() -> Path:
    command_line = Path(__file__).parents[1]
    for candidate in (command_line / "_examples", command_line.parents[2] / "examples"):
        if (candidate / "apps").is_dir():
            return candidate
    raise ExamplesError(f"the examples are missing beside {command_line}", hint="install Homeostat anew")

"""What lies in a folder: charts, overlays, Jsonnet files, and everything else that might hold manifests. Reads names, and the least that tells them apart."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from homeostat.model import glob, yaml
from homeostat.model.errors import InvalidError
from homeostat.model.tree import EntryKind, Tree

_KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
_PLAIN = (".yaml", ".yml", ".json")
_PASSED_OVER = frozenset({"node_modules", "vendor", "__pycache__"})
"""Other people's files, that somebody has put into the repository."""


class Found(msgspec.Struct):
    """Paths from the root of the tree; charts and overlays are folders. ``components`` are overlays that are only parts of others."""

    charts: list[str] = msgspec.field(default_factory=list)
    overlays: list[str] = msgspec.field(default_factory=list)
    components: list[str] = msgspec.field(default_factory=list)
    jsonnet: list[str] = msgspec.field(default_factory=list)
    plain: list[str] = msgspec.field(default_factory=list)


def walk(tree: Tree, start: str = "", *, left_out: Callable[[str], bool] = lambda _path: False) -> Found:
    """What is at and below ``start``. Folders whose names begin with a dot are passed over, links are not followed."""
    found = Found()
    if tree.stat(start) is EntryKind.FILE:
        _file(found, start)
        return found
    waiting = [start]
    while waiting:
        folder = waiting.pop()
        prefix = f"{folder}/" if folder else ""
        entries = [entry for entry in tree.list(folder) or () if not left_out(prefix + entry.name)]
        names = {entry.name for entry in entries if entry.kind is EntryKind.FILE}
        if "Chart.yaml" in names:
            found.charts.append(folder)
            continue  # what is below is the chart's own: templates are no manifests, subcharts are rendered with it
        kustomization = next((name for name in sorted(_KUSTOMIZATIONS & names)), "")
        if kustomization:
            (found.components if _is_component(tree, prefix + kustomization) else found.overlays).append(folder)
        for entry in entries:
            if entry.kind is EntryKind.DIRECTORY:
                if not entry.name.startswith(".") and entry.name not in _PASSED_OVER:
                    waiting.append(prefix + entry.name)
            elif entry.kind is EntryKind.FILE and entry.name not in _KUSTOMIZATIONS:
                _file(found, prefix + entry.name)
    for paths in (found.charts, found.overlays, found.components, found.jsonnet, found.plain):
        paths.sort()
    return found


def excluding(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a path is meant by one of ``patterns`` (globs over the whole path; ``*`` stops at ``/``, ``**`` does not)."""
    return lambda path: any(glob.matches(pattern, path, "/") or path.startswith(f"{pattern.rstrip('/')}/") for pattern in patterns)


def _file(found: Found, path: str) -> None:
    name = path.rpartition("/")[2]
    if name.endswith(_PLAIN):
        found.plain.append(path)
    elif name.endswith(".jsonnet"):
        found.jsonnet.append(path)


def _is_component(tree: Tree, path: str) -> bool:
    try:
        value = yaml.load(tree.read(path) or b"", name=path)
    except InvalidError:
        return False  # the render says what is wrong with it
    return isinstance(value, dict) and value.get("kind") == "Component"

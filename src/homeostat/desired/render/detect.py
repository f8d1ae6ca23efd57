"""Which tool renders a folder: Argo CD's rules (``util/app/discovery``, ``util/app/path``; reference 1.1).

Every path that is looked at is noted in the set that is handed in, misses included, so that a kustomization file which appears later counts.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection
from enum import StrEnum

from homeostat.desired.errors import RenderFailedError, RenderNotSupportedError
from homeostat.model.app import DirectoryOptions, HelmOptions, KustomizeOptions, Source
from homeostat.model.tree import EntryKind, Tree, TreeError


class SourceType(StrEnum):
    """As it stands in ``status.sourceType``."""

    HELM = "Helm"
    KUSTOMIZE = "Kustomize"
    DIRECTORY = "Directory"
    PLUGIN = "Plugin"


_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


class Folder:
    """The folder of an app's source: its normalised ``path`` and which files are in it. ``seen`` collects what was looked at."""

    def __init__(self, tree: Tree, path: str, seen: set[str]) -> None:
        self.path = path
        self._tree = tree
        self._seen = seen
        self._names = {entry.name: entry.kind for entry in tree.list(path) or ()}

    def file(self, name: str) -> str | None:
        """The path of the file ``name`` in this folder, or ``None`` when there is none."""
        path = f"{self.path}/{name}" if self.path else name
        self._seen.add(path)
        kind = self._names.get(name)
        if kind is EntryKind.SYMLINK:
            kind = _stat(self._tree, path)
        return path if kind is EntryKind.FILE else None


def folder_of(tree: Tree, source: Source, seen: set[str]) -> Folder:
    """The source's folder; raises :class:`RenderFailedError` when there is none, in Argo CD's words."""
    asked = source.path
    if asked.startswith("/"):
        raise RenderFailedError(f"{asked}: app path is absolute", hint="spec.source.path is relative to the root of the repository")
    path = posixpath.normpath(asked) if asked else "."
    if path == ".." or path.startswith("../"):
        raise RenderFailedError(f"{asked}: app path outside root", hint="spec.source.path is relative to the root of the repository")
    if path == ".":
        return Folder(tree, "", seen)
    seen.add(path)
    kind = _stat(tree, path)
    if kind is None:
        raise RenderFailedError(f"{asked}: app path does not exist", hint="look at spec.source.path and spec.source.targetRevision")
    if kind is EntryKind.SUBMODULE:
        raise RenderNotSupportedError(f"{asked}: app path is a Git submodule, and submodules are not fetched")
    if kind is not EntryKind.DIRECTORY:
        raise RenderFailedError(f"{asked}: app path is not a directory")
    return Folder(tree, path, seen)


def explicit(source: Source) -> SourceType | None:
    """The type that the source's options ask for; options that say nothing do not count. More than one is an error."""
    asked = {
        SourceType.HELM: source.helm is not None and source.helm != HelmOptions(),
        SourceType.KUSTOMIZE: source.kustomize is not None and source.kustomize != KustomizeOptions(),
        SourceType.DIRECTORY: source.directory is not None and source.directory != DirectoryOptions(),
        SourceType.PLUGIN: source.plugin is not None,
    }
    types = [kind for kind, is_asked in asked.items() if is_asked]
    if len(types) > 1:
        raise RenderFailedError(
            f"multiple application sources defined: {','.join(types)}",
            hint="keep one of helm, kustomize, directory and plugin in spec.source",
        )
    return types[0] if types else None


def detect(source: Source, folder: Folder, disabled: Collection[str] = ()) -> SourceType:
    """What renders ``folder``. Where both a kustomization and a chart are, it is Kustomize, as in Argo CD.

    A type that is ``disabled`` (``kustomize.enable`` and ``helm.enable`` of argocd-cm) gives way to plain files.
    """
    asked = explicit(source)
    if asked is not None:
        return SourceType.DIRECTORY if asked in disabled else asked
    if SourceType.KUSTOMIZE not in disabled and any(folder.file(name) for name in _KUSTOMIZATIONS):
        return SourceType.KUSTOMIZE
    if SourceType.HELM not in disabled and folder.file("Chart.yaml"):
        return SourceType.HELM
    return SourceType.DIRECTORY


def _stat(tree: Tree, path: str) -> EntryKind | None:
    try:
        return tree.stat(path)
    except TreeError as error:
        raise RenderFailedError(str(error), hint=error.hint) from error

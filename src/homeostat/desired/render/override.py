"""Options that lie beside the files: ``.argocd-source.yaml`` and ``.argocd-source-<app>.yaml`` (reference 1.1, repo-side overrides).

Each is a JSON merge patch of the source, later ones over earlier ones. Where the source is and which revision is asked for cannot be changed.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from homeostat.desired.errors import RenderFailedError
from homeostat.desired.render.detect import Folder
from homeostat.model import yaml
from homeostat.model.app import Source
from homeostat.model.errors import InvalidError
from homeostat.model.manifest import Origin
from homeostat.model.tree import Tree, TreeError

_FIXED = ("repo_url", "path", "target_revision", "chart")
_VERBATIM = frozenset({"values_object", "common_labels", "common_annotations", "target", "options", "plugin"})
"""Fields whose keys are the user's own, or those of another's format."""


def override(tree: Tree, source: Source, folder: Folder, app_name: str) -> Source:
    """``source`` with what the files beside it say; raises :class:`RenderFailedError` for one that says nothing sensible."""
    names = [".argocd-source.yaml", *([f".argocd-source-{app_name}.yaml"] if app_name else [])]
    for path in filter(None, map(folder.file, names)):
        try:
            patch = yaml.load(tree.read(path) or b"", name=path)
            source = _patched(source, patch)
        except (InvalidError, TreeError, msgspec.ValidationError) as error:
            raise RenderFailedError(str(error), origin=Origin(path)) from error
    return source


def _patched(source: Source, patch: Any) -> Source:
    if patch is None:
        return source
    if not isinstance(patch, dict):
        raise InvalidError("expected a mapping of source fields")
    merged = _merged(msgspec.to_builtins(source), _fields(patch))
    merged.update({field: getattr(source, field) for field in _FIXED})
    return msgspec.convert(merged, Source)


def _merged(base: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(base) if isinstance(base, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result


def _fields(value: Any) -> Any:
    """Argo CD's field names in the words of :mod:`homeostat.model.app`; its ``directory.jsonnet`` is a part of the directory there."""
    if isinstance(value, list):
        return [_fields(item) for item in value]
    if not isinstance(value, dict):
        return value
    fields: dict[str, Any] = {}
    for name, inner in value.items():
        field = _snake(name)
        if field == "jsonnet" and isinstance(inner, dict):
            fields.update(_fields(inner))
        else:
            fields[field] = inner if field in _VERBATIM else _fields(inner)
    return fields


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: f"_{match[1].lower()}", name).lower().replace("repo_u_r_l", "repo_url")

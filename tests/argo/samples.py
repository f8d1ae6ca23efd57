"""Applications to test with: the recorded ones (what Argo CD 3.5.1 wrote), those that people publish, and small ones made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from homeostat.argo.projects import Project
from homeostat.argo.read import read_app
from homeostat.model.app import App
from homeostat.model.objects import Object
from homeostat.model.settings import Settings

FOLDER = Path(__file__).parent
RECORDED = sorted(path.stem for path in (FOLDER / "recorded").glob("*.yaml"))
SEEDS = sorted(path.stem for path in (FOLDER / "seeds").glob("*.yaml"))
PROJECTS = {"default": Project("default")}


def recorded(name: str) -> Object:
    """What Argo CD wrote for one of its samples."""
    return _load(FOLDER / "recorded" / f"{name}.yaml")


def seed(name: str) -> Object:
    """A manifest as somebody published it."""
    return _load(FOLDER / "seeds" / f"{name}.yaml")


def application(name: str = "web", **fields: Any) -> Object:
    """A small Application. ``fields`` replace fields of the spec; ``None`` leaves one out."""
    spec = {
        "project": "default",
        "source": {"repoURL": "https://git.example/samples.git", "path": "plain", "targetRevision": "main"},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "web"},
        **fields,
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {field: value for field, value in spec.items() if value is not None},
    }


def read(obj: Object) -> App:
    """``obj`` as an app, in a control plane with nothing but the default project."""
    return read_app(obj, Settings(), PROJECTS)


def _load(path: Path) -> Object:
    loaded = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    assert isinstance(loaded, dict)
    return loaded

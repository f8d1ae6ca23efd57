"""The requests that an evaluator answers, as they go over the wire (see ``docs/evaluator.md`` for the frames).

One struct per evaluator, tagged by ``evaluator``; the Go side has one file for each. Renders (directory, kustomize, helm) read files through
the virtual file system and answer ``{"objects": [{"object": {…}, "file": "…", "line": n}, …]}``; the others answer as their docstring says.

``env`` is what ``$NAME`` stands for in the options, where Argo CD substitutes it; a name that is not in it stands for nothing, ``$$`` for ``$``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from homeostat.model.app import DirectoryOptions, HelmOptions, KustomizeOptions
from homeostat.model.tree import MOUNTS


class Request(msgspec.Struct, frozen=True, tag_field="evaluator", rename="camel"):
    """What every request has in common: nothing but its tag."""


class DirectoryRequest(Request, frozen=True, tag="directory"):
    """Plain YAML, JSON and Jsonnet files below ``path`` by Argo CD's directory rules (reference 2.16)."""

    path: str
    options: DirectoryOptions = DirectoryOptions()


class KustomizeRequest(Request, frozen=True, tag="kustomize"):
    """``kustomize build`` of ``path`` after the edits that ``options`` ask for; build options as on its command line."""

    path: str
    options: KustomizeOptions = KustomizeOptions()
    build_options: tuple[str, ...] = ()
    env: dict[str, str] = msgspec.field(default_factory=dict)


class HelmRequest(Request, frozen=True, tag="helm"):
    """``helm template`` of the chart at ``path``. CRDs come first unless ``options.skip_crds``; hooks are kept as objects.

    ``refs`` are the names of other sources of the app, whose files ``$name/path`` means; each is mounted at :func:`ref_mount`.
    """

    path: str
    options: HelmOptions
    release_name: str
    namespace: str
    kube_version: str
    api_versions: tuple[str, ...] = ()
    env: dict[str, str] = msgspec.field(default_factory=dict)
    refs: tuple[str, ...] = ()


def ref_mount(name: str) -> str:
    """Where in the tree of a chart the files of the source with that ``ref`` are."""
    return f"{MOUNTS}/ref/{name}"


class LuaRequest(Request, frozen=True, tag="lua"):
    """Runs ``script`` with the globals ``obj`` and ``actionParams`` (``params``); answers what it returned, as JSON (``null`` when nothing)."""

    script: str
    obj: dict[str, Any]
    params: dict[str, str] = {}
    open_libs: bool = False


class JqRequest(Request, frozen=True, tag="jq"):
    """Runs each program over each input in order, feeding one's output to the next; answers the list of results, one per input.

    ``programs`` are whole jq programs, such as ``del(.spec.replicas)``. A program that answers nothing leaves its input as it was.
    """

    programs: tuple[str, ...]
    inputs: tuple[Any, ...]


class SemverRequest(Request, frozen=True, tag="semver"):
    """Answers the highest of ``versions`` that satisfies ``constraint`` (Masterminds/semver, as Argo CD and Helm read it), or ``null``.

    Only what the regular expression ``filter`` (of Go) matches counts.
    """

    constraint: str
    versions: tuple[str, ...]
    filter: str = ""


class YamlRequest(Request, frozen=True, tag="yaml"):
    """Parses a stream of YAML documents as Kubernetes does; answers ``{"objects": [...]}`` like a render. ``file`` names it in errors."""

    text: str
    file: str = ""


class HelmIndexRequest(Request, frozen=True, tag="helm-index"):
    """Reads the ``index.yaml`` of a Helm repository; answers ``{"entries": {name: [{"version": …, "urls": […], "digest": …}, …]}}``."""

    text: str


class ChartDependenciesRequest(Request, frozen=True, tag="chart-dependencies"):
    """What ``helm dependency build`` would fetch for the chart at ``path``, where ``repositories`` are the addresses behind ``@name``.

    Answers ``{"missing": [{"name": …, "version": …, "repository": …, "mount": …}], "problem": …}``: ``mount`` is where in the tree a render looks
    for what was fetched, ``problem`` (in Helm's words) is why nothing can be. A dependency that the chart brings along is not missing.
    """

    path: str
    repositories: dict[str, str] = {}

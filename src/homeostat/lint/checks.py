"""What is looked at in one object, whatever app it belongs to: its kind and schema, and the annotations that a sync goes by.

Pure. The schema's own words are ``validate.py``'s business, what only Argo CD's kinds have is ``applications.py``'s.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from homeostat.lint import apis
from homeostat.lint.errors import SchemaError
from homeostat.lint.findings import Severity
from homeostat.lint.schemas import Catalogue
from homeostat.lint.validate import faults
from homeostat.model import hooks
from homeostat.model.app import Policy
from homeostat.model.manifest import Desired
from homeostat.model.objects import GroupKind, Object, annotations_of, key_of, split_api_version
from homeostat.sync import options
from homeostat.sync.errors import WaveError
from homeostat.sync.order import HOOK_WEIGHT, SYNC_WAVE, wave_of

Steps = tuple[str | int, ...]

_HELM_HOOKS = frozenset(
    {
        "pre-install",
        "post-install",
        "pre-upgrade",
        "post-upgrade",
        "pre-delete",
        "post-delete",
        "pre-rollback",
        "post-rollback",
        "test",
        "crd-install",
    }
    | {"test-success", "test-failure"}
)
_KNOWN_WORDS = {
    hooks.HOOK: frozenset(map(str, hooks.HookType)),
    hooks.HELM_HOOK: _HELM_HOOKS,
    hooks.DELETE_POLICY: frozenset(map(str, hooks.DeletePolicy)),
    hooks.HELM_DELETE_POLICY: frozenset({"before-hook-creation", "hook-succeeded", "hook-failed"}),
}
_PODS: dict[str, Steps] = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "ReplicationController"), ("spec", "template", "spec")),
}
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_FREE_NAMES = "rbac.authorization.k8s.io"
"""Kinds of this group may be named almost anything."""


class Remark(NamedTuple):
    """What a check has to say of an object: the beginnings of a finding."""

    rule: str
    steps: Steps
    message: str
    hint: str = ""
    severity: Severity | None = None


def remarks(catalogue: Catalogue, obj: Object) -> Iterator[Remark]:
    """Everything that is to be said of ``obj`` by itself."""
    broken = [*_shape(obj)]
    yield from broken
    if broken:
        return
    yield from _kind(catalogue, obj)
    yield from _metadata(obj)
    yield from _annotations(obj)
    yield from _images(obj)


def _shape(obj: Object) -> Iterator[Remark]:
    for field in ("apiVersion", "kind"):
        if not isinstance(obj.get(field), str) or not obj[field]:
            yield Remark("invalid-object", (), f"{field} is required and must be a string")
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        yield Remark("invalid-object", (), "metadata is required and must be a mapping")
        return
    if not metadata.get("name") and not metadata.get("generateName"):
        yield Remark("invalid-object", ("metadata",), "metadata.name is required")
    for field in ("labels", "annotations"):
        if not isinstance(metadata.get(field) or {}, dict):
            yield Remark("invalid-object", ("metadata", field), f"metadata.{field} must be a mapping")


def _kind(catalogue: Catalogue, obj: Object) -> Iterator[Remark]:
    api_version, name = obj["apiVersion"], obj["kind"]
    kind = catalogue.find(api_version, name)
    if kind is None:
        yield _unknown(catalogue, api_version, name)
        return
    warning = kind.deprecated or apis.DEPRECATED.get((api_version, name), "")
    if warning:
        yield Remark("deprecated-api", ("apiVersion",), f"{api_version} {name}: {warning}")
    try:
        for fault in faults(catalogue, kind, obj):
            yield Remark(fault.rule, fault.steps, fault.message, fault.hint)
    except SchemaError:
        return  # said once, of the definition


def _unknown(catalogue: Catalogue, api_version: str, name: str) -> Remark:
    gone = apis.removed(api_version, name, catalogue.version)
    if gone is not None:
        message = f"Kubernetes {catalogue.version} does not serve {api_version} {name}: it was removed in {gone.since}"
        return Remark(
            "removed-api", ("apiVersion",), message, f"write {gone.instead}" if not gone.instead.startswith("nothing") else gone.instead[9:]
        )
    group, _ = split_api_version(api_version)
    there = catalogue.versions_of(GroupKind(group, name))
    if there:
        message = f"{api_version} has no {name}: Kubernetes {catalogue.version} and the definitions here know it as {', '.join(there)}"
        return Remark("unknown-kind", ("apiVersion",), message)
    elsewhere = catalogue.elsewhere(name)
    near = difflib.get_close_matches(
        name, [kind.split("/")[-1] for kind in catalogue.api_versions if kind.startswith(f"{api_version}/")], n=1
    )
    hint = "put its CustomResourceDefinition beside it, or name a folder that has it with `--schemas`"
    if near:
        hint = f"did you mean {near[0]}?"
    elif elsewhere:
        hint = f"did you mean {elsewhere[0]}?"
    return Remark("unknown-kind", ("kind",), f"nobody knows {api_version} {name}: its fields are not looked at", hint)


def _metadata(obj: Object) -> Iterator[Remark]:
    metadata = obj["metadata"]
    name, group = metadata.get("name"), split_api_version(obj["apiVersion"])[0]
    if isinstance(name, str) and name and group != _FREE_NAMES and not (len(name) <= 253 and _SUBDOMAIN.fullmatch(name)):
        yield Remark(
            "invalid-object", ("metadata", "name"), f"metadata.name: {name!r} is no name: lower case letters, digits, - and . are", ""
        )
    for label, value in (metadata.get("labels") or {}).items():
        if isinstance(value, str) and (len(value) > 63 or not _LABEL_VALUE.fullmatch(value)):
            message = f"metadata.labels: {value!r} is no value for a label: at most 63 letters, digits, -, _ and . are"
            yield Remark("invalid-object", ("metadata", "labels", label), message)


def _annotations(obj: Object) -> Iterator[Remark]:
    there = annotations_of(obj)
    try:
        wave_of(obj)
    except WaveError as error:
        annotation = SYNC_WAVE if SYNC_WAVE in there else HOOK_WEIGHT
        message = f"annotation {annotation}: expected a whole number such as -1, 0 or 5, found {there[annotation]!r}"
        yield Remark("wave", ("metadata", "annotations", annotation), message, error.hint)
    for annotation, known in _KNOWN_WORDS.items():
        if annotation not in there:
            continue
        for word in (word.strip() for word in str(there[annotation]).split(",")):
            if word not in known:
                near = difflib.get_close_matches(word, known, n=1)
                message = f"annotation {annotation}: {word!r} means nothing"
                yield Remark(
                    "hook",
                    ("metadata", "annotations", annotation),
                    message,
                    f"did you mean {near[0]}?" if near else f"the words are {', '.join(sorted(known))}",
                )
    for policy, of in ((hooks.DELETE_POLICY, hooks.HOOK), (hooks.HELM_DELETE_POLICY, hooks.HELM_HOOK)):
        if policy in there and hooks.HOOK not in there and hooks.HELM_HOOK not in there:
            yield Remark(
                "hook", ("metadata", "annotations", policy), f"annotation {policy}: the object is no hook", f"add {of}, or take it away"
            )
    if options.SYNC_OPTIONS in there:
        for told in options.ignored_options(Policy(), [Desired(key_of(obj), obj)]):
            message = told.partition(f", annotation {options.SYNC_OPTIONS}: ")[2]
            yield Remark("sync-option", ("metadata", "annotations", options.SYNC_OPTIONS), f"annotation {options.SYNC_OPTIONS}: {message}")


def _images(obj: Object) -> Iterator[Remark]:
    path = _PODS.get(obj["kind"])
    pod: Any = obj
    for step in path or ():
        pod = pod.get(step) if isinstance(pod, dict) else None
    if path is None or not isinstance(pod, dict):
        return
    for field in ("initContainers", "containers"):
        containers = pod.get(field)
        for number, container in enumerate(containers if isinstance(containers, list) else ()):
            image = container.get("image") if isinstance(container, dict) else None
            if isinstance(image, str) and image and ":" not in image.rpartition("/")[2] and "@" not in image:
                yield Remark("image-tag", (*path, field, number, "image"), f"the image {image} has no tag", "name a version, or a digest")

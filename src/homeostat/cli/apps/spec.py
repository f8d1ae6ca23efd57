"""An Application's spec, edited by the options of ``app create`` and ``app set``. Pure: data in, new data out.

Works on the resource's own words, so that a field nobody here has heard of stays. Names and meanings of the options are argocd's
(``docs/user-guide/commands/argocd_app_create.md`` there); which option leads to which field is data as far as it can be.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from homeostat.cli.apps import words
from homeostat.cli.apps.several import in_one
from homeostat.model.errors import InvalidError

Data = dict[str, Any]

TEXTS: Mapping[str, tuple[str, ...]] = {
    "repo": ("source", "repoURL"),
    "path": ("source", "path"),
    "revision": ("source", "targetRevision"),
    "helm_chart": ("source", "chart"),
    "ref": ("source", "ref"),
    "release_name": ("source", "helm", "releaseName"),
    "helm_namespace": ("source", "helm", "namespace"),
    "helm_kube_version": ("source", "helm", "kubeVersion"),
    "nameprefix": ("source", "kustomize", "namePrefix"),
    "namesuffix": ("source", "kustomize", "nameSuffix"),
    "kustomize_namespace": ("source", "kustomize", "namespace"),
    "directory_include": ("source", "directory", "include"),
    "directory_exclude": ("source", "directory", "exclude"),
    "dest_namespace": ("destination", "namespace"),
    "project": ("project",),
}
"""Option → field; an empty text takes the field away."""

SWITCHES: Mapping[str, tuple[str, ...]] = {
    "helm_skip_crds": ("source", "helm", "skipCrds"),
    "helm_skip_tests": ("source", "helm", "skipTests"),
    "helm_skip_schema_validation": ("source", "helm", "skipSchemaValidation"),
    "helm_pass_credentials": ("source", "helm", "passCredentials"),
    "ignore_missing_value_files": ("source", "helm", "ignoreMissingValueFiles"),
    "kustomize_force_common_label": ("source", "kustomize", "forceCommonLabels"),
    "kustomize_force_common_annotation": ("source", "kustomize", "forceCommonAnnotations"),
    "kustomize_label_without_selector": ("source", "kustomize", "labelWithoutSelector"),
    "directory_recurse": ("source", "directory", "recurse"),
}
"""Option → field; off takes the field away."""

LISTS: Mapping[str, tuple[str, ...]] = {
    "values": ("source", "helm", "valueFiles"),
    "helm_api_versions": ("source", "helm", "apiVersions"),
    "jsonnet_libs": ("source", "directory", "jsonnet", "libs"),
}
"""Option → field; what is given takes the place of what was there."""

MAPS: Mapping[str, tuple[str, ...]] = {
    "kustomize_common_label": ("source", "kustomize", "commonLabels"),
    "kustomize_common_annotation": ("source", "kustomize", "commonAnnotations"),
}
"""Option of ``name=value`` texts → field; added to what was there."""

VARIABLES: Mapping[str, tuple[tuple[str, ...], bool]] = {
    "jsonnet_tla_str": (("source", "directory", "jsonnet", "tlas"), False),
    "jsonnet_tla_code": (("source", "directory", "jsonnet", "tlas"), True),
    "jsonnet_ext_var_str": (("source", "directory", "jsonnet", "extVars"), False),
    "jsonnet_ext_var_code": (("source", "directory", "jsonnet", "extVars"), True),
}
"""Option of ``name=value`` texts → list of Jsonnet variables, and whether their values are code."""


def edited(spec: Data, given: Mapping[str, Any], *, source_type: str = "") -> Data:
    """A copy of ``spec`` with the options in ``given`` (``None`` and empty lists: not given). ``source_type`` is what the app was found to be.

    Raises :class:`InvalidError` for options that do not go together.
    """
    new = copy.deepcopy(spec)
    if new.get("sources") and any(_touches_source(name) for name, value in given.items() if value not in (None, ())):
        return in_one(new, given, lambda one: edited(one, given, source_type=source_type))
    for name, path in TEXTS.items():
        if given.get(name) is not None:
            put(new, path, given[name] or None)
    for name, path in SWITCHES.items():
        if given.get(name) is not None:
            put(new, path, True if given[name] else None)
    for name, path in LISTS.items():
        if given.get(name):
            put(new, path, list(given[name]))
    for name, path in MAPS.items():
        for key, value in _pairs(name, given.get(name) or ()):
            _below(new, path)[key] = value
    for name, (path, code) in VARIABLES.items():
        for key, value in _pairs(name, given.get(name) or ()):
            _upsert(new, path, {"name": key, "value": value, **({"code": True} if code else {})})
    _destination(new, given)
    _helm(new, given, source_type)
    _kustomize(new, given)
    _policy(new, given)
    if given.get("revision_history_limit") is not None:
        new["revisionHistoryLimit"] = given["revision_history_limit"]
    return without_empty(new)


def _touches_source(option: str) -> bool:
    fields = {**TEXTS, **SWITCHES, **LISTS, **MAPS}
    if option in fields:
        return fields[option][0] == "source"
    return option.startswith(("helm", "kustomize", "jsonnet", "parameter", "values"))


def _destination(spec: Data, given: Mapping[str, Any]) -> None:
    """A cluster has a server or a name: who gives one, takes the other away."""
    server, name = given.get("dest_server"), given.get("dest_name")
    if server and name:
        raise InvalidError("--dest-server and --dest-name: expected one of them, they name the same thing")
    if server is not None or name is not None:
        destination = _below(spec, ("destination",))
        destination.pop("name", None)
        destination.pop("server", None)
        destination.update({"server": server} if server else {"name": name})


def _helm(spec: Data, given: Mapping[str, Any], source_type: str) -> None:
    for name, force_string in (("helm_set", False), ("helm_set_string", True), ("parameters", False)):
        pairs = _pairs(name, given.get(name) or ())
        if name == "parameters" and pairs:
            found = next((kind for kind in ("helm", "kustomize", "directory") if words.part(spec, "source", kind)), source_type.lower())
            if found not in {"", "helm"}:
                raise InvalidError(f"--parameter: parameters are for Helm charts, and this app is of type {found}")
        for key, value in pairs:
            entry = {"name": key, "value": value, **({"forceString": True} if force_string else {})}
            _upsert(spec, ("source", "helm", "parameters"), entry)
    for key, path in _pairs("helm_set_file", given.get("helm_set_file") or ()):
        _upsert(spec, ("source", "helm", "fileParameters"), {"name": key, "path": path})
    if given.get("values_literal") is not None:
        helm = _below(spec, ("source", "helm"))
        helm.pop("valuesObject", None)  # it would win over what is asked for here
        helm["values"] = given["values_literal"]


def _kustomize(spec: Data, given: Mapping[str, Any]) -> None:
    if given.get("kustomize_image"):
        kustomize = _below(spec, ("source", "kustomize"))
        images = [str(image) for image in kustomize.get("images") or ()]
        for image in given["kustomize_image"]:
            images = [*(one for one in images if image_name(one) != image_name(image)), image]
        kustomize["images"] = images
    for name, count in _pairs("kustomize_replica", given.get("kustomize_replica") or ()):
        if not count.isdecimal():
            raise InvalidError(f"--kustomize-replica {name}={count}: expected a whole number")
        _upsert(spec, ("source", "kustomize", "replicas"), {"name": name, "count": int(count)})


def image_name(image: str) -> str:
    """What an override is about: ``old=new:tag`` → ``old``, ``repo/name:tag`` and ``repo/name@sha256:…`` → ``repo/name``."""
    old, equals, _ = image.partition("=")
    if equals:
        return old
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def _policy(spec: Data, given: Mapping[str, Any]) -> None:
    asked = given.get("sync_policy")
    if asked is not None:
        policy = _below(spec, ("syncPolicy",))
        if asked == "none":
            policy.pop("automated", None)
        else:
            automated = policy.setdefault("automated", {}) or {}
            automated.pop("enabled", None)
            policy["automated"] = automated
    for option, field in (("auto_prune", "prune"), ("self_heal", "selfHeal"), ("allow_empty", "allowEmpty")):
        value = given.get(option)
        if value is None:
            continue
        automated = words.part(spec, "syncPolicy").get("automated")
        if not isinstance(automated, dict):
            if not value:
                continue
            raise InvalidError(
                f"--{option.replace('_', '-')}: the app is not synced automatically", hint="`--sync-policy automated` makes it so"
            )
        if value:
            automated[field] = True
        else:
            automated.pop(field, None)
    if given.get("sync_option"):
        options = [str(option) for option in words.part(spec, "syncPolicy").get("syncOptions") or ()]
        for option in given["sync_option"]:
            name = option.removeprefix("!")
            if name != option:
                options = [one for one in options if one != name]
            else:
                options = [*(one for one in options if one.partition("=")[0] != name.partition("=")[0]), name]
        _below(spec, ("syncPolicy",))["syncOptions"] = options
    retry = {"limit": given.get("sync_retry_limit")}
    backoff = {
        "duration": _duration(given.get("sync_retry_backoff_duration")),
        "factor": given.get("sync_retry_backoff_factor"),
        "maxDuration": _duration(given.get("sync_retry_backoff_max_duration")),
    }
    for path, fields in ((("syncPolicy", "retry"), retry), (("syncPolicy", "retry", "backoff"), backoff)):
        for field, value in fields.items():
            if value is not None:
                _below(spec, path)[field] = value


def _duration(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:g}s"


def _pairs(option: str, texts: Iterable[str]) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise InvalidError(f"--{option.replace('_', '-').removesuffix('s')} {text}: expected NAME=VALUE")
        pairs.append((name, value))
    return pairs


def _below(data: Data, path: Iterable[str]) -> Data:
    """The mapping at ``path``, made where there is none."""
    for name in path:
        found = data.get(name)
        if not isinstance(found, dict):
            found = data[name] = {}
        data = found
    return data


def put(data: Data, path: tuple[str, ...], value: Any) -> None:
    if value is None:
        words.part(data, *path[:-1]).pop(path[-1], None)
    else:
        _below(data, path[:-1])[path[-1]] = value


def _upsert(data: Data, path: tuple[str, ...], entry: Data) -> None:
    """Puts ``entry`` in the place of the one with its name, else at the end."""
    holder = _below(data, path[:-1])
    entries = [one for one in holder.get(path[-1]) or () if isinstance(one, dict)]
    place = next((place for place, one in enumerate(entries) if one.get("name") == entry["name"]), len(entries))
    holder[path[-1]] = [*entries[:place], entry, *entries[place + 1 :]]


_MEANS_SOMETHING: frozenset[str] = frozenset({"automated"})
"""Mappings that say something by being there."""


def without_empty(spec: Data) -> Data:
    """Without the mappings that an option emptied: an empty ``kustomize: {}`` would still decide the app's type."""
    tidy: Callable[[Data], Data] = without_empty
    result: Data = {}
    for name, value in spec.items():
        below = (
            tidy(value)
            if isinstance(value, dict) and name in {"source", "helm", "kustomize", "directory", "jsonnet", "syncPolicy"}
            else value
        )
        if below not in ({}, []) or name in _MEANS_SOMETHING:
            result[name] = below
    return result

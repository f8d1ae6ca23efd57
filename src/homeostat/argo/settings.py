"""``argocd-cm`` and its companions → :class:`Settings` (reference 1.6, 1.7, 1.15).

Pure. A value that cannot be read keeps its default and becomes a warning that names the key and what was expected: one bad line in a ConfigMap
stops nothing. Keys that only other parts of Argo CD read (sign-in, the page, notifications) are passed over. Watching the objects is
``control.py``'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TypeVar

import msgspec
import yaml

from homeostat.argo.types.base import Wire
from homeostat.compare import known
from homeostat.desired.sources import integrity
from homeostat.model import durations
from homeostat.model.app import Ignore
from homeostat.model.guards import ALL_GUARDS, read_guards
from homeostat.model.objects import Object
from homeostat.model.settings import ActionScripts, HealthScript, KnownType, ResourceFilter, Settings
from homeostat.model.tracking import INSTANCE_LABEL, Tracking, TrackingMethod

CONFIG = "argocd-cm"
TLS_CERTS = "argocd-tls-certs-cm"
KNOWN_HOSTS = "argocd-ssh-known-hosts-cm"
SIGNING_KEYS = "argocd-gpg-keys-cm"
PARAMETERS = "argocd-cmd-params-cm"
CONFIG_MAPS = (CONFIG, TLS_CERTS, KNOWN_HOSTS, SIGNING_KEYS, PARAMETERS)

_CUSTOMIZATIONS = "resource.customizations"
_STATUS_FIELDS = ("all", "crd", "none", "off", "crds")
_TRUE, _FALSE = {"1", "t", "T", "TRUE", "true", "True"}, {"0", "f", "F", "FALSE", "false", "False", ""}

_T = TypeVar("_T")


class _IgnoreRule(Wire, frozen=True):
    json_pointers: tuple[str, ...] = ()
    jq_path_expressions: tuple[str, ...] = ()
    managed_fields_managers: tuple[str, ...] = ()


class _CompareOptions(Wire, frozen=True):
    ignore_aggregated_roles: bool = False
    ignore_resource_status_field: str | bool = "all"
    ignore_differences_on_resource_updates: bool = True


class _Filter(Wire, frozen=True):
    api_groups: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()


class _KnownType(Wire, frozen=True):
    field: str
    type: str


class _Old(msgspec.Struct, frozen=True):
    """One entry of ``resource.customizations`` as a whole, the way before there was one key per kind."""

    health: str = msgspec.field(default="", name="health.lua")
    open_libs: bool = msgspec.field(default=False, name="health.lua.useOpenLibs")
    ignore: str = msgspec.field(default="", name="ignoreDifferences")
    updates: str = msgspec.field(default="", name="ignoreResourceUpdates")
    known: tuple[_KnownType, ...] = msgspec.field(default=(), name="knownTypeFields")
    actions: str = ""


class _Definition(msgspec.Struct, frozen=True):
    name: str
    script: str = msgspec.field(name="action.lua")


class _Actions(msgspec.Struct, frozen=True):
    discovery: str = msgspec.field(default="", name="discovery.lua")
    definitions: tuple[_Definition, ...] = ()
    merge_builtin: bool = msgspec.field(default=False, name="mergeBuiltinActions")


def read_settings(config_maps: Mapping[str, Object], *, namespace: str) -> Settings:
    """The settings that ``config_maps`` (by name; missing ones are empty) hold. ``namespace`` is the control plane's."""
    data = _data(config_maps.get(CONFIG))
    reader = _Reader(data)
    parameters = _Reader(_data(config_maps.get(PARAMETERS)), PARAMETERS)
    keys = _data(config_maps.get(SIGNING_KEYS))
    health = reader.customizations()
    ignore = reader.ignored("ignoreDifferences")
    options = reader.yaml("resource.compareoptions", _CompareOptions) or _CompareOptions()
    status_field = _status_field(options.ignore_resource_status_field)
    if status_field not in _STATUS_FIELDS:
        reader.warn("resource.compareoptions", f"ignoreResourceStatusField: expected all, crd or none, found {status_field!r}")
        status_field = "all"
    return Settings(
        namespace=namespace,
        tracking=Tracking(
            method=reader.read("application.resourceTrackingMethod", _tracking, TrackingMethod.ANNOTATION),
            label_key=data.get("application.instanceLabelKey") or INSTANCE_LABEL,
            installation_id=data.get("installationID") or "",
        ),
        health_scripts=health,
        actions=reader.actions(),
        ignore=ignore,
        ignore_updates=reader.updates(ignore, options),
        known_types=reader.known_types(),
        ignore_aggregated_roles=options.ignore_aggregated_roles,
        ignore_resource_status_field={"off": "none", "crds": "crd"}.get(status_field, status_field),
        exclusions=reader.filters("resource.exclusions"),
        inclusions=reader.filters("resource.inclusions"),
        timeout=reader.read("timeout.reconciliation", _seconds, 120.0),
        timeout_jitter=reader.read("timeout.reconciliation.jitter", _seconds, 60.0),
        timeout_hard=reader.read("timeout.hard.reconciliation", _seconds, 0.0),
        kustomize_build_options=data.get("kustomize.buildOptions") or "",
        kustomize_enabled=reader.read("kustomize.enable", _flag, True),
        helm_enabled=reader.read("helm.enable", _flag, True),
        jsonnet_enabled=reader.read("jsonnet.enable", _flag, True),
        helm_value_file_schemes=reader.read("helm.valuesFileSchemes", _words, ("https", "http")),
        webhook_limit=reader.read("webhook.maxPayloadSizeMB", _mebibytes, 50 * 1024 * 1024),
        webhook_secrets_required=reader.read("webhook.secretsRequired", _flag, False),
        tls_certs=_data(config_maps.get(TLS_CERTS)),
        known_hosts=_data(config_maps.get(KNOWN_HOSTS)).get("ssh_known_hosts") or "",
        signing_keys=keys,
        guards=parameters.read("homeostat.deletion.guards", read_guards, ALL_GUARDS),
        wave_delay=parameters.read("controller.sync.wave.delay.seconds", _whole_seconds, 0.0),
        sync_timeout=parameters.read("controller.sync.timeout.seconds", _whole_seconds, 0.0),
        git_submodules=parameters.read("reposerver.enable.git.submodule", _flag, True),
        oci_media_types=parameters.read("reposerver.oci.layer.media.types", _words, ()),
        warnings=(
            *reader.warnings,
            *parameters.warnings,
            *(
                f"ConfigMap {SIGNING_KEYS}: {name}: expected an armoured GnuPG key, an SSH public key or lines of allowed signers"
                for name in integrity.keyring(keys).strange
            ),
        ),
    )


class _Reader:
    """Reads keys of ``argocd-cm``, or of the ConfigMap ``name``, and collects what was wrong with them."""

    def __init__(self, data: Mapping[str, str], name: str = CONFIG) -> None:
        self._data = data
        self._name = name
        self.warnings: list[str] = []

    def warn(self, key: str, said: str) -> None:
        self.warnings.append(f"ConfigMap {self._name}: {key}: {said}; the default is used")

    def read(self, key: str, parse: Callable[[str], _T], default: _T) -> _T:
        text = self._data.get(key)
        if not text:
            return default
        try:
            return parse(text.strip())
        except ValueError as error:
            self.warn(key, str(error))
            return default

    def yaml(self, key: str, kind: type[_T]) -> _T | None:
        text = self._data.get(key)
        return self.parse(key, text, kind) if text else None

    def parse(self, key: str, text: str, kind: type[_T]) -> _T | None:
        """``text`` as YAML of the shape ``kind``; ``None`` when it is empty or wrong."""
        try:
            value = yaml.load(text, yaml.CSafeLoader)
            return None if value is None else msgspec.convert(value, kind)
        except (yaml.YAMLError, msgspec.ValidationError, ValueError, RecursionError) as error:
            self.warn(key, " ".join(str(error).split())[:300])
            return None

    def filters(self, key: str) -> tuple[ResourceFilter, ...]:
        found = self.yaml(key, tuple[_Filter, ...]) or ()
        return tuple(ResourceFilter(one.api_groups, one.kinds, one.clusters) for one in found)

    @cached_property
    def _old(self) -> dict[str, _Old]:
        return self.yaml(_CUSTOMIZATIONS, dict[str, _Old]) or {}

    def customizations(self) -> tuple[HealthScript, ...]:
        """Health scripts, sorted by key; the keys per kind win over the whole ``resource.customizations``."""
        health: dict[str, HealthScript] = {}
        for name, old in self._old.items():
            group, _, kind = name.rpartition("/")
            if old.health:
                health[f"{group}_{kind}"] = HealthScript(group, kind, old.health, old.open_libs)
        for key, name, text in self._per_kind("health"):
            self._health(health, key, name, text)
        return tuple(health[name] for name in sorted(health))

    def _per_kind(self, what: str) -> Iterator[tuple[str, str, str]]:
        """The keys ``resource.customizations.<what>.<name>``, sorted, with name and text."""
        prefix = f"{_CUSTOMIZATIONS}.{what}."
        for key, text in sorted(self._data.items()):
            if key.startswith(prefix) and text:
                yield key, key.removeprefix(prefix), text

    def ignored(self, what: str) -> tuple[Ignore, ...]:
        """The rules under ``ignoreDifferences`` or ``ignoreResourceUpdates``, sorted by key."""
        found: dict[str, Ignore] = {}
        for name, old in self._old.items():
            text = old.ignore if what == "ignoreDifferences" else old.updates
            group, _, kind = name.rpartition("/")
            if text:
                self._ignore(found, f"{_CUSTOMIZATIONS}: {name}.{what}", f"{group}_{kind}" if group else kind, text)
        for key, name, text in self._per_kind(what):
            self._ignore(found, key, name, text)
        return tuple(found[name] for name in sorted(found))

    def updates(self, ignored: tuple[Ignore, ...], options: _CompareOptions) -> tuple[Ignore, ...]:
        """What of an object may change without making its app due. Managers play no part in that, as in Argo CD."""
        if not self.read("resource.ignoreResourceUpdatesEnabled", _flag, True):
            return ()
        rules = (*self.ignored("ignoreResourceUpdates"), *(ignored if options.ignore_differences_on_resource_updates else ()))
        return tuple(rule for rule in rules if rule.json_pointers or rule.jq_path_expressions)

    def known_types(self) -> tuple[KnownType, ...]:
        """Which fields of custom resources hold a type of Kubernetes."""
        found: dict[tuple[str, str], tuple[_KnownType, ...]] = {}
        for name, old in self._old.items():
            group, _, kind = name.rpartition("/")
            if old.known:
                found[group, kind] = old.known
        for key, name, text in self._per_kind("knownTypeFields"):
            group_kind, read = self._group_kind(key, name), self.parse(key, text, tuple[_KnownType, ...])
            if group_kind is not None and read is not None:
                found[group_kind] = read
        for (group, kind), types in found.items():
            for one in types:
                if not known.is_known(one.type):
                    self.warn(f"{_CUSTOMIZATIONS}.knownTypeFields.{group}_{kind}", f"{one.field}: the type {one.type!r} is not supported")
        return tuple(KnownType(group, kind, one.field, one.type) for (group, kind), types in found.items() for one in types)

    def actions(self) -> tuple[ActionScripts, ...]:
        """Resource actions, sorted by key; the keys per kind win over the whole ``resource.customizations``."""
        found: dict[tuple[str, str], ActionScripts] = {}
        for name, old in self._old.items():
            group, _, kind = name.rpartition("/")
            if old.actions:
                self._actions(found, _CUSTOMIZATIONS, (group, kind), old.actions)
        prefix = f"{_CUSTOMIZATIONS}.actions."
        for key, text in self._data.items():
            group_kind = self._group_kind(key, key.removeprefix(prefix)) if key.startswith(prefix) and text else None
            if group_kind is not None:
                self._actions(found, key, group_kind, text)
        return tuple(found[group_kind] for group_kind in sorted(found))

    def _actions(self, found: dict[tuple[str, str], ActionScripts], key: str, group_kind: tuple[str, str], text: str) -> None:
        read = self.parse(key, text, _Actions)
        if read is not None:
            definitions = {one.name: one.script for one in reversed(read.definitions)}  # of two with one name, the first counts
            found[group_kind] = ActionScripts(*group_kind, read.discovery, definitions, read.merge_builtin)

    def _health(self, health: dict[str, HealthScript], key: str, name: str, script: str) -> None:
        group_kind = self._group_kind(key, name)
        if group_kind is None:
            return
        open_libs = self.read(f"{_CUSTOMIZATIONS}.useOpenLibs.{name}", _flag, False)
        group, kind = group_kind
        health[f"{group}_{kind}"] = HealthScript(group, kind, script, open_libs)

    def _ignore(self, ignore: dict[str, Ignore], key: str, name: str, text: str) -> None:
        group_kind = ("*", "*") if name == "all" else self._group_kind(key, name)
        rule = self.parse(key, text, _IgnoreRule)
        if group_kind is None or rule is None:
            return
        group, kind = group_kind
        ignore[f"{group}_{kind}"] = Ignore(
            group=group,
            kind=kind,
            json_pointers=rule.json_pointers,
            jq_path_expressions=rule.jq_path_expressions,
            managed_fields_managers=rule.managed_fields_managers,
            origin=f"ConfigMap {CONFIG}: {key}",
        )

    def _group_kind(self, key: str, name: str) -> tuple[str, str] | None:
        """``apps_Deployment`` → ``("apps", "Deployment")``, ``ConfigMap`` → ``("", "ConfigMap")``."""
        group, _, kind = name.rpartition("_")
        if not kind or "_" in group:
            self.warn(key, f"expected the key to end in <group>_<kind> or <kind>, found {name!r}")
            return None
        return group, kind


def _tracking(text: str) -> TrackingMethod:
    try:
        return TrackingMethod(text)
    except ValueError as error:
        raise ValueError(f"expected {', '.join(TrackingMethod)}, found {text!r}") from error


def _seconds(text: str) -> float:
    seconds = durations.parse(text, bare_seconds=True)
    if seconds < 0:
        raise ValueError(f"expected a duration that is not negative, found {text!r}")
    return seconds


def _whole_seconds(text: str) -> float:
    """As Argo CD reads it from the environment: a whole number, not a duration."""
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise ValueError(f"expected a whole number of seconds such as 0 or 30, found {text[:100]!r}")
    return float(text)


def _mebibytes(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:9]) <= 1024:
        raise ValueError(f"expected a whole number of MiB from 1 to 1024, found {text[:100]!r}")
    return int(text[:9]) * 1024 * 1024


def _flag(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"expected true or false, found {text!r}")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _status_field(value: str | bool) -> str:
    """YAML reads a bare ``off`` as false, and Argo CD takes it for ``none``."""
    if isinstance(value, bool):
        return "all" if value else "none"
    return value


def _data(config_map: Object | None) -> dict[str, str]:
    data = (config_map or {}).get("data")
    if not isinstance(data, dict):
        return {}
    return {str(key): value for key, value in data.items() if isinstance(value, str)}

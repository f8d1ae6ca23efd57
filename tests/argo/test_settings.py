"""Settings are read from argocd-cm and its companions; one bad line keeps its default and stops nothing else."""

from __future__ import annotations

import pytest

from homeostat.argo.settings import read_settings
from homeostat.model.app import Ignore
from homeostat.model.guards import ALL_GUARDS, DeletionGuard
from homeostat.model.settings import ActionScripts, HealthScript, KnownType, ResourceFilter, Settings
from homeostat.model.tracking import TrackingMethod


def read(**data: str) -> Settings:
    return read_dict(data)


def read_dict(data: dict[str, str]) -> Settings:
    return read_settings({"argocd-cm": {"data": data}}, namespace="argocd")


def origin(name: str, what: str = "ignoreDifferences") -> str:
    return f"ConfigMap argocd-cm: resource.customizations.{what}.{name}"


def test_without_any_object_there_are_defaults() -> None:
    assert read_settings({}, namespace="argocd") == Settings(namespace="argocd")


def test_tracking_is_read() -> None:
    settings = read_dict(
        {
            "application.resourceTrackingMethod": "annotation+label",
            "application.instanceLabelKey": "example.com/app",
            "installationID": "blue",
        }
    )
    assert settings.tracking.method is TrackingMethod.ANNOTATION_AND_LABEL
    assert settings.tracking.label_key == "example.com/app"
    assert settings.tracking.installation_id == "blue"
    assert settings.warnings == ()


def test_health_scripts_are_read_per_kind_and_from_the_old_key() -> None:
    settings = read_dict(
        {
            "resource.customizations.health.argoproj.io_Application": "hs = {}",
            "resource.customizations.useOpenLibs.argoproj.io_Application": "true",
            "resource.customizations.health.ConfigMap": "return {}",
            "resource.customizations.health.*.crossplane.io_*": "x",
            "resource.customizations": "cert-manager.io/Certificate:\n  health.lua: old\nargoproj.io/Application:\n  health.lua: older\n",
        }
    )
    assert set(settings.health_scripts) == {
        HealthScript("argoproj.io", "Application", "hs = {}", open_libs=True),
        HealthScript("", "ConfigMap", "return {}"),
        HealthScript("*.crossplane.io", "*", "x"),
        HealthScript("cert-manager.io", "Certificate", "old"),
    }
    assert settings.warnings == ()


RETIRE = """
mergeBuiltinActions: true
discovery.lua: return {retire = {}}
definitions:
- name: retire
  action.lua: return obj
- name: retire
  action.lua: "second of that name"
"""


def test_actions_are_read_per_kind_and_from_the_old_key() -> None:
    settings = read_dict(
        {
            "resource.customizations.actions.apps_Deployment": RETIRE,
            "resource.customizations.actions.*.crossplane.io_*": "discovery.lua: return {}",
            "resource.customizations": "apps/Deployment:\n  actions: 'discovery.lua: older'\nConfigMap:\n  actions: 'discovery.lua: old'\n",
        }
    )
    assert settings.actions == (
        ActionScripts("", "ConfigMap", "old"),
        ActionScripts("*.crossplane.io", "*", "return {}"),
        ActionScripts("apps", "Deployment", "return {retire = {}}", {"retire": "return obj"}, merge_builtin=True),
    )
    assert settings.warnings == ()


def test_ignored_differences_are_read() -> None:
    settings = read_dict(
        {
            "resource.customizations.ignoreDifferences.all": "managedFieldsManagers: [kube-controller-manager]",
            "resource.customizations.ignoreDifferences.apps_Deployment": "jsonPointers: [/spec/replicas]\njqPathExpressions: ['.spec.x']",
        }
    )
    assert set(settings.ignore) == {
        Ignore("*", "*", managed_fields_managers=("kube-controller-manager",), origin=origin("all")),
        Ignore("apps", "Deployment", json_pointers=("/spec/replicas",), jq_path_expressions=(".spec.x",), origin=origin("apps_Deployment")),
    }


def test_the_other_keys_are_read() -> None:
    settings = read_dict(
        {
            "timeout.reconciliation": "5m",
            "timeout.reconciliation.jitter": "0",
            "timeout.hard.reconciliation": "1h",
            "resource.compareoptions": "ignoreAggregatedRoles: true\nignoreResourceStatusField: crd\n",
            "resource.exclusions": "- apiGroups: ['*']\n  kinds: [Event]\n  clusters: ['*']\n",
            "kustomize.buildOptions": "--enable-helm",
            "helm.enable": "false",
            "helm.valuesFileSchemes": "https, secrets",
            "url": "https://argo.example",
        }
    )
    assert (settings.timeout, settings.timeout_jitter, settings.timeout_hard) == (300.0, 0.0, 3600.0)
    assert settings.ignore_aggregated_roles
    assert settings.ignore_resource_status_field == "crd"
    assert settings.exclusions == (ResourceFilter(("*",), ("Event",), ("*",)),)
    assert settings.kustomize_build_options == "--enable-helm"
    assert not settings.helm_enabled
    assert settings.kustomize_enabled
    assert settings.helm_value_file_schemes == ("https", "secrets")
    assert settings.warnings == ()


def test_updates_that_do_not_count_are_read_and_those_of_ignored_differences_count_among_them() -> None:
    data = {
        "resource.customizations.ignoreResourceUpdates.all": "jsonPointers: [/status]",
        "resource.customizations.ignoreResourceUpdates.apps_ReplicaSet": "jqPathExpressions: ['.metadata.annotations']",
        "resource.customizations.ignoreDifferences.apps_Deployment": "jsonPointers: [/spec/replicas]",
        "resource.customizations.ignoreDifferences.Secret": "managedFieldsManagers: [operator]",
        "resource.customizations": "ConfigMap:\n  ignoreResourceUpdates: |\n    jsonPointers: [/data]\n",
    }
    updates = "ignoreResourceUpdates"
    own = {
        Ignore("*", "*", json_pointers=("/status",), origin=origin("all", updates)),
        Ignore("apps", "ReplicaSet", jq_path_expressions=(".metadata.annotations",), origin=origin("apps_ReplicaSet", updates)),
        Ignore(
            "",
            "ConfigMap",
            json_pointers=("/data",),
            origin="ConfigMap argocd-cm: resource.customizations: ConfigMap.ignoreResourceUpdates",
        ),
    }
    ignored = Ignore("apps", "Deployment", json_pointers=("/spec/replicas",), origin=origin("apps_Deployment"))
    assert set(read_dict(data).ignore_updates) == own | {ignored}
    only = {"resource.compareoptions": "ignoreDifferencesOnResourceUpdates: false"}
    assert set(read_dict(data | only).ignore_updates) == own
    assert read_dict(data | {"resource.ignoreResourceUpdatesEnabled": "false"}).ignore_updates == ()


def test_known_types_of_fields_are_read() -> None:
    settings = read_dict(
        {
            "resource.customizations.knownTypeFields.example.org_Widget": "- field: spec.pod\n  type: core/v1/PodSpec\n",
            "resource.customizations": "other.org/Thing:\n  knownTypeFields:\n  - field: spec.size\n    type: core/Quantity\n",
        }
    )
    assert set(settings.known_types) == {
        KnownType("example.org", "Widget", "spec.pod", "core/v1/PodSpec"),
        KnownType("other.org", "Thing", "spec.size", "core/Quantity"),
    }
    assert settings.warnings == ()
    wrong = read_dict({"resource.customizations.knownTypeFields.example.org_Widget": "- field: spec.pod\n  type: pods\n"})
    assert "spec.pod: the type 'pods' is not supported" in wrong.warnings[0]


def test_certificates_and_known_hosts_are_read() -> None:
    settings = read_settings(
        {
            "argocd-tls-certs-cm": {"data": {"git.example": "PEM"}},
            "argocd-ssh-known-hosts-cm": {"data": {"ssh_known_hosts": "git.example ssh-ed25519 AAAA\n"}},
        },
        namespace="argocd",
    )
    assert settings.tls_certs == {"git.example": "PEM"}
    assert settings.known_hosts == "git.example ssh-ed25519 AAAA\n"


def test_the_controllers_parameters_are_read() -> None:
    def read(**data: str) -> Settings:
        return read_settings(
            {"argocd-cmd-params-cm": {"data": {key.replace("_", "."): value for key, value in data.items()}}}, namespace="x"
        )

    settings = read(controller_sync_wave_delay_seconds="2", controller_sync_timeout_seconds="600")
    assert (settings.wave_delay, settings.sync_timeout, settings.guards) == (2.0, 600.0, ALL_GUARDS)
    assert settings.git_submodules
    assert not read(reposerver_enable_git_submodule="false").git_submodules
    assert read(reposerver_oci_layer_media_types="a/tar, b/tar+gzip").oci_media_types == ("a/tar", "b/tar+gzip")
    assert read(homeostat_deletion_guards="off").guards == frozenset()
    assert read(homeostat_deletion_guards="crd, volume").guards == {DeletionGuard.CRD, DeletionGuard.VOLUME}
    wrong = read(homeostat_deletion_guards="crd, vulume", controller_sync_timeout_seconds="5m")
    assert (wrong.guards, wrong.sync_timeout) == (ALL_GUARDS, 0.0)
    for key, said in (
        ("homeostat.deletion.guards", "expected on, off or a list of mass-deletion, namespace, crd, volume, found 'crd, vulume'"),
        ("controller.sync.timeout.seconds", "expected a whole number of seconds such as 0 or 30, found '5m'"),
    ):
        assert f"ConfigMap argocd-cmd-params-cm: {key}: {said}; the default is used" in wrong.warnings


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("application.resourceTrackingMethod", "stars", "expected annotation, label, annotation+label, found 'stars'"),
        ("timeout.reconciliation", "often", "expected a duration"),
        ("timeout.reconciliation", "-5s", "not negative"),
        ("helm.enable", "perhaps", "expected true or false"),
        ("webhook.maxPayloadSizeMB", "0", "from 1 to 1024"),
        ("webhook.maxPayloadSizeMB", "5MB", "expected a whole number of MiB"),
        ("webhook.maxPayloadSizeMB", "1" * 5000, "from 1 to 1024"),
        ("resource.exclusions", "apiGroups: x", "Expected `array`"),
        ("resource.exclusions", "- [", "expected"),
        ("resource.customizations.health.a_b_C", "x", "expected the key to end in <group>_<kind>"),
        ("resource.customizations.ignoreDifferences.all", "jsonPointers: 7", "Expected `array"),
        ("resource.customizations.actions.apps_Deployment", "definitions: [{name: x}]", "`action.lua`"),
        ("resource.customizations", "apps/Deployment: 7", "Expected `object`"),
        ("resource.customizations.actions.a_b_C", "{}", "expected the key to end in <group>_<kind>"),
        ("resource.compareoptions", "ignoreResourceStatusField: never", "expected all, crd or none"),
    ],
)
def test_a_bad_value_is_a_warning_that_names_its_key(key: str, value: str, said: str) -> None:
    settings = read_dict({key: value, "installationID": "kept"})
    assert settings.tracking.installation_id == "kept"
    assert len(settings.warnings) == 1
    assert key in settings.warnings[0]
    assert said in settings.warnings[0]
    assert msgless(settings) == msgless(read(installationID="kept"))


def msgless(settings: Settings) -> Settings:
    """The settings without their warnings."""
    return Settings(**{name: getattr(settings, name) for name in settings.__struct_fields__ if name != "warnings"})


def test_limits_of_webhooks_are_read() -> None:
    settings = read_dict({"webhook.maxPayloadSizeMB": "5", "webhook.secretsRequired": "true"})
    assert settings.webhook_limit == 5 * 1024 * 1024
    assert settings.webhook_secrets_required
    assert Settings().webhook_limit == 50 * 1024 * 1024


def test_keys_that_may_sign_are_read_by_id_and_what_is_no_key_is_named() -> None:
    keys = {"4AEE18F83AFDEB23": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n", "typo": "-----BEGIN CERTIFICATE-----\n"}
    settings = read_settings({"argocd-gpg-keys-cm": {"data": keys}}, namespace="argocd")
    assert settings.signing_keys == keys
    (warning,) = settings.warnings
    assert warning.startswith("ConfigMap argocd-gpg-keys-cm: typo: expected an armoured GnuPG key")

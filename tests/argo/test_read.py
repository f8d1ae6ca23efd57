"""An Application is read into an app; what is wrong with it is said, and nothing of it is lost."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.argo.read import read_app
from homeostat.desired.plugins.environment import plugin_source
from homeostat.model.app import (
    AppKey,
    DirectoryOptions,
    Duty,
    HelmFileParameter,
    HelmOptions,
    HelmParameter,
    JsonnetVar,
    KustomizeOptions,
    KustomizePatch,
    KustomizeReplica,
    Retry,
)
from homeostat.model.guards import ALL_GUARDS, NO_GUARD, DeletionGuard
from homeostat.model.objects import Key
from homeostat.model.settings import Settings
from homeostat.model.sync import OperationPhase, ResultCode
from tests.argo import samples


@pytest.mark.parametrize("name", samples.RECORDED)
def test_a_recorded_application_has_no_problems(name: str) -> None:
    app = samples.read(samples.recorded(name))
    assert app.problems == ()
    assert app.key == AppKey("Application", "argocd", app.id)
    assert app.policy.automated
    assert app.policy.prune
    assert app.policy.self_heal
    assert app.policy.has("CreateNamespace=true")
    assert app.finalizer == "foreground"
    assert app.sources[0].target_revision == "main"


def test_the_state_of_a_sync_is_read_back() -> None:
    app = samples.read(samples.recorded("plain-after-self-heal"))
    assert app.state is not None
    assert app.state.phase is OperationPhase.SUCCEEDED
    assert app.state.revision == "02eefce7e9c0ad31f75d87c0838406a15123627a"
    assert app.state.operation.heal_attempts == 2
    assert app.state.operation.retry_limit == 5
    assert [(one.kind, one.name) for one in app.state.operation.resources] == [("ConfigMap", "settings")]
    assert app.state.results[0].key == Key("", "ConfigMap", "s-plain", "settings")
    assert app.state.results[0].status is ResultCode.SYNCED
    assert [entry.id for entry in app.history] == [0, 1]
    assert app.recorded == (Key("", "ConfigMap", "s-plain", "settings"), Key("apps", "Deployment", "s-plain", "web"))


def test_a_sync_that_waits_for_its_next_attempt_is_read_back() -> None:
    app = samples.read(samples.recorded("broken-schema"))
    assert app.state is not None
    assert app.state.phase is OperationPhase.RUNNING
    assert app.state.finished_at == "2026-11-21T07:55:57Z"
    assert app.state.retry_count == 5
    assert app.requested is not None
    assert app.requested.raw == app.state.operation.raw


def test_every_helm_option_is_read() -> None:
    helm = {
        "valueFiles": ["a.yaml"],
        "parameters": [{"name": "image.tag", "value": "1", "forceString": True}],
        "fileParameters": [{"name": "config", "path": "c.json"}],
        "releaseName": "shop",
        "values": "a: 1",
        "valuesObject": {"a": {"b": [1]}},
        "version": "v3",
        "passCredentials": True,
        "ignoreMissingValueFiles": True,
        "skipCrds": True,
        "skipTests": True,
        "skipSchemaValidation": True,
        "namespace": "other",
        "kubeVersion": "1.30",
        "apiVersions": ["v1/Thing"],
    }
    app = samples.read(samples.application(source={"repoURL": "https://git.example/x", "path": "chart", "helm": helm}))
    assert app.problems == ()
    assert app.sources[0].helm == HelmOptions(
        release_name="shop",
        namespace="other",
        value_files=("a.yaml",),
        ignore_missing_value_files=True,
        values="a: 1",
        values_object={"a": {"b": [1]}},
        parameters=(HelmParameter("image.tag", "1", force_string=True),),
        file_parameters=(HelmFileParameter("config", "c.json"),),
        skip_crds=True,
        skip_tests=True,
        skip_schema_validation=True,
        pass_credentials=True,
        kube_version="1.30",
        api_versions=("v1/Thing",),
        version="v3",
    )


def test_every_kustomize_option_is_read() -> None:
    kustomize = {
        "namePrefix": "a-",
        "nameSuffix": "-z",
        "images": ["web=web:2"],
        "commonLabels": {"team": "x"},
        "commonAnnotations": {"on": "call"},
        "commonAnnotationsEnvsubst": True,
        "forceCommonLabels": True,
        "forceCommonAnnotations": True,
        "labelWithoutSelector": True,
        "labelIncludeTemplates": True,
        "namespace": "n",
        "replicas": [{"name": "web", "count": 3}, {"name": "db", "count": "2"}],
        "patches": [{"patch": "[]", "target": {"kind": "Deployment", "labelSelector": "a=b"}, "options": {"allowNameChange": True}}],
        "components": ["../c"],
        "ignoreMissingComponents": True,
        "version": "v5",
        "kubeVersion": "1.30",
        "apiVersions": ["v1/Thing"],
    }
    app = samples.read(samples.application(source={"repoURL": "https://git.example/x", "path": "k", "kustomize": kustomize}))
    assert app.problems == ()
    assert app.sources[0].kustomize == KustomizeOptions(
        name_prefix="a-",
        name_suffix="-z",
        namespace="n",
        images=("web=web:2",),
        replicas=(KustomizeReplica("web", 3), KustomizeReplica("db", 2)),
        common_labels={"team": "x"},
        common_annotations={"on": "call"},
        common_annotations_envsubst=True,
        force_common_labels=True,
        force_common_annotations=True,
        label_without_selector=True,
        label_include_templates=True,
        patches=(KustomizePatch(patch="[]", target={"kind": "Deployment", "labelSelector": "a=b"}, options={"allowNameChange": True}),),
        components=("../c",),
        ignore_missing_components=True,
        version="v5",
        kube_version="1.30",
        api_versions=("v1/Thing",),
    )


def test_every_directory_option_is_read() -> None:
    directory = {
        "recurse": True,
        "include": "*.yaml",
        "exclude": "x*",
        "disableExtensionFilter": True,
        "jsonnet": {
            "extVars": [{"name": "a", "value": "1", "code": True}],
            "tlas": [{"name": "b", "value": "2"}],
            "libs": ["vendor"],
        },
    }
    app = samples.read(samples.application(source={"repoURL": "https://git.example/x", "path": "d", "directory": directory}))
    assert app.problems == ()
    assert app.sources[0].directory == DirectoryOptions(
        recurse=True,
        include="*.yaml",
        exclude="x*",
        disable_extension_filter=True,
        ext_vars=(JsonnetVar("a", "1", code=True),),
        tlas=(JsonnetVar("b", "2"),),
        libs=("vendor",),
    )


def test_the_policy_is_read() -> None:
    app = samples.read(samples.seed("frontend"))
    assert app.policy.retry == Retry(limit=3, duration=5.0, factor=2.0, max_duration=180.0)
    assert app.policy.options == ("CreateNamespace=true", "PrunePropagationPolicy=foreground", "PruneLast=true")
    assert app.ignore[0].kind == "Deployment"
    assert app.ignore[0].json_pointers == ("/spec/replicas",)


def test_automated_syncs_can_be_switched_off_without_losing_their_settings() -> None:
    app = samples.read(samples.application(syncPolicy={"automated": {"enabled": False, "prune": True, "selfHeal": True}}))
    assert not app.policy.automated
    assert not app.policy.prune
    assert samples.read(samples.application(syncPolicy={"automated": {}})).policy.automated


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"source": None}, "spec.source: expected a source", id="no source"),
        pytest.param({"source": {"path": "x"}}, "required field repoURL", id="no repoURL"),
        pytest.param({"source": {"repoURL": "", "path": "x"}}, "spec.source.repoURL: expected", id="an empty repoURL"),
        pytest.param({"source": {"repoURL": "https://git.example/x"}}, "spec.source.path: expected", id="no path"),
        pytest.param({"source": {"repoURL": "https://git.example/x", "path": "/etc"}}, "relative to the root", id="an absolute path"),
        pytest.param(
            {"source": {"repoURL": "https://c", "chart": "redis"}}, "spec.source.targetRevision: expected a version", id="a chart"
        ),
        pytest.param({"source": {"repoURL": "https://c", "path": ".", "helm": {}, "kustomize": {}}}, "helm and kustomize", id="two types"),
        pytest.param({"destination": {"namespace": "web"}}, "spec.destination: expected a server", id="no cluster"),
        pytest.param({"destination": {"server": "https://kubernetes.default.svc", "name": "in-cluster"}}, "found both", id="two clusters"),
        pytest.param(
            {"destination": {"server": "https://other:6443"}}, "not supported yet, found https://other:6443", id="another cluster"
        ),
        pytest.param({"destination": {"name": "prod"}}, "not supported yet, found prod", id="another cluster by name"),
        pytest.param({"destination": None}, "required field destination", id="no destination"),
        pytest.param({"project": "team"}, "Application referencing project team which does not exist", id="an unknown project"),
        pytest.param({"revisionHistoryLimit": -1}, "spec.revisionHistoryLimit: expected 0 or more", id="a negative history"),
        pytest.param({"syncPolicy": {"retry": {"backoff": {"duration": "soon"}}}}, "retry.backoff.duration: expected", id="a bad duration"),
        pytest.param({"syncPolicy": {"retry": {"backoff": {"maxDuration": "-3m"}}}}, "retry.backoff.maxDuration: expected", id="below 0"),
        pytest.param({"syncPolicy": "often"}, "spec.syncPolicy: expected object, got str", id="a string for an object"),
    ],
)
def test_a_problem_names_the_field_and_what_was_expected(fields: dict[str, Any], said: str) -> None:
    app = samples.read(samples.application(**fields))
    assert any(said in problem for problem in app.problems), app.problems


def test_the_source_hydrator_is_refused() -> None:
    hydrator = {
        "drySource": {"repoURL": "https://c", "path": "a", "targetRevision": "main"},
        "syncSource": {"targetBranch": "env/prod", "path": "a"},
    }
    app = samples.read(samples.application(source=None, sourceHydrator=hydrator))
    assert app.problems == ("spec.sourceHydrator: the source hydrator is not supported yet",)


def test_a_plugin_and_what_its_manifests_are_made_of_are_read() -> None:
    plugin = {"name": "avp-v1", "env": [{"name": "A", "value": "b"}], "parameters": [{"name": "c", "map": {"d": "e"}}]}
    obj = samples.application(source={"repoURL": "https://git.example/r", "path": "app", "plugin": plugin})
    obj["metadata"]["annotations"] = {"argocd.argoproj.io/manifest-generate-paths": " .;/shared ;; "}
    app = samples.read(obj)
    assert app.problems == ()
    assert app.generate_paths == (".", "/shared")
    read = plugin_source(app.sources[0].plugin or {})
    assert read.name == "avp-v1"
    assert [(entry.name, entry.value) for entry in read.env] == [("A", "b")]
    assert [(one.name, one.string, one.map, one.array) for one in read.parameters] == [("c", None, {"d": "e"}, None)]


@pytest.mark.parametrize(("value", "expected"), [("normal", "normal"), ("hard", "hard"), ("", "normal"), ("please", "normal")])
def test_a_refresh_is_asked_for_by_annotation(value: str, expected: str) -> None:
    obj = samples.application()
    obj["metadata"]["annotations"] = {"argocd.argoproj.io/refresh": value}
    assert samples.read(obj).refresh == expected


@pytest.mark.parametrize(
    ("value", "off"),
    [
        ("off", ALL_GUARDS),
        ("crd, volume", {DeletionGuard.MASS_DELETION, DeletionGuard.NAMESPACE}),
        ("on", NO_GUARD),
        ("crd, vulume", NO_GUARD),
        (7, NO_GUARD),
    ],
)
def test_guards_are_switched_off_by_annotation_and_a_typo_switches_none_off(value: Any, off: frozenset[DeletionGuard]) -> None:
    obj = samples.application()
    assert samples.read(obj).guards_off == NO_GUARD
    obj["metadata"]["annotations"] = {"homeostat/deletion-guards": value}
    assert samples.read(obj).guards_off == off


def test_what_is_held_and_since_when_is_read_from_the_conditions() -> None:
    held = {"type": "DeletionHeldWarning", "message": "not deleted: x", "lastTransitionTime": "1970-01-01T00:01:40Z"}
    other = {"type": "SyncError", "message": "y", "lastTransitionTime": "1970-01-01T00:00:00Z"}
    obj = samples.application()
    obj["status"] = {"conditions": [other, held, {**held, "lastTransitionTime": None}, "nonsense"]}
    assert samples.read(obj).holds == (("not deleted: x", 100.0), ("not deleted: x", 0.0))
    obj["status"] = {"conditions": "nonsense"}
    assert samples.read(obj).holds == ()


def test_the_manager_to_take_over_from_is_read() -> None:
    obj = samples.application()
    assert samples.read(obj).migration_manager == ""
    obj["metadata"]["annotations"] = {"argocd.argoproj.io/client-side-apply-migration-manager": "old-operator"}
    assert samples.read(obj).migration_manager == "old-operator"


@pytest.mark.parametrize(
    ("finalizers", "expected"),
    [
        (["resources-finalizer.argocd.argoproj.io"], "foreground"),
        (["resources-finalizer.argocd.argoproj.io/foreground"], "foreground"),
        (["somebody.else/x", "resources-finalizer.argocd.argoproj.io/background"], "background"),
        (["somebody.else/x"], ""),
        ([], ""),
    ],
)
def test_the_finalizer_says_how_objects_are_deleted(finalizers: list[str], expected: str) -> None:
    obj = samples.application()
    obj["metadata"]["finalizers"] = finalizers
    assert samples.read(obj).finalizer == expected


def test_each_of_our_finalizers_is_a_duty() -> None:
    before, after = "pre-delete-finalizer.argocd.argoproj.io", "post-delete-finalizer.argocd.argoproj.io"
    obj = samples.application()
    obj["metadata"]["finalizers"] = ["example.com/theirs", f"{after}/cleanup", before, after, f"{before}/unheard-of"]
    assert samples.read(obj).duties == {Duty.BEFORE, Duty.AFTER, Duty.CLEANUP_AFTER}
    obj["metadata"]["finalizers"] = ["resources-finalizer.argocd.argoproj.io/background"]
    assert samples.read(obj).duties == {Duty.OBJECTS}


def test_an_app_knows_since_when_it_is_deleted_and_what_refuses_that() -> None:
    obj = samples.application()
    obj["metadata"]["deletionTimestamp"] = "2026-11-21T07:53:25Z"
    obj["spec"].update(project="nobody-knows", destination={"server": "https://elsewhere.example"})
    app = samples.read(obj)
    assert app.deleted_at == 1795247605
    assert "nobody-knows" in app.unfit
    assert not app.destination.known
    assert samples.read(samples.application()).destination.known


def test_an_app_outside_the_control_namespace_is_tracked_by_both_names() -> None:
    obj = samples.application()
    obj["metadata"]["namespace"] = "team"
    assert read_app(obj, Settings(namespace="argocd"), samples.PROJECTS).id == "team_web"


def test_an_operation_that_cannot_be_carried_out_says_why_and_leaves_the_app_alone() -> None:
    obj = samples.application()
    sources = [{"repoURL": "https://git.example/a", "path": "."}]
    obj["operation"] = {"sync": {"sources": sources, "revisions": ["a", "b"]}, "initiatedBy": {"username": "ann"}}
    app = samples.read(obj)
    assert app.problems == ()
    assert app.requested is not None
    assert app.requested.username == "ann"
    assert app.requested.problem == "operation.sync.revisions: expected one for each of the 1 sources, found 2"
    assert app.requested.raw == obj["operation"]


def test_an_operation_is_read_in_every_field() -> None:
    obj = samples.application()
    obj["operation"] = {
        "initiatedBy": {"username": "ann"},
        "retry": {"limit": -1, "backoff": {"duration": "10", "factor": 3, "maxDuration": "1h30m"}},
        "sync": {
            "revision": "abc",
            "prune": True,
            "dryRun": True,
            "syncStrategy": {"apply": {"force": True}},
            "resources": [{"group": "apps", "kind": "Deployment", "name": "web", "namespace": "x"}],
            "syncOptions": ["Replace=true"],
            "source": {"repoURL": "https://c", "path": "."},
        },
    }
    operation = samples.read(obj).requested
    assert operation is not None
    assert operation.problem == ""
    assert (operation.revision, operation.prune, operation.dry_run, operation.force) == ("abc", True, True, True)
    assert operation.options == ("Replace=true",)
    assert operation.resources[0].group == "apps"
    assert operation.source == {"repoURL": "https://c", "path": "."}
    assert (operation.retry_limit, operation.retry_duration, operation.retry_factor) == (-1, 10.0, 3.0)
    assert operation.retry_max_duration == 5400.0


def test_what_an_operation_asks_for_is_read() -> None:
    obj = samples.application()
    obj["operation"] = {
        "info": [{"name": "ticket", "value": "OPS-7"}],
        "retry": {"limit": 3, "refresh": True},
        "sync": {"manifests": ["{}"], "syncStrategy": {"apply": {"force": True}}},
    }
    asked = samples.read(obj).requested
    assert asked is not None
    assert (asked.problem, asked.manifests, asked.skip_hooks, asked.force) == ("", ("{}",), True, True)
    assert (asked.refresh, asked.retry_limit, asked.info) == (True, 3, (("ticket", "OPS-7"),))


def test_a_sync_whose_operation_was_taken_away_is_called_off() -> None:
    obj = samples.application()
    obj["operation"] = {"sync": {}}
    obj["status"] = {"operationState": {"phase": "Running", "operation": {"sync": {}}, "startedAt": "2026-11-21T07:53:25Z"}}
    under_way = samples.read(obj).state
    assert under_way is not None
    assert under_way.phase is OperationPhase.RUNNING
    del obj["operation"]
    called_off = samples.read(obj).state
    assert called_off is not None
    assert called_off.phase is OperationPhase.TERMINATING

"""Drift against a real API server: nothing is seen where nothing is, and every change is seen where it was made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from homeostat.compare.drift import differences, echo
from homeostat.compare.errors import VersionsDifferError
from homeostat.compare.takeover import takeover
from homeostat.model.objects import Object
from tests.cluster import Cluster
from tests.compare.manifests import DEPLOYMENT, MANIFESTS
from tests.compare.server import RefusedError, Server, having, manifest, proxy

WEB = ".spec.template.spec.containers[name=web]"


@pytest.fixture(scope="module")
def port(plane: Cluster) -> Iterator[int]:
    """Of a ``kubectl proxy``: hundreds of small requests, and none of them starts a program."""
    with proxy(plane) as port:
        yield port


@pytest.fixture
def server(plane: Cluster, port: int, namespace: str) -> Server:
    return Server(plane, port, namespace)


@pytest.mark.parametrize("desired", MANIFESTS.values(), ids=MANIFESTS.keys())
def test_what_was_applied_is_in_sync_by_its_answer_by_a_dry_run_and_after_others_wrote_beside_it(server: Server, desired: Object) -> None:
    known = server.echo(desired)
    assert known.fields
    assert server.look(known, desired) == set()
    expected = server.expect(desired)
    assert server.look(expected, desired) == set()
    server.patch(desired, {"metadata": {"labels": {"somebody": "else"}, "annotations": {"x/y": "z"}}})
    assert server.look(known, desired) == set()
    assert server.look(expected, desired) == set()
    assert server.look(server.expect(desired), desired) == set()


CHANGES: dict[str, tuple[dict[str, Any], set[tuple[str, str]]]] = {
    "a number": ({"spec": {"replicas": 5}}, {(".spec.replicas", "changed")}),
    "a label": ({"metadata": {"labels": {"app": "other"}}}, {(".metadata.labels.app", "changed")}),
    "a label removed": ({"metadata": {"labels": {"app": None}}}, {(".metadata.labels", "missing")}),
    "an annotation removed": (
        {"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": None}}},
        {('.metadata.annotations["argocd.argoproj.io/tracking-id"]', "missing")},
    ),
    "an image": (
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "registry.example/web:2"}]}}}},
        {(WEB + ".image", "changed")},
    ),
    "a quantity": (
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "resources": {"limits": {"cpu": "2"}}}]}}}},
        {(WEB + ".resources.limits.cpu", "changed")},
    ),
    "an atomic list": (
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "args": ["--quiet"]}]}}}},
        {(WEB + ".args", "changed")},
    ),
    "a variable": (
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "env": [{"name": "A", "value": "2"}]}]}}}},
        {(WEB + ".env[name=A].value", "changed")},
    ),
    "a variable removed": (
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "env": [{"name": "A", "$patch": "delete"}]}]}}}},
        {(WEB + ".env[name=A]", "missing")},
    ),
    "a container removed": (
        {"spec": {"template": {"spec": {"containers": [{"name": "sidecar", "$patch": "delete"}]}}}},
        {(".spec.template.spec.containers[name=sidecar]", "missing")},
    ),
    "a name of a port": (
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "ports": [{"containerPort": 9090, "name": "other"}]}]}}}},
        {(WEB + ".ports[containerPort=9090,protocol=TCP].name", "changed")},
    ),
    "a probe": (
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "livenessProbe": {"httpGet": {"port": 81}}}]}}}},
        {(WEB + ".livenessProbe.httpGet.port", "changed")},
    ),
    "what desired leaves empty": (
        {"spec": {"template": {"spec": {"tolerations": [{"key": "a", "operator": "Exists"}], "nodeSelector": {"a": "b"}}}}},
        {(".spec.template.spec.tolerations", "changed"), (".spec.template.spec.nodeSelector", "changed")},
    ),
}


@pytest.mark.parametrize(("patch", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_by_hand_is_seen_where_it_was_made(server: Server, patch: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    known, asked = server.echo(DEPLOYMENT), server.expect(DEPLOYMENT)
    server.patch(DEPLOYMENT, patch, kind="strategic-merge")
    assert server.look(known, DEPLOYMENT) == expected
    assert server.look(asked, DEPLOYMENT) == expected
    assert server.look(server.expect(DEPLOYMENT), DEPLOYMENT) == expected, "a process that starts anew must see the same"
    assert server.look(server.echo(DEPLOYMENT), DEPLOYMENT) == set(), "an apply mends it"


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}}, id="the content of an empty mapping"),
        pytest.param({"spec": {"minReadySeconds": 5, "paused": True}}, id="fields that desired does not speak of"),
        pytest.param({"spec": {"template": {"spec": {"containers": [{"name": "istio", "image": "x"}]}}}}, id="one more container"),
        pytest.param({"spec": {"template": {"spec": {"securityContext": {"runAsUser": 1}}}}}, id="inside an empty security context"),
        pytest.param({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}}, id="a restart"),
    ],
)
def test_what_desired_does_not_claim_is_no_drift(server: Server, patch: dict[str, Any]) -> None:
    known = server.echo(DEPLOYMENT)
    server.patch(DEPLOYMENT, patch, kind="strategic-merge")
    assert server.look(known, DEPLOYMENT) == set()
    assert server.look(server.expect(DEPLOYMENT), DEPLOYMENT) == set()


def test_an_empty_selector_that_somebody_filled_is_drift(server: Server) -> None:
    policy = MANIFESTS["network policy"]
    known = server.echo(policy)
    server.patch(policy, {"spec": {"podSelector": {"matchLabels": {"app": "web"}}}})
    assert server.look(known, policy) == {(".spec.podSelector", "changed")}
    narrower = having(policy, "spec.podSelector", {"matchLabels": {"app": "web"}})
    server.apply(narrower)
    assert server.look(server.expect(policy), policy) == {(".spec.podSelector", "changed")}, "desired became empty itself"


def test_a_field_that_left_desired_is_dropped_and_gone_after_the_apply(server: Server) -> None:
    server.apply(DEPLOYMENT)
    desired = having(DEPLOYMENT, "spec.template.spec.containers.0.env", [{"name": "A", "value": "1"}])
    desired = having(desired, "metadata.annotations.empty", None)
    desired = having(desired, "spec.template.spec.containers.1", None)
    assert server.look(server.expect(desired), desired) == {
        (WEB + ".env[name=EMPTY]", "dropped"),
        (WEB + ".env[name=FROM]", "dropped"),
        (".metadata.annotations.empty", "dropped"),
        (".spec.template.spec.containers[name=sidecar]", "dropped"),
    }
    known = server.echo(desired)
    assert server.look(known, desired) == set()
    live = server.live(desired)
    assert [container["name"] for container in live["spec"]["template"]["spec"]["containers"]] == ["web"]


def test_a_field_that_left_desired_and_has_its_default_anyway_is_no_drift(server: Server) -> None:
    server.apply(having(DEPLOYMENT, "spec.revisionHistoryLimit", 10))
    assert server.look(server.expect(DEPLOYMENT), DEPLOYMENT) == set()


def test_a_field_that_left_desired_and_that_somebody_else_applied_too_stays(server: Server) -> None:
    first = having(DEPLOYMENT, "spec.minReadySeconds", 3)
    server.apply(first)
    server.apply(first, manager="other")
    assert server.look(server.expect(DEPLOYMENT), DEPLOYMENT) == set()


def test_a_new_desired_value_is_a_change_until_it_is_applied(server: Server) -> None:
    server.apply(DEPLOYMENT)
    desired = having(DEPLOYMENT, "spec.template.spec.containers.0.args", ["--new"])
    expected = server.expect(desired)
    assert server.look(expected, desired) == {(WEB + ".args", "changed")}
    server.apply(desired)
    assert server.look(expected, desired) == set(), "the echo of the dry-run holds for what was applied"


def test_losing_our_entry_in_managed_fields_is_drift(server: Server) -> None:
    desired = MANIFESTS["config map"]
    known, asked = server.echo(desired), server.expect(desired)
    server.patch(desired, {"metadata": {"managedFields": [{}]}})
    for echo_before in (known, asked):
        assert (".metadata.managedFields", "missing") in server.look(echo_before, desired)
    server.apply(desired)
    assert server.look(known, desired) == set()


def test_an_object_that_was_made_anew_by_hand_is_drift(server: Server) -> None:
    desired = MANIFESTS["config map"]
    known = server.echo(desired)
    server.delete(desired)
    server.create(desired)
    assert server.look(known, desired) == {(".metadata.managedFields", "missing")}


def test_a_version_written_under_our_own_name_is_drift_as_well(server: Server) -> None:
    known = server.echo(DEPLOYMENT)
    server.apply(having(having(DEPLOYMENT, "spec.replicas", 7), "spec.template.spec.containers.0.args", ["x"]))
    assert server.look(known, DEPLOYMENT) == {(".spec.replicas", "changed"), (WEB + ".args", "changed")}


def test_a_status_in_desired_is_never_claimed(server: Server) -> None:
    desired = having(MANIFESTS["horizontal pod autoscaler"], "status", {"currentReplicas": 3, "desiredReplicas": 3})
    assert server.look(server.echo(desired), desired) == set()


def test_an_autoscaler_that_scales_is_drift_only_where_desired_names_replicas(server: Server) -> None:
    free = having(DEPLOYMENT, "spec.replicas", None)
    known = server.echo(free)
    server.plane.kubectl("-n", server.namespace, "scale", "deployment", "web", "--replicas=4")
    assert server.look(known, free) == set()
    assert server.look(server.expect(free), free) == set()
    assert server.look(server.expect(DEPLOYMENT), DEPLOYMENT) == {(".spec.replicas", "changed")}


@pytest.mark.parametrize("name", ["secret with texts", "secret with data"])
def test_a_changed_secret_is_seen_and_not_shown(server: Server, name: str) -> None:
    desired = MANIFESTS[name]
    known = server.echo(desired)
    server.patch(desired, {"data": {"password": "b3RoZXI="}})
    (found,) = differences(known, server.live(desired))
    assert (found.path, found.kind) == (".data.password", "changed")
    assert set(found.desired) == set(found.live) == {"+"}
    assert found.desired != found.live
    assert "planted" not in repr(known) + str(known)
    assert server.look(server.expect(desired), desired) == {(".data.password", "changed")}
    server.apply(desired)
    assert server.look(known, desired) == set()


def test_objects_of_two_versions_are_not_compared(server: Server) -> None:
    desired = MANIFESTS["horizontal pod autoscaler"]
    known = echo(server.apply(desired))
    live = server.live(desired) | {"apiVersion": "autoscaling/v1"}
    with pytest.raises(VersionsDifferError) as raised:
        differences(known, live)
    assert (raised.value.desired, raised.value.live) == ("autoscaling/v2", "autoscaling/v1")


CUSTOM = manifest("""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: NAME.compare.example}
spec:
  group: compare.example
  names: {kind: KIND, plural: NAME}
  scope: Namespaced
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: SCHEMA}}
""")

SCHEMA = manifest("""
type: object
properties:
  spec:
    type: object
    properties:
      mode: {type: string, default: slow}
      size: {x-kubernetes-int-or-string: true}
      free: {type: object, x-kubernetes-preserve-unknown-fields: true}
      tags: {type: array, items: {type: string}, x-kubernetes-list-type: set}
      parts:
        type: array
        x-kubernetes-list-type: map
        x-kubernetes-list-map-keys: [name]
        items: {type: object, required: [name], properties: {name: {type: string}, value: {type: integer, default: 1}}}
""")


def _define(server: Server, plural: str, kind: str, schema: dict[str, Any]) -> str:
    """A kind of its own for one test; answers the name of its definition."""
    definition = having(CUSTOM, "spec.names", {"kind": kind, "plural": plural})
    definition = having(definition, "metadata.name", f"{plural}.compare.example")
    definition = having(definition, "spec.versions.0.schema.openAPIV3Schema", schema)
    known = server.echo(definition)
    server.plane.established(f"{plural}.compare.example")
    assert server.look(known, definition) == set()
    return f"{plural}.compare.example"


def test_custom_resources_with_a_schema(server: Server) -> None:
    definition = _define(server, "schemed", "Schemed", SCHEMA)
    desired = manifest("""
apiVersion: compare.example/v1
kind: Schemed
metadata: {name: one}
spec:
  size: 1000m
  free: {deep: {a: 1, b: null}, list: [1, 2]}
  tags: [red, blue]
  parts: [{name: a}, {name: b, value: 2}]
""")
    try:
        known = server.echo(desired)
        assert server.look(known, desired) == set()
        assert server.look(server.expect(desired), desired) == set()
        server.patch(desired, {"spec": {"mode": "fast", "tags": ["blue", "red", "green"], "free": {"more": 1}}})
        assert server.look(known, desired) == set(), "order in a set, defaults and unclaimed fields are no drift"
        server.patch(desired, {"spec": {"tags": ["blue"], "free": {"deep": {"a": 2}}, "parts": [{"name": "b", "value": 3}]}})
        expected = {
            (".spec.tags[=red]", "missing"),
            (".spec.free.deep.a", "changed"),
            (".spec.parts[name=a]", "missing"),
            (".spec.parts[name=b].value", "changed"),
        }
        assert server.look(known, desired) == expected
        assert server.look(server.expect(desired), desired) == expected
    finally:
        server.plane.kubectl("delete", "crd", definition)


def test_custom_resources_without_a_schema(server: Server) -> None:
    definition = _define(server, "schemaless", "Schemaless", {"type": "object", "x-kubernetes-preserve-unknown-fields": True})
    desired = manifest("""
apiVersion: compare.example/v1
kind: Schemaless
metadata: {name: one}
spec: {a: {b: 1, empty: {}, none: null}, list: [{x: 1}, {x: 2}], flag: true}
""")
    try:
        known = server.echo(desired)
        assert server.look(known, desired) == set()
        assert server.look(server.expect(desired), desired) == set()
        server.patch(desired, {"spec": {"a": {"b": 2, "empty": {"filled": True}}, "list": [{"x": 1}], "flag": 1}})
        expected = {(".spec.a.b", "changed"), (".spec.list", "changed"), (".spec.flag", "changed")}
        assert server.look(known, desired) == expected
        assert server.look(server.expect(desired), desired) == expected
    finally:
        server.plane.kubectl("delete", "crd", definition)


def test_the_rules_of_an_aggregated_role_are_the_control_planes(server: Server) -> None:
    part = manifest("""
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAME-part, labels: {aggregate-to-NAME: "true"}}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
""")
    whole = manifest("""
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAME}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {aggregate-to-NAME: "true"}}]}
rules: []
""")
    part = having(having(part, "metadata.name", f"{server.namespace}-part"), "metadata.labels", {server.namespace: "true"})
    whole = having(
        having(whole, "metadata.name", server.namespace),
        "aggregationRule.clusterRoleSelectors",
        [{"matchLabels": {server.namespace: "true"}}],
    )
    try:
        known = server.echo(whole)
        server.apply(part)
        server.plane.kubectl("wait", f"clusterrole/{server.namespace}", "--for=jsonpath={.rules[0].verbs[0]}=get", "--timeout=30s")
        assert server.look(known, whole) == set()
        assert server.look(server.expect(whole), whole) == set()
    finally:
        server.plane.kubectl("delete", "clusterrole", server.namespace, f"{server.namespace}-part")


def test_webhook_configurations_keep_the_bundle_that_others_inject(server: Server) -> None:
    desired = manifest("""
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: NAME}
webhooks:
- name: check.compare.example
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  clientConfig: {service: {namespace: nowhere, name: hook, path: /check}}
  rules: [{apiGroups: [compare.example], apiVersions: [v1], operations: [CREATE], resources: [nothings]}]
""")
    desired = having(desired, "metadata.name", server.namespace)
    try:
        known = server.echo(desired)
        server.patch(desired, [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "Cg=="}], kind="json")
        assert server.look(known, desired) == set()
        assert server.look(server.expect(desired), desired) == set()
        server.patch(desired, [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"}], kind="json")
        assert server.look(known, desired) == {(".webhooks[name=check.compare.example].failurePolicy", "changed")}
    finally:
        server.plane.kubectl("delete", "validatingwebhookconfiguration", server.namespace)


@pytest.mark.parametrize("manager", ["kubectl-client-side-apply", "argocd-controller"])
def test_taking_over_from_a_client_side_apply(server: Server, manager: str) -> None:
    before = having(DEPLOYMENT, "metadata.labels.old", "label")
    before = having(before, "spec.template.spec.containers.0.env.0", {"name": "OLD", "value": "x"})
    server.client_side_apply(before, manager=manager)
    server.patch(before, {"metadata": {"annotations": {"by": "hand"}}}, manager="kubectl-edit")
    assert server.look(server.expect(before), before) == set(), "an object in the desired state is in sync, whoever made it"
    expected = {
        (".metadata.labels.old", "dropped"),
        (WEB + ".env[name=OLD]", "dropped"),
        (WEB + ".env[name=A]", "missing"),
    }
    assert server.look(server.expect(DEPLOYMENT), DEPLOYMENT) == expected
    server.take_over(before)
    assert takeover(server.live(before)) is None
    assert server.look(server.expect(DEPLOYMENT), DEPLOYMENT) == expected, "taking over changes nothing of the object itself"
    generation = server.live(before)["metadata"]["generation"]
    known = server.echo(DEPLOYMENT)
    live = server.live(DEPLOYMENT)
    assert server.look(known, DEPLOYMENT) == set()
    assert live["metadata"]["labels"] == {"app": "web"}
    assert live["metadata"]["annotations"].keys() == {
        "argocd.argoproj.io/tracking-id",
        "empty",
        "by",
        "deployment.kubernetes.io/revision",
    } - (set() if "deployment.kubernetes.io/revision" in live["metadata"]["annotations"] else {"deployment.kubernetes.io/revision"})
    assert [variable["name"] for variable in live["spec"]["template"]["spec"]["containers"][0]["env"]] == ["A", "EMPTY", "FROM"]
    assert live["metadata"]["generation"] == generation + 1


def test_taking_over_what_is_as_desired_restarts_nothing(server: Server) -> None:
    desired = having(DEPLOYMENT, "spec.template.spec.containers.1.image", "registry.example/sidecar:1")
    server.client_side_apply(DEPLOYMENT)
    server.client_side_apply(desired)
    before = server.live(DEPLOYMENT)
    server.take_over(desired)
    server.apply(desired)
    after = server.live(desired)
    assert before["spec"]["template"]["spec"]["containers"][1]["imagePullPolicy"] == "Always", "the default of an image without a tag"
    assert after["spec"] == before["spec"], "a default stays as it once was"
    assert "kubectl.kubernetes.io/last-applied-configuration" not in after["metadata"]["annotations"]


def test_taking_over_from_a_server_side_apply(server: Server) -> None:
    server.apply(having(DEPLOYMENT, "metadata.labels.old", "label"), manager="kustomize-controller")
    assert server.look(server.expect(DEPLOYMENT), DEPLOYMENT) == {(".metadata.labels.old", "dropped")}
    server.take_over(DEPLOYMENT)
    known = server.echo(DEPLOYMENT)
    assert server.look(known, DEPLOYMENT) == set()
    assert server.live(DEPLOYMENT)["metadata"]["labels"] == {"app": "web"}


def test_a_take_over_of_an_object_that_changed_meanwhile_is_refused(server: Server) -> None:
    server.client_side_apply(MANIFESTS["config map"])
    patch = takeover(server.live(MANIFESTS["config map"]))
    server.patch(MANIFESTS["config map"], {"data": {"a": "2"}})
    with pytest.raises(RefusedError):
        server.patch(MANIFESTS["config map"], patch, kind="json")


def test_a_secret_that_kubectl_applied_with_texts_is_taken_over(server: Server) -> None:
    desired = MANIFESTS["secret with texts"]
    server.client_side_apply(having(desired, "stringData.old", "planted-old"))
    found = differences(server.expect(desired), server.live(desired))
    assert [(difference.path, difference.kind) for difference in found] == [(".data.old", "dropped")]
    assert "planted" not in repr(found)
    assert "planted" not in repr(takeover(server.live(desired)))
    server.take_over(desired)
    known = server.echo(desired)
    assert server.live(desired)["data"].keys() == {"config", "password"}
    assert server.look(known, desired) == set()

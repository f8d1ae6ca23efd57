"""What is not to be looked at, end to end: rules during a sync, rules that are wrong, kinds that are excluded, updates that do not count."""

from __future__ import annotations

import json

import pytest

from homeostat.model.objects import Object
from tests.e2e.apps import AUTOMATED, Apps, conditions_of
from tests.e2e.repository import Repository
from tests.e2e.test_policies import DEPLOYMENT
from tests.e2e.texts import config

pytestmark = pytest.mark.usefixtures("controller")

RESPECTING = {**AUTOMATED, "syncOptions": ["CreateNamespace=true", "RespectIgnoreDifferences=true"]}


def configure(apps: Apps, **data: str | None) -> None:
    """Sets keys of argocd-cm; ``__`` stands for a dot."""
    patch = json.dumps({"data": {key.replace("__", "."): value for key, value in data.items()}})
    apps.plane.kubectl("-n", apps.control, "patch", "configmap", "argocd-cm", "--type=merge", f"-p={patch}")


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param({"jsonPointers": ["/spec/replicas"]}, id="JSON pointer"),
        pytest.param({"jqPathExpressions": [".spec.replicas"]}, id="jq"),
        pytest.param({"managedFieldsManagers": ["autoscaler"]}, id="manager"),
    ],
)
async def test_a_sync_leaves_an_ignored_field_as_it_is(apps: Apps, repository: Repository, rule: Object) -> None:
    repository.write("a/web.yaml", DEPLOYMENT)
    await repository.push()
    ignored = [{"group": "apps", "kind": "Deployment", **rule}]
    name = await apps.create("respect", repository.url, "a", syncPolicy=RESPECTING, ignoreDifferences=ignored)
    await apps.synced(name)
    namespace = apps.namespace("respect")
    scale = ("patch", "deployment/web", "--subresource=scale", "--type=merge", "--field-manager=autoscaler", '-p={"spec":{"replicas":5}}')
    apps.plane.kubectl("-n", namespace, *scale)

    repository.write("a/web.yaml", DEPLOYMENT.replace("web:1.0", "web:2.0"))
    revision = await repository.push()
    await apps.refresh(name)
    app = await apps.synced(name, revision)
    web = await apps.live("apps", "Deployment", namespace, "web")
    assert web is not None
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:2.0"
    assert web["spec"]["replicas"] == 5
    assert app["status"]["operationState"]["phase"] == "Succeeded"


STATEFUL_SET = """apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 0
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: "registry.example/db:1.0"}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


async def test_a_field_that_cannot_be_changed_is_no_trouble_once_it_is_ignored(apps: Apps, repository: Repository) -> None:
    repository.write("a/db.yaml", STATEFUL_SET)
    await repository.push()
    name = await apps.create("fixed", repository.url, "a", syncPolicy=RESPECTING)
    await apps.synced(name)
    repository.write("a/db.yaml", STATEFUL_SET.replace("1Gi", "2Gi").replace("db:1.0", "db:2.0"))
    revision = await repository.push()
    await apps.refresh(name)
    await apps.until(name, lambda app: app["status"]["sync"] == {**app["status"]["sync"], "status": "OutOfSync", "revision": revision})
    rule = {"group": "apps", "kind": "StatefulSet", "jsonPointers": ["/spec/volumeClaimTemplates"]}
    await apps.patch(name, {"spec": {"ignoreDifferences": [rule]}})
    await apps.synced(name, revision)
    db = await apps.live("apps", "StatefulSet", apps.namespace("fixed"), "db")
    assert db is not None
    assert db["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/db:2.0"
    assert db["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "1Gi"


async def test_a_rule_that_is_wrong_is_told_with_its_place_and_nothing_is_synced_until_it_is_mended(
    apps: Apps, repository: Repository
) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    wrong = [
        {"kind": "Secret", "jsonPointers": ["/data"]},
        {"kind": "Secret", "jqPathExpressions": [".data.x", ".data["]},
    ]
    name = await apps.create("wrong", repository.url, "a", ignoreDifferences=wrong)
    app = await apps.until(name, lambda app: "ComparisonError" in conditions_of(app))
    told = conditions_of(app)["ComparisonError"]
    assert told.startswith("spec.ignoreDifferences[1].jqPathExpressions[1]: '.data[' is not a jq path expression: ")
    assert app["status"]["sync"]["status"] == "Unknown"
    assert "operationState" not in app["status"]
    await apps.patch(name, {"spec": {"ignoreDifferences": wrong[:1]}})
    app = await apps.synced(name)
    assert conditions_of(app) == {}


async def test_an_excluded_kind_is_left_alone_until_it_is_excluded_no_more(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    repository.write("a/web.yaml", DEPLOYMENT)
    await repository.push()
    name = await apps.create("leave", repository.url, "a")
    await apps.synced(name)
    namespace = apps.namespace("leave")

    configure(apps, resource__exclusions="- apiGroups: ['']\n  kinds: [ConfigMap]\n  clusters: ['*']\n")
    app = await apps.until(name, lambda app: "ExcludedResourceWarning" in conditions_of(app))
    assert conditions_of(app)["ExcludedResourceWarning"] == "Resource /ConfigMap one is excluded in the settings"
    assert [resource["name"] for resource in app["status"]["resources"]] == ["web"]
    assert app["status"]["sync"]["status"] == "Synced"

    apps.plane.kubectl("-n", namespace, "patch", "configmap/one", "--type=merge", '-p={"data":{"colour":"red"}}')
    apps.plane.kubectl("-n", namespace, "patch", "deployment/web", "--type=merge", '-p={"spec":{"replicas":5}}')
    await apps.until_live("apps", "Deployment", namespace, "web", lambda web: web is not None and web["spec"]["replicas"] == 2)
    one = await apps.live("", "ConfigMap", namespace, "one")
    assert one is not None
    assert one["data"]["colour"] == "red"

    configure(apps, resource__exclusions=None)
    await apps.until_live("", "ConfigMap", namespace, "one", lambda one: one is not None and one["data"]["colour"] == "blue")
    app = await apps.synced(name)
    assert conditions_of(app) == {}


async def test_an_update_that_does_not_count_makes_no_app_due_and_others_do(apps: Apps, repository: Repository) -> None:
    configure(apps, resource__customizations__ignoreResourceUpdates__ConfigMap="jqPathExpressions: ['.data.clock']\n")
    repository.write("a/one.yaml", config("one", clock="0", colour="blue"))
    repository.write("b/two.yaml", config("two", colour="blue"))
    await repository.push()
    quiet = await apps.create("quiet", repository.url, "a")
    other = await apps.create("other", repository.url, "b")
    await apps.synced(quiet)
    await apps.synced(other)
    patch = ("patch", "--type=merge", "configmap")
    apps.plane.kubectl("-n", apps.namespace("quiet"), *patch, "one", '-p={"data":{"clock":"1"}}')
    apps.plane.kubectl("-n", apps.namespace("other"), *patch, "two", '-p={"data":{"colour":"red"}}')
    await apps.until_live("", "ConfigMap", apps.namespace("other"), "two", lambda two: two is not None and two["data"]["colour"] == "blue")
    one = await apps.live("", "ConfigMap", apps.namespace("quiet"), "one")
    assert one is not None
    assert one["data"]["clock"] == "1", "what happened later to another app has been healed"
    # The next change that counts brings the app back, and what was passed over comes to light with it.
    apps.plane.kubectl("-n", apps.namespace("quiet"), *patch, "one", '-p={"data":{"colour":"red"}}')
    healed = {"clock": "0", "colour": "blue"}
    await apps.until_live("", "ConfigMap", apps.namespace("quiet"), "one", lambda one: one is not None and one["data"] == healed)

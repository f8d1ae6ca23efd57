"""What users set on an app, a project or the control plane, end to end."""

from __future__ import annotations

import json

import pytest

from homeostat.box.gitserver import GitServer
from homeostat.model.objects import Object
from tests.e2e.apps import AUTOMATED, Apps, conditions_of
from tests.e2e.controller import Controller
from tests.e2e.repository import Repository
from tests.e2e.texts import config

pytestmark = pytest.mark.usefixtures("controller")

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "registry.example/web:1.0"}]}
"""


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param({"jsonPointers": ["/spec/replicas"]}, id="JSON pointer"),
        pytest.param({"jqPathExpressions": [".spec.replicas"]}, id="jq"),
        pytest.param({"managedFieldsManagers": ["autoscaler"]}, id="manager"),
    ],
)
async def test_an_ignored_difference_is_no_drift(apps: Apps, repository: Repository, rule: Object) -> None:
    repository.write("a/web.yaml", DEPLOYMENT)
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    name = await apps.create("ignore", repository.url, "a", ignoreDifferences=[{"group": "apps", "kind": "Deployment", **rule}])
    await apps.synced(name)
    namespace = apps.namespace("ignore")
    patch = ("patch", "--type=merge", "--field-manager=autoscaler")
    apps.plane.kubectl("-n", namespace, *patch, "deployment/web", '-p={"spec":{"replicas":5}}')
    # What is healed after it shows that the difference before it was passed over.
    apps.plane.kubectl("-n", namespace, *patch, "configmap/one", '-p={"data":{"colour":"red"}}')
    await apps.until_live("", "ConfigMap", namespace, "one", lambda one: one is not None and one["data"]["colour"] == "blue")
    app = await apps.synced(name)
    web = await apps.live("apps", "Deployment", namespace, "web")
    assert web is not None
    assert web["spec"]["replicas"] == 5
    assert {r["name"]: r["status"] for r in app["status"]["resources"]} == {"one": "Synced", "web": "Synced"}


async def test_a_script_of_the_operator_judges_health(apps: Apps, repository: Repository) -> None:
    script = 'hs = {status = "Suspended", message = "closed"} if obj.data.open == "yes" then hs.status = "Healthy" end return hs'
    patch = json.dumps({"data": {"resource.customizations.health.ConfigMap": script}})
    apps.plane.kubectl("-n", apps.control, "patch", "configmap", "argocd-cm", "--type=merge", f"-p={patch}")
    repository.write("a/door.yaml", config("door", open="no"))
    await repository.push()
    name = await apps.create("door", repository.url, "a", syncPolicy={"automated": {}, "syncOptions": ["CreateNamespace=true"]})
    app = await apps.until(name, lambda app: (app.get("status") or {}).get("health", {}).get("status") == "Suspended")
    assert "closed" in app["status"]["health"].get("message", "closed")
    apps.plane.kubectl("-n", apps.namespace("door"), "patch", "configmap", "door", "--type=merge", '-p={"data":{"open":"yes"}}')
    await apps.until(name, lambda app: app["status"]["health"]["status"] == "Healthy")


async def test_a_private_repository_is_read_with_the_credentials_of_its_secret(
    apps: Apps, controller: Controller, git: GitServer, repository: Repository
) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    async with GitServer(git.folder, username="robot", password="s3cret-of-the-robot") as private:
        url = private.url("repository")
        name = await apps.create("private", url, "a")
        app = await apps.until(name, lambda app: "ComparisonError" in conditions_of(app))
        assert url in conditions_of(app)["ComparisonError"]
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": f"repository-{apps.mark}",
                "namespace": apps.control,
                "labels": {"argocd.argoproj.io/secret-type": "repository"},
            },
            "stringData": {"type": "git", "url": url, "username": "robot", "password": "s3cret-of-the-robot"},
        }
        apps.plane.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
        app = await apps.synced(name)
        assert conditions_of(app) == {}
    assert "s3cret-of-the-robot" not in controller.log.read_text()


async def test_an_app_in_a_project_that_restricts_something_is_refused_and_nothing_is_applied(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    project: Object = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "narrow", "namespace": apps.control},
        "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "team-*"}]},
    }
    apps.plane.kubectl("apply", "-f", "-", stdin=json.dumps(project))
    name = await apps.create("refused", repository.url, "a", project="narrow")
    app = await apps.until(name, lambda app: "InvalidSpecError" in conditions_of(app))
    assert "narrow" in conditions_of(app)["InvalidSpecError"]
    assert app["status"]["sync"]["status"] == "Unknown"
    assert await apps.live("", "Namespace", "", apps.namespace("refused")) is None


async def test_a_sync_that_fails_is_tried_again_and_a_newer_commit_takes_over(apps: Apps, repository: Repository) -> None:
    repository.write("a/web.yaml", DEPLOYMENT.replace("replicas: 2", "replicas: many"))
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    name = await apps.create("failing", repository.url, "a")
    app = await apps.until(name, lambda app: ((app.get("status") or {}).get("operationState") or {}).get("retryCount") == 1)
    state = app["status"]["operationState"]
    assert state["phase"] == "Running"
    assert "Retrying attempt #1 at" in state["message"]
    assert await apps.live("", "ConfigMap", apps.namespace("failing"), "one") is not None, "the others of its wave are applied"

    repository.write("a/web.yaml", DEPLOYMENT)
    revision = await repository.push()
    await apps.refresh(name)
    app = await apps.synced(name, revision)
    assert app["status"]["operationState"]["phase"] == "Succeeded"
    assert [entry["revision"] for entry in app["status"]["history"]] == [revision]


async def test_a_sync_by_hand_to_an_older_commit_leaves_the_app_out_of_sync(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    old = await repository.push()
    repository.write("a/one.yaml", config("one", colour="green"))
    new = await repository.push()
    name = await apps.create("older", repository.url, "a", syncPolicy={"syncOptions": ["CreateNamespace=true"]})
    await apps.patch(name, {"operation": {"sync": {"revision": old}, "initiatedBy": {"username": "somebody"}}})
    app = await apps.until(name, lambda app: ((app.get("status") or {}).get("operationState") or {}).get("phase") == "Succeeded")
    one = await apps.live("", "ConfigMap", apps.namespace("older"), "one")
    assert one is not None
    assert one["data"] == {"colour": "blue"}
    assert app["status"]["history"][-1]["revision"] == old
    app = await apps.until(name, lambda app: app["status"]["sync"]["status"] == "OutOfSync")
    assert app["status"]["sync"]["revision"] == new


async def test_what_kubectl_applied_is_taken_over_and_later_dropped(apps: Apps, repository: Repository) -> None:
    namespace = apps.namespace("over")
    apps.plane.kubectl("create", "namespace", namespace)
    apps.plane.kubectl("-n", namespace, "apply", "-f", "-", stdin=config("one", colour="blue", size="s"))
    repository.write("a/one.yaml", config("one", colour="blue", size="s"))
    await repository.push()
    name = await apps.create("over", repository.url, "a")
    await apps.synced(name)
    repository.write("a/one.yaml", config("one", colour="blue"))
    revision = await repository.push()
    await apps.refresh(name)
    await apps.synced(name, revision)
    one = await apps.live("", "ConfigMap", namespace, "one")
    assert one is not None
    assert one["data"] == {"colour": "blue"}


async def test_an_app_of_which_nothing_would_be_left_is_not_wiped_out(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    await repository.push()
    name = await apps.create("empty", repository.url, "a")
    await apps.synced(name)
    repository.remove("a/one.yaml")
    repository.write("a/README.md", "nothing left\n")
    await repository.push()
    await apps.refresh(name)
    app = await apps.until(name, lambda app: "SyncError" in conditions_of(app))
    assert "wipe out all resources" in conditions_of(app)["SyncError"]
    assert await apps.live("", "ConfigMap", apps.namespace("empty"), "one") is not None
    await apps.patch(name, {"spec": {"syncPolicy": {"automated": {"allowEmpty": True}}}})
    await apps.until_live("", "ConfigMap", apps.namespace("empty"), "one", lambda one: one is None)


async def test_without_prune_what_git_dropped_stays_and_is_said(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    repository.write("a/two.yaml", config("two", colour="blue"))
    await repository.push()
    policy = {"automated": {"selfHeal": True}, "syncOptions": AUTOMATED["syncOptions"]}
    name = await apps.create("kept", repository.url, "a", syncPolicy=policy)
    await apps.synced(name)
    repository.remove("a/two.yaml")
    await repository.push()
    await apps.refresh(name)
    app = await apps.until(name, lambda app: app["status"]["sync"]["status"] == "OutOfSync")
    assert [r["name"] for r in app["status"]["resources"] if r.get("requiresPruning")] == ["two"]
    assert await apps.live("", "ConfigMap", apps.namespace("kept"), "two") is not None


async def test_objects_can_be_tracked_by_label(apps: Apps, repository: Repository) -> None:
    patch = '{"data":{"application.resourceTrackingMethod":"label"}}'
    apps.plane.kubectl("-n", apps.control, "patch", "configmap", "argocd-cm", "--type=merge", f"-p={patch}")
    repository.write("a/one.yaml", config("one", colour="blue"))
    repository.write("a/two.yaml", config("two", colour="blue"))
    await repository.push()
    name = await apps.create("label", repository.url, "a")
    await apps.until_live(
        "",
        "ConfigMap",
        apps.namespace("label"),
        "one",
        lambda one: one is not None and (one["metadata"].get("labels") or {}).get("app.kubernetes.io/instance") == name,
    )
    await apps.synced(name)
    repository.remove("a/two.yaml")
    revision = await repository.push()
    await apps.refresh(name)
    await apps.synced(name, revision)
    await apps.until_live("", "ConfigMap", apps.namespace("label"), "two", lambda two: two is None)

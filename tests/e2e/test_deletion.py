"""Apps that are deleted, with the real loop: what goes, in which order, what has to happen before and after, and what stays."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from homeostat.argo.resources import APPLICATIONS
from homeostat.model import times
from homeostat.model.objects import Object
from tests.e2e.apps import FINALIZER, Apps, conditions_of
from tests.e2e.controller import Controller, homeostat
from tests.e2e.repository import Repository
from tests.e2e.texts import config

HOOK = "argocd.argoproj.io/hook"
POLICY = "argocd.argoproj.io/hook-delete-policy"
OPTIONS = "argocd.argoproj.io/sync-options"
WAVE = "argocd.argoproj.io/sync-wave"
PRE_DELETE = "pre-delete-finalizer.argocd.argoproj.io"
POST_DELETE = "post-delete-finalizer.argocd.argoproj.io"
HOLD = "example.com/hold"
GRACE = 90.0


def noted(manifest: str, annotations: dict[str, str]) -> str:
    lines = "".join(f"    {name}: {value!r}\n" for name, value in annotations.items())
    return manifest.replace("metadata:\n", f"metadata:\n  annotations:\n{lines}", 1)


def job(name: str, annotations: dict[str, str], **fate: str) -> str:
    """A Job whose pod ends well, or as ``fate`` (``box.homeostat/…``) says."""
    life = json.dumps({f"box.homeostat/{key.replace('_', '-')}": value for key, value in fate.items()})
    marks = json.dumps(annotations)
    return f"""apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
  annotations: {marks}
spec:
  backoffLimit: 0
  template:
    metadata: {{annotations: {life}}}
    spec:
      restartPolicy: Never
      containers: [{{name: main, image: "registry.test/{name}:1"}}]
"""


def held(name: str, annotations: dict[str, str] | None = None) -> str:
    """A ConfigMap that somebody else's finalizer keeps."""
    return noted(config(name, colour="blue"), annotations or {"a": "b"}).replace("metadata:\n", f"metadata:\n  finalizers: [{HOLD}]\n", 1)


def delete(apps: Apps, name: str) -> None:
    apps.plane.kubectl("-n", apps.control, "delete", "application", name, "--wait=false")


def let_go(apps: Apps, namespace: str, name: str) -> None:
    apps.plane.kubectl("-n", namespace, "patch", "configmap", name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')


async def gone(apps: Apps, name: str) -> None:
    await apps.until_live("argoproj.io", "Application", apps.control, name, lambda app: app is None, seconds=GRACE)


async def error(apps: Apps, name: str, *words: str) -> str:
    """The DeletionError once it holds all ``words``."""

    def told(app: Object) -> bool:
        message = conditions_of(app).get("DeletionError", "")
        return bool(message) and all(word in message for word in words)

    return conditions_of(await apps.until(name, told, seconds=GRACE))["DeletionError"]


async def there(apps: Apps, namespace: str, name: str, *, kind: str = "ConfigMap", group: str = "") -> bool:
    return await apps.live(group, kind, namespace, name) is not None


def finalizers(app: Object) -> set[str]:
    return set(app["metadata"].get("finalizers") or ())


@pytest.mark.usefixtures("controller")
async def test_the_highest_wave_goes_first_and_the_next_waits_until_it_is_gone(apps: Apps, repository: Repository) -> None:
    repository.write("a/first.yaml", noted(config("first", a="b"), {WAVE: "-1"}))
    repository.write("a/second.yaml", config("second", a="b"))
    repository.write("a/third.yaml", held("third", {WAVE: "3"}))
    await repository.push()
    name = await apps.create("ordered", repository.url, "a")
    await apps.synced(name)
    namespace = apps.namespace("ordered")
    delete(apps, name)
    app = await apps.until(name, lambda app: app["status"]["health"].get("message") == "waiting for the objects of wave 3 to go")
    assert app["status"]["health"]["status"] == "Progressing"
    assert await there(apps, namespace, "first")
    assert await there(apps, namespace, "second")
    message = await error(apps, name, "ConfigMap")
    assert f"third (finalizer {HOLD})" in message
    let_go(apps, namespace, "third")
    await gone(apps, name)
    assert not await there(apps, namespace, "first")
    assert not await there(apps, namespace, "second")


@pytest.mark.usefixtures("controller")
async def test_what_is_to_be_kept_stays(apps: Apps, repository: Repository) -> None:
    repository.write("a/kept.yaml", noted(config("kept", a="b"), {OPTIONS: "Delete=false"}))
    repository.write("a/helm.yaml", noted(config("helm", a="b"), {"helm.sh/resource-policy": "keep"}))
    repository.write("a/gone.yaml", config("gone", a="b"))
    await repository.push()
    name = await apps.create("keeping", repository.url, "a")
    await apps.synced(name)
    namespace = apps.namespace("keeping")
    delete(apps, name)
    await gone(apps, name)
    assert not await there(apps, namespace, "gone")
    assert await there(apps, namespace, "kept")
    assert await there(apps, namespace, "helm")


@pytest.mark.usefixtures("controller")
async def test_an_object_that_asks_for_a_confirmation_holds_everything_until_somebody_gives_it(apps: Apps, repository: Repository) -> None:
    repository.write("a/dear.yaml", noted(config("dear", a="b"), {OPTIONS: "Delete=confirm"}))
    repository.write("a/cheap.yaml", config("cheap", a="b"))
    repository.write("a/before.yaml", job("before", {HOOK: "PreDelete"}))
    await repository.push()
    name = await apps.create("asking", repository.url, "a")
    app = await apps.synced(name)
    asking = {one["name"] for one in app["status"]["resources"] if one.get("requiresDeletionConfirmation")}
    assert asking == {"dear"}
    await apps.patch(name, {"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": times.stamp(time.time() - 60)}}})
    namespace = apps.namespace("asking")
    delete(apps, name)
    message = await error(apps, name, "dear", "confirm-deletion", "argocd.argoproj.io/deletion-approved")
    assert "cheap" not in message
    assert await there(apps, namespace, "cheap")
    assert not await there(apps, namespace, "before", kind="Job", group="batch")
    homeostat("app", "confirm-deletion", name, "--kubeconfig", str(apps.plane.kubeconfig), "--namespace", apps.control)
    await gone(apps, name)
    assert not await there(apps, namespace, "dear")
    assert not await there(apps, namespace, "cheap")


@pytest.mark.usefixtures("controller")
async def test_hooks_run_before_and_after_the_objects_go(apps: Apps, repository: Repository) -> None:
    """A finalizer of somebody else on the object in between shows when the hooks run."""
    repository.write("a/one.yaml", held("one"))
    repository.write("a/before.yaml", job("before", {HOOK: "PreDelete"}, complete_after="2s"))
    repository.write("a/kept.yaml", job("kept", {HOOK: "PreDelete", POLICY: "HookFailed"}))
    repository.write("a/after.yaml", job("after", {"helm.sh/hook": "post-delete", "helm.sh/hook-delete-policy": "hook-succeeded"}))
    await repository.push()
    name = await apps.create("hooked", repository.url, "a")
    app = await apps.synced(name)
    assert finalizers(app) == {FINALIZER, PRE_DELETE, f"{PRE_DELETE}/cleanup", POST_DELETE, f"{POST_DELETE}/cleanup"}
    namespace = apps.namespace("hooked")
    assert not await there(apps, namespace, "before", kind="Job", group="batch"), "it is no hook of a sync"
    delete(apps, name)
    app = await apps.until(name, lambda app: PRE_DELETE not in finalizers(app), seconds=GRACE)
    assert FINALIZER in finalizers(app)
    before = await apps.live("batch", "Job", namespace, "before")
    assert before is not None
    assert before["status"]["succeeded"] == 1
    await apps.until_live("", "ConfigMap", namespace, "one", lambda one: one is not None and "deletionTimestamp" in one["metadata"])
    assert not await there(apps, namespace, "after", kind="Job", group="batch")
    let_go(apps, namespace, "one")
    await apps.until_live("batch", "Job", namespace, "after", lambda job: job is not None, seconds=GRACE)
    assert not await there(apps, namespace, "one")
    await gone(apps, name)
    assert not await there(apps, namespace, "before", kind="Job", group="batch"), "without a policy they go in the end"
    assert not await there(apps, namespace, "after", kind="Job", group="batch")
    assert await there(apps, namespace, "kept", kind="Job", group="batch"), "it did not fail"


@pytest.mark.usefixtures("controller")
async def test_a_hook_that_fails_holds_the_deletion_and_runs_again_as_git_has_it_then(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", a="b"))
    repository.write("a/before.yaml", job("before", {HOOK: "PreDelete"}, pod="fail"))
    await repository.push()
    name = await apps.create("failing", repository.url, "a")
    await apps.synced(name)
    namespace = apps.namespace("failing")
    delete(apps, name)
    message = await error(apps, name, "PreDelete hooks failed", "next attempt at")
    assert "before" in message
    assert await there(apps, namespace, "one")
    repository.write("a/before.yaml", job("before", {HOOK: "PreDelete"}))
    await repository.push()
    await apps.refresh(name)
    await gone(apps, name)
    assert not await there(apps, namespace, "one")


@pytest.mark.usefixtures("controller")
async def test_the_finalizers_of_hooks_come_and_go_with_the_hooks(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", a="b"))
    await repository.push()
    name = await apps.create("changing", repository.url, "a", finalizers=["example.com/theirs"])
    assert finalizers(await apps.synced(name)) == {"example.com/theirs"}
    repository.write("a/after.yaml", job("after", {HOOK: "PostDelete"}))
    revision = await repository.push()
    await apps.refresh(name)
    app = await apps.synced(name, revision)
    assert finalizers(app) == {"example.com/theirs", POST_DELETE, f"{POST_DELETE}/cleanup"}
    repository.remove("a/after.yaml")
    await repository.push()
    await apps.refresh(name)
    await apps.until(name, lambda app: finalizers(app) == {"example.com/theirs"})


async def test_a_controller_that_is_killed_in_the_middle_goes_on_and_runs_no_hook_twice(
    apps: Apps, repository: Repository, controller: Controller
) -> None:
    repository.write("a/one.yaml", held("one"))
    repository.write("a/before.yaml", job("before", {HOOK: "PreDelete", POLICY: "HookFailed"}, complete_after="4s"))
    repository.write("a/left.yaml", job("left", {HOOK: "PreSync"}))
    await repository.push()
    name = await apps.create("killed", repository.url, "a")
    await apps.synced(name)
    namespace = apps.namespace("killed")
    delete(apps, name)
    first = await apps.until_live("batch", "Job", namespace, "before", lambda job: job is not None)
    assert first is not None
    await controller.kill()
    await controller.start()
    await apps.until_live(
        "", "ConfigMap", namespace, "one", lambda one: one is not None and "deletionTimestamp" in one["metadata"], seconds=GRACE
    )
    await controller.kill()
    let_go(apps, namespace, "one")
    await controller.start()
    await gone(apps, name)
    last = await apps.live("batch", "Job", namespace, "before")
    assert last is not None
    assert last["metadata"]["uid"] == first["metadata"]["uid"]
    assert not await there(apps, namespace, "left", kind="Job", group="batch"), "a sync's hook goes with the objects"


@pytest.mark.usefixtures("controller")
async def test_an_app_that_is_deleted_while_a_hook_of_its_sync_runs_does_not_wait_for_it(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", a="b"))
    repository.write("a/endless.yaml", job("endless", {HOOK: "PreSync"}, pod="run"))
    await repository.push()
    name = await apps.create("running", repository.url, "a")
    namespace = apps.namespace("running")
    await apps.until_live("batch", "Job", namespace, "endless", lambda job: job is not None)
    delete(apps, name)
    await gone(apps, name)
    assert not await there(apps, namespace, "endless", kind="Job", group="batch")
    assert not await there(apps, namespace, "one")


@pytest.mark.usefixtures("controller")
async def test_an_app_that_leaves_its_objects_leaves_no_finalizer_of_ours_on_a_hook(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", a="b"))
    repository.write("a/endless.yaml", job("endless", {HOOK: "PreSync"}, pod="run"))
    await repository.push()
    name = await apps.create("orphaning", repository.url, "a", finalizers=[])
    namespace = apps.namespace("orphaning")
    made = await apps.until_live("batch", "Job", namespace, "endless", lambda job: job is not None)
    assert made is not None
    assert "argocd.argoproj.io/hook-finalizer" in finalizers(made)
    delete(apps, name)
    await gone(apps, name)
    left = await apps.until_live("batch", "Job", namespace, "endless", lambda job: job is None or not finalizers(job))
    assert left is not None
    assert "deletionTimestamp" not in left["metadata"]


async def test_while_an_api_server_does_not_answer_nobody_takes_its_objects_for_gone(
    apps: Apps, repository: Repository, controller: Controller
) -> None:
    """A controller that was just started knows of an object of that API only what the status says."""
    group = f"{apps.mark}.example.com"
    reference = {"name": "nobody", "namespace": "default"}
    spec = {"group": group, "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100, "service": reference}
    service = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": f"v1.{group}"}, "spec": spec}
    await repository.push()
    await controller.stop()
    try:
        apps.plane.kubectl("apply", "-f", "-", stdin=json.dumps({**service, "spec": {**spec, "insecureSkipTLSVerify": True}}))
        name = await apps.create("unanswered", repository.url, "a")
        known = {"group": group, "version": "v1", "kind": "Widget", "namespace": "default", "name": "one", "status": "Synced"}
        await apps.patch(name, {"status": {"resources": [known], "sync": {"status": "Synced"}}})
        delete(apps, name)
        await controller.start()
        message = await error(apps, name, "cannot be told")
        assert f"the API server of {group} does not answer" in message
    finally:
        apps.plane.kubectl("delete", "apiservice", f"v1.{group}", "--ignore-not-found")
    await gone(apps, name)


@pytest.mark.usefixtures("controller")
async def test_without_git_the_objects_go_all_the_same_but_not_before_a_hook_that_cannot_be_read(
    apps: Apps, repository: Repository
) -> None:
    for about in ("plain", "hooked"):
        repository.write(f"{about}/one.yaml", config("one", a="b"))
    repository.write("hooked/before.yaml", job("before", {HOOK: "PreDelete"}))
    await repository.push()
    names = {about: await apps.create(about, repository.url, about) for about in ("plain", "hooked")}
    for name in names.values():
        await apps.synced(name)
        source: dict[str, Any] = {"spec": {"source": {"repoURL": f"{repository.url}-that-is-gone"}}}
        await apps.patch(name, source)
        delete(apps, name)
    await gone(apps, names["plain"])
    assert not await there(apps, apps.namespace("plain"), "one")
    message = await error(apps, names["hooked"], "PreDelete hooks of the app cannot be read")
    assert "restore the source, or take the finalizer" in message
    assert await there(apps, apps.namespace("hooked"), "one")
    await apps.patch(names["hooked"], {"metadata": {"finalizers": [FINALIZER]}})
    await gone(apps, names["hooked"])
    assert not await there(apps, apps.namespace("hooked"), "one")


@pytest.mark.usefixtures("controller")
async def test_an_app_of_a_cluster_that_nobody_knows_goes_and_deletes_nothing(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", a="b"))
    await repository.push()
    name = await apps.create("elsewhere", repository.url, "a")
    await apps.synced(name)
    await apps.patch(name, {"spec": {"destination": {"server": "https://elsewhere.example:6443"}}})
    delete(apps, name)
    await gone(apps, name)
    assert await there(apps, apps.namespace("elsewhere"), "one")


@pytest.mark.usefixtures("controller")
async def test_an_app_whose_project_refuses_it_stays_until_somebody_decides(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", a="b"))
    await repository.push()
    name = await apps.create("refused", repository.url, "a")
    await apps.synced(name)
    await apps.patch(name, {"spec": {"project": "nobody-knows"}})
    delete(apps, name)
    message = await error(apps, name, "nobody-knows")
    assert "does not exist" in message
    assert await there(apps, apps.namespace("refused"), "one")
    await apps.patch(name, {"spec": {"project": "default"}})
    await gone(apps, name)
    assert not await there(apps, apps.namespace("refused"), "one")


@pytest.mark.usefixtures("controller")
@pytest.mark.parametrize(
    "spec", [{"source": {"path": "nowhere"}}, {"source": {"plugin": {"name": "x"}}}], ids=["never synced", "malformed"]
)
async def test_an_app_that_never_was_anything_goes_at_once(apps: Apps, repository: Repository, spec: dict[str, Any]) -> None:
    await repository.push()
    name = await apps.create("nothing", repository.url, "a", **spec)
    await apps.until(name, lambda app: bool(conditions_of(app)))
    delete(apps, name)
    await gone(apps, name)


@pytest.mark.usefixtures("controller")
async def test_an_object_that_two_apps_want_goes_with_the_one_that_has_it(apps: Apps, repository: Repository) -> None:
    for about in ("owner", "other"):
        repository.write(f"{about}/shared.yaml", config("shared", a="b"))
        repository.write(f"{about}/own.yaml", config(about, a="b"))
    await repository.push()
    destination = {"server": "https://kubernetes.default.svc", "namespace": apps.namespace("shared")}
    owner = await apps.create("owner", repository.url, "owner", destination=destination)
    await apps.synced(owner)
    other = await apps.create("other", repository.url, "other", destination=destination, syncPolicy={})
    await apps.until(other, lambda app: (app.get("status") or {}).get("sync", {}).get("status") == "OutOfSync")
    delete(apps, other)
    await gone(apps, other)
    assert await there(apps, destination["namespace"], "shared")
    delete(apps, owner)
    await gone(apps, owner)
    assert not await there(apps, destination["namespace"], "shared")


@pytest.mark.usefixtures("controller")
async def test_child_apps_go_wave_by_wave_and_their_parent_waits(apps: Apps, repository: Repository) -> None:
    def child(about: str, wave: int) -> str:
        body = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {
                "name": f"{about}-{apps.mark}",
                "namespace": apps.control,
                "finalizers": [FINALIZER],
                "annotations": {WAVE: str(wave)},
            },
            "spec": {
                "project": "default",
                "source": {"repoURL": repository.url, "path": about, "targetRevision": "main"},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": apps.namespace(about)},
                "syncPolicy": {"automated": {}, "syncOptions": ["CreateNamespace=true"]},
            },
        }
        return json.dumps(body)

    repository.write("database/one.yaml", config("one", a="b"))
    repository.write("web/one.yaml", held("one"))
    repository.write("parent/database.yaml", child("database", 0))
    repository.write("parent/web.yaml", child("web", 1))
    await repository.push()
    parent = await apps.create("parent", repository.url, "parent")
    await apps.synced(parent)
    database, web = f"database-{apps.mark}", f"web-{apps.mark}"
    await apps.synced(web)
    await apps.synced(database)
    delete(apps, parent)
    await apps.until(web, lambda app: "deletionTimestamp" in app["metadata"])
    await error(apps, web, "one")
    assert "deletionTimestamp" not in (await apps.get(database))["metadata"]
    assert await there(apps, apps.namespace("database"), "one")
    let_go(apps, apps.namespace("web"), "one")
    await gone(apps, parent)
    for name in (database, web):
        assert await apps.live(APPLICATIONS.group, APPLICATIONS.kind, apps.control, name) is None
    assert not await there(apps, apps.namespace("database"), "one")


@pytest.mark.usefixtures("controller")
async def test_an_app_that_is_among_its_own_objects_does_not_wait_for_itself(apps: Apps, repository: Repository) -> None:
    name = f"myself-{apps.mark}"
    repository.write("a/one.yaml", config("one", a="b"))
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": apps.control},
        "spec": {
            "project": "default",
            "source": {"repoURL": repository.url, "path": "a", "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": apps.namespace("myself")},
        },
    }
    repository.write("a/app.yaml", json.dumps(body))
    await repository.push()
    await apps.create("myself", repository.url, "a")
    await apps.synced(name)
    delete(apps, name)
    await gone(apps, name)
    assert not await there(apps, apps.namespace("myself"), "one")


@pytest.mark.usefixtures("controller")
async def test_the_command_line_deletes_an_app_with_its_hooks_or_leaves_its_objects(apps: Apps, repository: Repository) -> None:
    repository.write("a/one.yaml", config("one", a="b"))
    repository.write("a/before.yaml", job("before", {HOOK: "PreDelete", POLICY: "HookFailed"}))
    await repository.push()
    for about, option, stays in (("whole", "--propagation-policy=background", False), ("orphan", "--cascade=false", True)):
        name = await apps.create(about, repository.url, "a")
        await apps.synced(name)
        place = ("--kubeconfig", str(apps.plane.kubeconfig), "--namespace", apps.control)
        homeostat("app", "delete", name, *place, option, "--yes", "--wait", "--timeout", "90")
        assert await there(apps, apps.namespace(about), "one") is stays
        assert await there(apps, apps.namespace(about), "before", kind="Job", group="batch")

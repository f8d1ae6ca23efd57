"""`homeostat app actions` on a cluster: what is listed, what is run, and what comes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from homeostat.actions.engine import Engine
from homeostat.cli.apps import acting
from homeostat.cli.apps.actions import _complete_actions, run_action
from homeostat.cli.apps.common import Place
from homeostat.cli.apps.control import connected
from homeostat.live.errors import ApiError
from homeostat.model import yaml
from homeostat.model.objects import Object
from tests.cli.stage import Stage
from tests.cli.test_app_read import WEB
from tests.commands import Outcome
from tests.e2e.texts import config

NIGHTLY = """apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    metadata: {labels: {team: shop}}
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: one, image: "registry.example/one:1", resources: {}}]
          volumes: [{name: tmp, emptyDir: {}}]
"""

CUSTOM = """
discovery.lua: |
  return {
    note = {displayName = "Note", params = {{name = "text"}}},
    copy = {},
    stray = {},
    never = {disabled = true},
    broken = {},
    ["return"] = {},
  }
definitions:
- name: note
  action.lua: |
    obj.data.note = actionParams.text
    return obj
- name: copy
  action.lua: |
    local copy = {apiVersion = "v1", kind = "ConfigMap", metadata = {name = obj.metadata.name .. "-copy"}, data = obj.data}
    obj.data.copied = "yes"
    return {{operation = "create", resource = copy}, {operation = "patch", resource = obj}}
- name: stray
  action.lua: |
    local stray = {apiVersion = "example.com/v1", kind = "Nothing", metadata = {name = "x"}}
    return {{operation = "create", resource = stray}}
- name: never
  action.lua: return obj
- name: broken
  action.lua: return obj.nothing.more
- name: return
  action.lua: return 7
"""


@pytest.fixture(scope="module")
def acted(stage: Stage) -> Iterator[str]:
    """An app with a Deployment, a CronJob and two ConfigMaps, for whose kind the operator has written actions."""
    _set(stage, "resource.customizations.actions.ConfigMap", CUSTOM)
    stage.write(acted__web=WEB, acted__nightly=NIGHTLY, acted__one=config("one", x="1"), acted__two=config("two", x="2"))
    stage.push()
    stage.create("acted")
    stage.app("sync", "acted")
    stage.app("wait", "acted", "--timeout", "60")
    yield "acted"
    _set(stage, "resource.customizations.actions.ConfigMap", None)


def _set(stage: Stage, name: str, value: str | None) -> None:
    change = json.dumps({"data": {name: value}})
    stage.plane.kubectl("-n", stage.control, "patch", "configmap", "argocd-cm", "--type=merge", "-p", change)


def run(stage: Stage, verb: str, *arguments: str, code: int = 0) -> Outcome:
    command = ["app", "actions", verb, "--kubeconfig", str(stage.plane.kubeconfig), "-n", stage.control, *arguments]
    outcome = stage.run(command)
    assert outcome.code == code, f"{' '.join(command)} exited with {outcome.code}: {outcome.stdout}\n{outcome.stderr}"
    return outcome


def listed(stage: Stage, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(stage, "list", *arguments, "-o", "json").stdout)
    return found


def test_the_actions_of_all_objects_are_listed_as_argocd_lists_them(stage: Stage, acted: str) -> None:
    header, *rows = run(stage, "list", acted).stdout.splitlines()
    assert header.split() == ["GROUP", "KIND", "NAME", "ACTION", "DISABLED"]
    assert ["apps", "Deployment", "web", "restart", "false"] in [row.split() for row in rows]
    assert ["apps", "Deployment", "web", "resume", "true"] in [row.split() for row in rows]
    assert ["argoproj.io", "Application", acted, "toggle-auto-sync", "false"] in [row.split() for row in rows]
    found = listed(stage, acted)
    assert len(found) == len(rows)
    assert yaml.load(run(stage, "list", acted, "-o", "yaml").stdout) == found
    (scale,) = [one for one in found if one["Action"] == "scale"]
    assert scale["Params"] == [{"name": "replicas", "default": None}]
    assert scale["Namespace"] == stage.namespace(acted)
    wide = run(stage, "list", acted, "--kind", "Deployment", "-o", "wide").stdout
    assert "it is not paused" in wide
    assert "replicas" in wide


def test_a_list_is_narrowed_by_what_argocd_calls_it(stage: Stage, acted: str) -> None:
    def kinds(*options: str) -> set[str]:
        return {f"{one['Kind']}/{one['Name']}" for one in listed(stage, acted, *options)}

    assert kinds("--kind", "CronJob") == {"CronJob/nightly"}
    assert kinds("--group", "apps") == {"Deployment/web"}
    assert kinds("--group", "") == {"ConfigMap/one", "ConfigMap/two"}
    assert kinds("--namespace", stage.control) == {f"Application/{acted}"}
    assert kinds("--resource-name", "two") == {"ConfigMap/two"}
    refused = run(stage, "list", acted, "--kind", "Secret", code=1)
    assert "no object of app `acted` is as the options say" in refused.stderr


def test_a_restart_rolls_the_pods(stage: Stage, acted: str) -> None:
    before = stage.object("deployment", acted, "web")
    done = run(stage, "run", acted, "restart", "--kind", "Deployment")
    namespace = stage.namespace(acted)
    assert done.stdout == f"Deployment.apps {namespace}/web: patched spec.template.metadata.annotations\n"
    after = stage.object("deployment", acted, "web")
    assert "kubectl.kubernetes.io/restartedAt" in after["spec"]["template"]["metadata"]["annotations"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1
    stage.plane.kubectl("-n", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
    owners = stage.plane.kubectl("-n", namespace, "get", "rs", "-o", "jsonpath={.items[*].metadata.name}").split()
    assert len(owners) == 2


def test_a_job_is_made_of_a_cron_job_and_can_be_acted_on_below_it(stage: Stage, acted: str) -> None:
    namespace = stage.namespace(acted)
    done = run(stage, "run", acted, "create-job")
    assert done.stdout.startswith(f"CronJob.batch {namespace}/nightly: created Job.batch {namespace}/nightly-")
    name = done.stdout.strip().rpartition("/")[2]
    job, cron = stage.object("job", acted, name), stage.object("cronjob", acted, "nightly")
    (owner,) = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == ("CronJob", "nightly", cron["metadata"]["uid"], True)
    assert job["metadata"]["labels"]["team"] == "shop"
    assert job["spec"]["template"]["spec"]["volumes"] == [{"name": "tmp", "emptyDir": {}}]
    assert run(stage, "list", acted, "--kind", "Job", code=1).stdout == ""
    below = run(stage, "list", acted, "--kind", "Job", "--children")
    assert name in below.stdout


def test_a_job_is_terminated_through_its_status(stage: Stage) -> None:
    spec = yaml.load(NIGHTLY)["spec"]["jobTemplate"]["spec"]
    spec["template"]["metadata"] = {"annotations": {"box.homeostat/pod": "run"}}
    stage.write(jobs__long=yaml.dump({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "long"}, "spec": spec}))
    stage.push()
    stage.create("jobs")
    stage.app("sync", "jobs", "--async")
    namespace = stage.namespace("jobs")
    stage.app("wait", "jobs", "--sync", "--timeout", "60")
    stage.plane.kubectl("-n", namespace, "wait", "--for=jsonpath={.status.active}=1", "job/long", "--timeout=60s")
    done = run(stage, "run", "jobs", "terminate")
    assert done.stdout == f"Job.batch {namespace}/long: patched status.conditions\n"
    stage.plane.kubectl("-n", namespace, "wait", "--for=condition=Failed", "job/long", "--timeout=60s")
    refused = run(stage, "run", "jobs", "terminate", code=1)
    assert "action `terminate` is disabled: it has come to its end" in refused.stderr


def test_a_parameter_is_given_and_what_is_wrong_with_one_is_said(stage: Stage, acted: str) -> None:
    done = run(stage, "run", acted, "scale", "--kind", "Deployment", "--param", "replicas=1")
    assert done.stdout.endswith("patched spec.replicas\n")
    assert stage.object("deployment", acted, "web")["spec"]["replicas"] == 1
    assert run(stage, "run", acted, "scale", "--param", "replicas=1").stdout.endswith("nothing to change\n")
    for given, says in (
        ((), "needs a value for `replicas`"),
        (("--param", "replicas=few"), "expected a whole number of 0 or more, found few"),
        (("--param", "number=1"), "no parameter `number`"),
    ):
        assert says in run(stage, "run", acted, "scale", *given, code=1).stderr
    assert "expected NAME=VALUE" in run(stage, "run", acted, "scale", "--param", "1", code=2).stderr


def test_a_custom_action_is_run_from_the_settings(stage: Stage, acted: str) -> None:
    run(stage, "run", acted, "note", "--kind", "ConfigMap", "--resource-name", "one", "--param", "text=hello")
    assert stage.object("configmap", acted, "one")["data"] == {"x": "1", "note": "hello"}


def test_objects_are_made_and_patched_by_one_action(stage: Stage, acted: str) -> None:
    namespace = stage.namespace(acted)
    done = run(stage, "run", acted, "copy", "--resource-name", "two")
    assert done.stdout.splitlines() == [
        f"ConfigMap {namespace}/two: created ConfigMap {namespace}/two-copy",
        f"ConfigMap {namespace}/two: patched data.copied",
    ]
    assert stage.object("configmap", acted, "two-copy")["data"]["x"] == "2"
    again = run(stage, "run", acted, "copy", "--resource-name", "two", code=1)
    assert '"two-copy" already exists' in again.stderr
    assert again.stdout == ""


def test_several_objects_are_acted_on_only_when_that_is_asked_for(stage: Stage, acted: str) -> None:
    refused = run(stage, "run", acted, "note", "--param", "text=all", code=1)
    assert "several objects have an action `note`" in refused.stderr
    assert "--all" in refused.stderr
    assert len(run(stage, "run", acted, "note", "--param", "text=all", "--all").stdout.splitlines()) == 2
    assert {stage.object("configmap", acted, name)["data"]["note"] for name in ("one", "two")} == {"all"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("resume", "--kind", "Deployment"), "action `resume` is disabled: it is not paused"),
        (("never", "--resource-name", "one"), "action `never` is disabled while the object is as it is"),
        (("restrat",), "none of the objects has an action `restrat`"),
        (("restart", "--kind", "ConfigMap"), "none of the objects has an action `restart`"),
        (("broken", "--resource-name", "one"), "action `broken`: script:1: attempt to index"),
        (("return", "--resource-name", "one"), "expect table output from Lua script, not number"),
        (("stray", "--resource-name", "one"), "makes a example.com/v1 Nothing, which the cluster does not serve"),
    ],
)
def test_what_cannot_be_run_is_refused_and_changes_nothing(stage: Stage, acted: str, arguments: tuple[str, ...], says: str) -> None:
    def versions() -> list[str]:
        return stage.plane.kubectl(
            "-n", stage.namespace(acted), "get", "configmap/one", "deployment/web", "-o", "jsonpath={.items[*].metadata.generation}"
        ).split()

    before = versions()
    refused = run(stage, "run", acted, *arguments, code=1)
    assert says in refused.stderr
    assert refused.stdout == ""
    assert versions() == before


def test_the_application_itself_has_an_action(stage: Stage, acted: str) -> None:
    run(stage, "run", acted, "toggle-auto-sync")
    assert stage.get(acted)["spec"]["syncPolicy"]["automated"] == {"enabled": True}
    run(stage, "run", acted, "toggle-auto-sync")
    assert stage.get(acted)["spec"]["syncPolicy"]["automated"] == {"enabled": False}


def test_names_of_actions_are_completed(stage: Stage, acted: str) -> None:
    context = click.Context(run_action)
    context.params = {"kubeconfig": str(stage.plane.kubeconfig), "namespace": stage.control, "name": acted, "kind": "Deployment"}
    assert _complete_actions(context, run_action.params[0], "re") == ["restart", "resume"]
    assert _complete_actions(context, run_action.params[0], "note") == []
    context.params["kubeconfig"] = "/nowhere"
    assert _complete_actions(context, run_action.params[0], "re") == []


MARK = """
discovery.lua: return {mark = {}}
definitions:
- name: mark
  action.lua: |
    obj.spec = {seen = true}
    obj.status = obj.status or {}
    obj.status.phase = "Marked"
    return obj
"""


def _definition(group: str, kind: str, *, status: bool) -> Object:
    plural = f"{kind.lower()}s"
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything, "status": anything}}},
        **({"subresources": {"status": {}}} if status else {}),
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": {"plural": plural, "kind": kind}, "versions": [version]},
    }


def test_a_status_is_patched_where_the_kind_has_it(stage: Stage) -> None:
    group = f"g{stage.mark}.example.com"
    crds = [_definition(group, "Plain", status=False), _definition(group, "Split", status=True)]
    stage.plane.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": crds}))
    _set(stage, "resource.customizations", yaml.dump({f"{group}/*": {"actions": MARK}}))  # a key of its own cannot hold a star
    try:
        stage.plane.established(*(crd["metadata"]["name"] for crd in crds))
        stage.write(
            marked__plain=f"{{apiVersion: {group}/v1, kind: Plain, metadata: {{name: one}}}}",
            marked__split=f"{{apiVersion: {group}/v1, kind: Split, metadata: {{name: one}}}}",
        )
        stage.push()
        stage.create("marked")
        stage.app("sync", "marked", "--timeout", "60")
        lines = set(run(stage, "run", "marked", "mark", "--all").stdout.splitlines())
        where = f"{group} {stage.namespace('marked')}/one"
        assert lines == {f"{kind}.{where}: patched {field}" for kind in ("Plain", "Split") for field in ("spec.seen", "status.phase")}
        for kind in ("plain", "split"):
            one = stage.object(f"{kind}s.{group}", "marked", "one")
            assert (one["spec"], one["status"]) == ({"seen": True}, {"phase": "Marked"})
    finally:
        _set(stage, "resource.customizations", None)
        stage.plane.kubectl("delete", "crd", "--wait=false", *(crd["metadata"]["name"] for crd in crds))


def test_whoever_may_only_look_is_shown_actions_and_refused_to_run_them(stage: Stage, acted: str, tmp_path: Path) -> None:
    namespace, kubectl = stage.namespace(acted), stage.plane.kubectl
    kubectl("-n", namespace, "create", "serviceaccount", "looker")
    for where, resource in ((stage.control, "applications.argoproj.io"), (namespace, "deployments.apps")):
        kubectl("-n", where, "create", "role", "looker", "--verb=get", f"--resource={resource}")
        kubectl("-n", where, "create", "rolebinding", "looker", "--role=looker", f"--serviceaccount={namespace}:looker")
    looker = yaml.load(stage.plane.kubeconfig.read_text())
    token = kubectl("-n", namespace, "create", "token", "looker").strip()
    (user,) = looker["users"]
    user["user"] = {"token": token}
    path = tmp_path / "looker.kubeconfig"
    path.write_text(yaml.dump(looker))

    def looked(*arguments: str) -> Outcome:
        return stage.run(["app", "actions", *arguments, "--kubeconfig", str(path), "-n", stage.control])

    shown = looked("list", acted, "--kind", "Deployment")
    assert shown.code == 0, shown.stderr
    assert "restart" in shown.stdout
    assert "only the built-in actions are known" in shown.stderr
    assert f"CronJob.batch {namespace}/nightly: " in looked("list", acted).stderr
    refused = looked("run", acted, "restart")
    assert refused.code == 1
    assert f'Deployment.apps {namespace}/web: deployments.apps "web" is forbidden' in refused.stderr


class _Interfering(Engine):
    """While a script runs, somebody else changes the object: ``times`` times."""

    def __init__(self, inner: Engine, stage: Stage, namespace: str, times: int) -> None:
        self._inner = inner
        self._command = ["-n", namespace, "annotate", "--overwrite", "configmap", "one"]
        self._stage = stage
        self.times = times

    async def run(self, obj: Object, name: str, params: Any) -> Any:
        asked = await self._inner.run(obj, name, params)
        if self.times:
            self.times -= 1
            await asyncio.to_thread(self._stage.plane.kubectl, *self._command, f"homeostat.test/turn=t{self.times}")
        return asked


@pytest.mark.parametrize("times", [2, 50])
async def test_an_action_is_run_again_on_what_somebody_else_has_made_of_the_object(stage: Stage, acted: str, times: int) -> None:
    place = Place(str(stage.plane.kubeconfig), None, stage.control)
    async with connected(place) as applications:
        scene = await acting.acting(applications, acted)
        keys = [one for one in await scene.keys(children=False) if one[0].name == "one"]
        ((resource, obj),) = await scene.objects(keys)
        async with scene.engine() as engine:
            interfering = _Interfering(engine, stage, stage.namespace(acted), times)
            given = {"text": f"turn {times}"}
            if times > 8:
                with pytest.raises(ApiError, match=r"ConfigMap .*/one: .*the object has been modified"):
                    await scene.act(interfering, resource, obj, "note", given)
                return
            assert await scene.act(interfering, resource, obj, "note", given) == ["patched data.note"]
    one = await asyncio.to_thread(stage.object, "configmap", acted, "one")
    assert one["data"]["note"] == "turn 2"
    assert one["metadata"]["annotations"]["homeostat.test/turn"] == "t0"

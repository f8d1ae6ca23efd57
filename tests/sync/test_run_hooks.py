"""Hooks and the namespace of an app against a real API server: what is made, what counts as made, and what is taken away again."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from homeostat.model.hooks import HOOK_FINALIZER, RUN
from homeostat.model.objects import Key, Object, key_of
from homeostat.model.sync import Action, OperationPhase, Phase, Plan, ResultCode, Task, Wave
from homeostat.sync.run import Runner, RunOptions
from homeostat.sync.step import Cleanup
from tests.sync.objects import obj
from tests.sync.test_run import Here, Plane, here, settings
from tests.sync.test_run_options import there

__all__ = ["here"]

pytestmark = pytest.mark.cluster

# Namespaces


async def namespace_with(here: Here, name: str, **metadata: Any) -> str:
    desired = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **metadata}}
    key = Key("", "Namespace", "", name)
    live = await here.live(desired)
    task = Task(Action.CREATE_NAMESPACE, Phase.PRE_SYNC, 0, key, "v1", desired=desired, live=live)
    (done,) = await here.carry_out(Plan((Wave(Phase.PRE_SYNC, 0, ((task,),)),)))
    return done.result.message


async def test_the_metadata_of_a_namespace_is_its_own_and_leaves_others_alone(here: Here, plane: Plane, namespace: str) -> None:
    await here.discovery.refresh()
    name = f"{namespace}-new"
    assert await namespace_with(here, name, labels={"team": "a", "old": "1"}, annotations={"x": "1"}) == f"namespace/{name} created"
    plane.kubectl("label", "namespace", name, "theirs=1")
    assert await namespace_with(here, name, labels={"team": "b"}) == f"namespace/{name} configured"
    assert await namespace_with(here, name, labels={"team": "b"}) == f"namespace/{name} unchanged"
    live = await there(here, obj("Namespace", name, namespace=None))
    assert live["metadata"]["labels"] == {"team": "b", "theirs": "1", "kubernetes.io/metadata.name": name}
    assert "annotations" not in live["metadata"]
    assert await namespace_with(here, name) == f"namespace/{name} unchanged"
    assert (await there(here, live))["metadata"]["labels"]["team"] == "b"


# Hooks


def hook_task(thing: Object, live: Object | None = None) -> Wave:
    task = Task(Action.RUN_HOOK, Phase.PRE_SYNC, 0, key_of(thing), "v1", desired=thing, live=live, hook_type="PreSync")
    return Wave(Phase.PRE_SYNC, 0, ((task,),))


def hook(namespace: str, run: str) -> Object:
    thing = settings(namespace, "hook", run=run)
    thing["metadata"] |= {"annotations": {RUN: run}, "finalizers": [HOOK_FINALIZER]}
    return thing


async def test_a_hook_runs_once_in_an_attempt(here: Here, plane: Plane, namespace: str) -> None:
    await here.discovery.refresh()
    (done,) = await Runner(here).run(hook_task(hook(namespace, "1")))
    assert (done.result.hook_type, done.result.status, done.result.hook_phase) == ("PreSync", ResultCode.SYNCED, OperationPhase.RUNNING)
    plane.kubectl("patch", "configmap", "hook", "-n", namespace, "-p", '{"data":{"run":"is under way"}}')
    (again,) = await Runner(here).run(hook_task(hook(namespace, "1")))
    assert replace(again, answer=None) == replace(done, answer=None)
    assert again.answer is not None
    assert again.answer["data"] == {"run": "is under way"}
    assert here.noted[-1] == again.answer


async def test_a_dry_run_of_a_hook_is_not_held_against_what_goes_before_it(here: Here, namespace: str) -> None:
    await here.discovery.refresh()
    spec: Object = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "registry.test/a:1"}]}}}
    job = obj("Job", "old", namespace=namespace, group="batch", version="v1", spec=spec)
    await here.sync(job)
    spec["template"]["spec"]["containers"][0]["image"] = "registry.test/a:2"
    new = obj("Job", "old", namespace=namespace, group="batch", version="v1", spec=spec)
    task = replace(hook_task(new).tasks[0], live=job, delete_policies=("BeforeHookCreation",))
    (done,) = await Runner(here).run(Wave(Phase.PRE_SYNC, 0, ((task,),)), options=RunOptions(dry_run=True))
    assert (done.result.status, done.result.message) == (ResultCode.SYNCED, "job.batch/old created (dry run)")
    (kept,) = await Runner(here).run(Wave(Phase.PRE_SYNC, 0, ((replace(task, delete_policies=()),),)), options=RunOptions(dry_run=True))
    assert "is invalid: spec.template" in kept.result.message


async def test_a_hook_of_another_attempt_is_applied_over(here: Here, namespace: str) -> None:
    await here.discovery.refresh()
    await Runner(here).run(hook_task(hook(namespace, "1")))
    (done,) = await Runner(here).run(hook_task(hook(namespace, "2")))
    assert done.result.status is ResultCode.SYNCED
    assert (await there(here, hook(namespace, "2")))["data"] == {"run": "2"}


async def test_a_hook_that_is_refused_has_failed(here: Here, namespace: str) -> None:
    await here.discovery.refresh()
    thing = hook(namespace, "1")
    thing["data"] = {"a": 1}
    (done,) = await Runner(here).run(hook_task(thing))
    assert (done.result.hook_type, done.result.hook_phase) == ("PreSync", OperationPhase.FAILED)


def cleanup(thing: Object, **what: bool) -> Cleanup:
    return Cleanup(key_of(thing), "v1", thing["metadata"]["uid"], **what)


async def test_a_hook_is_released_and_deleted_and_the_index_knows(here: Here, namespace: str) -> None:
    await here.discovery.refresh()
    thing = hook(namespace, "1")
    thing["metadata"]["finalizers"] = ["example.org/other", HOOK_FINALIZER]
    await Runner(here).run(hook_task(thing))
    live = await there(here, thing)
    assert await Runner(here).tidy([cleanup(live, release=True)]) == ()
    released = await there(here, thing)
    assert released["metadata"]["finalizers"] == ["example.org/other"]
    assert here.noted[-1] == released
    assert await Runner(here).tidy([cleanup(live, release=True)]) == ()
    assert await there(here, thing) == released
    assert await Runner(here).tidy([cleanup(live, release=True, delete=True)]) == ()
    assert [(key, uid) for key, _, uid in here.deleted] == [(key_of(thing), live["metadata"]["uid"])]
    assert here.deleted[-1][1]["metadata"]["deletionTimestamp"]


async def test_a_hook_that_is_on_its_way_out_is_let_go(here: Here, plane: Plane, namespace: str) -> None:
    await here.discovery.refresh()
    thing = hook(namespace, "1")
    await Runner(here).run(hook_task(thing))
    live = await there(here, thing)
    plane.kubectl("delete", "configmap", "hook", "-n", namespace, "--wait=false")
    assert await Runner(here).tidy([cleanup(live, release=True, delete=True)]) == ()
    assert await here.live(thing) is None
    assert [(answer["kind"], uid) for _, answer, uid in here.deleted] == [("Status", live["metadata"]["uid"])]
    assert await Runner(here).tidy([cleanup(live, release=True, delete=True)]) == ()


async def test_a_namesake_of_a_hook_is_left_alone(here: Here, plane: Plane, namespace: str) -> None:
    await here.discovery.refresh()
    plane.kubectl("create", "configmap", "hook", "-n", namespace)
    live = await there(here, hook(namespace, "1"))
    other = {**live, "metadata": {**live["metadata"], "uid": "00000000-0000-0000-0000-000000000000"}}
    assert await Runner(here).tidy([cleanup(other, release=True, delete=True)]) == ()
    assert await there(here, live) == live
    gone = Cleanup(Key("example.com", "Wigdet", namespace, "a"), "v1", "x", delete=True)
    assert await Runner(here).tidy([gone]) == ()

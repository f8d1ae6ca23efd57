"""The runner against a real API server: what it does, what it says it did, and that doing it again is harmless."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

import pytest

from homeostat.live.client import Client
from homeostat.live.discovery import Discovery
from homeostat.live.errors import ConflictError, NotFoundError, UnavailableError
from homeostat.model.objects import GroupKind, Key, Object
from homeostat.model.sync import Action, Operation, OperationPhase, Plan, ResultCode, TaskResult
from homeostat.model.tracking import Tracking
from homeostat.sync import established
from homeostat.sync.events import Event, TaskFinished, TaskStarted, WaveStarted
from homeostat.sync.plan import PlanInput, Target, plan
from homeostat.sync.run import Done, Runner, RunOptions, run_options
from tests.sync.objects import APP, crd, desired, obj
from tests.sync.traces import short_name

pytestmark = pytest.mark.cluster

DEPLOYMENT = GroupKind("apps", "Deployment")
SPEC = {
    "selector": {"matchLabels": {"app": "web"}},
    "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "registry.example/web:1.0"}]}},
}


class Plane(Protocol):
    kubeconfig: Any

    def kubectl(self, *args: str, stdin: str | None = None) -> str: ...


class Here:
    """A cluster without index: the runner needs no more. ``noted`` are the answers that an index would have been told."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.discovery = Discovery(client)
        self.noted: list[Object] = []
        self.deleted: list[tuple[Key, Object, str]] = []

    def note(self, answer: Object) -> None:
        self.noted.append(answer)

    def note_deletion(self, key: Key, answer: Object, *, uid: str) -> None:
        self.deleted.append((key, answer, uid))

    async def live(self, thing: Object) -> Object | None:
        group, _, version = thing["apiVersion"].rpartition("/")
        resource = self.discovery.find(GroupKind(group, thing["kind"]), version)
        if resource is None:
            return None
        try:
            return await self.client.get(resource, thing["metadata"].get("namespace", ""), thing["metadata"]["name"])
        except NotFoundError:
            return None

    async def plan(
        self, *things: Object, old: Sequence[Object] = (), namespace: str = "", options: tuple[str, ...] = (), dry_run: bool = False
    ) -> Plan:
        """The plan that brings ``things`` about and prunes ``old``, by what is live now."""
        await self.discovery.refresh()
        for thing in things:
            Tracking().mark(thing, app_id=APP, namespace=namespace)
        managed = [found for thing in old if (found := await self.live(thing)) is not None]
        targets = [Target(desired(thing, file="all.yaml", line=n + 1), await self.live(thing)) for n, thing in enumerate(things)]
        return plan(
            PlanInput(
                app_id=APP,
                targets=targets,
                managed=managed,
                namespace=namespace,
                namespace_live=await self.live(obj("Namespace", namespace, namespace=None)) if namespace else None,
                options=options,
                operation=Operation(prune=True, dry_run=dry_run),
            )
        )

    async def carry_out(self, made: Plan, *, options: RunOptions | None = None, events: list[Event] | None = None) -> tuple[Done, ...]:
        done: list[Done] = []
        for wave in made.waves:
            heard = [] if events is None else events
            done.extend(await Runner(self).run(wave, options=options or RunOptions(), on_event=heard.append))
        return tuple(done)

    async def sync(self, *things: Object, **asked: Any) -> tuple[Done, ...]:
        return await self.carry_out(await self.plan(*things, **asked))


@pytest.fixture
async def here(plane: Plane) -> AsyncIterator[Here]:
    async with await Client.connect(str(plane.kubeconfig)) as client:
        yield Here(client)


def told(done: Sequence[Done]) -> list[str]:
    return [one.result.message for one in done]


def settings(namespace: str, name: str = "settings", **data: str) -> Object:
    return obj("ConfigMap", name, namespace=namespace, data=data or {"colour": "blue"})


async def test_created_then_unchanged_then_configured(here: Here, namespace: str) -> None:
    web = obj("Deployment", "web", namespace=namespace, group="apps", spec=SPEC)
    first = await here.sync(settings(namespace), web)
    assert told(first) == ["configmap/settings created", "deployment.apps/web created"]
    assert [one.result for one in first][1] == TaskResult(
        key=first[1].task.key,
        version="v1",
        phase=first[1].task.phase,
        status=ResultCode.SYNCED,
        message="deployment.apps/web created",
        hook_phase=OperationPhase.RUNNING,
        images=("registry.example/web:1.0",),
    )
    assert first[0].answer is not None
    assert first[0].answer["data"] == {"colour": "blue"}
    assert here.noted == [one.answer for one in first]
    assert told(await here.sync(settings(namespace))) == ["configmap/settings unchanged"]
    assert told(await here.sync(settings(namespace, colour="green"))) == ["configmap/settings configured"]


async def test_an_object_that_was_there_unknown_to_us_is_configured(here: Here, plane: Plane, namespace: str) -> None:
    made = await here.plan(settings(namespace))
    plane.kubectl("create", "configmap", "settings", "--from-literal=other=1", "-n", namespace)
    assert told(await here.carry_out(made)) == ["configmap/settings configured"]


async def test_a_field_that_is_dropped_from_the_desired_object_goes(here: Here, namespace: str) -> None:
    await here.sync(settings(namespace, a="1", b="2"))
    await here.sync(settings(namespace, a="1"))
    found = await here.live(settings(namespace))
    assert found is not None
    assert found["data"] == {"a": "1"}


async def test_a_refused_object_leaves_the_others_applied(here: Here, namespace: str) -> None:
    bad = obj("Deployment", "bad", namespace=namespace, group="apps", spec={**SPEC, "replicas": "many"})
    done = await here.sync(bad, settings(namespace), obj("Service", "web", namespace=namespace, spec={"ports": [{"port": 80}]}))
    assert [(one.result.status, one.result.hook_phase) for one in done] == [
        (ResultCode.SYNCED, OperationPhase.RUNNING),
        (ResultCode.SYNCED, OperationPhase.RUNNING),
        (ResultCode.SYNC_FAILED, OperationPhase.FAILED),
    ]
    assert "replicas" in done[2].result.message
    assert done[2].answer is None


async def test_a_definition_and_its_objects_in_one_sync(here: Here, namespace: str) -> None:
    kind = "Gadget" + namespace.replace("-", "")
    group = f"{namespace}.example.org"
    definition = crd(kind, group=group)
    gadget = obj(kind, "one", namespace=namespace, group=group, spec={"size": 3})
    try:
        done = await here.sync(gadget, definition)
        named = f"{kind.lower()}.{group}/one"
        assert told(done) == [f"customresourcedefinition.apiextensions.k8s.io/{definition['metadata']['name']} created", f"{named} created"]
        assert here.discovery.scope(GroupKind(group, kind)) is True
    finally:
        resource = here.discovery.find(GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"))
        assert resource is not None
        await here.client.delete(resource, "", definition["metadata"]["name"])


async def test_a_definition_that_is_never_established_holds_nothing_up_for_long(here: Here, namespace: str) -> None:
    await here.discovery.refresh()
    unknown = crd("Nowhere", group=f"{namespace}.example.org")
    unknown["metadata"]["resourceVersion"] = "1"
    unknown["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
    assert established.is_established(unknown)
    await established.wait(here.client, here.discovery, [unknown], seconds=0.2)


async def test_a_kind_that_nobody_serves_is_told_with_its_place(here: Here, namespace: str) -> None:
    done = await here.sync(settings(namespace), obj("Widget", "w", namespace=namespace, group="nowhere.example"))
    assert told(done) == [
        "configmap/settings created",
        (
            f"The Kubernetes API could not find nowhere.example/Widget for requested resource {namespace}/w (all.yaml:2). "
            'Make sure the "Widget" CRD is installed on the destination cluster.'
        ),
    ]
    old = await here.sync(obj("Deployment", "web", namespace=namespace, group="apps", version="v1beta1", spec=SPEC))
    assert 'could not find version "v1beta1" of apps/Deployment' in old[0].result.message
    assert 'Version "v1" of apps/Deployment is installed' in old[0].result.message


async def test_what_is_dropped_is_pruned_and_pruning_again_is_no_failure(here: Here, plane: Plane, namespace: str) -> None:
    old = settings(namespace, "old")
    await here.sync(old, settings(namespace))
    made = await here.plan(settings(namespace), old=[old])
    for _ in range(2):
        done = await here.carry_out(made)
        assert [(one.result.status, one.result.message) for one in done] == [
            (ResultCode.PRUNED, "pruned"),
            (ResultCode.SYNCED, "configmap/settings unchanged"),
        ]
        assert done[0].result.hook_phase is OperationPhase.SUCCEEDED
    # In the foreground it is the garbage collector that takes it away.
    await asyncio.to_thread(plane.kubectl, "wait", "--for=delete", "configmap/old", "-n", namespace, "--timeout=30s")
    assert await here.live(old) is None


async def test_another_object_under_the_same_name_is_not_pruned(here: Here, plane: Plane, namespace: str) -> None:
    old = settings(namespace, "old")
    await here.sync(old)
    made = await here.plan(old=[old])
    plane.kubectl("delete", "configmap", "old", "-n", namespace)
    plane.kubectl("create", "configmap", "old", "-n", namespace)
    assert told(await here.carry_out(made)) == ["pruned"]
    assert await here.live(old) is not None


async def test_a_pruned_object_with_a_finalizer_is_on_its_way_out(here: Here, namespace: str) -> None:
    old = settings(namespace, "old")
    old["metadata"]["finalizers"] = ["example.org/wait"]
    await here.sync(old)
    made = await here.plan(old=[old])
    assert told(await here.carry_out(made)) == ["pruned"]
    going = await here.live(old)
    assert going is not None
    assert going["metadata"]["deletionTimestamp"]
    assert told(await here.carry_out(await here.plan(old=[old]))) == ["pruned"]
    resource = here.discovery.find(GroupKind("", "ConfigMap"))
    assert resource is not None
    await here.client.patch(resource, namespace, "old", {"metadata": {"finalizers": None}})
    assert await here.live(old) is None


@pytest.mark.parametrize(("policy", "propagation"), [("foreground", "Foreground"), ("orphan", "Orphan")])
async def test_dependants_go_as_the_option_says(here: Here, namespace: str, policy: str, propagation: str) -> None:
    options = run_options((f"PrunePropagationPolicy={policy}",))
    assert options.propagation == propagation
    old, child = settings(namespace, "old"), settings(namespace, "child")
    for thing in (old, child):
        thing["metadata"]["finalizers"] = ["example.org/wait"]
    await here.sync(old)
    owner = await here.live(old)
    assert owner is not None
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "old", "uid": owner["metadata"]["uid"], "blockOwnerDeletion": True}
    child["metadata"]["ownerReferences"] = [reference]
    resource = here.discovery.find(GroupKind("", "ConfigMap"))
    assert resource is not None
    await here.client.create(resource, child)
    await here.carry_out(await here.plan(old=[old]), options=options)
    going = await here.live(old)
    assert going is not None
    assert ("foregroundDeletion" in going["metadata"]["finalizers"]) is (propagation == "Foreground")
    for thing in (child, old):
        await here.client.patch(resource, namespace, thing["metadata"]["name"], {"metadata": {"finalizers": None}})


async def test_skipped_prunes_touch_nothing(here: Here, namespace: str) -> None:
    kept = settings(namespace, "kept")
    kept["metadata"]["annotations"] = {"argocd.argoproj.io/sync-options": "Prune=false"}
    await here.sync(kept)
    (done,) = await here.carry_out(await here.plan(old=[kept]))
    assert (done.result.status, done.result.message) == (ResultCode.PRUNE_SKIPPED, "ignored (no prune)")
    assert await here.live(kept) is not None


async def test_the_namespace_of_the_app_is_made_first_and_is_nobodys(here: Here, namespace: str) -> None:
    fresh = f"{namespace}-own"
    try:
        made = await here.plan(settings(fresh), namespace=fresh, options=("CreateNamespace=true",))
        assert told(await here.carry_out(made)) == [f"namespace/{fresh} created", "configmap/settings created"]
        assert told(await here.carry_out(made))[0] == f"namespace/{fresh} unchanged"
        found = await here.live(obj("Namespace", fresh, namespace=None))
        assert found is not None
        assert not Tracking().app_of(found)
    finally:
        resource = here.discovery.find(GroupKind("", "Namespace"))
        assert resource is not None
        await here.client.delete(resource, "", fresh)


async def test_what_kubectl_applied_becomes_ours(here: Here, plane: Plane, namespace: str) -> None:
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(settings(namespace, a="1", b="2")))
    assert told(await here.sync(settings(namespace, a="1"))) == ["configmap/settings configured"]
    found = await here.live(settings(namespace))
    assert found is not None
    assert found["data"] == {"a": "1"}
    assert {entry["manager"] for entry in found["metadata"]["managedFields"]} == {"homeostat"}


async def test_a_take_over_works_on_the_object_as_it_is_and_not_as_it_was_known(here: Here, plane: Plane, namespace: str) -> None:
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(settings(namespace, a="1", b="2")))
    made = await here.plan(settings(namespace, a="1"))
    plane.kubectl("label", "configmap", "settings", "-n", namespace, "team=red")
    await here.carry_out(made)
    found = await here.live(settings(namespace))
    assert found is not None
    assert found["data"] == {"a": "1"}
    assert found["metadata"]["labels"] == {"team": "red"}


class Meddled(Client):
    """A client that is not alone: as long as it has turns, ``between`` happens before a patch of its, and an apply meets a conflict."""

    turns = 0
    between: Callable[[], Any]

    async def patch(self, *args: Any, **kwargs: Any) -> Object:
        if self.turns > 0:
            self.turns -= 1
            await asyncio.to_thread(self.between)
        return await super().patch(*args, **kwargs)

    async def apply(self, *args: Any, **kwargs: Any) -> Object:
        if self.turns > 0:
            self.turns -= 1
            raise ConflictError("the object has been modified", status=409)
        return await super().apply(*args, **kwargs)


async def connected(plane: Plane) -> Meddled:
    client = await Meddled.connect(str(plane.kubeconfig))
    assert isinstance(client, Meddled)
    return client


@pytest.mark.parametrize(
    ("turns", "data"),
    [
        pytest.param(2, {"a": "1"}, id="for a while"),
        pytest.param(4, {"a": "1", "b": "2"}, id="too often: what is desired is applied all the same"),
    ],
)
async def test_a_take_over_against_a_busy_writer_is_tried_again(plane: Plane, namespace: str, turns: int, data: dict[str, str]) -> None:
    async with await connected(plane) as client:
        here = Here(client)
        plane.kubectl("apply", "-f", "-", stdin=json.dumps(settings(namespace, a="1", b="2")))
        made = await here.plan(settings(namespace, a="1"))
        client.turns = turns
        client.between = lambda: plane.kubectl("label", "configmap", "settings", "-n", namespace, "--overwrite", f"turn=t{client.turns}")
        (done,) = await here.carry_out(made)
        found = await here.live(settings(namespace))
    assert done.result.status is ResultCode.SYNCED
    assert found is not None
    assert found["data"] == data


async def test_an_apply_that_meets_a_conflict_is_sent_again_and_not_for_ever(plane: Plane, namespace: str) -> None:
    async with await connected(plane) as client:
        here = Here(client)
        made = await here.plan(settings(namespace))
        client.turns = 3
        assert told(await here.carry_out(made)) == ["configmap/settings created"]
        client.turns = 100
        (done,) = await here.carry_out(made)
    assert (done.result.status, done.result.message) == (ResultCode.SYNC_FAILED, "the object has been modified")


async def test_a_server_that_is_out_of_reach_is_told_as_worth_another_attempt(here: Here, namespace: str) -> None:
    made = await here.plan(settings(namespace))

    class Gone(Client):
        async def apply(self, *_: Any, **__: Any) -> Object:
            raise UnavailableError("cannot reach the Kubernetes API server")

    here.client.__class__ = Gone
    (done,) = await here.carry_out(made)
    assert done.result.message == "cannot reach the Kubernetes API server (the next attempt may succeed)"


async def test_without_migration_what_kubectl_applied_stays(here: Here, plane: Plane, namespace: str) -> None:
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(settings(namespace, a="1", b="2")))
    await here.carry_out(await here.plan(settings(namespace, a="1")), options=run_options(("ClientSideApplyMigration=false",)))
    found = await here.live(settings(namespace))
    assert found is not None
    assert found["data"] == {"a": "1", "b": "2"}


async def test_a_dry_run_changes_nothing_and_knows_what_the_sync_would_make(here: Here, namespace: str) -> None:
    fresh, group = f"{namespace}-dry", f"{namespace}.example.org"
    await here.sync(settings(namespace), old := settings(namespace, "old"))
    things = [
        settings(namespace, colour="green"),
        settings(fresh, "inside"),
        crd("Gizmo", group=group),
        obj("Gizmo", "g", namespace=namespace, group=group),
    ]
    made = await here.plan(*things, old=[old], namespace=fresh, options=("CreateNamespace=true",))
    noted = len(here.noted)
    done = await here.carry_out(made, options=run_options((), dry_run=True, plan=made))
    assert told(done) == [
        f"namespace/{fresh} created (dry run)",
        "pruned (dry run)",
        "configmap/inside created (dry run)",
        "configmap/settings configured (dry run)",
        f"customresourcedefinition.apiextensions.k8s.io/gizmos.{group} created (dry run)",
        f"gizmo.{group}/g created (dry run)",
    ]
    assert len(here.noted) == noted
    assert await here.live(old) is not None
    found = await here.live(settings(namespace))
    assert found is not None
    assert found["data"] == {"colour": "blue"}
    same = await here.plan(settings(namespace))
    assert told(await here.carry_out(same, options=run_options((), dry_run=True, plan=same))) == ["configmap/settings unchanged (dry run)"]


async def test_events_tell_the_story_in_its_order(here: Here, namespace: str) -> None:
    events: list[Event] = []
    await here.carry_out(await here.plan(settings(namespace), obj("ServiceAccount", "bot", namespace=namespace)), events=events)
    assert [type(event) for event in events] == [WaveStarted, TaskStarted, TaskFinished, TaskStarted, TaskFinished]
    finished = [event for event in events if isinstance(event, TaskFinished)]
    assert [short_name(event.task.key) for event in finished] == ["ServiceAccount/bot", "ConfigMap/settings"]
    assert all(event.seconds >= 0 for event in finished)


async def test_killed_in_the_middle_and_run_again(here: Here, namespace: str) -> None:
    old = settings(namespace, "old")
    await here.sync(old)
    things = [settings(namespace, f"s{n}") for n in range(20)]
    things += [obj("ServiceAccount", f"a{n}", namespace=namespace) for n in range(5)]
    made = await here.plan(*things, old=[old])
    for seen in (1, 3, 7, 18):
        reached = asyncio.Event()
        finished: list[Event] = []

        def hear(event: Event, *, seen: int = seen, reached: asyncio.Event = reached, finished: list[Event] = finished) -> None:
            if isinstance(event, TaskFinished):
                finished.append(event)
                if len(finished) >= seen:
                    reached.set()

        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(Runner(here, parallel=2).run(made.waves[0], on_event=hear), name="killed")
            await reached.wait()
            running.cancel()
        assert len(finished) < len(things)
    done = await here.carry_out(made)
    assert {one.result.status for one in done if one.task.action is Action.APPLY} == {ResultCode.SYNCED}
    assert await here.live(old) is None
    for thing in things:
        assert await here.live(thing) is not None

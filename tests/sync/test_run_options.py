"""Ways of writing against a real API server: replacements, three-way patches, force, take-overs, dry runs. Done twice, nothing changes."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest

from homeostat.compare.drift import Difference, differences
from homeostat.compare.predecessors import LAST_APPLIED
from homeostat.model.objects import Object, key_of
from homeostat.model.sync import Method, Operation, ResultCode
from homeostat.sync.options import writing
from homeostat.sync.run import Done, run_options
from homeostat.sync.writing import Writer, expected
from tests.sync.objects import crd, obj
from tests.sync.test_run import SPEC, Here, Plane, here, settings, told

__all__ = ["here"]

pytestmark = pytest.mark.cluster

THREE_WAY = ("ServerSideApply=false",)
REPLACE = ("Replace=true",)


async def sync(here: Here, *things: Object, options: tuple[str, ...] = (), dry_run: bool = False) -> tuple[Done, ...]:
    made = await here.plan(*things, options=options, dry_run=dry_run)
    return await here.carry_out(made, options=run_options(options, dry_run=dry_run, plan=made))


async def sync_twice(here: Here, *things: Object, options: tuple[str, ...] = ()) -> list[str]:
    """What the first sync says it did; the second one changed nothing."""
    first = await sync(here, *things, options=options)
    before = [ours(await there(here, thing)) for thing in things]
    second = await sync(here, *things, options=options)
    assert [one.result.status for one in second] == [ResultCode.SYNCED] * len(things)
    assert [ours(await there(here, thing)) for thing in things] == before
    return told(first)


def ours(live: Object) -> Object:
    """The object without what controllers write to it meanwhile."""
    metadata = {name: value for name, value in live["metadata"].items() if name not in {"resourceVersion", "managedFields"}}
    metadata["annotations"] = {
        name: value for name, value in metadata.get("annotations", {}).items() if "deployment.kubernetes.io" not in name
    }
    metadata["managers"] = [entry for entry in live["metadata"]["managedFields"] if entry["manager"] != "kube-controller-manager"]
    return {**{name: value for name, value in live.items() if name != "status"}, "metadata": metadata}


async def there(here: Here, thing: Object) -> Object:
    found = await here.live(thing)
    assert found is not None
    return found


async def drift(here: Here, thing: Object, options: tuple[str, ...]) -> tuple[Difference, ...]:
    """What a look finds after a restart: nothing is known but what is desired and what is live."""
    await here.plan(thing)  # marks it, and refreshes what is served
    live = await there(here, thing)
    resource = here.discovery.find(key_of(thing).group_kind)
    assert resource is not None
    how = writing(thing, live, options, Operation())
    return differences(await Writer(here.client).expect(resource, thing, live, how), live)


def paths(found: Sequence[Difference]) -> list[str]:
    return [f"{one.kind} {one.path}" for one in found]


def deployment(namespace: str, name: str = "web", **container: Any) -> Object:
    spec = json.loads(json.dumps(SPEC))
    spec["template"]["spec"]["containers"][0] |= container
    return obj("Deployment", name, namespace=namespace, group="apps", spec=spec)


def job(namespace: str, command: str = "one", options: str = "", annotations: dict[str, str] | None = None) -> Object:
    pod = {"restartPolicy": "Never", "containers": [{"name": "do", "image": "registry.example/do:1", "command": [command]}]}
    return obj("Job", "do", namespace=namespace, group="batch", options=options, annotations=annotations, spec={"template": {"spec": pod}})


def env(**values: str | None) -> list[dict[str, Any]]:
    return [{"name": name, **({} if value is None else {"value": value})} for name, value in values.items()]


# Three-way patches


async def test_a_three_way_apply_creates_changes_and_drops_like_kubectl(here: Here, plane: Plane, namespace: str) -> None:
    assert await sync_twice(here, settings(namespace, a="1", b="1"), options=THREE_WAY) == ["configmap/settings created"]
    plane.kubectl("patch", "configmap", "settings", "-n", namespace, "-p", '{"data":{"c":"theirs"}}')
    assert await sync_twice(here, settings(namespace, a="2"), options=THREE_WAY) == ["configmap/settings configured"]
    live = await there(here, settings(namespace))
    assert live["data"] == {"a": "2", "c": "theirs"}
    config = json.loads(live["metadata"]["annotations"][LAST_APPLIED])
    assert config["data"] == {"a": "2"}
    assert "differ" not in plane.kubectl("apply", "view-last-applied", "configmap/settings", "-n", namespace)


async def test_what_kubectl_applied_is_carried_on_three_ways(here: Here, plane: Plane, namespace: str) -> None:
    mine = deployment(namespace, env=env(a="1", b="1"), ports=[{"containerPort": 80}, {"containerPort": 81}])
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(mine))
    plane.kubectl("set", "env", "deployment/web", "theirs=1", "-n", namespace)
    plane.kubectl("scale", "deployment/web", "--replicas=3", "-n", namespace)
    wanted = deployment(namespace, env=env(b="2"), ports=[{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}])
    assert await sync_twice(here, wanted, options=THREE_WAY) == ["deployment.apps/web configured"]
    live = await there(here, wanted)
    (container,) = live["spec"]["template"]["spec"]["containers"]
    assert {item["name"]: item["value"] for item in container["env"]} == {"b": "2", "theirs": "1"}
    assert [(port["containerPort"], port["protocol"]) for port in container["ports"]] == [(80, "TCP"), (80, "UDP")]
    assert live["spec"]["replicas"] == 3
    assert await drift(here, wanted, THREE_WAY) == ()


async def test_what_excludes_the_old_value_goes_with_it(here: Here, namespace: str) -> None:
    web = deployment(namespace)
    await sync(here, web, options=THREE_WAY)
    web["spec"]["strategy"] = {"type": "Recreate"}
    assert await sync_twice(here, web, options=THREE_WAY) == ["deployment.apps/web configured"]
    assert (await there(here, web))["spec"]["strategy"] == {"type": "Recreate"}


async def test_drift_after_a_three_way_apply_is_what_the_next_one_would_change(here: Here, plane: Plane, namespace: str) -> None:
    web = deployment(namespace, env=env(a="1", b="1"))
    web["spec"]["replicas"] = 2
    (done,) = await sync(here, web, options=THREE_WAY)
    assert done.answer is not None
    remembered = expected(Method.THREE_WAY, done.answer, desired=web, applied=True)
    assert await drift(here, web, THREE_WAY) == ()
    plane.kubectl("annotate", "deployment/web", "theirs=1", "-n", namespace)
    plane.kubectl("set", "env", "deployment/web", "theirs=1", "-n", namespace)
    assert await drift(here, web, THREE_WAY) == differences(remembered, await there(here, web)) == ()
    plane.kubectl("set", "env", "deployment/web", "a=2", "-n", namespace)
    changed = ["changed .spec.template.spec.containers[name=web].env[name=a].value"]
    assert paths(await drift(here, web, THREE_WAY)) == paths(differences(remembered, await there(here, web))) == changed
    await sync(here, web, options=THREE_WAY)
    dropped = deployment(namespace, env=env(b="1"))
    assert paths(await drift(here, dropped, THREE_WAY)) == [
        "dropped .spec.replicas",
        "dropped .spec.template.spec.containers[name=web].env[name=a]",
    ]
    await sync(here, dropped, options=THREE_WAY)
    assert await drift(here, dropped, THREE_WAY) == ()
    live = await there(here, dropped)
    assert live["spec"]["replicas"] == 1
    assert [item["name"] for item in live["spec"]["template"]["spec"]["containers"][0]["env"]] == ["b", "theirs"]


async def test_going_over_from_server_side_apply_and_back_loses_nothing(here: Here, namespace: str) -> None:
    await sync(here, settings(namespace, a="1", b="1", c="1"))
    await sync_twice(here, settings(namespace, a="1", b="1"), options=THREE_WAY)
    assert (await there(here, settings(namespace)))["data"] == {"a": "1", "b": "1"}
    assert await drift(here, settings(namespace, a="1", b="1"), ()) == ()
    assert paths(await drift(here, settings(namespace, a="1"), ())) == ["dropped .data.b"]
    await sync_twice(here, settings(namespace, a="1"))
    live = await there(here, settings(namespace))
    assert live["data"] == {"a": "1"}
    assert LAST_APPLIED not in live["metadata"]["annotations"]
    assert [entry["manager"] for entry in live["metadata"]["managedFields"]] == ["homeostat"]


async def test_the_lists_of_a_custom_resource_are_whole_values(here: Here, plane: Plane, namespace: str) -> None:
    kind = f"Gear{namespace[-6:]}"
    await sync(here, crd(kind))
    one = obj(kind, "a", namespace=namespace, group="example.org", spec={"items": [{"name": "a"}, {"name": "b"}], "x": 1})
    assert await sync_twice(here, one, options=THREE_WAY) == [f"{kind.lower()}.example.org/a created"]
    theirs = '{"spec":{"items":[{"name":"c"}],"y":2}}'
    plane.kubectl("patch", f"{kind.lower()}s.example.org", "a", "-n", namespace, "--type=merge", "-p", theirs)
    assert paths(await drift(here, one, THREE_WAY)) == ["changed .spec.items"]
    del one["spec"]["x"]
    assert await sync_twice(here, one, options=THREE_WAY) == [f"{kind.lower()}.example.org/a configured"]
    assert (await there(here, one))["spec"] == {"items": [{"name": "a"}, {"name": "b"}], "y": 2}


async def test_the_texts_of_a_secret_stay_out_of_messages(here: Here, namespace: str) -> None:
    value = base64.b64encode(b"planted-secret").decode()
    secret = obj("Secret", "s", namespace=namespace, data={"password": value})
    await sync_twice(here, secret, options=THREE_WAY)
    secret["data"]["password"] = "planted-secret, and no base64"
    done = await sync(here, secret, options=THREE_WAY)
    assert done[0].result.status is ResultCode.SYNC_FAILED
    assert "planted" not in done[0].result.message
    secret["data"]["password"] = base64.b64encode(b"another").decode()
    found = await drift(here, secret, THREE_WAY)
    assert paths(found) == ["changed .data.password"]
    assert "another" not in repr(found)


async def test_null_leaves_a_field_to_the_server(here: Here, namespace: str) -> None:
    web = deployment(namespace)
    web["spec"]["replicas"] = 4
    web["metadata"]["creationTimestamp"] = None
    await sync_twice(here, web, options=THREE_WAY)
    web["spec"]["replicas"] = None
    assert await sync_twice(here, web, options=THREE_WAY) == ["deployment.apps/web configured"]
    assert (await there(here, web))["spec"]["replicas"] == 1
    assert await drift(here, web, THREE_WAY) == ()


async def test_what_is_named_twice_can_be_patched(here: Here, namespace: str) -> None:
    web = deployment(namespace, env=[*env(a="1"), *env(a="2")])
    assert "duplicate entries" in told(await sync(here, web))[0]
    assert await sync_twice(here, web, options=THREE_WAY) == ["deployment.apps/web created"]
    assert await drift(here, web, THREE_WAY) == ()


async def test_fields_that_nobody_knows_are_refused_unless_validation_is_off(here: Here, namespace: str) -> None:
    web = deployment(namespace)
    web["spec"]["sidecars"] = 2
    assert 'unknown field "spec.sidecars"' in told(await sync(here, web, options=THREE_WAY))[0]
    assert await sync_twice(here, web, options=("Validate=false",)) == ["deployment.apps/web created"]
    assert await drift(here, web, ("Validate=false",)) == ()


async def test_what_is_too_large_for_the_annotation_says_what_to_do(here: Here, namespace: str) -> None:
    big = settings(namespace, text="x" * 270_000)
    assert "set ServerSideApply=true" in told(await sync(here, big, options=THREE_WAY))[0]
    assert await sync_twice(here, big, options=REPLACE) == ["configmap/settings created"]


@pytest.mark.parametrize(
    ("first", "second", "theirs"),
    [
        pytest.param({"env": env(a="1", b="1")}, {"env": env(b="2", c="1")}, {"env": env(x="1")}, id="environment"),
        pytest.param({"ports": [{"containerPort": 1}]}, {"ports": [{"containerPort": 2}]}, {"ports": [{"containerPort": 3}]}, id="ports"),
        pytest.param({"args": ["a"]}, {"args": ["a", "b"]}, {"args": ["x"]}, id="a list that is one value"),
        pytest.param({"resources": {"limits": {"cpu": "1"}}}, {}, {"resources": {"requests": {"cpu": "100m"}}}, id="a mapping that goes"),
        pytest.param({"image": "a:1"}, {"image": "b:1"}, {"imagePullPolicy": "Never"}, id="a default that somebody changed"),
        pytest.param(
            {"livenessProbe": {"httpGet": {"port": 80}}}, {"livenessProbe": {"tcpSocket": {"port": 80}}}, {}, id="one of several kinds"
        ),
        pytest.param({"command": ["a"], "tty": True}, {"command": None, "tty": None}, {"stdin": True}, id="null"),
    ],
)
async def test_a_three_way_apply_ends_where_kubectl_ends(
    here: Here, plane: Plane, namespace: str, first: dict[str, Any], second: dict[str, Any], theirs: dict[str, Any]
) -> None:
    ends = []
    for name in ("ours", "kubectls"):
        for step in (first, second):
            wanted = deployment(namespace, name, **step)
            if name == "ours":
                (done,) = await sync(here, wanted, options=THREE_WAY)
                assert done.result.status is ResultCode.SYNCED, done.result.message
            else:
                plane.kubectl("apply", "-f", "-", stdin=json.dumps(wanted))
            if step is first:
                patch = {"spec": {"template": {"spec": {"containers": [{"name": "web", **theirs}]}}}}
                plane.kubectl("patch", "deployment", name, "-n", namespace, "-p", json.dumps(patch))
        (container,) = (await there(here, deployment(namespace, name)))["spec"]["template"]["spec"]["containers"]
        for field in ("env", "ports"):
            container[field] = sorted(container.get(field, []), key=json.dumps)
        ends.append(container)
    assert ends[0] == ends[1]


# Replacements


async def test_a_replacement_takes_away_what_desired_does_not_have(here: Here, plane: Plane, namespace: str) -> None:
    assert await sync_twice(here, settings(namespace, a="1", b="1"), options=REPLACE) == ["configmap/settings created"]
    plane.kubectl(
        "patch", "configmap", "settings", "-n", namespace, "-p", '{"data":{"c":"theirs"},"metadata":{"finalizers":["example.org/x"]}}'
    )
    assert paths(await drift(here, settings(namespace, a="1"), REPLACE)) == ["dropped .data.b"]
    assert await drift(here, settings(namespace, a="1", b="1"), REPLACE) == ()
    assert await sync_twice(here, settings(namespace, a="1"), options=REPLACE) == ["configmap/settings configured"]
    live = await there(here, settings(namespace))
    assert live["data"] == {"a": "1"}
    assert live["metadata"]["finalizers"] == ["example.org/x"]
    plane.kubectl("patch", "configmap", "settings", "-n", namespace, "-p", '{"metadata":{"finalizers":null}}')


async def test_defaults_are_no_drift_after_a_replacement(here: Here, plane: Plane, namespace: str) -> None:
    web = deployment(namespace)
    web["spec"]["replicas"] = 2
    (done,) = await sync(here, web, options=REPLACE)
    assert done.answer is not None
    remembered = expected(Method.REPLACE, done.answer, desired=web, applied=True)
    plane.kubectl("annotate", "deployment/web", "theirs=1", "-n", namespace)
    assert await drift(here, web, REPLACE) == differences(remembered, await there(here, web)) == ()
    del web["spec"]["replicas"]
    assert paths(await drift(here, web, REPLACE)) == ["dropped .spec.replicas"]


async def test_a_service_and_a_custom_resource_definition_are_replaced_in_place(here: Here, namespace: str) -> None:
    kind = f"Bolt{namespace[-6:]}"
    definition = crd(kind)
    service = obj("Service", "web", namespace=namespace, spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})
    first = await sync(here, definition, service, options=REPLACE)
    assert all(one.result.status is ResultCode.SYNCED for one in first)
    uids = [(await there(here, thing))["metadata"]["uid"] for thing in (definition, service)]
    definition["spec"]["names"]["shortNames"] = ["blt"]
    service["spec"]["ports"] = [{"port": 81}]
    forced = (*REPLACE,)
    definition["metadata"]["annotations"] = {"argocd.argoproj.io/sync-options": "Force=true"}
    done = await sync(here, definition, service, options=forced)
    assert [text.rpartition(" ")[2] for text in told(done)] == ["configured", "configured"]
    assert [(await there(here, thing))["metadata"]["uid"] for thing in (definition, service)] == uids


async def test_a_replacement_that_is_no_longer_possible_says_so_and_what_to_do(here: Here, namespace: str) -> None:
    await sync(here, job(namespace), options=REPLACE)
    assert await drift(here, job(namespace), REPLACE) == ()
    done = await sync(here, job(namespace, "two"), options=REPLACE)
    assert done[0].result.status is ResultCode.SYNC_FAILED
    assert "field is immutable" in done[0].result.message
    assert "Force=true" in done[0].result.message


# Force


@pytest.mark.parametrize("how", [(), THREE_WAY], ids=["applied", "patched"])
async def test_what_cannot_be_changed_in_place_is_made_anew_where_that_is_asked_for(
    here: Here, namespace: str, how: tuple[str, ...]
) -> None:
    await sync(here, job(namespace), options=how)
    uid = (await there(here, job(namespace)))["metadata"]["uid"]
    refused = await sync(here, job(namespace, "two"), options=how)
    assert refused[0].result.status is ResultCode.SYNC_FAILED
    wanted = job(namespace, "two", options="Force=true")
    (done,) = await sync(here, wanted, options=how)
    assert (done.result.status, done.result.message) == (ResultCode.SYNCED, "job.batch/do deleted and created again")
    live = await there(here, wanted)
    assert live["metadata"]["uid"] != uid
    assert live["spec"]["template"]["spec"]["containers"][0]["command"] == ["two"]
    assert here.noted[-1] == done.answer
    await sync(here, wanted, options=how)
    assert (await there(here, wanted))["metadata"]["uid"] == live["metadata"]["uid"]


async def test_what_can_be_changed_in_place_is_not_made_anew(here: Here, namespace: str) -> None:
    web = deployment(namespace)
    web["metadata"]["annotations"] = {"argocd.argoproj.io/sync-options": "Force=true"}
    await sync(here, web)
    uid = (await there(here, web))["metadata"]["uid"]
    web["spec"]["replicas"] = 2
    assert told(await sync(here, web)) == ["deployment.apps/web configured"]
    assert (await there(here, web))["metadata"]["uid"] == uid
    labels = {"app": "other"}
    web["spec"] |= {"selector": {"matchLabels": labels}, "template": {**web["spec"]["template"], "metadata": {"labels": labels}}}
    assert told(await sync(here, web)) == ["deployment.apps/web deleted and created again"]


async def test_nothing_is_deleted_for_an_object_that_the_server_would_not_take(here: Here, namespace: str) -> None:
    await sync(here, job(namespace))
    uid = (await there(here, job(namespace)))["metadata"]["uid"]
    wrong = job(namespace, "two", options="Force=true")
    wrong["spec"]["template"]["spec"]["restartPolicy"] = "Sometimes"
    for options in ((), REPLACE, THREE_WAY):
        (done,) = await sync(here, wrong, options=options)
        assert done.result.status is ResultCode.SYNC_FAILED
        assert "restartPolicy" in done.result.message
    live = await there(here, wrong)
    assert (live["metadata"]["uid"], live["metadata"].get("deletionTimestamp")) == (uid, None)


async def test_replaced_by_force_is_made_anew_every_time(here: Here, namespace: str) -> None:
    wanted = job(namespace, options="Force=true,Replace=true")
    assert told(await sync(here, wanted)) == ["job.batch/do created"]
    uid = (await there(here, wanted))["metadata"]["uid"]
    assert await drift(here, wanted, ()) == ()
    assert told(await sync(here, wanted, dry_run=True)) == ["job.batch/do deleted and created again (dry run)"]
    assert (await there(here, wanted))["metadata"]["uid"] == uid
    assert told(await sync(here, wanted)) == ["job.batch/do deleted and created again"]
    assert (await there(here, wanted))["metadata"]["uid"] != uid


async def test_a_fixed_address_does_not_stand_in_its_own_way(here: Here, namespace: str) -> None:
    def service(address: str) -> Object:
        spec = {"clusterIP": address, "selector": {"app": "web"}, "ports": [{"port": 80}]}
        return obj("Service", "web", namespace=namespace, options="Force=true", spec=spec)

    await sync(here, obj("Service", "web", namespace=namespace, spec={"selector": {"app": "web"}, "ports": [{"port": 80}]}))
    assert told(await sync(here, service("None"))) == ["service/web deleted and created again"]
    assert (await there(here, service("None")))["spec"]["clusterIP"] == "None"


async def test_an_object_that_was_deleted_to_be_made_anew_is_made_by_the_next_process(here: Here, plane: Plane, namespace: str) -> None:
    wanted = settings(namespace, "held", a="1")
    wanted["metadata"]["annotations"] = {"argocd.argoproj.io/sync-options": "Force=true,Replace=true"}
    wanted["metadata"]["finalizers"] = ["example.org/hold"]
    await sync(here, wanted)
    plane.kubectl("delete", "configmap", "held", "-n", namespace, "--wait=false")
    del wanted["metadata"]["finalizers"]
    made = await here.plan(wanted)
    assert made.tasks[0].live is not None
    plane.kubectl("patch", "configmap", "held", "-n", namespace, "-p", '{"metadata":{"finalizers":null}}')
    assert told(await here.carry_out(made)) == ["configmap/held deleted and created again"]
    assert "deletionTimestamp" not in (await there(here, wanted))["metadata"]


async def test_what_does_not_go_fails_the_task_and_says_what_holds_it(
    here: Here, plane: Plane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = settings(namespace, "held", a="1")
    wanted["metadata"]["finalizers"] = ["example.org/hold"]
    await sync(here, wanted)
    wanted["metadata"]["annotations"] = {"argocd.argoproj.io/sync-options": "Force=true,Replace=true"}
    monkeypatch.setattr("homeostat.sync.writing.LONGEST_DELETION", 0.2)
    (done,) = await sync(here, wanted)
    assert done.result.status is ResultCode.SYNC_FAILED
    assert "held by example.org/hold" in done.result.message
    plane.kubectl("patch", "configmap", "held", "-n", namespace, "-p", '{"metadata":{"finalizers":null}}')


# Taking over


async def test_the_manager_that_the_app_names_is_taken_over_as_a_whole(here: Here, plane: Plane, namespace: str) -> None:
    theirs = settings(namespace, a="1", b="1")
    plane.kubectl("create", "-f", "-", "--field-manager=old-operator", stdin=json.dumps(theirs))
    made = await here.plan(settings(namespace, a="1"))
    await here.carry_out(made, options=run_options(()))
    assert (await there(here, theirs))["data"] == {"a": "1", "b": "1"}
    made = await here.plan(settings(namespace, a="1"))
    await here.carry_out(made, options=run_options(("ClientSideApplyMigration=false",), take_over_from="old-operator"))
    assert (await there(here, theirs))["data"] == {"a": "1", "b": "1"}
    await here.carry_out(made, options=run_options((), take_over_from="old-operator"))
    live = await there(here, theirs)
    assert live["data"] == {"a": "1"}
    assert [entry["manager"] for entry in live["metadata"]["managedFields"]] == ["homeostat"]


async def test_what_kubectl_replaced_is_carried_on(here: Here, plane: Plane, namespace: str) -> None:
    plane.kubectl("create", "-f", "-", stdin=json.dumps(settings(namespace, a="1", b="1")))
    plane.kubectl("replace", "-f", "-", stdin=json.dumps(settings(namespace, a="2", b="1")))
    assert await sync_twice(here, settings(namespace, a="3"), options=THREE_WAY) == ["configmap/settings configured"]
    assert (await there(here, settings(namespace)))["data"] == {"a": "3", "b": "1"}  # nobody can tell that b was declared
    assert await sync_twice(here, settings(namespace, a="3"), options=REPLACE) == ["configmap/settings configured"]
    assert (await there(here, settings(namespace)))["data"] == {"a": "3"}


# Dry runs


async def test_a_kind_that_nobody_serves_is_passed_over_in_a_dry_run_where_that_is_asked_for(here: Here, namespace: str) -> None:
    unknown = obj("Wigdet", "a", namespace=namespace, group="example.com")
    (done,) = await sync(here, unknown, dry_run=True)
    assert done.result.status is ResultCode.SYNC_FAILED
    (done,) = await sync(here, unknown, options=("SkipDryRunOnMissingResource=true",), dry_run=True)
    assert done.result.status is ResultCode.SYNCED
    (done,) = await sync(here, unknown, options=("SkipDryRunOnMissingResource=true",))
    assert done.result.status is ResultCode.SYNC_FAILED


@pytest.mark.parametrize("how", [(), THREE_WAY, REPLACE], ids=["apply", "patch", "replace"])
async def test_a_dry_run_of_every_way_of_writing_changes_nothing(here: Here, namespace: str, how: tuple[str, ...]) -> None:
    assert told(await sync(here, settings(namespace, a="1"), options=how, dry_run=True)) == ["configmap/settings created (dry run)"]
    assert await here.live(settings(namespace)) is None
    await sync(here, settings(namespace, a="1"), options=how)
    before = await there(here, settings(namespace))
    assert told(await sync(here, settings(namespace, a="2"), options=how, dry_run=True)) == ["configmap/settings configured (dry run)"]
    assert await there(here, settings(namespace)) == before

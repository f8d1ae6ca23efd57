"""RespectIgnoreDifferences: what is sent when ignored fields stay as they are in live."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest

from homeostat.compare.ignore import Ignorer
from homeostat.evaluate.pool import Pool
from homeostat.model.app import Ignore
from homeostat.model.objects import Object, key_of
from tests import evaluators

WEB, ISTIO = 'k:{"name":"web"}', 'k:{"name":"istio"}'

DESIRED: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "annotations": {"a/b": "git"}},
    "spec": {
        "replicas": 2,
        "template": {"spec": {"containers": [{"name": "web", "image": "web:2", "resources": {"limits": {"cpu": "1"}}, "args": ["-v"]}]}},
    },
}

LIVE: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "uid": "1",
        "resourceVersion": "7",
        "annotations": {"a/b": "live", "theirs": "x", "ours": "y"},
        "managedFields": [
            {
                "manager": "homeostat",
                "operation": "Apply",
                "fieldsV1": {
                    "f:metadata": {"f:annotations": {"f:a/b": {}, "f:ours": {}}},
                    "f:spec": {
                        "f:replicas": {},
                        "f:paused": {},
                        "f:template": {"f:spec": {"f:containers": {WEB: {".": {}, "f:name": {}, "f:image": {}, "f:args": {}}}}},
                    },
                },
            },
            {
                "manager": "injector",
                "operation": "Update",
                "fieldsV1": {
                    "f:spec": {
                        "f:replicas": {},
                        "f:template": {"f:spec": {"f:containers": {ISTIO: {".": {}, "f:name": {}, "f:image": {}}}}},
                    }
                },
            },
        ],
    },
    "spec": {
        "replicas": 7,
        "paused": True,
        "template": {
            "spec": {
                "containers": [
                    {"name": "istio", "image": "istio:1"},
                    {"name": "web", "image": "web:1", "resources": {"limits": {"cpu": "4"}}, "args": ["-q"], "tty": True},
                ]
            }
        },
    },
    "status": {"replicas": 7},
}


@pytest.fixture(scope="module", autouse=True)
def built_evaluator() -> None:
    evaluators.program()


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    async with evaluators.pool(size=1) as pool:
        yield pool


async def sent(
    *pointers: str, jq: tuple[str, ...] = (), managers: tuple[str, ...] = (), pool: Pool | None = None, whole: bool = False
) -> Object:
    """What is sent for DESIRED; neither object is changed by it."""
    return await sent_for(DESIRED, LIVE, *pointers, jq=jq, managers=managers, pool=pool, whole=whole)


async def sent_for(
    desired: Object,
    live: Object,
    *pointers: str,
    jq: tuple[str, ...] = (),
    managers: tuple[str, ...] = (),
    pool: Pool | None = None,
    whole: bool = False,
) -> Object:
    ignorer = Ignorer(pool)
    rule = Ignore(group="*", kind="*", json_pointers=pointers, jq_path_expressions=jq, managed_fields_managers=managers)
    ignored = ignorer.rules_for(key_of(desired), (rule,))
    assert ignored is not None
    before = copy.deepcopy((desired, live))
    result = await ignorer.respect(desired, live, ignored, whole=whole)
    assert (desired, live) == before
    return result


def having(path: str, value: Any) -> Object:
    result = copy.deepcopy(DESIRED)
    *above, last = path.split(".")
    place: Any = result
    for part in above:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[last] = value
    return result


CONTAINER = "spec.template.spec.containers.0"


async def test_an_ignored_field_is_sent_as_live_has_it_and_all_else_as_desired() -> None:
    assert await sent("/spec/replicas") == having("spec.replicas", 7)
    assert await sent("/metadata/annotations/a~1b") == having("metadata.annotations", {"a/b": "live"})


async def test_what_is_not_there_changes_nothing() -> None:
    assert await sent("/spec/nothing", "/status") == DESIRED


async def test_items_of_a_list_are_matched_by_their_key_wherever_they_stand(pool: Pool) -> None:
    by_name = '.spec.template.spec.containers[] | select(.name == "web") | .resources.limits.cpu'
    assert await sent(jq=(by_name,), pool=pool) == having(f"{CONTAINER}.resources", {"limits": {"cpu": "4"}})
    assert await sent(jq=(".spec.template.spec.containers[].image",), pool=pool) == having(f"{CONTAINER}.image", "web:1")


async def test_a_pointer_by_place_spares_the_item_that_it_names_in_desired() -> None:
    assert await sent("/spec/template/spec/containers/0/image") == having(f"{CONTAINER}.image", "web:1")


async def test_a_list_that_is_one_value_is_lives() -> None:
    assert await sent("/spec/template/spec/containers/0/args") == having(f"{CONTAINER}.args", ["-q"])
    assert await sent("/spec/template/spec/containers/0/args/0") == having(f"{CONTAINER}.args", ["-q"])


async def test_an_item_that_others_put_in_stays_theirs_unless_the_write_replaces_it(pool: Pool) -> None:
    injected = '.spec.template.spec.containers[] | select(.name == "istio")'
    assert await sent(jq=(injected,), pool=pool) == DESIRED
    replaced = await sent(jq=(injected,), pool=pool, whole=True)
    assert [item["name"] for item in replaced["spec"]["template"]["spec"]["containers"]] == ["web", "istio"]


async def test_an_ignored_field_that_is_ours_and_left_desired_is_sent_or_the_apply_would_take_it_away() -> None:
    assert (await sent("/spec/paused"))["spec"]["paused"] is True
    assert (await sent("/metadata/annotations/ours"))["metadata"]["annotations"] == {"a/b": "git", "ours": "y"}


async def test_a_field_of_others_is_not_made_ours_but_survives_a_replace() -> None:
    assert await sent("/metadata/annotations/theirs") == DESIRED
    assert (await sent("/metadata/annotations/theirs", whole=True))["metadata"]["annotations"] == {"a/b": "git", "theirs": "x"}


async def test_a_whole_mapping_is_sent_with_what_desired_has_and_we_own() -> None:
    assert (await sent("/metadata/annotations"))["metadata"]["annotations"] == {"a/b": "live", "ours": "y"}
    assert (await sent("/metadata/annotations", whole=True))["metadata"]["annotations"] == {"a/b": "live", "theirs": "x", "ours": "y"}


@pytest.mark.parametrize("whole", [False, True])
async def test_what_the_server_writes_of_metadata_and_the_name_are_never_touched(whole: bool) -> None:
    result = await sent("/metadata", "/status", "/kind", "/apiVersion", whole=whole)
    assert result["metadata"].keys() == {"name", "namespace", "annotations"}
    assert (result["apiVersion"], result["kind"]) == ("apps/v1", "Deployment")
    assert "status" not in result


async def test_an_ignored_field_that_live_does_not_have_is_not_sent() -> None:
    live = copy.deepcopy(LIVE)
    del live["metadata"]["annotations"]["a/b"]
    assert (await sent_for(DESIRED, live, "/metadata/annotations/a~1b"))["metadata"]["annotations"] == {}


async def test_an_item_that_live_does_not_have_yet_is_sent_whole(pool: Pool) -> None:
    desired = copy.deepcopy(DESIRED)
    desired["spec"]["template"]["spec"]["containers"].append({"name": "new", "image": "new:1"})
    result = await sent_for(desired, LIVE, jq=(".spec.template.spec.containers[].image",), pool=pool)
    assert [item["image"] for item in result["spec"]["template"]["spec"]["containers"]] == ["web:1", "new:1"]


async def test_fields_of_a_trusted_manager_are_lives() -> None:
    assert await sent(managers=("injector",)) == having("spec.replicas", 7)
    assert await sent(managers=("nobody",)) == DESIRED


async def test_key_fields_that_are_left_out_mean_their_default(pool: Pool) -> None:
    port = 'k:{"port":80,"protocol":"TCP"}'
    metadata = {"name": "web", "namespace": "shop"}
    desired = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80, "targetPort": 8080}]}}
    live = copy.deepcopy(desired)
    live["spec"]["ports"] = [{"port": 80, "protocol": "TCP", "targetPort": 9090, "nodePort": 31000}]  # type: ignore[index]
    live["metadata"]["managedFields"] = [  # type: ignore[index]
        {
            "manager": "homeostat",
            "operation": "Apply",
            "fieldsV1": {"f:spec": {"f:ports": {port: {".": {}, "f:port": {}, "f:targetPort": {}}}}},
        }
    ]
    target = await sent_for(desired, live, jq=(".spec.ports[].targetPort",), pool=pool)
    assert target["spec"]["ports"] == [{"port": 80, "targetPort": 9090}]
    node = await sent_for(desired, live, jq=(".spec.ports[].nodePort",), pool=pool, whole=True)
    assert node["spec"]["ports"] == [{"port": 80, "targetPort": 8080, "nodePort": 31000}]


async def test_items_without_a_key_are_matched_by_place_or_not_at_all(pool: Pool) -> None:
    desired = {
        "apiVersion": "example.org/v1",
        "kind": "Route",
        "metadata": {"name": "r"},
        "spec": {"to": [{"w": 1, "h": "a"}, {"w": 2, "h": "b"}]},
    }
    live = copy.deepcopy(desired)
    live["spec"]["to"] = [{"w": 90, "h": "x"}, {"w": 10, "h": "y"}]  # type: ignore[index]
    result = await sent_for(desired, live, jq=(".spec.to[].w",), pool=pool)
    assert result["spec"]["to"] == [{"w": 90, "h": "a"}, {"w": 10, "h": "b"}]
    live["spec"]["to"].append({"w": 0, "h": "z"})  # type: ignore[index]
    unmatched = await sent_for(desired, live, jq=(".spec.to[].w",), pool=pool)
    assert unmatched["spec"]["to"] == live["spec"]["to"]  # type: ignore[index]


async def test_a_set_keeps_what_was_taken_out_of_it(pool: Pool) -> None:
    desired = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "r", "finalizers": ["a/git"]}}
    live = copy.deepcopy(desired)
    live["metadata"] |= {  # type: ignore[operator]
        "finalizers": ["b/live", "c/theirs"],
        "managedFields": [
            {"manager": "homeostat", "operation": "Apply", "fieldsV1": {"f:metadata": {"f:finalizers": {".": {}, 'v:"b/live"': {}}}}},
            {"manager": "other", "operation": "Update", "fieldsV1": {"f:metadata": {"f:finalizers": {'v:"c/theirs"': {}}}}},
        ],
    }
    result = await sent_for(desired, live, jq=('.metadata.finalizers[] | select(. == "b/live" or . == "c/theirs")',), pool=pool)
    assert result["metadata"]["finalizers"] == ["a/git", "b/live"]

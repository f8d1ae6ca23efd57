"""Every verb and every error class of the client, against a real API server."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from homeostat.live import errors
from homeostat.live.client import Client
from homeostat.model.objects import Object
from homeostat.model.resources import Resource
from tests.live.kinds import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, SECRETS, config_map
from tests.proxy import Proxy

pytestmark = pytest.mark.cluster


async def connect(plane: Any) -> Client:
    return await Client.connect(str(plane.kubeconfig))


def _bad_deployment(namespace: str) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "bad", "namespace": namespace},
        "spec": {"replicas": "many", "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}}},
    }


async def test_an_object_is_created_read_changed_replaced_and_deleted(plane: Any, namespace: str) -> None:
    async with await connect(plane) as client:
        made = await client.create(CONFIG_MAPS, config_map(namespace, "one", a="1"))
        assert await client.get(CONFIG_MAPS, namespace, "one") == made
        patched = await client.patch(CONFIG_MAPS, namespace, "one", {"data": {"b": "2"}})
        assert patched["data"] == {"a": "1", "b": "2"}
        patched = await client.patch(CONFIG_MAPS, namespace, "one", [{"op": "remove", "path": "/data/a"}], kind="json")
        assert patched["data"] == {"b": "2"}
        replaced = await client.replace(CONFIG_MAPS, {**patched, "data": {"c": "3"}})
        assert replaced["data"] == {"c": "3"}
        answer = await client.delete(CONFIG_MAPS, namespace, "one", uid=made["metadata"]["uid"])
        assert answer["status"] == "Success"
        with pytest.raises(errors.NotFoundError, match='configmaps "one" not found'):
            await client.get(CONFIG_MAPS, namespace, "one")


async def test_an_apply_creates_then_changes_and_names_its_manager(plane: Any, namespace: str) -> None:
    async with await connect(plane) as client:
        first = await client.apply(CONFIG_MAPS, config_map(namespace, "one", a="1", b="2"))
        second = await client.apply(CONFIG_MAPS, config_map(namespace, "one", a="1"))
    assert second["data"] == {"a": "1"}
    assert second["metadata"]["uid"] == first["metadata"]["uid"]
    assert [(entry["manager"], entry["operation"]) for entry in second["metadata"]["managedFields"]] == [("homeostat", "Apply")]


async def test_a_dry_run_changes_nothing(plane: Any, namespace: str) -> None:
    async with await connect(plane) as client:
        await client.apply(CONFIG_MAPS, config_map(namespace, "one", a="1"))
        tried = await client.apply(CONFIG_MAPS, config_map(namespace, "one", a="2"), dry_run=True)
        assert tried["data"] == {"a": "2"}
        await client.delete(CONFIG_MAPS, namespace, "one", dry_run=True)
        assert (await client.get(CONFIG_MAPS, namespace, "one"))["data"] == {"a": "1"}


async def test_an_apply_without_force_tells_which_fields_belong_to_others(plane: Any, namespace: str) -> None:
    async with await connect(plane) as client:
        await client.apply(CONFIG_MAPS, config_map(namespace, "one", a="1"), manager="somebody")
        with pytest.raises(errors.ApplyConflictError, match="somebody") as caught:
            await client.apply(CONFIG_MAPS, config_map(namespace, "one", a="2"), force=False)
        assert caught.value.causes[0][0] == ".data.a"
        assert (await client.apply(CONFIG_MAPS, config_map(namespace, "one", a="2")))["data"] == {"a": "2"}


async def test_a_stale_replace_is_a_conflict_and_a_second_create_is_told_apart(plane: Any, namespace: str) -> None:
    async with await connect(plane) as client:
        made = await client.create(CONFIG_MAPS, config_map(namespace, "one", a="1"))
        await client.patch(CONFIG_MAPS, namespace, "one", {"data": {"a": "2"}})
        with pytest.raises(errors.ConflictError) as caught:
            await client.replace(CONFIG_MAPS, made)
        assert type(caught.value) is errors.ConflictError
        with pytest.raises(errors.AlreadyExistsError):
            await client.create(CONFIG_MAPS, config_map(namespace, "one"))


async def test_a_delete_spares_another_object_of_the_same_name(plane: Any, namespace: str) -> None:
    async with await connect(plane) as client:
        await client.create(CONFIG_MAPS, config_map(namespace, "one"))
        with pytest.raises(errors.ConflictError):
            await client.delete(CONFIG_MAPS, namespace, "one", uid="00000000-0000-0000-0000-000000000000")
        assert await client.get(CONFIG_MAPS, namespace, "one")


async def test_a_delete_in_the_foreground_leaves_the_object_until_its_finalizer_is_gone(plane: Any, namespace: str) -> None:
    obj = config_map(namespace, "one")
    obj["metadata"]["finalizers"] = ["example.com/wait"]
    async with await connect(plane) as client:
        await client.create(CONFIG_MAPS, obj)
        answer = await client.delete(CONFIG_MAPS, namespace, "one", propagation="Foreground")
        assert answer["metadata"]["deletionTimestamp"]
        await client.patch(CONFIG_MAPS, namespace, "one", {"metadata": {"finalizers": None}})
        with pytest.raises(errors.NotFoundError):
            await client.get(CONFIG_MAPS, namespace, "one")


async def test_an_invalid_object_is_refused_in_the_servers_own_words(plane: Any, namespace: str) -> None:
    async with await connect(plane) as client:
        with pytest.raises(errors.InvalidObjectError) as caught:
            await client.apply(DEPLOYMENTS, _bad_deployment(namespace))
    assert str(caught.value).endswith(".spec.replicas: expected numeric (int or float), got string")


async def test_every_field_that_is_wrong_is_a_cause(plane: Any, namespace: str) -> None:
    obj = _bad_deployment(namespace)
    obj["spec"]["replicas"] = 1
    async with await connect(plane) as client:
        with pytest.raises(errors.InvalidObjectError) as caught:
            await client.apply(DEPLOYMENTS, obj)
    assert caught.value.status == 422
    assert "spec.template.spec.containers" in {field for field, _ in caught.value.causes}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"data": {"password": "hunter2 is no base64"}}, id="no-base64"),
        pytest.param({"data": {"password": 1234554321}}, id="a-number"),
        pytest.param({"stringData": {"password": 1234554321}}, id="a-number-as-text"),
        pytest.param({"data": {"password": {"hunter2": "nested"}}}, id="nested"),
        pytest.param({"data": ["hunter2"]}, id="a-list"),
    ],
)
@pytest.mark.parametrize("verb", ["apply", "create"])
async def test_the_value_of_a_secret_is_never_in_an_error(plane: Any, namespace: str, data: Object, verb: str) -> None:
    obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "one", "namespace": namespace}, **data}
    async with await connect(plane) as client:
        with pytest.raises(errors.InvalidObjectError) as caught:
            await getattr(client, verb)(SECRETS, obj)
    assert "Secret" in str(caught.value)
    told = f"{caught.value} {caught.value.causes} {caught.value.hint}"
    assert "hunter2" not in told
    assert "1234554321" not in told


async def test_a_namespace_that_is_not_there_is_told(plane: Any) -> None:
    async with await connect(plane) as client:
        with pytest.raises(errors.NotFoundError, match='namespaces "nowhere" not found'):
            await client.apply(CONFIG_MAPS, config_map("nowhere", "one"))


async def test_an_account_without_rights_is_forbidden(plane: Any, namespace: str) -> None:
    plane.kubectl("create", "serviceaccount", "weak", "-n", namespace)
    token = plane.kubectl("create", "token", "weak", "-n", namespace).strip()
    async with Proxy(plane.kubeconfig) as proxy:
        proxy.token = token
        async with await Client.connect(str(proxy.kubeconfig)) as client:
            with pytest.raises(errors.ForbiddenError, match="cannot list resource"):
                await client.list(SECRETS, namespace=namespace)
            proxy.token = "nonsense"
            with pytest.raises(errors.ForbiddenError) as caught:
                await client.list(SECRETS, namespace=namespace)
    assert caught.value.status == 401
    assert "sign in" in caught.value.hint


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../../../../apis", "%2e%2e"])
async def test_a_name_that_would_be_another_path_is_never_sent(plane: Any, namespace: str, name: str) -> None:
    async with Proxy(plane.kubeconfig) as proxy, await Client.connect(str(proxy.kubeconfig)) as client:
        with pytest.raises(errors.InvalidObjectError):
            await client.delete(CONFIG_MAPS, namespace, name)
        with pytest.raises(errors.InvalidObjectError):
            await client.apply(CONFIG_MAPS, config_map(namespace, name))
        with pytest.raises(errors.InvalidObjectError):
            await client.get(CONFIG_MAPS, "", "one")
        assert proxy.requests == []


async def test_a_long_list_comes_in_pages_and_each_item_knows_its_kind(plane: Any, namespace: str) -> None:
    async with Proxy(plane.kubeconfig) as proxy, await Client.connect(str(proxy.kubeconfig)) as client:
        for number in range(7):
            await client.create(CONFIG_MAPS, config_map(namespace, f"n{number}"))
        proxy.requests.clear()
        listing = await client.list(CONFIG_MAPS, namespace=namespace, limit=3)
        assert proxy.count("GET", "limit=3") == 3
    names = [item["metadata"]["name"] for item in listing.items]
    assert [name for name in names if name != "kube-root-ca.crt"] == [f"n{number}" for number in range(7)]
    assert {(item["apiVersion"], item["kind"]) for item in listing.items} == {("v1", "ConfigMap")}
    assert int(listing.resource_version) > 0


async def test_lists_can_be_narrowed(plane: Any, namespace: str) -> None:
    obj = config_map(namespace, "marked")
    obj["metadata"]["labels"] = {"colour": "red"}
    async with await connect(plane) as client:
        await client.create(CONFIG_MAPS, obj)
        await client.create(CONFIG_MAPS, config_map(namespace, "plain"))
        marked = await client.list(CONFIG_MAPS, label_selector="colour=red", namespace=namespace)
        named = await client.list(CONFIG_MAPS, field_selector="metadata.name=plain", namespace=namespace)
    assert [item["metadata"]["name"] for item in marked.items] == ["marked"]
    assert [item["metadata"]["name"] for item in named.items] == ["plain"]


async def test_a_watch_tells_what_happens_after_a_list(plane: Any, namespace: str) -> None:
    async with await connect(plane) as client:
        listing = await client.list(CONFIG_MAPS, namespace=namespace)
        await client.create(CONFIG_MAPS, config_map(namespace, "one", a="1"))
        await client.patch(CONFIG_MAPS, namespace, "one", {"data": {"a": "2"}})
        await client.delete(CONFIG_MAPS, namespace, "one")
        seen: list[tuple[str, Any]] = []
        async with contextlib.aclosing(client.watch(CONFIG_MAPS, resource_version=listing.resource_version, namespace=namespace)) as events:
            async for event in events:
                if event.object["metadata"].get("name") == "one":
                    seen.append((event.type, event.object["data"]))
                if event.type == "DELETED":
                    break
    assert seen == [("ADDED", {"a": "1"}), ("MODIFIED", {"a": "2"}), ("DELETED", {"a": "2"})]


async def test_a_watch_from_a_forgotten_version_is_gone(plane: Any, namespace: str) -> None:
    async with Proxy(plane.kubeconfig) as proxy, await Client.connect(str(proxy.kubeconfig)) as client:
        proxy.fault(path="watch=1", status=410, reason="Expired", message="too old resource version")
        with pytest.raises(errors.GoneError, match="too old"):
            async for _ in client.watch(CONFIG_MAPS, resource_version="1", namespace=namespace):
                pass


async def test_large_objects_pass_in_one_piece(plane: Any, namespace: str) -> None:
    big = {f"k{number}": "x" * 1000 for number in range(800)}
    async with await connect(plane) as client:
        listing = await client.list(CONFIG_MAPS, namespace=namespace)
        made = await client.apply(CONFIG_MAPS, config_map(namespace, "big", **big))
        assert made["data"] == big
        async with contextlib.aclosing(client.watch(CONFIG_MAPS, resource_version=listing.resource_version, namespace=namespace)) as events:
            async for event in events:
                if event.object["metadata"].get("name") == "big":
                    assert event.object["data"] == big
                    break


@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_asks_for_patience_gets_it(plane: Any, namespace: str, status: int) -> None:
    async with Proxy(plane.kubeconfig) as proxy, await Client.connect(str(proxy.kubeconfig)) as client:
        fault = proxy.fault(method="POST", status=status, headers={"Retry-After": "0.01"}, times=2)
        made = await client.create(CONFIG_MAPS, config_map(namespace, "one"))
    assert made["metadata"]["name"] == "one"
    assert fault.hits == 2


async def test_patience_has_an_end(plane: Any, namespace: str) -> None:
    async with Proxy(plane.kubeconfig) as proxy, await Client.connect(str(proxy.kubeconfig)) as client:
        fault = proxy.fault(method="GET", status=429, headers={"Retry-After": "3600"}, times=-1)
        with pytest.raises(errors.ThrottledError) as caught:
            await client.get(CONFIG_MAPS, namespace, "one")
    assert caught.value.retry_after == 3600
    assert fault.hits == 1


async def test_an_apply_survives_a_lost_connection(plane: Any, namespace: str) -> None:
    async with Proxy(plane.kubeconfig) as proxy, await Client.connect(str(proxy.kubeconfig)) as client:
        proxy.fault(method="PATCH", drop=True, after=True)
        proxy.fault(method="PATCH", drop=True)
        made = await client.apply(CONFIG_MAPS, config_map(namespace, "one", a="1"))
        assert made["data"] == {"a": "1"}
        assert proxy.count("PATCH", "/one") == 3


async def test_a_create_whose_answer_was_lost_is_not_sent_again(plane: Any, namespace: str) -> None:
    async with Proxy(plane.kubeconfig) as proxy, await Client.connect(str(proxy.kubeconfig)) as client:
        proxy.fault(method="POST", drop=True, after=True)
        with pytest.raises(errors.UnavailableError):
            await client.create(CONFIG_MAPS, config_map(namespace, "one"))
        assert proxy.count("POST", "configmaps") == 1
        assert await client.get(CONFIG_MAPS, namespace, "one")


async def test_a_server_error_is_told_at_once(plane: Any, namespace: str) -> None:
    async with Proxy(plane.kubeconfig) as proxy, await Client.connect(str(proxy.kubeconfig)) as client:
        fault = proxy.fault(method="PATCH", status=500, reason="InternalError", message="webhook broke", times=-1)
        with pytest.raises(errors.UnavailableError, match="webhook broke"):
            await client.apply(CONFIG_MAPS, config_map(namespace, "one"))
        assert fault.hits == 1


async def test_a_server_that_is_down_is_named_and_found_again(plane: Any, namespace: str) -> None:
    async with Proxy(plane.kubeconfig) as proxy, await Client.connect(str(proxy.kubeconfig)) as client:
        await client.list(CONFIG_MAPS, namespace=namespace)
        await proxy.down()
        for _ in range(2):  # the first may only learn that its kept-alive connection is gone
            with pytest.raises(errors.UnavailableError, match=proxy.server):
                await client.create(CONFIG_MAPS, config_map(namespace, "one"))
        assert not client.reachable
        await proxy.up()
        await client.create(CONFIG_MAPS, config_map(namespace, "one"))
        assert client.reachable


async def test_a_request_can_be_cancelled(plane: Any, namespace: str) -> None:
    async with Proxy(plane.kubeconfig) as proxy, await Client.connect(str(proxy.kubeconfig)) as client:
        never = asyncio.Event()
        proxy.fault(method="GET", hold=never)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.get(CONFIG_MAPS, namespace, "one")
        never.set()


async def test_names_with_unusual_characters_are_reached(plane: Any, namespace: str) -> None:
    del namespace
    roles = Resource(group="rbac.authorization.k8s.io", version="v1", kind="ClusterRole", plural="clusterroles", namespaced=False)
    async with await connect(plane) as client:
        assert (await client.get(roles, "", "system:node"))["metadata"]["name"] == "system:node"
        odd = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a b?c#d"}, "rules": []}
        await client.apply(roles, odd)
        assert (await client.get(roles, "", "a b?c#d"))["metadata"]["name"] == "a b?c#d"
        await client.delete(roles, "", "a b?c#d")


async def test_the_log_of_a_pod_that_does_not_run_is_a_clear_error(plane: Any, namespace: str) -> None:
    async with await connect(plane) as client:
        with pytest.raises(errors.NotFoundError, match='pods "none" not found'):
            async for _ in client.logs(namespace, "none"):
                pass
        assert (await client.list(PODS, namespace=namespace)).items == []
        assert await client.get(NAMESPACES, "", namespace)

"""A watch without gaps: whatever breaks on the way, the listener ends up knowing what there is."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest

from homeostat.live import errors, transport, wire
from homeostat.live.client import Client, Page
from homeostat.live.reflector import Reflector
from homeostat.model.resources import Resource
from tests.cluster import Cluster as Plane
from tests.live.ears import Ear, running
from tests.live.kinds import CONFIG_MAPS, CRDS, SECRETS, config_map, custom_kind
from tests.proxy import Proxy


@contextlib.asynccontextmanager
async def through(proxy: Proxy) -> AsyncIterator[Client]:
    async with await Client.connect(str(proxy.kubeconfig)) as client:
        yield client


async def test_what_is_there_is_told_first_and_then_what_changes(plane: Plane, namespace: str) -> None:
    async with await Client.connect(str(plane.kubeconfig)) as client:
        await client.create(CONFIG_MAPS, config_map(namespace, "one", a="1"))
        ear = Ear()
        async with running(Reflector(client, CONFIG_MAPS, ear, namespace=namespace)) as reflector:
            assert reflector.synced.is_set()
            assert ear.events == [("ADDED", "one")]
            await client.patch(CONFIG_MAPS, namespace, "one", {"data": {"a": "2"}})
            await ear.until(lambda: ear.data("one") == {"a": "2"})
            await client.delete(CONFIG_MAPS, namespace, "one")
            await ear.until(lambda: "one" not in ear.objects)
    assert ear.events == [("ADDED", "one"), ("MODIFIED", "one"), ("DELETED", "one")]


async def test_a_dropped_connection_is_resumed_without_a_list(plane: Plane, namespace: str) -> None:
    async with Proxy(plane.kubeconfig) as proxy, through(proxy) as client:
        ear = Ear()
        async with running(Reflector(client, CONFIG_MAPS, ear, namespace=namespace)):
            for number in range(3):
                await client.apply(CONFIG_MAPS, config_map(namespace, "one", a=str(number)))
                await ear.until(lambda number=number: ear.data("one") == {"a": str(number)})  # type: ignore[misc]
                assert proxy.cut() >= 1
            await client.apply(CONFIG_MAPS, config_map(namespace, "one", a="last"))
            await ear.until(lambda: ear.data("one") == {"a": "last"})
        assert proxy.count("GET", "limit=500") == 1
    assert ear.events[0] == ("ADDED", "one")
    assert len(ear.events) == 4, "nothing is told twice"


async def test_what_happens_while_the_server_is_away_is_told_when_it_is_back(plane: Plane, namespace: str) -> None:
    async with (
        await Client.connect(str(plane.kubeconfig)) as direct,
        Proxy(plane.kubeconfig) as proxy,
        through(proxy) as client,
    ):
        await direct.create(CONFIG_MAPS, config_map(namespace, "stays", a="1"))
        await direct.create(CONFIG_MAPS, config_map(namespace, "goes"))
        ear = Ear()
        async with running(Reflector(client, CONFIG_MAPS, ear, namespace=namespace)) as reflector:
            await proxy.down()
            await direct.delete(CONFIG_MAPS, namespace, "goes")
            await direct.patch(CONFIG_MAPS, namespace, "stays", {"data": {"a": "2"}})
            await direct.create(CONFIG_MAPS, config_map(namespace, "comes"))
            await proxy.up()
            reflector.poke()
            await ear.until(lambda: set(ear.objects) == {"stays", "comes"} and ear.data("stays") == {"a": "2"})


async def test_a_forgotten_version_leads_to_a_new_list_and_the_lost_are_told(plane: Plane, namespace: str) -> None:
    async with (
        await Client.connect(str(plane.kubeconfig)) as direct,
        Proxy(plane.kubeconfig) as proxy,
        through(proxy) as client,
    ):
        await direct.create(CONFIG_MAPS, config_map(namespace, "stays"))
        await direct.create(CONFIG_MAPS, config_map(namespace, "goes"))
        ear = Ear()
        async with running(Reflector(client, CONFIG_MAPS, ear, namespace=namespace)) as reflector:
            await proxy.down()
            await direct.delete(CONFIG_MAPS, namespace, "goes")
            proxy.fault(path="watch=1", status=410, reason="Expired")
            await proxy.up()
            reflector.poke()
            await ear.until(lambda: set(ear.objects) == {"stays"})
        assert proxy.count("GET", "limit=500") == 2
    assert ear.events[-1] == ("DELETED", "goes")


EXPIRED = (
    b'{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old resource version","reason":"Expired","code":410}}'
)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(EXPIRED, id="expired"),
        pytest.param(b'{"type":"ERROR","object":{"kind":"Status","message":"etcd is gone","code":500}}', id="a-server-error"),
        pytest.param(b'{"type":"ADDED","object":{"metadata":3}}', id="no-object"),
        pytest.param(b'{"type":"ERROR","object":7}', id="no-status"),
        pytest.param(b"<html>", id="no-json"),
    ],
)
async def test_an_error_within_a_watch_is_got_over(plane: Plane, namespace: str, body: bytes) -> None:
    async with Proxy(plane.kubeconfig) as proxy, through(proxy) as client:
        fault = proxy.fault(path="watch=1", status=200, body=body + b"\n", times=2)
        ear = Ear()
        async with running(Reflector(client, CONFIG_MAPS, ear, namespace=namespace)):
            await client.apply(CONFIG_MAPS, config_map(namespace, "one"))
            await ear.until(lambda: "one" in ear.objects)
        assert fault.hits == 2


async def test_a_list_that_breaks_off_half_way_forgets_nobody(plane: Plane, namespace: str) -> None:
    async with (
        await Client.connect(str(plane.kubeconfig)) as direct,
        Proxy(plane.kubeconfig) as proxy,
        through(proxy) as client,
    ):
        for number in range(4):
            await direct.create(CONFIG_MAPS, config_map(namespace, f"n{number}"))
        second_page, go_on = proxy.fault(path="continue=", status=410, reason="Expired"), asyncio.Event()
        second_page.hold = go_on
        ear = Ear()
        reflector = Reflector(_Pagewise(client), CONFIG_MAPS, ear, namespace=namespace)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(reflector.run())
            await ear.until(lambda: "n0" in ear.objects)
            await direct.delete(CONFIG_MAPS, namespace, "n0")
            go_on.set()
            await ear.until(lambda: set(ear.objects) == {"n1", "n2", "n3"})
            task.cancel()
    assert ear.events.count(("DELETED", "n0")) == 1


class _Pagewise(Client):
    """A client whose lists come in pages of two."""

    def __init__(self, client: Client) -> None:
        self.__dict__.update(client.__dict__)

    def pages(self, resource: Resource, **how: Any) -> AsyncGenerator[Page, None]:
        return super().pages(resource, **{**how, "limit": 2})


async def test_an_object_that_was_written_and_lost_unseen_is_not_remembered(plane: Plane, namespace: str) -> None:
    async with (
        await Client.connect(str(plane.kubeconfig)) as direct,
        Proxy(plane.kubeconfig) as proxy,
        through(proxy) as client,
    ):
        ear = Ear()
        async with running(Reflector(client, CONFIG_MAPS, ear, namespace=namespace)) as reflector:
            await proxy.down()
            answer = wire.seen_object(await direct.create(CONFIG_MAPS, config_map(namespace, "brief")))
            assert reflector.expect(answer)
            await direct.delete(CONFIG_MAPS, namespace, "brief")
            await direct.create(CONFIG_MAPS, config_map(namespace, "after"))
            proxy.fault(path="watch=1", status=410, reason="Expired")
            await proxy.up()
            reflector.poke()
            await ear.until(lambda: ("DELETED", "brief") in ear.events)
            await ear.until(lambda: "after" in ear.objects)
            assert not reflector.expect(answer), "it is old news by now"


async def test_a_kind_that_may_not_be_read_is_told_and_tried_again(plane: Plane, namespace: str) -> None:
    plane.kubectl("create", "serviceaccount", "weak", "-n", namespace)
    token = plane.kubectl("create", "token", "weak", "-n", namespace).strip()
    async with Proxy(plane.kubeconfig) as proxy, through(proxy) as client:
        proxy.token = token
        ear = Ear()
        async with running(Reflector(client, SECRETS, ear, namespace=namespace)) as reflector:
            assert isinstance(reflector.error, errors.ForbiddenError)
            assert not reflector.synced.is_set()
            proxy.token = ""
            reflector.poke()
            await reflector.synced.wait()
            assert reflector.error is None


async def test_a_kind_that_is_served_no_more_takes_its_objects_along(plane: Plane, namespace: str) -> None:
    group = f"{uuid.uuid4().hex[:8]}.example.com"
    widgets = Resource(group=group, version="v1", kind="Widget", plural="widgets", namespaced=True)
    async with await Client.connect(str(plane.kubeconfig)) as client:
        await client.create(CRDS, custom_kind(group, "Widget"))
        plane.established(f"widgets.{group}")
        ear = Ear()
        async with running(Reflector(client, widgets, ear, namespace=namespace)) as reflector:
            await reflector.synced.wait()  # the server takes a moment to serve a new kind
            obj = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "one", "namespace": namespace}, "spec": {"size": 1}}
            await client.apply(widgets, obj)
            await ear.until(lambda: "one" in ear.objects)
            await client.delete(CRDS, "", f"widgets.{group}")
            await ear.until(lambda: "one" not in ear.objects)


async def test_a_server_that_cuts_every_watch_is_not_hammered(plane: Plane, namespace: str) -> None:
    async with Proxy(plane.kubeconfig) as proxy, through(proxy) as client:
        cuts = proxy.fault(path="watch=1", drop=True, times=2)
        ear = Ear()
        async with running(Reflector(client, CONFIG_MAPS, ear, namespace=namespace)):
            await client.apply(CONFIG_MAPS, config_map(namespace, "one"))
            await ear.until(lambda: "one" in ear.objects)
        assert cuts.hits == 2
        assert proxy.count("GET", "watch=1") == 3


async def test_a_watch_that_serves_well_until_it_is_cut_is_begun_again_as_quickly_the_tenth_time_as_the_first(
    plane: Plane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[int] = []

    def backoff(attempt: int, **_: float) -> float:
        failures.append(attempt)
        return 0.0

    monkeypatch.setattr(transport, "backoff", backoff)
    async with Proxy(plane.kubeconfig) as proxy, through(proxy) as client:
        ear = Ear()
        async with running(Reflector(client, CONFIG_MAPS, ear, namespace=namespace)):
            for number in range(10):
                await client.apply(CONFIG_MAPS, config_map(namespace, "one", a=str(number)))
                await ear.until(lambda number=number: ear.data("one") == {"a": str(number)})  # type: ignore[misc]
                proxy.cut()
            await client.apply(CONFIG_MAPS, config_map(namespace, "one", a="last"))
            await ear.until(lambda: ear.data("one") == {"a": "last"})
    assert failures
    assert max(failures) <= 2, "a cut of a watch that has only just begun may come between"


async def test_a_fault_in_the_listener_does_not_end_the_watch(plane: Plane, namespace: str) -> None:
    async with await Client.connect(str(plane.kubeconfig)) as client:
        ear = Ear()
        faults = iter([ValueError("a bug")])

        def listener(kind: str, seen: wire.Seen) -> None:
            if seen.key.name == "one" and (fault := next(faults, None)):
                raise fault
            ear(kind, seen)

        async with running(Reflector(client, CONFIG_MAPS, listener, namespace=namespace)):
            await client.apply(CONFIG_MAPS, config_map(namespace, "one"))
            await ear.until(lambda: "one" in ear.objects)


async def test_a_cluster_that_was_restored_from_a_backup_is_listed_anew(plane: Plane, namespace: str) -> None:
    async with await Client.connect(str(plane.kubeconfig)) as client:
        await client.create(CONFIG_MAPS, config_map(namespace, "one"))
        ear = Ear()
        reflector = Reflector(client, CONFIG_MAPS, ear, namespace=namespace)
        async with running(reflector):
            pass
        reflector.version += 1_000_000  # as if it had seen the future
        reflector._resume_at = ""
        async with running(reflector):
            await ear.until(lambda: ear.events == [("ADDED", "one"), ("DELETED", "one"), ("ADDED", "one")])
            await client.apply(CONFIG_MAPS, config_map(namespace, "two"))
            await ear.until(lambda: "two" in ear.objects)

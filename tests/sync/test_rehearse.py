"""What would be refused is known before anything is pruned for it."""

from __future__ import annotations

import pytest

from homeostat.model.objects import Object
from homeostat.sync.rehearse import rehearse
from homeostat.sync.run import Runner
from tests.sync.objects import crd, obj
from tests.sync.test_run import Here, here, settings

__all__ = ["here"]

pytestmark = pytest.mark.cluster


async def rehearsed(here: Here, *things: Object, old: Object | None = None, namespace: str = "") -> list[str]:
    made = await here.plan(*things, old=[old] if old is not None else [], namespace=namespace, options=("CreateNamespace=true",))
    done = await rehearse(Runner(here), made, options=(), doubtful=lambda task: task.live is None)
    return [result.message for result in done]


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        pytest.param(obj("ConfigMap", "new", data={"a": 1}), ".data.a: expected string", id="wrong type"),
        pytest.param(obj("ConfigMap", "Not A Name"), "lowercase RFC 1123 subdomain", id="wrong name"),
        pytest.param(obj("Wigdet", "new", group="example.com"), "could not find example.com/Wigdet", id="unknown kind"),
        pytest.param(obj("ConfigMap", "new", namespace="nowhere-at-all"), 'namespaces "nowhere-at-all" not found', id="no namespace"),
    ],
)
async def test_a_plan_that_prunes_is_told_what_is_wrong_and_where(here: Here, namespace: str, thing: Object, says: str) -> None:
    if thing["metadata"]["namespace"] != "nowhere-at-all":
        thing = {**thing, "metadata": {**thing["metadata"], "namespace": namespace}}
    old = settings(namespace, "old")
    await here.sync(old)
    [message] = await rehearsed(here, thing, settings(namespace, "fine"), old=old)
    assert says in message
    assert "(all.yaml:1)" in message
    assert await here.live(old) is not None
    assert await here.live(settings(namespace, "fine")) is None


async def test_a_plan_that_prunes_nothing_is_not_asked_about(here: Here, namespace: str) -> None:
    assert await rehearsed(here, settings(namespace, "Not A Name")) == []


async def test_what_pruning_may_cure_is_no_reason(here: Here, namespace: str) -> None:
    def service(name: str) -> Object:
        return obj("Service", name, namespace=namespace, spec={"type": "NodePort", "ports": [{"port": 80, "nodePort": port}]})

    port = 31847
    await here.sync(service("old"))
    assert await rehearsed(here, service("new"), old=service("old")) == []


async def test_what_the_plan_itself_brings_is_not_missed(here: Here, namespace: str) -> None:
    old = settings(namespace, "old")
    await here.sync(old)
    kind = f"Part{namespace[-6:]}"
    things = [crd(kind), obj(kind, "new", namespace=namespace, group="example.org"), settings(f"{namespace}-new")]
    assert await rehearsed(here, *things, old=old, namespace=f"{namespace}-new") == []


async def test_a_kind_that_comes_later_is_not_missed_where_that_is_said(here: Here, namespace: str) -> None:
    old = settings(namespace, "old")
    await here.sync(old)
    late = obj("Wigdet", "new", namespace=namespace, group="example.com", options="SkipDryRunOnMissingResource=true")
    assert await rehearsed(here, late, old=old) == []

"""The live index: whatever happens in whatever order, it says what a look at the final state would say."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.live import wire
from homeostat.live.index import Index
from homeostat.model.objects import GroupKind, Key, Object
from homeostat.model.resources import Resource
from homeostat.model.tracking import TRACKING_ID, Tracking, TrackingMethod

CONFIG_MAP = GroupKind("", "ConfigMap")


def key(name: str) -> Key:
    return Key("", "ConfigMap", "shop", name)


def config_map(
    name: str, *, version: int = 1, uid: str = "", app: str = "", owners: tuple[str, ...] = (), data: str = "", mark: str = ""
) -> Object:
    annotations = {TRACKING_ID: f"{app}:/ConfigMap:shop/{mark or name}"} if app else {}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": uid or f"uid-{name}",
            "resourceVersion": str(version),
            "annotations": annotations,
            "ownerReferences": [{"uid": owner, "kind": "ConfigMap", "name": "x", "apiVersion": "v1"} for owner in owners],
        },
        "data": {"a": data},
    }


def put(index: Index, **what: Any) -> frozenset[str]:
    return index.put(wire.seen_object(config_map(**what))).apps


def test_an_object_belongs_to_the_app_that_its_mark_names() -> None:
    index = Index(Tracking())
    assert put(index, name="a", app="web") == {"web"}
    assert index.managed("web") == {key("a")}
    assert index.get(key("a")) == config_map("a", app="web")


def test_of_an_object_that_nobody_manages_no_body_is_kept() -> None:
    index = Index(Tracking())
    assert put(index, name="a") == frozenset()
    assert key("a") in index
    assert index.get(key("a")) is None
    node = index.node(key("a"))
    assert node is not None
    assert (node.uid, node.body) == ("uid-a", b"")


def test_a_copied_mark_makes_nobody_an_owner() -> None:
    index = Index(Tracking())
    put(index, name="a", app="web", mark="b")
    assert index.managed("web") == frozenset()


def test_an_object_with_an_owner_is_its_owners_whatever_its_labels_say() -> None:
    index = Index(Tracking(method=TrackingMethod.LABEL))
    pod = config_map("a", owners=("uid-set",))
    pod["metadata"]["labels"] = {"app.kubernetes.io/instance": "web"}
    index.put(wire.seen_object(pod))
    assert index.managed("web") == frozenset()
    assert [node.key for node in index.children("uid-set")] == [key("a")]


def test_another_installations_objects_are_not_ours() -> None:
    index = Index(Tracking(installation_id="east"))
    put(index, name="a", app="web")
    assert index.managed("web") == frozenset()


def test_a_claimed_object_keeps_its_body_from_its_next_sight_on() -> None:
    index = Index(Tracking())
    put(index, name="a", data="old")
    index.claim("web", [key("a"), key("absent")])
    assert index.missing([key("a"), key("absent")]) == [key("a")]
    assert put(index, name="a", data="old") == frozenset(), "the same version is no news"
    assert index.missing([key("a")]) == [], "but it brought the body"
    assert put(index, name="a", version=2, data="new") == {"web"}
    assert index.get(key("a")) == config_map("a", version=2, data="new")
    index.claim("web", [])
    assert index.get(key("a")) is None
    assert index.uses(CONFIG_MAP) == 0


def test_an_object_that_changes_hands_concerns_both_apps() -> None:
    index = Index(Tracking())
    put(index, name="a", app="web")
    assert put(index, name="a", app="shop", version=2) == {"web", "shop"}
    assert index.managed("web") == frozenset()
    assert index.managed("shop") == {key("a")}


def test_old_news_are_no_news() -> None:
    index = Index(Tracking())
    put(index, name="a", app="web", version=5, data="new")
    assert put(index, name="a", app="web", version=4, data="old") == frozenset()
    assert index.drop(key("a"), version=3).apps == frozenset()
    assert index.get(key("a")) == config_map("a", app="web", version=5, data="new")


def test_an_object_that_was_made_again_survives_the_end_of_its_namesake() -> None:
    index = Index(Tracking())
    put(index, name="a", app="web", version=5, uid="second")
    assert index.drop(key("a"), version=5, uid="first").apps == frozenset()
    assert index.drop(key("a"), version=6, uid="second").apps == {"web"}
    assert key("a") not in index


def test_what_is_got_is_the_callers_own() -> None:
    index = Index(Tracking())
    put(index, name="a", app="web", data="x")
    first = index.get(key("a"))
    assert first is not None
    first["data"]["a"] = "changed"
    assert index.get(key("a")) == config_map("a", app="web", data="x")


def test_a_tree_goes_from_owners_to_what_they_brought_about_once() -> None:
    index = Index(Tracking())
    put(index, name="top", app="web")
    put(index, name="middle", owners=("uid-top",))
    put(index, name="low", owners=("uid-middle", "uid-top"))
    put(index, name="circle", owners=("uid-circle", "uid-low"))
    put(index, name="stranger")
    assert [node.key.name for node in index.tree("web")] == ["top", "middle", "low", "circle"]


def test_of_a_pod_the_facts_are_kept() -> None:
    index = Index(Tracking())
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "shop", "uid": "u", "resourceVersion": "1", "ownerReferences": [{"uid": "set"}]},
        "spec": {"nodeName": "n1", "containers": [{"name": "a", "image": "web:1"}, {"name": "b", "image": "log:2"}]},
        "status": {"phase": "Running", "containerStatuses": [{"ready": True, "restartCount": 2}, {"ready": False, "restartCount": 1}]},
    }
    index.put(wire.seen_object(pod))
    node = index.node(Key("", "Pod", "shop", "p"))
    assert node is not None
    assert node.facts == {"phase": "Running", "ready": "1/2", "restarts": "3", "images": "web:1 log:2", "node": "n1"}


@pytest.mark.parametrize("kind", ["Pod", "ReplicaSet"])
def test_an_object_that_is_not_as_its_kind_has_it_has_no_facts(kind: str) -> None:
    api_version = "v1" if kind == "Pod" else "apps/v1"
    raw = orjson.dumps({"apiVersion": api_version, "kind": kind, "metadata": {"name": "p"}, "spec": [], "status": 3})
    index = Index(Tracking())
    seen = wire.seen(raw)
    index.put(seen)
    node = index.node(seen.key)
    assert node is not None
    assert node.facts == {}


def test_list_items_are_told_their_kind() -> None:
    resource = Resource(group="apps", version="v1", kind="Deployment", plural="deployments", namespaced=True)
    seen = wire.seen(b' {"metadata":{"name":"a","namespace":"n"},"spec":{}}', resource)
    assert seen.key == Key("apps", "Deployment", "n", "a")
    assert seen.object == {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "n"}, "spec": {}}
    assert wire.seen(b"{ }", resource).object == {"apiVersion": "apps/v1", "kind": "Deployment"}


@dataclasses.dataclass(frozen=True)
class Happening:
    """One thing that happens to one of a few objects, or a claim. ``version`` is set by the order in which they happen."""

    what: str
    name: str
    app: str
    owner: str
    late: bool


NAMES = ["a", "b", "c", "d"]
happenings = st.builds(
    Happening,
    what=st.sampled_from(["put", "put", "put", "drop", "claim"]),
    name=st.sampled_from(NAMES),
    app=st.sampled_from(["", "web", "shop"]),
    owner=st.sampled_from(["", "uid-a", "uid-b"]),
    late=st.booleans(),
)


def _state(index: Index) -> dict[str, Any]:
    """Everything that the index can be asked about."""
    return {
        "nodes": {name: index.node(key(name)) for name in NAMES},
        "managed": {app: set(index.managed(app)) for app in ("web", "shop")},
        "claimed": {app: index.claimed(app) for app in ("web", "shop")},
        "claimed_by": {name: index.claimed_by(key(name)) for name in NAMES},
        "children": {uid: sorted(node.key for node in index.children(uid)) for uid in ("uid-a", "uid-b")},
        "trees": {app: {node.key for node in index.tree(app)} for app in ("web", "shop")},
        "uses": index.uses(CONFIG_MAP),
    }


@settings(max_examples=300, deadline=None)
@given(st.lists(happenings, max_size=40))
def test_any_sequence_of_events_gives_the_same_as_building_it_anew(story: list[Happening]) -> None:
    index = Index(Tracking())
    objects: dict[str, Object] = {}
    claims: dict[str, set[Key]] = {}
    for version, event in enumerate(story, start=1):
        if event.what == "put":
            obj = config_map(event.name, version=version, app=event.app, owners=(event.owner,) if event.owner else (), data=str(version))
            index.put(wire.seen_object(obj))
            objects[event.name] = obj
            if event.late and version > 1:  # an answer to an earlier write, overtaken by the watch
                index.put(wire.seen_object(config_map(event.name, version=version - 1, app="web", data="late")))
        elif event.what == "drop":
            index.drop(key(event.name), version=version)
            objects.pop(event.name, None)
        elif event.app:
            claims.setdefault(event.app, set()).symmetric_difference_update({key(event.name)})
            index.claim(event.app, claims[event.app])
            for missing in index.missing(list(claims[event.app])):
                index.put(wire.seen_object(objects[missing.name]))
    anew = Index(Tracking())
    for app, keys in claims.items():
        anew.claim(app, keys)
    for obj in objects.values():
        anew.put(wire.seen_object(obj))
    assert _state(index) == _state(anew)
    for name, obj in objects.items():
        held = index.get(key(name))
        assert held == (obj if index.apps_of(key(name)) else None)


def test_an_event_costs_the_same_among_many_objects_as_among_few() -> None:
    """Not by the clock: by the objects that are touched, which a scan would show."""
    index = Index(Tracking())
    for number in range(2000):
        put(index, name=f"n{number}", app=f"app-{number % 500}")
    touched: list[Key] = []

    class Counting(dict[Key, Any]):
        def __iter__(self) -> Any:
            raise AssertionError("a scan over all objects")

        values = items = keys = __iter__

        def __getitem__(self, name: Key) -> Any:
            touched.append(name)
            return super().__getitem__(name)

    index._nodes = Counting(index._nodes)
    assert put(index, name="n7", app="app-7", version=2, data="x") == {"app-7"}
    index.claim("app-7", [key("n7"), key("n8")])
    assert index.drop(key("n7"), version=3).apps == {"app-7"}
    assert [node.key.name for node in index.tree("app-8")] == ["n1008", "n1508", "n508", "n8"]
    assert len(touched) < 20

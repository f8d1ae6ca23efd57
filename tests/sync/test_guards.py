"""Prunes that look like an accident, or would lose data, are held: each guard alone, and what confirms a hold."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.model.app import App, AppKey, Destination
from homeostat.model.guards import ALL_GUARDS, NO_GUARD, DeletionGuard, read_guards
from homeostat.model.hooks import HOOK
from homeostat.model.objects import GroupKind, Key, Object, key_of
from homeostat.model.tracking import TRACKING_ID
from homeostat.sync import guards

OFF: frozenset[DeletionGuard] = frozenset()


def obj(kind: str, name: str, namespace: str = "shop", api_version: str = "v1", **fields: Any) -> Object:
    metadata = {"name": name, "uid": f"uid-{kind}-{name}", **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def config_maps(count: int) -> list[Object]:
    return [obj("ConfigMap", f"c{number}") for number in range(count)]


def app(*, holds: tuple[tuple[str, float], ...] = (), approved_at: float = 0.0) -> App:
    key = AppKey("Application", "argocd", "web")
    return App(
        key=key, id="web", uid="u", resource_version="1", sources=(), destination=Destination(), holds=holds, approved_at=approved_at
    )


def keys(prunes: list[Object]) -> set[Key]:
    return {key_of(one) for one in prunes}


@pytest.mark.parametrize(
    ("lost", "kept", "held"),
    [
        pytest.param(5, 4, True, id="more-than-half"),
        pytest.param(5, 5, False, id="half"),
        pytest.param(4, 0, False, id="fewer-than-five"),
        pytest.param(5, 0, True, id="everything"),
        pytest.param(500, 501, False, id="many-and-less-than-half"),
    ],
)
def test_a_render_that_loses_more_than_half_of_the_objects_and_at_least_five_prunes_nothing(lost: int, kept: int, held: bool) -> None:
    prunes = config_maps(lost)
    found = guards.evident(prunes, kept=kept, on=ALL_GUARDS)
    assert set(found) == (keys(prunes) if held else set())
    if held:
        assert set(found.values()) == {
            f"held by the deletion guard mass-deletion: {lost} of the app's {lost + kept} objects would be deleted"
        }
    assert guards.evident(prunes, kept=kept, on=ALL_GUARDS - {DeletionGuard.MASS_DELETION}) == {}


def test_a_mass_deletion_stays_held_when_the_app_grows_until_somebody_confirms_it() -> None:
    prunes = config_maps(6)
    before = guards.evident(prunes, kept=4, on=ALL_GUARDS)
    told = app(holds=((guards.message(app(), before), 100.0),))
    assert guards.mass_is_held(told)
    assert set(guards.evident(prunes, kept=40, on=ALL_GUARDS, held_before=True)) == keys(prunes)
    assert not guards.mass_is_held(app(holds=(("not deleted: a: held by the deletion guard volume: x", 100.0),)))


def test_a_child_application_counts_in_a_mass_deletion_and_is_no_case_of_its_own() -> None:
    child = obj("Application", "child", "argocd", "argoproj.io/v1alpha1")
    child["metadata"]["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
    assert guards.evident([child], kept=0, on=ALL_GUARDS) == {}
    assert key_of(child) in guards.evident([child, *config_maps(4)], kept=0, on=ALL_GUARDS)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (
            obj("PersistentVolumeClaim", "data", status={"phase": "Bound"}, spec={"volumeName": "pv-7"}),
            "it is bound to pv-7, whose data may be lost",
        ),
        (obj("PersistentVolumeClaim", "data", status={"phase": "Pending"}), ""),
        (obj("PersistentVolumeClaim", "data", status={"phase": "Lost"}), ""),
        (obj("PersistentVolumeClaim", "data"), ""),
        (obj("PersistentVolume", "pv", "", status={"phase": "Bound"}), "it holds the data of a claim"),
        (obj("PersistentVolume", "pv", "", status={"phase": "Released"}), "it holds the data of a claim"),
        (obj("PersistentVolume", "pv", "", status={"phase": "Available"}), ""),
        (
            obj(
                "StatefulSet",
                "db",
                api_version="apps/v1",
                spec={"volumeClaimTemplates": [{}], "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}},
            ),
            "its volumes are deleted with it (persistentVolumeClaimRetentionPolicy)",
        ),
        (obj("StatefulSet", "db", api_version="apps/v1", spec={"volumeClaimTemplates": [{}]}), ""),
        (obj("Deployment", "web", api_version="apps/v1"), ""),
    ],
)
def test_what_takes_a_volumes_data_along_is_held(one: Object, said: str) -> None:
    found = guards.evident([one], kept=9, on=ALL_GUARDS)
    assert found == ({key_of(one): f"held by the deletion guard volume: {said}"} if said else {})
    assert guards.evident([one], kept=9, on=ALL_GUARDS - {DeletionGuard.VOLUME}) == {}


def test_the_namespace_of_a_claim_that_is_held_is_held_with_it() -> None:
    claim = obj("PersistentVolumeClaim", "data", "shop", status={"phase": "Bound"})
    shop, other = obj("Namespace", "shop", ""), obj("Namespace", "other", "")
    found = guards.evident([claim, shop, other], kept=9, on={DeletionGuard.VOLUME})
    assert found[key_of(shop)] == "held by the deletion guard volume: PersistentVolumeClaim shop/data is in it"
    assert key_of(other) not in found


def test_what_namespaces_and_crds_would_take_along_has_to_be_asked_unless_they_are_held_anyway() -> None:
    namespace, crd = obj("Namespace", "shop", ""), obj("CustomResourceDefinition", "w.x.io", "", "apiextensions.k8s.io/v1")
    prunes = [namespace, crd, *config_maps(2)]
    assert guards.questions(prunes, on=ALL_GUARDS, held=()) == [namespace, crd]
    assert guards.questions(prunes, on={DeletionGuard.CRD}, held=()) == [crd]
    assert guards.questions(prunes, on=ALL_GUARDS, held={key_of(crd)}) == [namespace]
    assert guards.questions(prunes, on=OFF, held=()) == []


GOING = guards.Going("web", frozenset({"uid-Deployment-web"}), frozenset({Key("", "Secret", "shop", "wanted")}))
NAMESPACED = {GroupKind("apps", "ReplicaSet"): True, GroupKind("", "Node"): False}.get


def survivor(key: Key, **metadata: Any) -> str:
    return guards.survivor(key, {"name": key.name, "namespace": key.namespace, "uid": "u", **metadata}, GOING, namespaced=NAMESPACED)


def tracked(app_id: str, **more: str) -> dict[str, str]:
    return {TRACKING_ID: f"{app_id}:/ConfigMap:shop/x", **more}


CONFIG = Key("", "ConfigMap", "shop", "x")


@pytest.mark.parametrize(
    ("key", "metadata", "said"),
    [
        pytest.param(CONFIG, {}, "ConfigMap shop/x, which this app does not manage,", id="nobodys"),
        pytest.param(CONFIG, {"annotations": tracked("api")}, "ConfigMap shop/x, which this app does not manage,", id="another-apps"),
        pytest.param(CONFIG, {"annotations": tracked("web")}, "ConfigMap shop/x, which is not to be deleted,", id="its-own-and-kept"),
        pytest.param(CONFIG, {"annotations": tracked("web", **{HOOK: "PreSync"})}, "", id="its-own-hook"),
        pytest.param(Key("", "Secret", "shop", "wanted"), {}, "Secret shop/wanted, which the app wants,", id="desired"),
        pytest.param(CONFIG, {"uid": "uid-Deployment-web"}, "", id="pruned-too"),
        pytest.param(CONFIG, {"deletionTimestamp": "2026-11-21T12:00:00Z"}, "", id="on-its-way-out"),
        pytest.param(Key("", "ConfigMap", "shop", "kube-root-ca.crt"), {}, "", id="in-every-namespace"),
        pytest.param(Key("", "ServiceAccount", "shop", "default"), {}, "", id="default-account"),
        pytest.param(
            Key("", "ServiceAccount", "shop", "deploy"), {}, "ServiceAccount shop/deploy, which this app does not manage,", id="account"
        ),
        pytest.param(
            Key("", "Secret", "shop", "t"), {"annotations": {"kubernetes.io/service-account.name": "default"}}, "", id="its-token"
        ),
        pytest.param(Key("discovery.k8s.io", "EndpointSlice", "shop", "web-x"), {}, "", id="derived"),
        pytest.param(
            Key("", "Pod", "shop", "p"),
            {"ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "uid": "r"}]},
            "",
            id="has-an-owner-beside-it",
        ),
        pytest.param(
            Key("", "Pod", "shop", "p"),
            {"ownerReferences": [{"apiVersion": "v1", "kind": "Node", "uid": "n"}]},
            "Pod shop/p, which this app does not manage,",
            id="owned-from-outside",
        ),
        pytest.param(
            Key("x.io", "Widget", "", "w"),
            {"ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "uid": "uid-Deployment-web"}]},
            "",
            id="owned-by-what-is-pruned",
        ),
        pytest.param(
            Key("x.io", "Widget", "", "w"),
            {"ownerReferences": [{"apiVersion": "x.io/v1", "kind": "Other", "uid": "o"}]},
            "Widget.x.io w, which this app does not manage,",
            id="cluster-scoped-and-owned",
        ),
    ],
)
def test_what_would_be_missed_in_a_namespace(key: Key, metadata: dict[str, Any], said: str) -> None:
    assert survivor(key, **metadata) == said


def test_the_message_names_objects_guard_and_how_to_confirm_and_is_the_same_for_the_same_prunes() -> None:
    prunes = config_maps(12)
    held = guards.evident(prunes, kept=0, on=ALL_GUARDS)
    claim = Key("", "PersistentVolumeClaim", "shop", "data")
    text = guards.message(app(), {**held, claim: "held by the deletion guard volume: it is bound to pv-7, whose data may be lost"})
    assert text.startswith("not deleted: ConfigMap shop/c0, ConfigMap shop/c1, ConfigMap shop/c10,")
    assert (
        " and 2 more: held by the deletion guard mass-deletion: 12 of the app's 12 objects would be deleted; PersistentVolumeClaim" in text
    )
    assert text.endswith("(to confirm: homeostat app confirm-deletion web, or homeostat app sync web --prune)")
    assert guards.message(app(), dict(reversed(held.items()))) == guards.message(app(), held)


def test_only_what_was_told_before_is_confirmed() -> None:
    held = guards.evident(config_maps(5), kept=0, on=ALL_GUARDS)
    told = ((guards.message(app(), held), 100.0),)
    assert guards.approved(app(holds=told, approved_at=101.0), held)
    assert guards.approved(app(holds=told, approved_at=100.0), held)  # within the same second
    assert not guards.approved(app(holds=told, approved_at=99.0), held)
    assert not guards.approved(app(holds=told), held)
    assert not guards.approved(app(approved_at=101.0), held)  # not told yet
    more = guards.evident(config_maps(6), kept=0, on=ALL_GUARDS)
    assert not guards.approved(app(holds=told, approved_at=101.0), more)  # something else was told
    assert not guards.approved(app(holds=told, approved_at=101.0), {})
    assert not guards.approved(app(holds=((told[0][0], 0.0),), approved_at=101.0), held)  # nobody knows when


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("off", NO_GUARD),
        ("", NO_GUARD),
        ("on", ALL_GUARDS),
        ("crd", {DeletionGuard.CRD}),
        (" Namespace , volume,", {DeletionGuard.NAMESPACE, DeletionGuard.VOLUME}),
    ],
)
def test_guards_are_named_in_a_list(text: str, on: frozenset[DeletionGuard]) -> None:
    assert read_guards(text) == on


def test_a_guard_that_nobody_knows_is_an_error_that_names_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="expected on, off or a list of mass-deletion, namespace, crd, volume, found 'crds'"):
        read_guards("crds")

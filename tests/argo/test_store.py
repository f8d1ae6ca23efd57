"""The store knows news from echoes: the loop hears of what others did, and not of its own writes."""

from __future__ import annotations

import copy

from homeostat.argo.projects import Project
from homeostat.argo.store import Store
from homeostat.live import wire
from homeostat.model.app import AppKey
from homeostat.model.integrity import GitPolicy
from homeostat.model.objects import Object
from homeostat.model.settings import Settings
from tests.argo import samples

KEY = AppKey("Application", "argocd", "web")


class Heard:
    """A store with its projects, and what its listener was told."""

    def __init__(self) -> None:
        self.projects: dict[str, Project] = {"default": Project("default")}
        self.keys: list[AppKey] = []
        self.store = Store(projects=lambda: self.projects, settings=Settings)
        self.store.subscribe(self.keys.append)

    def watch(self, obj: Object, kind: str = "MODIFIED") -> None:
        self.store.told(kind, wire.seen_object(obj))


def at(version: int, obj: Object | None = None) -> Object:
    obj = copy.deepcopy(obj or samples.application())
    obj["metadata"].update(uid="u-1", resourceVersion=str(version))
    return obj


def test_a_new_application_is_news_and_its_echo_is_not() -> None:
    heard = Heard()
    heard.watch(at(5), "ADDED")
    heard.watch(at(5))
    heard.watch(at(4))
    assert heard.keys == [KEY]
    assert list(heard.store.keys()) == [KEY]


def test_the_answer_to_our_own_write_is_no_news_nor_is_its_echo() -> None:
    heard = Heard()
    heard.watch(at(5), "ADDED")
    written = at(6)
    written["status"] = {
        "sync": {"status": "Synced", "revision": "abc"},
        "resources": [{"kind": "ConfigMap", "name": "a", "version": "v1"}],
    }
    heard.store.wrote(written)
    heard.watch(written)
    assert heard.keys == [KEY]
    app = heard.store.get(KEY)
    assert app is not None
    assert app.synced_revision == "abc"


def test_an_echo_that_overtakes_the_answer_to_our_write_is_no_news() -> None:
    heard = Heard()
    heard.watch(at(5), "ADDED")
    written = at(6)
    written["operation"] = {"sync": {}, "initiatedBy": {"automated": True}}
    with heard.store.writing(KEY):
        heard.watch(written)
        heard.store.wrote(copy.deepcopy(written))
    assert heard.keys == [KEY]


def test_what_somebody_else_wrote_while_we_did_is_heard_after_the_answer() -> None:
    heard = Heard()
    heard.watch(at(5), "ADDED")
    asked = at(7)
    asked["operation"] = {"sync": {}}
    with heard.store.writing(KEY):
        heard.watch(asked)
        heard.store.wrote(at(6))
    assert heard.keys == [KEY, KEY]
    app = heard.store.get(KEY)
    assert app is not None
    assert app.requested is not None


def test_a_change_of_the_spec_that_came_before_our_write_is_heard_with_its_answer() -> None:
    heard = Heard()
    heard.watch(at(5), "ADDED")
    theirs = samples.application(destination={"server": "https://kubernetes.default.svc", "namespace": "elsewhere"})
    heard.store.wrote(at(7, theirs))
    heard.watch(at(6, theirs))
    assert heard.keys == [KEY, KEY]


def test_requests_are_news_and_their_end_is_not() -> None:
    heard = Heard()
    heard.watch(at(5), "ADDED")
    asked = at(6)
    asked["operation"] = {"sync": {}}
    asked["metadata"]["annotations"] = {"argocd.argoproj.io/refresh": "normal"}
    heard.watch(asked)
    heard.store.wrote(at(7))
    heard.watch(at(7))
    assert heard.keys == [KEY, KEY]


def test_a_label_is_no_news() -> None:
    heard = Heard()
    heard.watch(at(5), "ADDED")
    labelled = at(6)
    labelled["metadata"]["labels"] = {"a": "b"}
    heard.watch(labelled)
    assert heard.keys == [KEY]
    stored = heard.store.object(KEY)
    assert stored is not None
    assert stored["metadata"]["labels"] == {"a": "b"}


def test_somebody_who_ends_a_sync_in_the_status_is_heard() -> None:
    heard = Heard()
    running = at(5, samples.recorded("broken-schema"))
    heard.watch(running, "ADDED")
    ended = copy.deepcopy(running)
    ended["status"]["operationState"]["phase"] = "Terminating"
    ended["metadata"]["resourceVersion"] = "6"
    heard.watch(ended)
    assert len(heard.keys) == 2


def test_a_deletion_is_heard_but_not_that_of_an_earlier_one_of_the_same_name() -> None:
    heard = Heard()
    heard.watch(at(5), "ADDED")
    older = at(4)
    older["metadata"]["uid"] = "u-0"
    heard.watch(older, "DELETED")
    assert heard.store.get(KEY) is not None
    heard.watch(at(9), "DELETED")
    assert heard.store.get(KEY) is None
    assert heard.keys == [KEY, KEY]


def test_a_project_that_changes_is_heard_by_its_applications_only() -> None:
    heard = Heard()
    heard.watch(at(5), "ADDED")
    heard.projects = {"default": Project("default", ("syncWindows",))}
    heard.store.reread(lambda app: app.project == "other")
    assert heard.keys == [KEY]
    heard.store.reread(lambda app: app.project == "default")
    assert heard.keys == [KEY, KEY]
    app = heard.store.get(KEY)
    assert app is not None
    assert "restricts syncWindows" in app.problems[0]


def test_signatures_that_a_project_comes_to_ask_for_are_heard() -> None:
    heard = Heard()
    heard.watch(at(5), "ADDED")
    heard.projects = {"default": Project("default", signatures=(GitPolicy(("*",), "head"),))}
    heard.store.reread(lambda app: app.project == "default")
    assert heard.keys == [KEY, KEY]


def test_managed_fields_are_not_kept() -> None:
    heard = Heard()
    obj = at(5)
    obj["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    heard.watch(obj, "ADDED")
    stored = heard.store.object(KEY)
    assert stored is not None
    assert "managedFields" not in stored["metadata"]

"""Apps with several sources by the command line: which one is meant, a revision for each, and an app's life with two."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.cli.apps.several import added, place_of, removed, revision_of
from homeostat.cli.apps.spec import edited
from homeostat.cli.apps.unset import less
from homeostat.model.errors import InvalidError
from homeostat.model.sync import parted
from tests.cli.stage import Stage
from tests.e2e.texts import config

SOURCES: list[dict[str, Any]] = [
    {"repoURL": "https://git.example/a", "path": "a", "name": "first", "helm": {"valueFiles": ["x.yaml"]}},
    {"repoURL": "https://git.example/b", "path": "b"},
]
SPEC = {"sources": SOURCES, "project": "default"}


def test_an_option_changes_the_source_that_is_meant_and_no_other() -> None:
    assert edited(SPEC, {"revision": "v2", "source_position": 2}) == {
        **SPEC,
        "sources": [SOURCES[0], {**SOURCES[1], "targetRevision": "v2"}],
    }
    assert edited(SPEC, {"path": "c", "source_name": "first"})["sources"] == [{**SOURCES[0], "path": "c"}, SOURCES[1]]
    assert edited(SPEC, {"project": "other"}) == {**SPEC, "project": "other"}
    beside = {**SPEC, "source": {"repoURL": "https://git.example/ignored"}}
    assert edited(beside, {"path": "c", "source_position": 1})["source"] == beside["source"]


def test_what_is_taken_away_is_taken_from_the_source_that_is_meant() -> None:
    given = {"values": ("x.yaml",), "parameters": (), "images": (), "replicas": (), "variables": (), "source_position": 1}
    assert less(SPEC, given)["sources"] == [{name: value for name, value in SOURCES[0].items() if name != "helm"}, SOURCES[1]]


@pytest.mark.parametrize(
    ("position", "name", "said"),
    [
        (None, None, "say which of them is meant"),
        (3, None, "--source-position 3: there is no such source"),
        (None, "second", "--source-name second: no source has this name"),
        (1, "first", "expected one of them"),
    ],
)
def test_a_source_that_is_not_there_is_refused_with_those_that_are(position: int | None, name: str | None, said: str) -> None:
    with pytest.raises(InvalidError) as caught:
        place_of(SOURCES, position, name)
    assert said in str(caught.value)
    assert "1 (first), 2 (b)" in caught.value.hint or position == 1


def test_a_second_source_makes_the_only_one_the_first() -> None:
    one = {"source": SOURCES[0], "project": "default"}
    assert added(one, SOURCES[1]) == SPEC
    assert removed(SPEC, {"source_position": 1})["sources"] == [SOURCES[1]]
    with pytest.raises(InvalidError, match="its last source"):
        removed({"sources": [SOURCES[0]]}, {"source_position": 1})


def test_each_source_may_be_given_a_revision() -> None:
    app = {"spec": SPEC}
    assert parted(revision_of(app, {"revisions": ("v2",), "source_positions": (2,)})) == ("", "v2")
    assert parted(revision_of(app, {"revisions": ("v1",), "source_names": ("first",)})) == ("v1", "")
    assert revision_of(app, {}) == ""
    assert revision_of({"spec": {"source": SOURCES[0]}}, {"revision": "v3"}) == "v3"


@pytest.mark.parametrize(
    ("spec", "given", "said"),
    [
        (SPEC, {"revision": "v1"}, "--revision: the app has several sources"),
        (SPEC, {"revisions": ("v1", "v2"), "source_positions": (1,)}, "found 2 for 1 sources"),
        (SPEC, {"revisions": ("v1", "v2"), "source_positions": (1, 1)}, "found 2 for 1 sources"),
        (SPEC, {"revisions": ("v1",), "source_positions": (1,), "source_names": ("first",)}, "expected one of them"),
        ({"source": SOURCES[0]}, {"revisions": ("v1",), "source_positions": (1,)}, "--revisions: the app has one source"),
    ],
)
def test_revisions_that_make_no_sense_are_refused(spec: dict[str, Any], given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        revision_of({"spec": spec}, given)


def test_an_app_gets_a_second_source_is_synced_shown_and_rolled_back(stage: Stage) -> None:
    stage.write(pair__a__one=config("one", colour="blue"), pair__b__two=config("two", colour="red"))
    first = stage.push()
    stage.create("pair", path="pair/a")
    stage.app("add-source", "pair", "--repo", stage.repository.url, "--path", "pair/b", "--revision", "main", "--source-name", "second")
    done = stage.app("sync", "pair")
    assert f"app `pair` is synced to {first[:7]}, {first[:7]}: successfully synced" in done.stdout
    shown = stage.app("get", "pair").stdout
    assert "Source 1" in shown
    assert "pair/b (main, Directory, second)" in shown

    stage.write(pair__b__two=config("two", colour="green"))
    second = stage.push()
    assert "+  colour: green" in stage.app("diff", "pair", code=1).stdout
    assert stage.app("diff", "pair", "--revisions", first, "--source-names", "second").stdout == ""
    assert "colour: red" in stage.app("manifests", "pair", "--revisions", first, "--source-positions", "2").stdout
    told = stage.app("why", "pair", "ConfigMap/two", ".data.colour").stdout
    assert "pair/b/two.yaml" in told
    assert second[:7] in told
    stage.app("sync", "pair", "--revisions", second, "--source-positions", "2")
    assert stage.object("configmap", "pair", "two")["data"] == {"colour": "green"}
    table = stage.app("history", "pair", "-o", "wide").stdout
    assert f"{second}, {second}" in table

    stage.app("rollback", "pair")
    assert stage.object("configmap", "pair", "two")["data"] == {"colour": "red"}
    stage.app("set", "pair", "--source-position", "2", "--path", "pair/a", "--sync-option", "CreateNamespace=true")
    assert [source["path"] for source in stage.get("pair")["spec"]["sources"]] == ["pair/a", "pair/a"]
    stage.app("remove-source", "pair", "--source-name", "second")
    assert len(stage.get("pair")["spec"]["sources"]) == 1

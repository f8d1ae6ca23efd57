"""Options beside the files change what is rendered, never where it comes from."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.desired.errors import RenderFailedError
from homeostat.desired.render.detect import folder_of
from homeostat.desired.render.override import override
from homeostat.model.app import DirectoryOptions, HelmOptions, HelmParameter, JsonnetVar, KustomizeOptions, KustomizeReplica, Source
from tests.evaluators import MemoryTree


def _overridden(source: Source, **files: str) -> Source:
    names = {"both": ".argocd-source.yaml", "one": ".argocd-source-shop.yaml", "other": ".argocd-source-other.yaml"}
    tree = MemoryTree({"web/a.yaml": "", **{f"web/{names[name]}": text for name, text in files.items()}})
    return override(tree, source, folder_of(tree, source, set()), "shop")


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        (
            "helm: {parameters: [{name: a, value: b, forceString: true}]}",
            {"helm": HelmOptions(parameters=(HelmParameter("a", "b", True),))},
        ),
        ("helm: {valuesObject: {someKey: {anotherKey: 1}}}", {"helm": HelmOptions(values_object={"someKey": {"anotherKey": 1}})}),
        (
            "kustomize: {namePrefix: x-, commonLabels: {someKey: v}}",
            {"kustomize": KustomizeOptions(name_prefix="x-", common_labels={"someKey": "v"})},
        ),
        ("kustomize: {replicas: [{name: a, count: 2}]}", {"kustomize": KustomizeOptions(replicas=(KustomizeReplica("a", 2),))}),
        (
            "directory: {recurse: true, jsonnet: {extVars: [{name: a, value: b, code: true}], libs: [x]}}",
            {"directory": DirectoryOptions(recurse=True, ext_vars=(JsonnetVar("a", "b", True),), libs=("x",))},
        ),
        ("{repoURL: other, path: other, targetRevision: other, chart: other}", {}),
        ("", {}),
    ],
)
def test_a_file_beside_the_manifests_changes_the_options(text: str, changes: dict[str, Any]) -> None:
    source = Source(repo_url="r", path="web", target_revision="main")
    changed = _overridden(source, both=text)
    for field in source.__struct_fields__:
        assert getattr(changed, field) == changes.get(field, getattr(source, field))


def test_the_apps_own_file_wins_and_anothers_is_not_read() -> None:
    source = Source(repo_url="r", path="web", kustomize=KustomizeOptions(name_prefix="a-", name_suffix="-a", namespace="n"))
    changed = _overridden(
        source,
        both="kustomize: {namePrefix: b-, nameSuffix: -b}",
        one="kustomize: {nameSuffix: -c, namespace: null}",
        other="kustomize: {namePrefix: x-}",
    )
    assert changed.kustomize == KustomizeOptions(name_prefix="b-", name_suffix="-c")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", r"^web/\.argocd-source\.yaml:\d: "),
        ("- a", "expected a mapping of source fields"),
        ("helm: {parameters: 1}", r"web/\.argocd-source\.yaml: Expected `array`"),
    ],
)
def test_a_file_that_makes_no_sense_is_told_with_its_place(text: str, says: str) -> None:
    with pytest.raises(RenderFailedError, match=says) as caught:
        _overridden(Source(repo_url="r", path="web"), both=text)
    assert caught.value.origin.file == "web/.argocd-source.yaml"

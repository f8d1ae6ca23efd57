"""The custom resource definitions: generated, complete, no stricter than Argo CD's, and taken by a real API server."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homeostat.argo import crds
from tests.argo import samples
from tests.cluster import Cluster, KubectlError

FACTS = samples.FOLDER / "argo-cd-3.5.1-fields.txt"
"""One line per field of Argo CD's own definitions: path, type, ``!`` when required; ``as`` points to a path with the same fields."""

DEPLOY = Path(__file__).parents[2] / "deploy" / "crds"


@pytest.mark.parametrize("name", sorted(crds.files()))
def test_the_file_is_what_the_types_say(name: str) -> None:
    expected = crds.files()[name]
    assert (DEPLOY / name).read_text(encoding="utf-8") == expected, "run `python -m homeostat.argo.crds`"


def test_every_field_of_argo_cd_is_there_and_none_is_stricter() -> None:
    ours = {kind.lower(): schema for kind, schema in _schemas()}
    checked = 0
    for path, kind, required in _facts():
        resource, _, fields = path.partition(".")
        problem = _compare(ours[resource], fields, kind, required=required)
        assert not problem, f"{path}: {problem}"
        checked += 1
    assert checked > 1500


def test_an_application_has_no_status_subresource() -> None:
    application, applicationset, project = crds.definitions()
    assert application["spec"]["versions"][0]["subresources"] == {}
    assert applicationset["spec"]["versions"][0]["subresources"] == {"status": {}}
    assert "subresources" not in project["spec"]["versions"][0]
    assert application["spec"]["names"]["shortNames"] == ["app", "apps"]


@pytest.fixture(scope="module")
def installed(plane: Cluster) -> Cluster:
    plane.kubectl("apply", "--server-side", "--force-conflicts", *(f"--filename={DEPLOY / name}" for name in crds.files()))
    plane.established(*(kind.name for kind in crds.KINDS))
    return plane


@pytest.mark.parametrize("name", samples.RECORDED)
def test_the_api_server_keeps_all_of_a_recorded_application(installed: Cluster, namespace: str, name: str) -> None:
    obj = _moved(samples.recorded(name), namespace)
    stored = json.loads(installed.kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(obj)))
    for field in ("spec", "status", "operation"):
        assert stored.get(field) == obj.get(field)


@pytest.mark.parametrize("name", samples.SEEDS)
def test_the_api_server_keeps_all_of_a_published_manifest(installed: Cluster, namespace: str, name: str) -> None:
    obj = _moved(samples.seed(name), namespace)
    stored = json.loads(installed.kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(obj)))
    assert stored["spec"] == obj["spec"]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        pytest.param(("source", "repoURL"), 7, "spec.source.repoURL", id="a number for a URL"),
        pytest.param(("source", "helm"), {"valueFiles": "values.yaml"}, "spec.source.helm.valueFiles", id="a string for a list"),
        pytest.param(("destination",), "here", "spec.destination", id="a string for an object"),
        pytest.param(("revisionHistoryLimit",), "ten", "spec.revisionHistoryLimit", id="a word for a number"),
        pytest.param(("source", "kustomize"), {"replicas": [{"name": "web"}]}, "count", id="replicas without a count"),
    ],
)
def test_the_api_server_refuses_nonsense(installed: Cluster, namespace: str, path: tuple[str, ...], value: Any, said: str) -> None:
    obj = _moved(samples.application(), namespace)
    place = obj["spec"]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(KubectlError) as error:
        installed.kubectl("create", "-f", "-", stdin=json.dumps(obj))
    assert said in error.value.stderr


def _moved(obj: dict[str, Any], namespace: str) -> dict[str, Any]:
    """``obj`` as a new object of ``namespace``, without finalizers that would keep the namespace."""
    obj = copy.deepcopy(obj)
    obj["metadata"] = {"name": obj["metadata"]["name"], "namespace": namespace}
    return obj


def _schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    for definition in crds.definitions():
        yield definition["spec"]["names"]["singular"], definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def _facts() -> Iterator[tuple[str, str, bool]]:
    """Every field of Argo CD's definitions with its type, pointers followed."""
    lines = [line.split() for line in FACTS.read_text(encoding="utf-8").splitlines()]
    known = {line[0]: line[1] for line in lines}
    same = {line[0]: line[3] for line in lines if len(line) > 2}

    def below(path: str, shown: str) -> Iterator[tuple[str, str]]:
        for other, kind in known.items():
            if other.startswith(path) and other[len(path) : len(path) + 1] in {".", "[", "{"}:
                yield shown + other[len(path) :], kind
                if other in same:
                    yield from below(same[other], shown + other[len(path) :])

    for path, kind in known.items():
        yield path, kind.rstrip("!"), kind.endswith("!")
        if path in same:
            for shown, inner in below(same[path], path):
                yield shown, inner.rstrip("!"), inner.endswith("!")


def _compare(schema: dict[str, Any], fields: str, kind: str, *, required: bool) -> str:
    """What is wrong with our schema of a field, in words; empty when nothing is."""
    steps = fields.replace("[]", ".[]").replace("{}", ".{}").split(".") if fields else []
    ours_required = False
    for step in steps:
        if schema.get("x-kubernetes-preserve-unknown-fields"):
            return ""
        if step == "[]":
            schema = schema["items"]
            continue
        if step == "{}":
            schema = schema["additionalProperties"]
            continue
        if step not in schema.get("properties", {}):
            return "the field is missing"
        ours_required = step in schema.get("required", ())
        schema = schema["properties"][step]
    if ours_required and not required:
        return "the field is required, and Argo CD's is not"
    ours = _kind(schema)
    return "" if ours in {kind, "any"} else f"the type is {ours}, Argo CD's is {kind}"


def _kind(schema: dict[str, Any]) -> str:
    if schema.get("x-kubernetes-int-or-string"):
        return "int-or-string"
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return "any"
    if schema.get("format") == "date-time":
        return "time"
    if "enum" in schema:
        order = {"create-only": 0, "create-update": 1, "create-delete": 2, "sync": 3, "Hydrating": 0, "Failed": 1, "Hydrated": 2}
        return f"string({','.join(sorted(schema['enum'], key=order.__getitem__))})"
    return str(schema["type"])

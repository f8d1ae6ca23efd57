"""The structs hold everything that Argo CD writes: what is read into them and written out again is the same."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from homeostat.argo.types.application import Application
from homeostat.argo.types.applicationset import ApplicationSet
from homeostat.argo.types.base import Wire
from homeostat.argo.types.project import AppProject
from homeostat.model.objects import Object
from tests.argo import samples

KINDS: dict[str, type[Wire]] = {"Application": Application, "ApplicationSet": ApplicationSet, "AppProject": AppProject}


@pytest.mark.parametrize("name", samples.RECORDED)
def test_a_recorded_application_survives_the_structs(name: str) -> None:
    obj = samples.recorded(name)
    assert _again(obj, Application) == obj


@pytest.mark.parametrize("name", samples.SEEDS)
def test_a_published_manifest_survives_the_structs_but_for_fields_at_their_defaults(name: str) -> None:
    obj = samples.seed(name)
    written = _again(obj, KINDS[obj["kind"]])
    obj["spec"].get("syncPolicy", {}).get("automated", {}).pop("allowEmpty", None)
    assert written == obj


def test_an_unknown_field_is_passed_over() -> None:
    obj = samples.application(somethingNew={"a": 1})
    assert msgspec.convert(obj, Application).spec.project == "default"


def _again(obj: Object, kind: type[Wire]) -> Any:
    return msgspec.json.decode(msgspec.json.encode(msgspec.convert(obj, kind)))

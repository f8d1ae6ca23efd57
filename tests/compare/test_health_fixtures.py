"""Custom resources as their controllers leave them: `health/fixtures/<group>/<Kind>/*.yaml`, each with what it must come to.

`health` is `[status, message]`, or null where there is none; `gate`, of a child Application, is how a wave sees it.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.compare.health import builtin, custom, kstatus
from homeostat.compare.health.custom import application
from homeostat.compare.health.scripts import Judge
from homeostat.model import yaml
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import GroupKind, key_of
from homeostat.model.settings import HealthScript

FIXTURES = Path(__file__).parent / "health" / "fixtures"
PATHS = sorted(str(path.relative_to(FIXTURES)) for path in FIXTURES.rglob("*.yaml"))


@cache
def load(path: str) -> dict[str, Any]:
    case = yaml.load((FIXTURES / path).read_text(), name=path)
    assert isinstance(case, dict)
    return case


def expected(said: list[str] | None) -> Health | None:
    return Health(HealthStatus(said[0]), said[1]) if said else None


@pytest.mark.parametrize("path", PATHS)
def test_health_of(path: str) -> None:
    case = load(path)
    group, kind, name = path.removesuffix(".yaml").split("/")
    assert key_of(case["object"]).group_kind == (group, kind)
    assert builtin.judge(case["object"]) == expected(case["health"])
    outcome = (case.get("gate") or case["health"] or ["none"])[0].lower()
    assert name.startswith((outcome, "malformed")), "the name of the file says what comes out"


def test_every_kind_has_fixtures_of_two_healths_or_of_none() -> None:
    outcomes: dict[GroupKind, Counter[str]] = {}
    for path in PATHS:
        group, kind, _ = path.split("/")
        health = load(path)["health"]
        outcomes.setdefault(GroupKind(group, kind), Counter())[health[0] if health else "none"] += 1
    assert len(custom.KINDS) >= 60
    few = [str(kind) for kind in custom.KINDS if outcomes.get(kind, Counter()).total() < 2]
    assert not few
    one = {str(kind) for kind in custom.KINDS if len(outcomes[kind]) < 2}
    unjudged = "Application AppProject WorkflowTemplate ClusterWorkflowTemplate AnalysisTemplate ClusterAnalysisTemplate"
    assert one == {f"argoproj.io/{kind}" for kind in unjudged.split()} | {"apiextensions.crossplane.io/Composition"}


def test_every_whole_group_has_fixtures() -> None:
    groups = {path.split("/")[0] for path in PATHS}
    assert all(any(group.endswith(ending) for group in groups) for ending, _ in custom.GROUPS)


GATES = [path for path in PATHS if "gate" in load(path)]


@pytest.mark.parametrize("path", GATES)
async def test_a_wave_sees_a_child_application(path: str) -> None:
    case = load(path)
    judge = Judge()
    assert await judge.gate(case["object"]) == expected(case["gate"])
    assert await judge.judge(case["object"]) is None, "a child does not spoil the health of its parent"


async def test_a_wave_sees_health_of_everything_else() -> None:
    judge = Judge()
    for path in PATHS:
        if path not in GATES:
            case = load(path)
            assert await judge.gate(case["object"]) == expected(case["health"]), path


async def test_a_child_that_is_being_deleted_or_has_an_operation_due_is_waited_for() -> None:
    app = load("argoproj.io/Application/healthy.yaml")["object"]
    going = app | {"metadata": {"name": "web", "deletionTimestamp": "2026-03-02T10:15:04Z"}}
    assert await Judge().gate(going) == Health(HealthStatus.PROGRESSING, "Pending deletion")
    due = app | {"operation": {"sync": {}}}
    assert await Judge().gate(due) == Health(HealthStatus.PROGRESSING, "an operation is due")


async def test_a_script_for_applications_decides_alone() -> None:
    app = load("argoproj.io/Application/healthy.yaml")["object"]
    judge = Judge(None, lambda: (HealthScript("argoproj.io", "Application", "return nil"),))
    assert (await judge.gate(app)) == await judge.judge(app)


def test_what_is_empty_makes_no_other_spec() -> None:
    compared = {"source": {"repoURL": "https://git.example.com/apps", "path": "web"}, "destination": {"namespace": "web"}}
    spec = {
        "source": {"repoURL": "https://git.example.com/apps/", "path": "web", "helm": {}},
        "destination": {"namespace": "web", "name": ""},
    }
    assert application.describes(compared, spec)
    assert not application.describes(compared, spec | {"destination": {"namespace": "shop"}})
    assert not application.describes(compared, {"sources": [spec["source"]], "destination": spec["destination"]})
    assert application.describes(compared, {"sourceHydrator": {"drySource": {}}, "destination": spec["destination"]})


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("cert-manager.io/Certificate/healthy.yaml", "built-in rule for cert-manager.io/Certificate"),
        ("kubernetes.crossplane.io/Object/healthy.yaml", "built-in rule for *.crossplane.io"),
        ("constraints.gatekeeper.sh/K8sRequiredLabels/healthy.yaml", "built-in rule for constraints.gatekeeper.sh"),
        ("example.com/Anything/healthy.yaml", "kstatus conventions"),
        ("example.com/Anything/none.yaml", ""),
        ("argoproj.io/AppProject/none.yaml", ""),
    ],
)
async def test_which_rule_judged(path: str, rule: str) -> None:
    assert (await Judge().verdict(load(path)["object"])).rule == rule


def test_kinds_of_kubernetes_without_a_status_have_no_health() -> None:
    for group, kind in builtin.STATUSLESS:
        assert builtin.judge({"apiVersion": f"{group}/v1".lstrip("/"), "kind": kind, "metadata": {"name": "x", "generation": 1}}) is None
    assert builtin.judge({"apiVersion": "v1", "kind": "Namespace", "metadata": {}, "status": {"phase": "Active"}}) is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["True", "False", "Ready", "1/2", "x", "2026-03-02T10:15:04Z"]),
    lambda below: (
        st.lists(below, max_size=2) | st.dictionaries(st.sampled_from(["type", "status", "reason", "message"]), below, max_size=4)
    ),
    max_leaves=6,
)


@given(data=st.data(), path=st.sampled_from(PATHS))
def test_no_value_makes_a_rule_fail(data: st.DataObject, path: str) -> None:
    """Some fields of a real object hold anything."""
    obj = mutated(load(path)["object"], data)
    health = builtin.verdict(obj).health
    assert health is None or isinstance(health, Health)
    assert isinstance(application.gate(obj), Health)
    assert kstatus.judge(obj) is None or isinstance(kstatus.judge(obj), Health)


def mutated(value: Any, data: st.DataObject, *, depth: int = 0) -> Any:
    if depth > 1 and data.draw(st.integers(0, 5)) == 0:
        return data.draw(VALUES)
    if isinstance(value, dict):
        kept = {"apiVersion", "kind"} if depth == 0 else set()
        return {name: below if name in kept else mutated(below, data, depth=depth + 1) for name, below in value.items()}
    if isinstance(value, list):
        return [mutated(below, data, depth=depth + 1) for below in value]
    return value

"""The built-in health rules, one case of `health/*.yaml` after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.compare.health import custom
from homeostat.compare.health.builtin import RULES, judge
from homeostat.model import yaml
from homeostat.model.health import Health, HealthStatus

CASES: list[dict[str, Any]] = [
    case for path in sorted((Path(__file__).parent / "health").glob("*.yaml")) for case in yaml.load(path.read_text(), name=path.name)
]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_health_of(case: dict[str, Any]) -> None:
    expected = Health(HealthStatus(case["health"][0]), case["health"][1]) if case["health"] else None
    assert judge(case["object"]) == expected


def test_every_rule_has_cases() -> None:
    judged = {(case["object"]["apiVersion"].rpartition("/")[0], case["object"]["kind"]) for case in CASES if case["health"]}
    assert RULES.keys() - custom.KINDS.keys() <= judged, "those for custom resources have fixtures"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["True", "False", "Always", "LoadBalancer", "x"]),
    lambda below: (
        st.lists(below, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["replicas", "conditions", "type", "status", "reason", "state", "waiting", "phase", "containerStatuses", "paused"]
            ),
            below,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(
    kind=st.sampled_from(sorted(RULES.keys() - custom.KINDS.keys())),
    metadata=st.none() | st.fixed_dictionaries({"generation": JSON}),
    spec=JSON,
    status=JSON,
)
def test_nothing_that_an_object_holds_makes_a_rule_fail(kind: tuple[str, str], metadata: Any, spec: Any, status: Any) -> None:
    obj = {"apiVersion": f"{kind[0]}/v1".lstrip("/"), "kind": kind[1], "metadata": metadata, "spec": spec, "status": status}
    assert isinstance(judge(obj), Health)

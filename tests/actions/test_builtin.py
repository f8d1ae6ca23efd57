"""Our own actions, in real evaluators: for every kind what an object has in each of its states, and what each action asks for.

The fixtures are by the folder of the scripts; scripts that several kinds share are run for each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homeostat.actions import catalogue
from homeostat.actions.effects import Create, Patch
from homeostat.actions.engine import Engine
from homeostat.actions.errors import ActionError
from homeostat.evaluate.pool import Pool
from homeostat.model import yaml
from homeostat.model.objects import Object

FIXTURES = Path(__file__).parent / "fixtures"
ARGO_CD = Path(__file__).parent / "argo-cd-3.5.1-actions.txt"
DOCUMENT = Path(__file__).parents[2] / "docs" / "actions.md"
BUILTIN = catalogue.load()


def cases() -> Iterator[tuple[str, Object, dict[str, Any]]]:
    """``(where, object, case)``"""
    for path in sorted(FIXTURES.rglob("*.yaml")):
        folder = path.relative_to(FIXTURES).with_suffix("").as_posix()
        for place, case in enumerate(yaml.load(path.read_text()), 1):
            obj = case["object"]
            for name in (f"{folder}",) if "kind" in obj else catalogue.SHARED[folder]:
                group, _, kind = name.rpartition("/")
                yield f"{name}-{place}", {"apiVersion": f"{group}/v1", "kind": kind, **obj}, case


def runs() -> Iterator[Any]:
    for where, obj, case in cases():
        for run in case.get("runs", ()):
            given = "".join(f"-{name}={value}" for name, value in run.get("params", {}).items())
            yield pytest.param(obj, run, id=f"{where}-{run['action']}{given}")


@pytest.fixture
def engine(pool: Pool) -> Engine:
    return Engine(pool, builtin=BUILTIN)


@pytest.mark.parametrize(("obj", "case"), [pytest.param(obj, case, id=where) for where, obj, case in cases()])
async def test_an_object_has_the_actions_of_its_state(engine: Engine, obj: Object, case: dict[str, Any]) -> None:
    found = await engine.discover(obj)
    assert {action.name: action.reason for action in found} == case["offers"]
    assert all(action.disabled is bool(action.reason) for action in found)
    assert all(action.display_name and action.icon_class for action in found)


@pytest.mark.parametrize(("obj", "run"), list(runs()))
async def test_an_action_asks_for_what_its_fixture_says(engine: Engine, obj: Object, run: dict[str, Any]) -> None:
    params = run.get("params", {})
    if "error" in run:
        with pytest.raises(ActionError) as caught:
            await engine.run(obj, run["action"], params)
        assert run["error"] in caught.value.message
        return
    asked = await engine.run(obj, run["action"], params)
    if run.get("nothing"):
        assert asked == ()
        return
    (effect,) = asked
    if "create" in run:
        assert isinstance(effect, Create)
        assert timeless(effect.object) == run["create"]
    else:
        assert isinstance(effect, Patch)
        assert timeless(effect.body) == run["patch"]


def timeless(value: Any) -> Any:
    """``value`` with words in the place of the time that it was made at."""
    if isinstance(value, dict):
        return {name: timeless(one) for name, one in value.items()}
    if isinstance(value, list):
        return [timeless(one) for one in value]
    if isinstance(value, str):
        value = re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", "<now>", value)
        return re.sub(r"-\d{10}$", "-<seconds>", value)
    return value


def test_every_action_has_a_fixture() -> None:
    run = {(where.rpartition("-")[0], run["action"]) for where, _, case in cases() for run in case.get("runs", ()) if "error" not in run}
    folders = {kind: folder for folder, kinds in catalogue.SHARED.items() for kind in kinds if "*" in kind}
    wanted = {(folders.get(kind, kind), name) for kind, offer in BUILTIN.items() for name in offer.definitions}
    assert run == wanted


@pytest.mark.parametrize("obj", [pytest.param(obj, id=where) for where, obj, _ in cases()])
async def test_an_object_of_which_nothing_is_known_yet_has_actions_too(engine: Engine, obj: Object) -> None:
    bare = {name: obj[name] for name in ("apiVersion", "kind", "metadata")}
    assert all(isinstance(action.name, str) for action in await engine.discover({**bare, "spec": {}}))


def test_the_actions_of_argo_cd_are_there() -> None:
    ours = {f"{kind}/{name}" for kind, offer in BUILTIN.items() for name in offer.definitions}
    theirs = set(ARGO_CD.read_text().split())
    assert theirs - ours == set()
    assert len(ours) > len(theirs)


def test_the_documentation_names_every_action() -> None:
    rows = re.findall(r"^\| (\S+/\S+) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert {kind: re.findall(r"`([^`]+)`", names) for kind, names in rows} == {
        kind: sorted(offer.definitions) for kind, offer in BUILTIN.items()
    }

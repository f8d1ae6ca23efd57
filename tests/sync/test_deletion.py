"""The planner of deletions: what goes with an app, in which order, and above all what stays."""

from __future__ import annotations

from homeostat.model.sync import Action
from homeostat.sync.deletion import plan_deletion
from tests.sync.objects import APP, crd, live, obj


def test_a_deleted_app_takes_its_objects_along_from_the_last_wave_to_the_first() -> None:
    things = [live(obj("ConfigMap", f"w{wave}", wave=wave)) for wave in (0, 1, -1, 1)]
    staying = [
        live(crd("Gadget")),
        live(obj("ConfigMap", "foreign"), app="other"),
        live(obj("ConfigMap", "kept", options="Delete=false")),
        live(obj("ConfigMap", "helm", annotations={"helm.sh/resource-policy": "keep"})),
    ]
    made = plan_deletion([*things, *staying], app_id=APP)
    assert [(wave.number, [task.key.name for task in wave.tasks]) for wave in made.waves] == [(1, ["w1", "w1"]), (0, ["w0"]), (-1, ["w-1"])]
    assert all(task.action is Action.PRUNE for task in made.tasks)
    assert plan_deletion(things, app_id=APP, options=("Delete=false",)).waves == ()

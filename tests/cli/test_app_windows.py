"""What `homeostat app get` and `app windows` say of sync windows."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.stage import Stage
from tests.e2e.texts import config


def create(stage: Stage, name: str, *windows: dict[str, Any]) -> None:
    """An app in a project of its own name with these windows. Nothing is synced."""
    everything = {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}]}
    spec = {**everything, "clusterResourceWhitelist": [{"group": "*", "kind": "*"}], "syncWindows": list(windows)}
    project = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": name}, "spec": spec}
    stage.plane.kubectl("-n", stage.control, "apply", "-f", "-", stdin=json.dumps(project))
    stage.write(**{f"{name}__one": config("one")})
    stage.push()
    stage.create(name, "--project", name)


DENY = {"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"], "manualSync": True, "description": "freeze"}
NEVER = {"kind": "allow", "schedule": "0 3 29 2 *", "duration": "1h", "applications": ["*"], "timeZone": "Europe/Berlin"}


def fields(text: str) -> dict[str, str]:
    return {label: value.strip() for label, _, value in (line.partition(":") for line in text.splitlines())}


def test_get_shows_the_windows_that_are_about_the_app_and_whether_it_may_be_synced(stage: Stage) -> None:
    create(stage, "frozen", DENY, {**DENY, "applications": ["other"]})
    shown = fields(stage.app("get", "frozen").stdout)
    assert (shown["Sync window"], shown["Windows"]) == ("Manual Allowed", "deny:* * * * *:1h")
    data = json.loads(stage.app("get", "frozen", "-o", "json").stdout)["syncWindows"]
    assert (data["canSync"], data["canSyncAutomatically"]) == (True, False)
    assert data["reason"] == "Sync operation blocked by sync window: deny:* * * * *:1h"
    assert [window["description"] for window in data["activeWindows"]] == ["freeze"]


def test_the_next_opening_is_shown(stage: Stage) -> None:
    create(stage, "leap", NEVER)
    assert fields(stage.app("get", "leap").stdout)["Sync window"].startswith("Sync Denied (next opening 2")
    data = json.loads(stage.app("get", "leap", "-o", "json").stdout)["syncWindows"]
    assert data["nextOpening"].endswith("-02-29T02:00:00Z")
    assert not data["canSync"]
    shown = stage.app("windows", "leap", "-o", "wide")
    header, row = shown.stdout.splitlines()
    assert header.split()[:5] == ["STATUS", "KIND", "SCHEDULE", "DURATION", "TIME"]
    assert row.split()[:2] == ["Inactive", "allow"]
    assert "Europe/Berlin" in row
    assert "project leap: spec.syncWindows[0]" in row
    assert "-02-29 02:00 UTC" in row
    assert shown.stderr.startswith("Sync Denied (next opening")


def test_without_windows_nothing_is_said_of_them(stage: Stage) -> None:
    create(stage, "open")
    assert "Sync window" not in fields(stage.app("get", "open").stdout)
    assert "syncWindows" not in json.loads(stage.app("get", "open", "-o", "json").stdout)
    shown = stage.app("windows", "open")
    assert len(shown.stdout.splitlines()) == 1
    assert shown.stderr == "Sync Allowed: no sync window is about the app\n"
    assert stage.app("windows", "open", "-o", "name").stdout == ""


def test_a_window_that_cannot_be_read_is_shown_as_such(stage: Stage) -> None:
    create(stage, "broken", {**DENY, "schedule": "0 0 32 * *"})
    assert fields(stage.app("get", "broken").stdout)["Sync window"] == "Sync Denied"
    assert stage.app("windows", "broken").stdout.splitlines()[1].startswith("Invalid ")
    reason = json.loads(stage.app("windows", "broken", "-o", "json").stdout)["reason"]
    assert "project broken: spec.syncWindows[0].schedule: day of month: expected numbers from 1 to 31" in reason

"""What users and their tools read of an app is what Argo CD 3.5.1 wrote for the same samples.

The whole Application is compared, but for times, ids, revisions and the repository's address (``recorded.py``). Where ours says more, or theirs
wrote down how a race of its own went, this page names it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from homeostat.model.objects import Object
from tests.e2e.apps import Apps
from tests.e2e.recorded import THEIR_WORDS, Samples, Told, events_recorded, normalised, recorded
from tests.e2e.repository import Repository

APPS = ["plain", "kust-prod", "chart", "jsonnet", "hooks", "waves", "broken-schema", "broken-yaml", "missing"]

BETTER = {
    # What a server-side apply is told names the object and the field, and we the file; a client-side one is told of a struct of Go's.
    "failed to create typed patch object (s-broken-schema/bad; apps/v1, Kind=Deployment): "
    ".spec.replicas: expected numeric (int or float), got string (broken-schema/all.yaml:1)": 'Deployment in version "v1" cannot be handled as a Deployment: json: '
    "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
    # The file's whole path, and no words of a remote call that nobody makes here.
    'Failed to load target state: broken-yaml/a.yaml:3: Failed to unmarshal "a.yaml"': "Failed to load target state: failed to generate "
    'manifest for source 1 of 1: rpc error: code = FailedPrecondition desc = Failed to unmarshal "a.yaml"',
    # Likewise, and what to do.
    "Failed to load target state: missing: app path does not exist (hint: look at spec.source.path and spec.source.targetRevision)": "Failed "
    "to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = missing: app path does not exist",
}
"""Ours → theirs, of those messages that differ. All others are equal."""


def in_their_words(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: in_their_words(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [in_their_words(inner) for inner in value]
    if isinstance(value, str):
        for ours, recorded_message in BETTER.items():
            value = value.replace(ours, recorded_message)
    return value


def is_settled(app: Object) -> bool:
    """As the samples were when they were recorded: at rest, or waiting for another attempt after the second one."""
    status = app.get("status") or {}
    state = status.get("operationState") or {}
    if state.get("phase") == "Running":
        return bool(state.get("retryCount", 0) >= 2)
    if any(one["name"].startswith("smoke-") for one in status.get("resources") or ()):
        return False  # a hook that goes when it has succeeded
    return (status.get("health") or {}).get("status") == "Healthy" and status["sync"]["status"] in {"Synced", "Unknown"}


def updated(what: str, was: str, now: str) -> Told:
    return Told("Normal", "ResourceUpdated", f"Updated {what} status: {was} -> {now}")


def started(revision: str) -> Told:
    return Told("Normal", "OperationStarted", f"Initiated automated sync to '{revision}'")


def completed(revision: str, what: str = "Sync") -> Told:
    return Told("Normal", "OperationCompleted", f"{what} operation to {revision} succeeded")


THEIRS_ALONE = {
    "plain": Counter(
        [
            # They judged the Deployment, for a moment, before it had a status: such a one is no longer Missing, and not yet Healthy.
            updated("health", "Missing", "Healthy"),
            updated("health", "Healthy", "Progressing"),
            # The race that follows the second commit, see below.
            started("SECOND"),
            completed("SECOND", "Partial sync"),
        ]
    ),
    # They did not look at health while the sync waited for the Deployment.
    "waves": Counter([updated("health", "Missing", "Healthy")]),
}
OURS_ALONE = {
    "plain": Counter([updated("health", "Missing", "Progressing")]),
    "waves": Counter([updated("health", "Missing", "Progressing"), updated("health", "Progressing", "Healthy")]),
}

MAYBE = {
    # While the Service is on its way out the app is Progressing, for whoever looks in that moment; they did not.
    "plain": Counter([updated("health", "Healthy", "Progressing"), updated("health", "Progressing", "Healthy")])
}


async def events_are_as_recorded(samples: Samples, name: str, own_name: str) -> None:
    expected = events_recorded(name) - THEIRS_ALONE.get(name, Counter()) + OURS_ALONE.get(name, Counter())
    told = await samples.events(own_name, expected)
    assert not expected - told, name
    assert told - expected <= MAYBE.get(name, Counter()), name


@pytest.mark.usefixtures("controller")
async def test_the_samples_come_to_what_was_recorded(apps: Apps, repository: Repository) -> None:
    samples = Samples(apps, repository)
    await samples.push()
    names = {name: await samples.create(name) for name in APPS}
    for name, own_name in names.items():
        ours, theirs = in_their_words(samples.normalised(await apps.until(own_name, is_settled))), normalised(recorded(name), THEIR_WORDS)
        if name == "jsonnet":
            # A race of theirs: they looked before they knew of their own first sync, and healed what needed no healing. What that wrote over
            # is the one thing that is not compared here; the other apps' first syncs are.
            for app in (ours, theirs):
                del app["status"]["operationState"]
        assert ours == theirs, name
    for name in ("waves", "broken-schema", "missing"):
        await events_are_as_recorded(samples, name, names[name])


@pytest.mark.usefixtures("controller")
async def test_a_commit_and_a_heal_leave_what_was_recorded(apps: Apps, repository: Repository) -> None:
    samples = Samples(apps, repository)
    await samples.push()
    name = await samples.create("plain")
    await apps.until(name, is_settled)

    revision = await samples.push_second()
    await apps.refresh(name)
    app = await apps.synced(name, revision)
    ours, theirs = samples.normalised(app), normalised(recorded("plain-after-second-commit"), THEIR_WORDS)
    # The same race of theirs: right after the sync of the commit they healed what needed no healing, and recorded that.
    operation, healed = ours["status"].pop("operationState"), theirs["status"].pop("operationState")
    assert ours == theirs
    assert {(one["name"], one["status"], one["message"]) for one in operation["syncResult"]["resources"]} == {
        ("settings", "Synced", "configmap/settings configured"),
        ("web", "Synced", "deployment.apps/web unchanged"),
        ("web", "Pruned", "pruned"),
    }
    assert operation["operation"] == {
        **healed["operation"],
        "sync": {
            field: value for field, value in healed["operation"]["sync"].items() if field not in {"autoHealAttemptsCount", "resources"}
        },
    }

    namespace = app["spec"]["destination"]["namespace"]
    apps.plane.kubectl("-n", namespace, "patch", "configmap", "settings", "--type=merge", '-p={"data":{"colour":"red"}}')
    app = await apps.until(name, lambda app: is_settled(app) and "resources" in app["status"]["operationState"]["operation"]["sync"])
    ours, theirs = samples.normalised(app), normalised(recorded("plain-after-self-heal"), THEIR_WORDS)
    # Theirs is the second attempt, because the race counts as the first.
    theirs["status"]["operationState"]["operation"]["sync"]["autoHealAttemptsCount"] = 1
    assert ours == theirs
    await events_are_as_recorded(samples, "plain", name)

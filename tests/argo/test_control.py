"""The control plane on a real API server: watched, read, written back; no request of a user is lost, nothing is written twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from homeostat.argo import install
from homeostat.argo.control import ControlPlane
from homeostat.argo.errors import NotInstalledError
from homeostat.argo.resources import APPLICATIONS, EVENTS
from homeostat.live.client import Client
from homeostat.live.errors import NotFoundError
from homeostat.loop.seam import Apps
from homeostat.model.app import App, AppKey, Duty
from homeostat.model.health import Health, HealthStatus
from homeostat.model.report import Condition
from homeostat.model.sync import Operation, OperationPhase, OperationState, SyncStatus
from tests.argo import reports, samples
from tests.cluster import Cluster

NOW = 1795248000.0


class Running:
    """A control plane in a namespace of its own, and the client beside it that plays the user."""

    def __init__(self, plane: ControlPlane, client: Client) -> None:
        self.plane = plane
        self.client = client
        self.heard: list[AppKey] = []
        self._changed = asyncio.Event()
        plane.subscribe(self._on_change)
        plane.subscribe_settings(self._changed.set)
        plane.subscribe_repositories(self._changed.set)

    def _on_change(self, key: AppKey) -> None:
        self.heard.append(key)
        self._changed.set()

    async def until(self, true: Callable[[], Any]) -> None:
        """Returns when something has been heard that makes ``true`` so."""
        async with asyncio.timeout(20):
            while not true():
                self._changed.clear()
                await self._changed.wait()

    async def create(self, **fields: Any) -> App:
        obj = samples.application(**fields)
        obj["metadata"]["namespace"] = self.plane.namespace
        await self.client.create(APPLICATIONS, obj)
        key = self.key
        await self.until(lambda: self.plane.get(key))
        return self.app

    @property
    def key(self) -> AppKey:
        return AppKey("Application", self.plane.namespace, "web")

    @property
    def app(self) -> App:
        app = self.plane.get(self.key)
        assert app is not None
        return app

    async def stored(self) -> dict[str, Any]:
        return await self.client.get(APPLICATIONS, self.plane.namespace, "web")

    async def patch(self, body: dict[str, Any]) -> dict[str, Any]:
        return await self.client.patch(APPLICATIONS, self.plane.namespace, "web", body, manager="user")


@asynccontextmanager
async def running(cluster: Cluster, namespace: str) -> AsyncIterator[Running]:
    client = await Client.connect(str(cluster.kubeconfig))
    async with client:
        await install.install(client, namespace=namespace)
        plane = ControlPlane(client, namespace=namespace, clock=lambda: NOW)
        beside = Running(plane, client)
        task = asyncio.get_running_loop().create_task(plane.run(), name="control plane")
        try:
            await plane.ready()
            yield beside
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_projects_settings_and_secrets_are_read_before_applications(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        assert control.plane.projects["default"].restrictions == ()
        assert "github.com" in control.plane.settings.known_hosts
        app = await control.create()
        assert app.problems == ()


async def test_it_is_what_the_loop_asks_for(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        apps: Apps = control.plane
        assert list(apps.keys()) == []
        await control.create()
        assert list(apps.keys()) == [control.key]


async def test_a_setting_that_changes_is_heard(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        plane.kubectl("patch", "cm", "argocd-cm", "-n", namespace, "--type=merge", "-p", '{"data": {"timeout.reconciliation": "7m"}}')
        await control.until(lambda: control.plane.settings.timeout == 420.0)


async def test_a_parameter_of_the_controller_that_changes_is_heard(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        data = '-p={"data": {"controller.sync.timeout.seconds": "600", "homeostat.deletion.guards": "off"}}'
        plane.kubectl("patch", "cm", "argocd-cmd-params-cm", "-n", namespace, "--type=merge", data)
        await control.until(lambda: control.plane.settings.sync_timeout == 600.0)
        assert control.plane.settings.guards == frozenset()


async def test_a_repository_is_heard(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "repo", "labels": {"argocd.argoproj.io/secret-type": "repository"}},
            "stringData": {"url": "https://git.example/x"},
        }
        plane.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(secret))
        await control.until(lambda: control.plane.secrets)
        assert control.plane.secrets[0]["metadata"]["name"] == "repo"


async def test_a_projects_windows_reach_its_apps(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        await control.create()
        windows = [{"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}]
        patch = json.dumps({"spec": {"syncWindows": windows}})
        plane.kubectl("patch", "appproject", "default", "-n", namespace, "--type=merge", "-p", patch)

        def windowed() -> bool:
            app = control.plane.get(control.key)
            return app is not None and [str(window) for window in app.windows] == ["deny:* * * * *:1h"]

        await control.until(windowed)


async def test_a_project_that_begins_to_restrict_stops_its_apps(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        await control.create()
        plane.kubectl("patch", "appproj", "default", "-n", namespace, "--type=merge", "-p", '{"spec": {"sourceRepos": ["https://x/*"]}}')
        await control.until(lambda: control.app.problems)
        assert "project default restricts sourceRepos" in control.app.problems[0]


async def test_a_report_is_written_once_and_its_echo_is_not_heard(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        app = await control.create()
        control.heard.clear()
        after = await control.plane.report(app, reports.simple())
        again = await control.plane.report(after, reports.simple())
        assert control.plane.writer.written == 1
        assert again.resource_version == after.resource_version
        stored = await control.stored()
        assert stored["metadata"]["resourceVersion"] == after.resource_version
        assert stored["status"]["sync"]["status"] == "Synced"
        assert stored["status"]["controllerNamespace"] == namespace
        # Something that is heard, after the echo.
        await control.patch({"spec": {"source": {"path": "elsewhere"}}})
        await control.until(lambda: control.heard)
        assert control.app.sources[0].path == "elsewhere"
        assert control.heard == [control.key]


async def test_a_refresh_is_answered_together_with_the_status(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        await control.create()
        await control.patch({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal", "mine": "stays"}}})
        await control.until(lambda: control.app.refresh)
        await control.plane.report(control.app, reports.simple(refreshed=True))
        assert (await control.stored())["metadata"]["annotations"] == {"mine": "stays"}
        assert control.app.refresh == ""


async def test_a_harder_refresh_that_came_meanwhile_is_not_lost(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        await control.create()
        await control.patch({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}})
        await control.until(lambda: control.app.refresh)
        seen = control.app
        await control.patch({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}})
        await control.plane.report(seen, reports.simple(refreshed=True))
        stored = await control.stored()
        assert stored["metadata"]["annotations"] == {"argocd.argoproj.io/refresh": "hard"}
        assert stored["status"]["sync"]["status"] == "Synced"


async def test_an_operation_stands_while_it_runs_and_is_gone_when_done(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        app = await control.create()
        operation = Operation(revision="abc", automated=True, retry_limit=5, source=app.spec["source"])
        state = OperationState(operation, OperationPhase.RUNNING, started_at="2026-11-21T08:00:00Z", revision="abc")
        app = await control.plane.report(app, reports.simple(state=state, sync=SyncStatus.OUT_OF_SYNC))
        stored = await control.stored()
        assert stored["operation"] == stored["status"]["operationState"]["operation"]
        assert stored["operation"]["initiatedBy"] == {"automated": True}
        done = OperationState(
            operation, OperationPhase.SUCCEEDED, started_at=state.started_at, finished_at=state.started_at, revision="abc"
        )
        await control.plane.report(app, reports.simple(state=done))
        stored = await control.stored()
        assert "operation" not in stored
        assert stored["status"]["operationState"]["phase"] == "Succeeded"


async def test_a_request_that_came_while_a_sync_ended_is_not_lost(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        app = await control.create()
        await control.patch({"operation": {"sync": {"revision": "one"}}})
        await control.until(lambda: control.app.requested)
        app = control.app
        assert app.requested is not None
        state = OperationState(
            app.requested, OperationPhase.SUCCEEDED, started_at="2026-11-21T08:00:00Z", finished_at="2026-11-21T08:00:00Z"
        )
        await control.patch({"operation": {"sync": {"revision": "two"}}})
        await control.plane.report(app, reports.simple(state=state))
        assert (await control.stored())["operation"] == {"sync": {"revision": "two"}}
        assert control.app.requested is not None
        assert control.app.requested.revision == "two"


async def test_a_sync_that_took_over_from_another_takes_its_operation_away_too(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        app = await control.create()
        for revision in ("one", "two"):
            operation = Operation(revision=revision, automated=True)
            state = OperationState(operation, OperationPhase.RUNNING, started_at="2026-11-21T08:00:00Z", revision=revision)
            app = await control.plane.report(app, reports.simple(state=state))
        assert (await control.stored())["operation"]["sync"]["revision"] == "two"
        done = OperationState(operation, OperationPhase.FAILED, started_at="2026-11-21T08:00:00Z", revision="two")
        await control.plane.report(app, reports.simple(state=done))
        assert "operation" not in await control.stored()


async def test_our_finalizers_come_and_go_and_those_of_others_stay(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        await control.create()
        ours, before = "resources-finalizer.argocd.argoproj.io/background", "pre-delete-finalizer.argocd.argoproj.io"
        await control.patch({"metadata": {"finalizers": [ours, "example.com/theirs"]}})
        await control.until(lambda: control.app.finalizer)
        await control.plane.bind(control.app, {Duty.OBJECTS, Duty.BEFORE, Duty.CLEANUP_BEFORE})
        assert (await control.stored())["metadata"]["finalizers"] == [ours, "example.com/theirs", before, f"{before}/cleanup"]
        written = (await control.stored())["metadata"]["resourceVersion"]
        await control.plane.bind(control.app, control.app.duties)
        assert (await control.stored())["metadata"]["resourceVersion"] == written
        await control.plane.bind(control.app, {Duty.CLEANUP_BEFORE})
        assert (await control.stored())["metadata"]["finalizers"] == ["example.com/theirs", f"{before}/cleanup"]
        await control.plane.bind(control.app, ())
        assert (await control.stored())["metadata"]["finalizers"] == ["example.com/theirs"]
        await control.patch({"metadata": {"finalizers": None}})


async def test_a_confirmation_and_a_finalizer_that_somebody_takes_off_are_heard_of(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        await control.create()
        before = "pre-delete-finalizer.argocd.argoproj.io"
        await control.plane.bind(control.app, {Duty.BEFORE})
        control.heard.clear()
        await control.patch({"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": "2026-11-21T07:53:25Z"}}})
        await control.until(lambda: control.heard)
        assert control.app.approved_at == 1795247605
        control.heard.clear()
        assert before in (await control.stored())["metadata"]["finalizers"]
        await control.patch({"metadata": {"finalizers": None}})
        await control.until(lambda: control.heard)
        assert control.app.duties == frozenset()


async def test_nothing_is_written_to_another_application_of_the_same_name(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        app = await control.create()
        await control.client.delete(APPLICATIONS, namespace, "web")
        await control.until(lambda: control.plane.get(control.key) is None)
        assert await control.plane.report(app, reports.simple()) == app
        await control.create()
        assert await control.plane.report(app, reports.simple()) == app
        assert "status" not in await control.stored()


async def test_an_application_that_is_gone_before_we_know_costs_nothing(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        app = await control.create()
        await control.client.delete(APPLICATIONS, namespace, "web")
        await control.plane.report(app, reports.simple())
        with pytest.raises(NotFoundError):
            await control.stored()


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.parametrize("count", [pytest.param(6000, id="for etcd"), pytest.param(12000, id="for the API server")])
async def test_a_status_too_large_is_written_without_its_parts(plane: Cluster, namespace: str, count: int) -> None:
    async with running(plane, namespace) as control:
        app = await control.create()
        one = reports.simple().resources[0]
        many = tuple(type(one)(one.key._replace(name=f"{number:05d}-{'x' * 200}"), "v1", SyncStatus.SYNCED) for number in range(count))
        await control.plane.report(app, reports.simple(resources=many))
        status = (await control.stored())["status"]
        assert "resources" not in status
        assert status["sync"]["status"] == "Synced"
        assert status["conditions"][0]["type"] == "UnknownError"


async def test_events_are_written_and_equal_ones_are_counted(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        app = await control.create()
        healths = [HealthStatus.HEALTHY, HealthStatus.DEGRADED] * 2
        for health in healths:
            app = await control.plane.report(app, reports.simple(health=Health(health)))
        selector = f"involvedObject.name=web,involvedObject.uid={app.uid}"
        wanted = {
            "Updated sync status:  -> Synced": 1,
            "Updated health status:  -> Healthy": 1,
            "Updated health status: Healthy -> Degraded": 2,
            "Updated health status: Degraded -> Healthy": 1,
        }
        async with asyncio.timeout(20):
            listing = await control.client.list(EVENTS, namespace=namespace, field_selector=selector)
            found = {event["metadata"]["uid"]: event for event in listing.items}
            watch = control.client.watch(EVENTS, resource_version=listing.resource_version, namespace=namespace, field_selector=selector)
            while {event["message"]: event["count"] for event in found.values()} != wanted:
                seen = await anext(watch)
                if seen.type != "BOOKMARK":
                    found[seen.object["metadata"]["uid"]] = seen.object
            await watch.aclose()
        event = next(iter(found.values()))
        assert event["source"] == {"component": "argocd-application-controller"}
        assert event["metadata"]["annotations"] == {"dest-namespace": "web", "dest-server": "https://kubernetes.default.svc"}
        assert event["involvedObject"]["kind"] == "Application"


async def test_a_condition_reaches_the_status(plane: Cluster, namespace: str) -> None:
    async with running(plane, namespace) as control:
        app = await control.create()
        await control.plane.report(app, reports.simple(conditions=(Condition("SyncError", "no luck"),)))
        assert (await control.stored())["status"]["conditions"] == [
            {"type": "SyncError", "message": "no luck", "lastTransitionTime": "2026-11-21T08:00:00Z"}
        ]


def test_a_cluster_without_the_definitions_is_told_what_to_do() -> None:
    error = NotInstalledError("Application")
    assert "homeostat install" in error.hint

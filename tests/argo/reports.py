"""Reports as the loop would make them, taken from what Argo CD recorded: the way back from a status to what must have been known."""

from __future__ import annotations

from typing import Any

from homeostat.model.app import App
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import Key, Object
from homeostat.model.report import Condition, Report, ResourceReport
from homeostat.model.sync import SyncStatus, joined


def report_of(obj: Object, app: App) -> Report:
    """What the loop must have known when the status of ``obj`` was written."""
    status = obj["status"]
    summary = status.get("summary") or {}
    return Report(
        sync=SyncStatus(status["sync"]["status"]),
        health=Health(HealthStatus(status["health"]["status"]), status["health"].get("message", "")),
        revision=joined(status["sync"].get("revisions", ())) or status["sync"].get("revision", ""),
        source_types=tuple(status["sourceTypes"]) if "sourceTypes" in status else (status.get("sourceType", ""),),
        resources=tuple(reversed([_resource(one) for one in status.get("resources", ())])),
        conditions=tuple(Condition(one["type"], one["message"]) for one in status.get("conditions", ())),
        state=app.state,
        requested=app.requested,
        history=app.history,
        images=tuple(summary.get("images", ())) * 2,
        external_urls=tuple(summary.get("externalURLs", ())),
        reconciled_at=status["reconciledAt"],
    )


def simple(**fields: Any) -> Report:
    """Synced and healthy at commit ``abc``, with one ConfigMap. ``fields`` replace some of it."""
    known: dict[str, Any] = {
        "sync": SyncStatus.SYNCED,
        "health": Health(HealthStatus.HEALTHY),
        "revision": "abc",
        "source_types": ("Directory",),
        "resources": (ResourceReport(Key("", "ConfigMap", "web", "settings"), "v1", SyncStatus.SYNCED),),
        "reconciled_at": "2026-11-21T08:00:00Z",
        **fields,
    }
    return Report(**known)


def _resource(one: dict[str, Any]) -> ResourceReport:
    return ResourceReport(
        key=Key(one.get("group", ""), one["kind"], one.get("namespace", ""), one["name"]),
        version=one["version"],
        status=SyncStatus(one["status"]) if "status" in one else None,
        wave=one.get("syncWave", 0),
        hook=one.get("hook", False),
        requires_pruning=one.get("requiresPruning", False),
    )

"""A report of the loop → ``Application.status`` in Argo CD's shape, and the smallest patch that takes the old status there.

Pure. Where Argo CD leaves an empty field out, so does this; where it writes one (``sourceHydrator: {}``), so does this: it was recorded (see
``tests/argo/recorded``). Times are kept while what they are the time of stays the same. Health per object is not written, and
``resourceHealthSource`` says so. Who writes the patch, and when, is ``writer.py``'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeostat.argo import conditions
from homeostat.model import times
from homeostat.model.app import App
from homeostat.model.report import Report, ResourceReport
from homeostat.model.sync import History, Operation, OperationState, SourceWords, SyncSelection, TaskResult, parted

Status = dict[str, Any]

RECONCILED_AT_AGE = 3600.0
"""A new ``reconciledAt`` alone is written when the one that stands there is older than this many seconds.

A thousand apps whose sources are looked at every two minutes would otherwise cost eight writes a second that say nothing new.
"""


def build(app: App, report: Report, old: Mapping[str, Any], *, namespace: str, now: str) -> Status:
    """The whole new status. ``old`` is the one that stands there, ``namespace`` the control plane's, ``now`` an RFC 3339 time."""
    status: Status = {
        "controllerNamespace": namespace,
        "health": _health(report, old.get("health"), now),
        "resourceHealthSource": "appTree",
        "sync": _sync(app, report, old.get("sync")),
    }
    synced_once = report.state is not None
    summary = _summary(report)
    if summary or synced_once or "summary" in old:
        status["summary"] = summary
    if synced_once or "sourceHydrator" in old:
        status["sourceHydrator"] = old.get("sourceHydrator") or {}
    reconciled_at = report.reconciled_at or old.get("reconciledAt")
    if reconciled_at:
        status["reconciledAt"] = reconciled_at
    if any(report.source_types):
        if _is_several(app.spec):
            status["sourceTypes"] = list(report.source_types)
        else:
            status["sourceType"] = report.source_types[0]
    if report.resources:
        status["resources"] = [_resource(resource) for resource in sorted(report.resources, key=lambda one: one.key)]
    shown = conditions.build(report.conditions, old.get("conditions"), now=now) if report.conditions else []
    if shown:
        status["conditions"] = shown
    if report.state is not None:
        status["operationState"] = _state(app, report.state)
    limit = app.policy.history_limit
    history = [_history(entry) for entry in report.history[-limit:]] if limit else []
    if history:
        status["history"] = history
    return status


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any] | None:
    """The JSON merge patch (RFC 7386) from ``old`` to ``new``; ``None`` when they are equal. Lists are replaced whole."""
    patch: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if before == value and name in old:
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            inner = merge_patch(before, value)
            if inner is not None:
                patch[name] = inner
        else:
            patch[name] = value
    return patch or None


def status_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any] | None:
    """The patch from ``old`` to ``new``, or ``None`` when nothing is worth writing (see :data:`RECONCILED_AT_AGE`)."""
    patch = merge_patch(old, new)
    if patch is None or patch.keys() != {"reconciledAt"}:
        return patch
    try:
        age = times.parse(str(patch["reconciledAt"])) - times.parse(str(old.get("reconciledAt")))
    except ValueError:
        return patch
    return patch if age > RECONCILED_AT_AGE else None


def operation_field(app: App, operation: Operation) -> dict[str, Any]:
    """An operation as it stands in a resource: word for word where it came from one, else written out."""
    if operation.raw:
        return operation.raw
    initiated_by = _present({"automated": operation.automated, "username": operation.username})
    sync = _present(
        {
            "autoHealAttemptsCount": operation.heal_attempts,
            "dryRun": operation.dry_run,
            "prune": operation.prune,
            "resources": [_selection(one) for one in operation.resources],
            "syncOptions": list(operation.options),
            **_where(operation.revision, operation.source),
        }
    )
    retry = (app.spec.get("syncPolicy") or {}).get("retry") if operation.automated else None
    info = _present({"info": [{"name": name, "value": value} for name, value in operation.info]})
    return {**info, "initiatedBy": initiated_by, "retry": retry or _present({"limit": operation.retry_limit}), "sync": sync}


def _health(report: Report, old: Any, now: str) -> dict[str, str]:
    health = {"status": str(report.health.status)}
    if report.health.message:
        health["message"] = report.health.message
    before = old if isinstance(old, dict) else {}
    since = before.get("lastTransitionTime") if before.get("status") == health["status"] else now
    if since:
        health["lastTransitionTime"] = since
    return health


def _sync(app: App, report: Report, old: Any) -> dict[str, Any]:
    sync: dict[str, Any] = {"status": str(report.sync)}
    if app.problems:  # nothing was compared: what stands there is about an earlier spec
        before = old if isinstance(old, dict) else {}
        sync.update({name: before[name] for name in ("comparedTo", "revision", "revisions") if name in before})
        return sync
    several = _is_several(app.spec)
    compared = {name: app.spec[name] for name in ("destination", "ignoreDifferences") if app.spec.get(name)}
    source = tuple(app.spec["sources"]) if several else app.spec.get("source")
    sync["comparedTo"] = {"destination": {}, **compared, **_where("", source)}
    sync.update(_where(report.revision, () if several else None))
    return sync


def _is_several(spec: Mapping[str, Any]) -> bool:
    return bool(spec.get("sources"))


def _where(revision: str, source: SourceWords | None) -> dict[str, Any]:
    """Revision and source as they stand together wherever they do; of several there is an empty source beside them."""
    if not isinstance(source, tuple):
        return _present({"revision": revision, "source": source})
    sources = {"source": {"repoURL": ""}, "sources": list(source)} if source else {}
    return {**_present({"revisions": list(parted(revision))}), **sources}


def _summary(report: Report) -> dict[str, Any]:
    apps = any(one.key.kind == "Application" and one.key.group == "argoproj.io" for one in report.resources)
    urls, images = sorted(set(report.external_urls)), sorted(set(report.images))
    return _present({"externalURLs": urls, "images": images, "isAppOfApps": apps})


def _resource(resource: ResourceReport) -> dict[str, Any]:
    key = resource.key
    return _present(
        {
            "group": key.group,
            "hook": resource.hook,
            "kind": key.kind,
            "name": key.name,
            "namespace": key.namespace,
            "requiresDeletionConfirmation": resource.asks_before_deletion,
            "requiresPruning": resource.requires_pruning,
            "status": str(resource.status) if resource.status else "",
            "syncWave": resource.wave,
            "version": resource.version,
        }
    )


def _state(app: App, state: OperationState) -> dict[str, Any]:
    written: dict[str, Any] = {
        "operation": operation_field(app, state.operation),
        "phase": str(state.phase),
        "startedAt": state.started_at,
    }
    if state.message:
        written["message"] = state.message
    if state.finished_at:
        written["finishedAt"] = state.finished_at
    if state.retry_count:
        written["retryCount"] = state.retry_count
    if state.revision:
        resources = _present({"resources": [_result(one) for one in state.results]})
        written["syncResult"] = {"revision": "", **resources, **_where(state.revision, state.source)}
    return written


def _result(result: TaskResult) -> dict[str, Any]:
    key = result.key
    written: dict[str, Any] = {
        "group": key.group,
        "hookPhase": str(result.hook_phase),
        "kind": key.kind,
        "message": result.message,
        "name": key.name,
        "namespace": key.namespace,
        "status": str(result.status),
        "syncPhase": str(result.phase),
        "version": result.version,
    }
    if result.hook_type:
        written["hookType"] = result.hook_type
    if result.images:
        written["images"] = list(result.images)
    return written


def _history(entry: History) -> dict[str, Any]:
    written: dict[str, Any] = {
        "deployedAt": entry.deployed_at,
        "id": entry.id,
        "initiatedBy": _present({"automated": entry.automated, "username": entry.username}),
    }
    if entry.started_at:
        written["deployStartedAt"] = entry.started_at
    return {**written, **_where(entry.revision, entry.source)}


def _selection(one: SyncSelection) -> dict[str, Any]:
    optional = _present({"group": one.group, "namespace": one.namespace, "exclude": one.exclude})
    return {"kind": one.kind, "name": one.name, **optional}


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    """``fields`` without the empty ones, as Go's ``omitempty`` leaves them out."""
    return {name: value for name, value in fields.items() if value}

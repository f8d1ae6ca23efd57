"""An Application in words: what a table shows of it. Pure; reads the resource as it stands, whoever wrote it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from homeostat.model import times
from homeostat.model.objects import Object

COLOURS = {
    "Synced": "green",
    "OutOfSync": "yellow",
    "Healthy": "green",
    "Progressing": "blue",
    "Suspended": "magenta",
    "Degraded": "red",
    "Missing": "yellow",
    "Unknown": "magenta",
    "Succeeded": "green",
    "Running": "blue",
    "Failed": "red",
    "Error": "red",
    "SyncFailed": "red",
}
NOTHING = "-"


def part(obj: Any, *path: str) -> dict[str, Any]:
    """The mapping at ``path``, empty where there is none."""
    for name in path:
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj if isinstance(obj, dict) else {}


def items(obj: Any, *path: str) -> list[dict[str, Any]]:
    """The mappings of the list at ``path``."""
    found = part(obj, *path[:-1]).get(path[-1])
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def name_of(app: Object) -> str:
    return str(app["metadata"]["name"])


def project_of(app: Object) -> str:
    return str(part(app, "spec").get("project") or "default")


def source_of(app: Object) -> dict[str, Any]:
    """The source, or the first of several."""
    several = items(app, "spec", "sources")
    return several[0] if several else part(app, "spec", "source")


def sync_of(app: Object) -> str:
    return str(part(app, "status", "sync").get("status") or "Unknown")


def health_of(app: Object) -> str:
    return str(part(app, "status", "health").get("status") or "Unknown")


def cluster_of(app: Object) -> str:
    destination = part(app, "spec", "destination")
    return str(destination.get("name") or destination.get("server") or NOTHING)


def policy_of(app: Object) -> str:
    """``Manual``, ``Auto``, or ``Auto-Prune`` as argocd writes it; with ``Heal`` where drift is corrected."""
    automated = part(app, "spec", "syncPolicy").get("automated")
    if not isinstance(automated, dict) or automated.get("enabled") is False:
        return "Manual"
    return "Auto" + ("-Prune" if automated.get("prune") else "") + ("-Heal" if automated.get("selfHeal") else "")


def is_automated(app: Object) -> bool:
    return policy_of(app) != "Manual"


def conditions_of(app: Object) -> str:
    return ",".join(sorted({str(one.get("type")) for one in items(app, "status", "conditions")})) or NOTHING


def short(revision: Any) -> str:
    """A commit as Git shortens it; anything else as it is."""
    text = str(revision or "")
    is_commit = len(text) >= 40 and all(letter in "0123456789abcdef" for letter in text)
    return text[:7] if is_commit else text or NOTHING


def revision_in(part: dict[str, Any], *, wide: bool = False) -> str:
    """The revision that stands in a part of a status, or the revisions of several sources; as they are when ``wide``."""
    revisions = [str(one) for one in part.get("revisions") or [part.get("revision") or ""]]
    return ", ".join(revisions if wide else map(short, revisions))


def ago(stamp: Any) -> str:
    """How long ago a time stamp was, as kubectl shortens it."""
    from homeostat.cli.output import age  # noqa: PLC0415

    try:
        return age(max(time.time() - times.parse(str(stamp)), 0.0))
    except ValueError:
        return NOTHING


def is_busy(app: Object) -> bool:
    """Whether an operation was asked for or is under way."""
    return bool(app.get("operation")) or phase_of(app) in {"Running", "Terminating"}


def phase_of(app: Object) -> str:
    return str(part(app, "status", "operationState").get("phase") or "")


def kind_of(entry: dict[str, Any]) -> str:
    """``apps/Deployment`` of an entry of a status."""
    return f"{entry['group']}/{entry.get('kind')}" if entry.get("group") else str(entry.get("kind"))


def object_of(entry: dict[str, Any]) -> str:
    """``apps/Deployment shop/web`` of an entry of a status."""
    namespace = f"{entry['namespace']}/" if entry.get("namespace") else ""
    return f"{kind_of(entry)} {namespace}{entry.get('name')}"


def resources_of(app: Object) -> list[dict[str, Any]]:
    return items(app, "status", "resources")


def results_of(app: Object) -> Iterator[dict[str, Any]]:
    """What became of each object in the last sync, or in the one that is under way."""
    yield from items(app, "status", "operationState", "syncResult", "resources")


def repositories_of(app: Object) -> list[str]:
    sources = items(app, "spec", "sources") or [part(app, "spec", "source")]
    return [str(source["repoURL"]) for source in sources if source.get("repoURL")]


def repository_of(app: Object) -> str:
    """For people: without a password that somebody wrote into the URL."""
    from homeostat.desired.sources.urls import redact  # noqa: PLC0415

    return ", ".join(map(redact, repositories_of(app))) or NOTHING


def folder_in(source: dict[str, Any]) -> str:
    """The folder or the chart of a source."""
    return str(source.get("path") or source.get("chart") or NOTHING)


def repository_in(source: dict[str, Any]) -> str:
    """The same of one source."""
    from homeostat.desired.sources.urls import redact  # noqa: PLC0415

    return redact(str(source.get("repoURL") or NOTHING))

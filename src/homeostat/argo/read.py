"""An ``Application`` as the API server holds it → an :class:`App` as the loop knows it.

Pure and quick: it runs for every event of every Application. A malformed one never raises: what is wrong with it becomes ``App.problems``, each
naming the field and what was expected, and an app with problems is neither rendered nor synced nor pruned. What Argo CD understands and
Homeostat does not yet is a problem too, never passed over. The rules are those of reference 1.1 and 1.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from homeostat.argo import operations
from homeostat.argo.conditions import DELETION_HELD_WARNING
from homeostat.argo.projects import Project, problem_of
from homeostat.argo.types.application import ApplicationSpec, SyncPolicy
from homeostat.argo.types.base import Wire
from homeostat.argo.types.shared import ApplicationDestination
from homeostat.argo.types.source import ApplicationSource, DirectorySource, JsonnetSource, KustomizeSource
from homeostat.model import times, windows
from homeostat.model.app import (
    App,
    AppKey,
    Destination,
    DirectoryOptions,
    Duty,
    HelmOptions,
    Ignore,
    JsonnetVar,
    KustomizeOptions,
    Policy,
    Source,
)
from homeostat.model.guards import ALL_GUARDS, NO_GUARD, DeletionGuard, read_guards
from homeostat.model.objects import Key, Object
from homeostat.model.settings import Settings
from homeostat.model.sync import Operation, OperationPhase, OperationState
from homeostat.model.windows import Window

KIND = "Application"
IN_CLUSTER_SERVER = "https://kubernetes.default.svc"
IN_CLUSTER_NAME = "in-cluster"
GENERATE_PATHS = "argocd.argoproj.io/manifest-generate-paths"
REFRESH = "argocd.argoproj.io/refresh"
DELETION_GUARDS = "homeostat/deletion-guards"
SKIP_RECONCILE = "argocd.argoproj.io/skip-reconcile"
APPROVED = "argocd.argoproj.io/deletion-approved"
MIGRATION_MANAGER = "argocd.argoproj.io/client-side-apply-migration-manager"
FINALIZER = "resources-finalizer.argocd.argoproj.io"

PRE_DELETE = "pre-delete-finalizer.argocd.argoproj.io"
POST_DELETE = "post-delete-finalizer.argocd.argoproj.io"

_FINALIZERS = {FINALIZER: "foreground", f"{FINALIZER}/foreground": "foreground", f"{FINALIZER}/background": "background"}
DUTIES = {
    **dict.fromkeys(_FINALIZERS, Duty.OBJECTS),
    PRE_DELETE: Duty.BEFORE,
    POST_DELETE: Duty.AFTER,
    f"{PRE_DELETE}/cleanup": Duty.CLEANUP_BEFORE,
    f"{POST_DELETE}/cleanup": Duty.CLEANUP_AFTER,
}
"""Our finalizers and what each stands for. Any other is somebody else's."""
FINALIZER_OF = {duty: next(name for name, stands_for in DUTIES.items() if stands_for is duty) for duty in Duty}


class _Recorded(Wire, frozen=True):
    kind: str
    name: str
    group: str = ""
    namespace: str = ""


class _Compared(Wire, frozen=True):
    revision: str = ""
    revisions: tuple[str, ...] | None = None


def key_of_app(obj: Object) -> AppKey:
    """The key of an Application."""
    metadata = _mapping(obj.get("metadata"))
    return AppKey(KIND, str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))


def read_app(obj: Object, settings: Settings, projects: Mapping[str, Project]) -> App:
    """``obj`` as an app. ``projects`` are those of the control namespace, by name."""
    metadata, status = _mapping(obj.get("metadata")), _mapping(obj.get("status"))
    annotations = _mapping(metadata.get("annotations"))
    finalizers = _finalizers(metadata.get("finalizers"))
    key = key_of_app(obj)
    raw_spec = _mapping(obj.get("spec"))
    problems: list[str] = []
    spec = _spec(obj.get("spec"), problems)
    project = spec.project or "default"
    unfit = problem_of(projects, project)
    if unfit:
        problems.append(unfit)
    operation = obj.get("operation")
    requested = operations.read_operation(operation) if operation is not None else None
    state = operations.read_state(status.get("operationState"))
    if operation is None and state is not None and state.phase is OperationPhase.RUNNING:
        state = replace(state, phase=OperationPhase.TERMINATING)  # to take the operation away is to call it off
    requested, operation_sources = _operation_sources(requested, state)
    refresh = annotations.get(REFRESH)
    return App(
        key=key,
        id=key.name if key.namespace == settings.namespace else f"{key.namespace}_{key.name}",
        uid=str(metadata.get("uid") or ""),
        resource_version=str(metadata.get("resourceVersion") or ""),
        sources=_sources(spec, problems),
        destination=_destination(spec.destination, problems),
        project=project,
        policy=_policy(spec, problems),
        ignore=tuple(msgspec.convert(rule, Ignore, from_attributes=True) for rule in spec.ignore_differences),
        problems=tuple(problems),
        refresh="" if refresh is None else "hard" if refresh == "hard" else "normal",
        deleting=bool(metadata.get("deletionTimestamp")),
        finalizer=next((_FINALIZERS[name] for name in finalizers if name in _FINALIZERS), ""),
        requested=requested,
        state=state,
        history=operations.read_history(status.get("history")),
        synced_revision=operations.revision_of(operations.lenient(status.get("sync"), _Compared) or _Compared()),
        spec=raw_spec,
        skip=annotations.get(SKIP_RECONCILE) == "true",
        recorded=tuple(_recorded(status.get("resources"))),
        created=_time(metadata.get("creationTimestamp")),
        operation_sources=operation_sources,
        approved_at=_time(annotations.get(APPROVED)),
        migration_manager=str(annotations.get(MIGRATION_MANAGER) or ""),
        duties=frozenset(DUTIES[name] for name in finalizers if name in DUTIES),
        deleted_at=_time(metadata.get("deletionTimestamp")),
        unfit=unfit,
        windows=_windows(key, spec, projects.get(project)),
        signatures=projects[project].signatures if project in projects else (),
        guards_off=_guards_off(annotations.get(DELETION_GUARDS)),
        generate_paths=tuple(path for text in str(annotations.get(GENERATE_PATHS) or "").split(";") if (path := text.strip())),
        holds=tuple(_holds(status.get("conditions"))),
    )


_NOTHING = ApplicationSpec(destination=ApplicationDestination(server=IN_CLUSTER_SERVER))


def _spec(raw: Any, problems: list[str]) -> ApplicationSpec:
    try:
        return msgspec.convert(raw, ApplicationSpec)
    except msgspec.ValidationError as error:
        problems.append(_in_spec(operations.explain(error)))
        return _NOTHING


def _in_spec(explained: str) -> str:
    """``source.path: expected str`` → ``spec.source.path: expected str``; what is wrong with the whole spec stays a sentence."""
    return f"spec.{explained}" if ": " in explained else f"spec: {explained}"


_REF = re.compile(r"[A-Za-z0-9_-]+")


def _sources(spec: ApplicationSpec, problems: list[str]) -> tuple[Source, ...]:
    if spec is _NOTHING:
        return ()
    before = len(problems)
    if spec.source_hydrator is not None:
        problems.append("spec.sourceHydrator: the source hydrator is not supported yet")
    elif spec.sources:
        problems.extend(_problems_of_several(spec.sources, "spec.sources"))
    elif spec.source is None:
        problems.append("spec.source: expected a source with repoURL and path")
    else:
        problems.extend(_source_problems(spec.source, "spec.source"))
    if len(problems) > before:
        return ()
    return tuple(map(_source, spec.sources or ((spec.source,) if spec.source else ())))


def _operation_sources(requested: Operation | None, state: OperationState | None) -> tuple[Operation | None, tuple[Source, ...]]:
    """The sources that the operation of a human names, and the request, with a problem where it names some that cannot be used."""
    running = state is not None and not state.phase.completed
    asked = state.operation if state is not None and running else requested
    if asked is None or asked.automated or asked.source is None or asked.problem:
        return requested, ()
    several = isinstance(asked.source, tuple)
    where = "operation.sync.sources" if several else "operation.sync.source"
    try:
        sources = msgspec.convert(asked.source if several else [asked.source], tuple[ApplicationSource, ...])
        problem = "; ".join(_problems_of_several(sources, where) if several else _source_problems(sources[0], where))
    except msgspec.ValidationError as error:
        explained = operations.explain(error)
        problem = f"{where}{explained}" if several else f"{where}.{explained.removeprefix('[...].')}"
    if not problem:
        return requested, tuple(map(_source, sources))
    return replace(requested, problem=problem) if requested is not None else None, ()


def _problems_of_several(sources: Sequence[ApplicationSource], where: str) -> Iterator[str]:
    taken: dict[str, int] = {}
    for number, source in enumerate(sources):
        at = f"{where}[{number}]"
        if source.ref:
            if _REF.fullmatch(source.ref) is None:
                yield f"{at}.ref: expected letters, digits, - and _, found {source.ref!r}"
            if source.chart:
                yield f"{at}.ref: a chart cannot be referred to; take ref out, or have the files in a Git repository"
            if source.ref in taken:
                yield f"{at}.ref: expected another name than that of {where}[{taken[source.ref]}], found {source.ref!r} in both"
            taken.setdefault(source.ref, number)
        yield from _source_problems(source, at)


def _source_problems(source: ApplicationSource, at: str) -> Iterator[str]:
    if not source.repo_url:
        yield f"{at}.repoURL: expected the URL of a repository"
    if source.chart:
        if not source.target_revision:
            yield f"{at}.targetRevision: expected a version of the chart, or a range of versions"
    elif not source.path and not (source.ref and "sources[" in at):
        yield f"{at}.path: expected a directory of the repository ('.' for its root)"
    elif source.path.startswith("/"):
        yield f"{at}.path: expected a path relative to the root of the repository, found {source.path!r}"
    types = [name for name in ("helm", "kustomize", "directory", "plugin") if getattr(source, name) is not None]
    if len(types) > 1:
        yield f"{at}: expected at most one of helm, kustomize, directory and plugin, found {' and '.join(types)}"
    if source.kustomize is not None:
        yield from _kustomize_problems(source.kustomize, at)


def _kustomize_problems(kustomize: KustomizeSource, at: str) -> Iterator[str]:
    for number, replica in enumerate(kustomize.replicas):
        if isinstance(replica.count, str) and not replica.count.lstrip("+-").isdecimal():
            yield f"{at}.kustomize.replicas[{number}].count: expected a whole number, found {replica.count!r}"


def _source(source: ApplicationSource) -> Source:
    return Source(
        repo_url=source.repo_url,
        path="" if source.chart else source.path,
        target_revision=source.target_revision,
        chart=source.chart,
        ref=source.ref,
        name=source.name,
        tag_prefix=source.tag_prefix,
        helm=msgspec.convert(source.helm, HelmOptions, from_attributes=True) if source.helm else None,
        kustomize=_kustomize(source.kustomize) if source.kustomize else None,
        directory=_directory(source.directory) if source.directory else None,
        plugin=msgspec.to_builtins(source.plugin) if source.plugin is not None else None,
    )


def _kustomize(kustomize: KustomizeSource) -> KustomizeOptions:
    fields = {name: getattr(kustomize, name) for name in kustomize.__struct_fields__}
    fields["replicas"] = [{"name": replica.name, "count": int(replica.count)} for replica in kustomize.replicas]
    fields["patches"] = [
        {
            "path": patch.path,
            "patch": patch.patch,
            # Kustomize's own field names: the target goes into a kustomization as it is.
            "target": None if patch.target is None else msgspec.to_builtins(patch.target),
            "options": patch.options,
        }
        for patch in kustomize.patches
    ]
    return msgspec.convert(fields, KustomizeOptions)


def _directory(directory: DirectorySource) -> DirectoryOptions:
    jsonnet = directory.jsonnet or JsonnetSource()
    return DirectoryOptions(
        recurse=directory.recurse,
        include=directory.include,
        exclude=directory.exclude,
        disable_extension_filter=directory.disable_extension_filter,
        ext_vars=tuple(JsonnetVar(var.name, var.value, var.code) for var in jsonnet.ext_vars),
        tlas=tuple(JsonnetVar(var.name, var.value, var.code) for var in jsonnet.tlas),
        libs=jsonnet.libs,
    )


def _destination(to: ApplicationDestination, problems: list[str]) -> Destination:
    before = len(problems)
    if to.server and to.name:
        problems.append(f"spec.destination: expected either server or name, found both ({to.server} and {to.name})")
    elif not to.server and not to.name:
        problems.append(f"spec.destination: expected a server ({IN_CLUSTER_SERVER} for this cluster) or the name of a cluster")
    elif (to.server and to.server.rstrip("/") != IN_CLUSTER_SERVER) or (to.name and to.name != IN_CLUSTER_NAME):
        problems.append(f"spec.destination: other clusters than {IN_CLUSTER_NAME} are not supported yet, found {to.server or to.name}")
    return Destination(server=to.server, name=to.name, namespace=to.namespace, known=len(problems) == before)


def _policy(spec: ApplicationSpec, problems: list[str]) -> Policy:
    policy = spec.sync_policy or SyncPolicy()
    limit = 10 if spec.revision_history_limit is None else spec.revision_history_limit
    if limit < 0:
        problems.append(f"spec.revisionHistoryLimit: expected 0 or more, found {limit}")
    retry = None
    if policy.retry is not None:
        try:
            retry = operations.read_retry(policy.retry)
        except ValueError as error:
            problems.append(f"spec.syncPolicy.retry.backoff.{error}")
    automated = policy.automated
    on = automated is not None and automated.enabled is not False
    namespace = policy.managed_namespace_metadata
    return Policy(
        automated=on,
        prune=automated is not None and on and automated.prune,
        self_heal=automated is not None and on and automated.self_heal,
        allow_empty=automated is not None and on and automated.allow_empty,
        retry=retry,
        options=policy.sync_options,
        history_limit=max(limit, 0),
        namespace_labels=namespace.labels if namespace else None,
        namespace_annotations=namespace.annotations if namespace else None,
    )


def _windows(key: AppKey, spec: ApplicationSpec, project: Project | None) -> tuple[Window, ...]:
    if project is None or not project.windows:
        return ()
    to = spec.destination
    return windows.matching(project.windows, name=key.name, cluster=to.name, server=to.server, namespace=to.namespace)


def _guards_off(text: Any) -> frozenset[DeletionGuard]:
    """The annotation names the guards that are on, as the setting does. What cannot be read switches none off."""
    try:
        return NO_GUARD if text is None else ALL_GUARDS - read_guards(str(text))
    except ValueError:
        return NO_GUARD


def _holds(conditions: Any) -> Iterator[tuple[str, float]]:
    for one in conditions if isinstance(conditions, list) else ():
        if isinstance(one, dict) and one.get("type") == DELETION_HELD_WARNING:
            yield str(one.get("message")), _time(one.get("lastTransitionTime"))


def _finalizers(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _recorded(resources: Any) -> Iterator[Key]:
    if not isinstance(resources, list):
        return
    whole = operations.lenient(resources, tuple[_Recorded, ...])
    for one in whole if whole is not None else (operations.lenient(resource, _Recorded) for resource in resources):
        if one is not None:
            yield Key(one.group, one.kind, one.namespace, one.name)


def _time(stamp: Any) -> float:
    try:
        return times.parse(stamp)
    except (TypeError, ValueError):
        return 0.0


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

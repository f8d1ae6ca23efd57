"""``homeostat app create`` and ``homeostat app set``: Applications written from options. What the options do to a spec is in ``spec``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from homeostat.argo import status as statuses
from homeostat.argo.projects import read_project
from homeostat.argo.read import FINALIZER, IN_CLUSTER_SERVER, read_app
from homeostat.argo.resources import APPLICATIONS, PROJECTS
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, Seconds, app_argument, verb
from homeostat.cli.apps.control import Applications, connected
from homeostat.cli.apps.errors import RefusedError
from homeostat.cli.apps.several import added, removed, source_options
from homeostat.cli.apps.spec import edited
from homeostat.live.errors import AlreadyExistsError, NotFoundError
from homeostat.model import yaml
from homeostat.model.errors import InvalidError
from homeostat.model.objects import Object
from homeostat.model.settings import Settings

_C = TypeVar("_C", bound=Callable[..., Any])

_MANY = {"multiple": True, "metavar": "NAME=VALUE"}
_OPTIONS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("--repo",), {"metavar": "URL", "help": "The repository."}),
    (("--path",), {"help": "The directory of the repository."}),
    (("--revision",), {"help": "The branch, tag, commit or version range to follow."}),
    (("--dest-server",), {"metavar": "URL", "help": "The cluster to deliver to, by its URL."}),
    (("--dest-name",), {"metavar": "NAME", "help": "The cluster to deliver to, by its name."}),
    (("--dest-namespace",), {"metavar": "NAME", "help": "The namespace for objects that name none."}),
    (("--project",), {"help": "The project that the app belongs to."}),
    (("--sync-policy",), {"type": click.Choice(["none", "automated", "auto", "automatic"]), "help": "Who starts syncs."}),
    (("--auto-prune/--no-auto-prune",), {"default": None, "help": "Automated syncs delete what is no longer in Git."}),
    (("--self-heal/--no-self-heal",), {"default": None, "help": "What is changed in the cluster is changed back."}),
    (("--allow-empty/--no-allow-empty",), {"default": None, "help": "Automated syncs may delete everything."}),
    (
        ("--sync-option",),
        {"multiple": True, "metavar": "OPTION", "help": "Such as CreateNamespace=true; with ! in front it is taken away."},
    ),
    (("--sync-retry-limit",), {"type": int, "help": "How often a failed sync is tried again; below 0 without end."}),
    (("--sync-retry-backoff-duration",), {"type": Seconds(), "help": "The wait before the first retry."}),
    (("--sync-retry-backoff-factor",), {"type": click.IntRange(1), "help": "By this the wait grows with each retry."}),
    (("--sync-retry-backoff-max-duration",), {"type": Seconds(), "help": "The longest wait between retries."}),
    (("--revision-history-limit",), {"type": click.IntRange(0), "help": "How many entries the history has."}),
    (("--values",), {"multiple": True, "metavar": "FILE", "help": "A Helm values file in the repository; later ones win."}),
    (("--values-literal-file",), {"metavar": "FILE", "help": "A local file with Helm values that become part of the app."}),
    (("--helm-set",), {**_MANY, "help": "A Helm value."}),
    (("--helm-set-string",), {**_MANY, "help": "A Helm value that is a string whatever it looks like."}),
    (("--helm-set-file",), {"multiple": True, "metavar": "NAME=FILE", "help": "A Helm value from a file in the repository."}),
    (("-p", "--parameter", "parameters"), {**_MANY, "help": "A parameter of the source; the same as --helm-set."}),
    (("--helm-chart",), {"help": "A chart of a Helm repository."}),
    (("--ref",), {"metavar": "NAME", "help": "The name by which value files of other sources are found in this one ($NAME/path)."}),
    (("--release-name",), {"help": "The name of the Helm release. [default: the app's]"}),
    (("--helm-namespace",), {"help": "The namespace that a chart sees."}),
    (("--helm-kube-version",), {"help": "The Kubernetes version that a chart sees."}),
    (("--helm-api-versions",), {"multiple": True, "metavar": "API", "help": "An API that a chart sees."}),
    (("--helm-skip-crds/--no-helm-skip-crds",), {"default": None, "help": "Leave a chart's CRDs out."}),
    (("--helm-skip-tests/--no-helm-skip-tests",), {"default": None, "help": "Leave a chart's tests out."}),
    (("--helm-skip-schema-validation/--no-helm-skip-schema-validation",), {"default": None, "help": "Do not check values."}),
    (("--helm-pass-credentials/--no-helm-pass-credentials",), {"default": None, "help": "Send credentials to all domains."}),
    (("--ignore-missing-value-files/--no-ignore-missing-value-files",), {"default": None, "help": "A values file may be missing."}),
    (("--kustomize-image",), {"multiple": True, "metavar": "IMAGE", "help": "Such as web:1.2 or old=new:1.2."}),
    (("--kustomize-replica",), {"multiple": True, "metavar": "NAME=COUNT", "help": "The number of replicas of a workload."}),
    (("--nameprefix",), {"help": "Kustomize puts it before names."}),
    (("--namesuffix",), {"help": "Kustomize puts it behind names."}),
    (("--kustomize-namespace",), {"help": "Kustomize puts objects there."}),
    (("--kustomize-common-label",), {**_MANY, "help": "Kustomize puts it on all objects."}),
    (("--kustomize-common-annotation",), {**_MANY, "help": "Kustomize puts it on all objects."}),
    (("--kustomize-force-common-label/--no-kustomize-force-common-label",), {"default": None, "help": "Also where one is."}),
    (("--kustomize-force-common-annotation/--no-kustomize-force-common-annotation",), {"default": None, "help": "Also where one is."}),
    (("--kustomize-label-without-selector/--no-kustomize-label-without-selector",), {"default": None, "help": "Leave selectors alone."}),
    (("--directory-recurse/--no-directory-recurse",), {"default": None, "help": "Read folders below, too."}),
    (("--directory-include",), {"metavar": "GLOB", "help": "Read only these files."}),
    (("--directory-exclude",), {"metavar": "GLOB", "help": "Leave these files out."}),
    (("--jsonnet-tla-str",), {**_MANY, "help": "A top-level argument, as a string."}),
    (("--jsonnet-tla-code",), {**_MANY, "help": "A top-level argument, as code."}),
    (("--jsonnet-ext-var-str",), {**_MANY, "help": "An external variable, as a string."}),
    (("--jsonnet-ext-var-code",), {**_MANY, "help": "An external variable, as code."}),
    (("--jsonnet-libs",), {"multiple": True, "metavar": "DIR", "help": "A folder of libraries, from the root of the repository."}),
    (("-l", "--label", "labels"), {**_MANY, "help": "A label of the app itself."}),
    (("--annotations",), {**_MANY, "help": "An annotation of the app itself."}),
    (("--validate/--no-validate",), {"default": True, "help": "Refuse what could not be looked at. [default: validate]"}),
)


def _spec_options(function: _C) -> _C:
    for names, about in reversed(_OPTIONS):
        function = click.option(*names, **about)(function)
    return function


@verb("create")
@click.argument("name", required=False)
@_spec_options
@click.option(
    "-f", "--file", "file", type=click.Path(path_type=str), help="A file with the Application as YAML or JSON; - is standard input."
)
@click.option("--upsert", is_flag=True, help="Change the app if there is one with another spec.")
@click.option("--set-finalizer", is_flag=True, help="Objects go when the app is deleted by other means than `app delete`, too.")
async def create(place: Place, *, name: str | None, file: str | None, upsert: bool, set_finalizer: bool, **given: Any) -> None:
    """Create an app, from options or from a file (options go before what it says). The cluster is this one unless another is named."""
    app: Object = (
        await asyncio.to_thread(_from_file, file)
        if file
        else {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {}, "spec": {}}
    )
    metadata = app["metadata"]
    metadata["name"] = name or metadata.get("name")
    if not metadata["name"]:
        raise click.UsageError("name the app, or give a file that does")
    if metadata.get("namespace") not in (None, place.namespace):
        raise RefusedError(
            f"{file}: metadata.namespace: expected {place.namespace}, found {metadata['namespace']}", hint="give the same `-n`"
        )
    metadata["namespace"] = place.namespace
    if not file and not given["dest_server"] and not given["dest_name"]:
        given["dest_server"] = IN_CLUSTER_SERVER
    validate = given.pop("validate")
    new = _edited(app, {**given, **await _literal(given)})
    app["spec"], metadata = new["spec"], new["metadata"]
    app["metadata"] = metadata
    app["spec"].setdefault("project", "default")
    if set_finalizer:
        metadata["finalizers"] = list(dict.fromkeys([*(metadata.get("finalizers") or ()), FINALIZER]))
    async with connected(place) as applications:
        if validate:
            await refuse_unreadable(applications, app)
        try:
            await applications.client.create(APPLICATIONS, app)
        except AlreadyExistsError:
            await _replace(applications, app, upsert=upsert)
            return
        click.echo(f"application.argoproj.io/{metadata['name']} created")


@verb("set")
@app_argument
@_spec_options
@source_options
async def set_app(place: Place, *, name: str, **given: Any) -> None:
    """Change an app's source, destination or policy. What is not named stays as it is."""
    validate = given.pop("validate")
    if not any(value not in (None, ()) for option, value in given.items() if option not in {"source_position", "source_name"}):
        raise click.UsageError("say what to change")
    async with connected(place) as applications:
        current = await applications.get(name)
        literal = await _literal(given)
        wanted = _edited(current, {**given, **literal})
        if validate:
            await refuse_unreadable(applications, wanted)

        def decide(app: Object) -> dict[str, Any] | None:
            return _patch(app, _edited(app, {**given, **literal}))

        before, after = await applications.change(name, decide)
        click.echo(f"application.argoproj.io/{words.name_of(before)} {'unchanged' if after is None else 'configured'}")


@verb("add-source")
@app_argument
@_spec_options
@click.option("--source-name", help="The name of the new source.")
async def add_source(place: Place, *, name: str, source_name: str | None, **given: Any) -> None:
    """Add a source to an app, behind those that it has. Options that say nothing of a source are refused."""
    given.pop("validate")
    given.update(await _literal(given))
    alone = edited({}, given)
    if alone.keys() - {"source"} or "source" not in alone or given["labels"] or given["annotations"]:
        raise click.UsageError("give options of the new source, and no others")
    source = {**alone["source"], **({"name": source_name} if source_name else {})}
    await _change_spec(place, name, lambda spec: added(spec, source))


@verb("remove-source")
@app_argument
@source_options
async def remove_source(place: Place, *, name: str, **given: Any) -> None:
    """Take one of several sources away from an app."""
    await _change_spec(place, name, lambda spec: removed(spec, given))


async def _change_spec(place: Place, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    async with connected(place) as applications:

        def decide(app: Object) -> dict[str, Any] | None:
            spec = words.part(app, "spec")
            patch = statuses.merge_patch(spec, change(spec))
            return {"spec": patch} if patch else None

        current = await applications.get(name)
        await refuse_unreadable(applications, {**current, "spec": change(words.part(current, "spec"))})
        await applications.change(name, decide)
        click.echo(f"application.argoproj.io/{words.name_of(current)} configured")


async def _literal(given: dict[str, Any]) -> dict[str, Any]:
    """The text of ``--values-literal-file``, read once: standard input has no second time."""
    file = given.pop("values_literal_file", None)
    if file is None:
        return {}
    text = await asyncio.to_thread(_text, file)
    yaml.load(text, name=file)
    return {"values_literal": text}


def _edited(app: Object, given: dict[str, Any]) -> Object:
    spec = edited(words.part(app, "spec"), given, source_type=str(words.part(app, "status").get("sourceType") or ""))
    metadata = dict(app["metadata"])
    for option, field in (("labels", "labels"), ("annotations", "annotations")):
        for text in given.get(option) or ():
            name, equals, value = text.partition("=")
            if not name or not equals:
                raise InvalidError(f"--{option} {text}: expected NAME=VALUE")
            metadata[field] = {**(metadata.get(field) or {}), name: value}
    return {**app, "metadata": metadata, "spec": spec}


def _patch(old: Object, new: Object) -> dict[str, Any] | None:
    patch: dict[str, Any] = {}
    spec = statuses.merge_patch(words.part(old, "spec"), new["spec"])
    if spec:
        patch["spec"] = spec
    for field in ("labels", "annotations", "finalizers"):
        if new["metadata"].get(field) and new["metadata"][field] != old["metadata"].get(field):
            patch.setdefault("metadata", {})[field] = new["metadata"][field]
    return patch or None


async def _replace(applications: Applications, app: Object, *, upsert: bool) -> None:
    name = words.name_of(app)

    def decide(current: Object) -> dict[str, Any] | None:
        patch = _patch(current, app)
        if patch is not None and not upsert:
            raise RefusedError(
                f"there is an app `{name}` already, with another spec", hint="`--upsert` changes it; so does `homeostat app set`"
            )
        return patch

    _, after = await applications.change(name, decide)
    click.echo(f"application.argoproj.io/{name} {'unchanged' if after is None else 'configured'}")


async def refuse_unreadable(applications: Applications, app: Object) -> None:
    """Raises :class:`InvalidError` with everything for which the controller would not look at the app."""
    project = words.project_of(app)
    try:
        found = read_project(await applications.client.get(PROJECTS, applications.namespace, project))
        projects = {project: found}
    except NotFoundError:
        projects = {}
    problems = read_app(app, Settings(namespace=applications.namespace), projects).problems
    if problems:
        raise InvalidError(
            f"app `{words.name_of(app)}` could not be looked at: " + "; ".join(problems), hint="`--no-validate` writes it nevertheless"
        )


def _text(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f"{path}: cannot be read: {error}") from error


def _from_file(path: str) -> Object:
    text = _text(path)
    found = [one for one in yaml.load_all(text, name=path) if one is not None]
    if len(found) != 1 or not isinstance(found[0], dict) or found[0].get("kind") != "Application":
        raise InvalidError(f"{path}: expected one Application")
    app: Object = found[0]
    for part in ("metadata", "spec"):
        if not isinstance(app.get(part), dict):
            raise InvalidError(f"{path}: {part}: expected a mapping")
    app.pop("status", None)
    for field in ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"):
        app["metadata"].pop(field, None)
    return app

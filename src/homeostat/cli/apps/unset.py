"""``homeostat app unset``: takes parameters of an app's source away. What they are called is argocd's."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import click

from homeostat.argo.status import merge_patch
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place, app_argument, verb
from homeostat.cli.apps.control import connected
from homeostat.cli.apps.several import in_one, source_options
from homeostat.cli.apps.spec import Data, image_name, put, without_empty
from homeostat.model.objects import Object

FIELDS: Mapping[str, tuple[str, ...]] = {
    "nameprefix": ("source", "kustomize", "namePrefix"),
    "namesuffix": ("source", "kustomize", "nameSuffix"),
    "kustomize_namespace": ("source", "kustomize", "namespace"),
    "kustomize_version": ("source", "kustomize", "version"),
    "ignore_missing_components": ("source", "kustomize", "ignoreMissingComponents"),
    "ignore_missing_value_files": ("source", "helm", "ignoreMissingValueFiles"),
    "pass_credentials": ("source", "helm", "passCredentials"),
    "ref": ("source", "ref"),
}
"""Option → field."""


@verb("unset")
@app_argument
@click.option("--nameprefix", is_flag=True, help="What Kustomize puts before names.")
@click.option("--namesuffix", is_flag=True, help="What Kustomize puts behind names.")
@click.option("--kustomize-namespace", is_flag=True, help="Where Kustomize puts objects.")
@click.option("--kustomize-version", is_flag=True, help="The version of Kustomize.")
@click.option("--kustomize-image", "images", multiple=True, metavar="NAME", help="What takes the place of this image.")
@click.option("--kustomize-replica", "replicas", multiple=True, metavar="NAME", help="The number of replicas of this workload.")
@click.option("--ignore-missing-components", is_flag=True, help="That a component may be missing.")
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME", help="This Helm value.")
@click.option("--values", multiple=True, metavar="FILE", help="This Helm values file.")
@click.option("--values-literal", is_flag=True, help="The Helm values that are part of the app.")
@click.option("--ignore-missing-value-files", is_flag=True, help="That a values file may be missing.")
@click.option("--pass-credentials", is_flag=True, help="That credentials are sent to all domains.")
@click.option("--plugin-env", "variables", multiple=True, metavar="NAME", help="This variable of a plugin.")
@click.option("--ref", is_flag=True, help="The name by which other sources know this one.")
@source_options
async def unset(place: Place, *, name: str, **given: Any) -> None:
    """Take parameters of an app's source away. What is not there is not missed."""
    if not any(value for option, value in given.items() if option not in {"source_position", "source_name"}):
        raise click.UsageError("say what to take away")

    def decide(app: Object) -> dict[str, Any] | None:
        spec = words.part(app, "spec")
        patch = merge_patch(spec, less(spec, given))
        return {"spec": patch} if patch else None

    async with connected(place) as applications:
        before, after = await applications.change(name, decide)
        click.echo(f"application.argoproj.io/{words.name_of(before)} {'unchanged' if after is None else 'configured'}")


def less(spec: Data, given: Mapping[str, Any]) -> Data:
    """A copy of ``spec`` without what the options name. Raises :class:`InvalidError` when they do not say which of several sources they mean."""
    if spec.get("sources"):
        return in_one(spec, given, lambda one: less(one, given))
    new = copy.deepcopy(spec)
    for option, path in FIELDS.items():
        if given.get(option):
            put(new, path, None)
    helm, kustomize = words.part(new, "source", "helm"), words.part(new, "source", "kustomize")
    if given.get("values_literal"):
        helm.pop("values", None)
        helm.pop("valuesObject", None)
    _keep(helm, "valueFiles", lambda file: file not in given["values"])
    _keep(helm, "parameters", lambda one: one.get("name") not in given["parameters"])
    _keep(helm, "fileParameters", lambda one: one.get("name") not in given["parameters"])
    wanted = {image_name(image) for image in given["images"]}
    _keep(kustomize, "images", lambda image: image_name(str(image)) not in wanted)
    _keep(kustomize, "replicas", lambda one: one.get("name") not in given["replicas"])
    _keep(words.part(new, "source", "plugin"), "env", lambda one: one.get("name") not in given["variables"])
    return without_empty(new)


def _keep(holder: Data, field: str, wanted: Any) -> None:
    if isinstance(holder.get(field), list):
        holder[field] = [one for one in holder[field] if wanted(one)]
        if not holder[field]:
            del holder[field]

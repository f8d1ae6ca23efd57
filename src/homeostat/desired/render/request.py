"""What an evaluator is asked: an app's source options and its surroundings as a request (reference 1.1, 1.16, 2.16).

Argo CD's build environment (``$ARGOCD_APP_NAME`` and the like) is put in here, where Argo CD puts it in, so that a request holds nothing that
it does not need: only a source that speaks of the revision is rendered again for a new one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from homeostat.desired.errors import RenderNotSupportedError
from homeostat.desired.render.detect import SourceType
from homeostat.evaluate.requests import DirectoryRequest, HelmRequest, KustomizeRequest, Request
from homeostat.model.app import DirectoryOptions, HelmOptions, JsonnetVar, KustomizeOptions, Source

REVISION_MARK = "ARGOCD_APP_REVISION"
"""What a source contains when its render depends on the commit itself."""


class RenderContext(msgspec.Struct, frozen=True):
    """What a render depends on besides its source and files. ``subject`` names the app in errors and is no part of the render.

    ``kube_version`` is the server's (``1.36.3``), ``api_versions`` what it serves (``apps/v1``, ``apps/v1/Deployment``); ``build_options`` are
    Argo CD's ``kustomize.buildOptions``. ``source_type`` forces a type where nothing may be detected.
    """

    app_name: str
    namespace: str = ""
    project: str = "default"
    revision: str = ""
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()
    subject: str = ""
    build_options: tuple[str, ...] = ()
    source_type: str = ""


def request_of(source: Source, folder: str, kind: SourceType, context: RenderContext) -> Request:
    """The request that renders ``folder`` of the source's tree."""
    env = environment(source, context)
    match kind:
        case SourceType.HELM:
            return _helm(source.helm or HelmOptions(), folder, context, env)
        case SourceType.KUSTOMIZE:
            return _kustomize(source.kustomize or KustomizeOptions(), folder, context, env)
        case SourceType.DIRECTORY:
            return DirectoryRequest(path=folder, options=_directory(source.directory or DirectoryOptions(), env))
        case SourceType.PLUGIN:
            raise RenderNotSupportedError(
                "config management plugins (spec.source.plugin) are not supported yet", hint="render with Helm, Kustomize or plain files"
            )


def refuse_unsupported(source: Source) -> None:
    """Raises :class:`RenderNotSupportedError` for a kind of source that is not read yet."""
    if source.repo_url.startswith("oci://"):
        raise RenderNotSupportedError(f"OCI sources ({source.repo_url}) are not supported yet", hint="use a Git repository")
    if source.chart:
        raise RenderNotSupportedError(
            f"Helm repositories are not supported yet (spec.source.chart: {source.chart})",
            hint="vendor the chart into a Git repository and point spec.source.path at it",
        )
    if source.ref:
        raise RenderNotSupportedError(f"references between sources are not supported yet (ref: {source.ref})")
    if source.plugin is not None:
        raise RenderNotSupportedError(
            "config management plugins (spec.source.plugin) are not supported yet", hint="render with Helm, Kustomize or plain files"
        )


def environment(source: Source, context: RenderContext) -> dict[str, str]:
    """Argo CD's build environment."""
    return {
        "ARGOCD_APP_NAME": context.app_name,
        "ARGOCD_APP_NAMESPACE": context.namespace,
        "ARGOCD_APP_PROJECT_NAME": context.project,
        "ARGOCD_APP_REVISION": context.revision,
        "ARGOCD_APP_REVISION_SHORT": context.revision[:7],
        "ARGOCD_APP_REVISION_SHORT_8": context.revision[:8],
        "ARGOCD_APP_SOURCE_REPO_URL": source.repo_url,
        "ARGOCD_APP_SOURCE_PATH": source.path,
        "ARGOCD_APP_SOURCE_TARGET_REVISION": source.target_revision,
        "KUBE_VERSION": context.kube_version,
        "KUBE_API_VERSIONS": ",".join(context.api_versions),
    }


def _helm(options: HelmOptions, folder: str, context: RenderContext, env: Mapping[str, str]) -> HelmRequest:
    replace = msgspec.structs.replace
    options = replace(
        options,
        value_files=tuple(expand(path, env) for path in options.value_files),
        parameters=tuple(replace(parameter, value=expand(parameter.value, env)) for parameter in options.parameters),
        file_parameters=tuple(replace(parameter, path=expand(parameter.path, env)) for parameter in options.file_parameters),
    )
    return HelmRequest(
        path=folder,
        options=options,
        release_name=options.release_name or context.app_name,
        namespace=options.namespace or context.namespace,
        kube_version=options.kube_version or context.kube_version,
        api_versions=options.api_versions or context.api_versions,
    )


def _kustomize(options: KustomizeOptions, folder: str, context: RenderContext, env: Mapping[str, str]) -> KustomizeRequest:
    annotations = options.common_annotations
    if options.common_annotations_envsubst:
        annotations = {name: expand(text, env) for name, text in annotations.items()}
    options = msgspec.structs.replace(
        options,
        images=tuple(expand(image, env) for image in options.images),
        common_labels={name: expand(text, env) for name, text in options.common_labels.items()},
        common_annotations=annotations,
    )
    if "--enable-helm" in context.build_options:
        options = msgspec.structs.replace(
            options,
            kube_version=options.kube_version or context.kube_version,
            api_versions=options.api_versions or context.api_versions,
        )
    return KustomizeRequest(path=folder, options=options, build_options=context.build_options)


def _directory(options: DirectoryOptions, env: Mapping[str, str]) -> DirectoryOptions:
    def filled(variables: tuple[JsonnetVar, ...]) -> tuple[JsonnetVar, ...]:
        return tuple(msgspec.structs.replace(variable, value=expand(variable.value, env)) for variable in variables)

    if not options.ext_vars and not options.tlas:
        return options
    return msgspec.structs.replace(options, ext_vars=filled(options.ext_vars), tlas=filled(options.tlas))


_REFERENCE = re.compile(r"\$(?:\{([*#$@!?0-9-])\}|\{([^}]+)\}|(\{\}?)|([*#$@!?0-9-])|([A-Za-z0-9_]+))")


def expand(text: str, env: Mapping[str, str]) -> str:
    """``$NAME`` and ``${NAME}`` as Go's ``os.Expand`` reads them: ``$$`` is a dollar, an unknown name is nothing."""
    if "$" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        special, braced, broken, sign, name = match.groups()
        if broken:
            return ""
        found: str = special or braced or sign or name
        return "$" if found == "$" else env.get(found, "")

    return _REFERENCE.sub(value, text)

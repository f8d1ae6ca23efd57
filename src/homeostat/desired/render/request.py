"""What an evaluator is asked: an app's source options and its surroundings as a request (reference 1.1, 1.16, 2.16).

Of Argo CD's build environment (``$ARGOCD_APP_NAME`` and the like) a request holds only what its source mentions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from homeostat.desired.render.detect import SourceType
from homeostat.evaluate.requests import DirectoryRequest, HelmRequest, KustomizeRequest, Request
from homeostat.model.app import DirectoryOptions, HelmOptions, JsonnetVar, KustomizeOptions, Source

REVISION_MARK = "ARGOCD_APP_REVISION"
"""What a source contains when its render depends on the commit itself."""


class RenderContext(msgspec.Struct, frozen=True):
    """What a render depends on besides its source and files. ``subject`` names the app in errors and is no part of the render.

    ``kube_version`` is the server's (``1.36.3``), ``api_versions`` what it serves (``apps/v1``, ``apps/v1/Deployment``); ``build_options`` are
    Argo CD's ``kustomize.buildOptions``, ``disabled`` the types that its settings switch off (``Helm``, ``Kustomize``; ``Directory``: its Jsonnet
    files). ``source_type`` forces a type where nothing may be detected. ``refs`` are the names of other sources that value
    files may be in, which are mounted in the tree; ``sources`` says how many the app has, and is no part of the render. ``app_id`` is what tells the app
    from those of its name in other namespaces: Argo CD's build environment and the files beside a source know it by that.
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
    disabled: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()
    sources: int = 1
    app_id: str = ""
    generate_paths: tuple[str, ...] = ()
    """What its manifests are made of, as the app's author says (``argocd.argoproj.io/manifest-generate-paths``). It counts where that cannot be traced."""


def request_of(source: Source, folder: str, kind: SourceType, context: RenderContext) -> Request:
    """The request that renders ``folder`` of the source's tree."""
    match kind:
        case SourceType.HELM:
            return _helm(source, folder, context)
        case SourceType.KUSTOMIZE:
            return _kustomize(source, folder, context)
        case SourceType.DIRECTORY:
            return DirectoryRequest(path=folder, options=_directory(source, context))
        case SourceType.PLUGIN:
            raise ValueError("what a plugin makes is asked of the plugin")


def environment(source: Source, context: RenderContext) -> dict[str, str]:
    """What the source mentions of Argo CD's build environment."""
    mentioned = msgspec.json.encode(source)
    if b"$" not in mentioned:
        return {}
    return {name: value for name, value in build_environment(source, context).items() if name.encode() in mentioned}


def build_environment(source: Source, context: RenderContext) -> dict[str, str]:
    """Argo CD's build environment, whole."""
    return {
        "ARGOCD_APP_NAME": context.app_id or context.app_name,
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


def _helm(source: Source, folder: str, context: RenderContext) -> HelmRequest:
    options = source.helm or HelmOptions()
    return HelmRequest(
        path=folder,
        options=options,
        release_name=options.release_name or context.app_name,
        namespace=options.namespace or context.namespace,
        kube_version=options.kube_version or context.kube_version,
        api_versions=options.api_versions or context.api_versions,
        env=environment(source, context),
        refs=context.refs,
    )


def _kustomize(source: Source, folder: str, context: RenderContext) -> KustomizeRequest:
    options = source.kustomize or KustomizeOptions()
    if "--enable-helm" in context.build_options:
        options = msgspec.structs.replace(
            options,
            kube_version=options.kube_version or context.kube_version,
            api_versions=options.api_versions or context.api_versions,
        )
    return KustomizeRequest(path=folder, options=options, build_options=context.build_options, env=environment(source, context))


def _directory(source: Source, context: RenderContext) -> DirectoryOptions:
    options = source.directory or DirectoryOptions()
    if SourceType.DIRECTORY in context.disabled:
        # Plain YAML cannot be switched off: what ``jsonnet.enable: false`` takes away are the Jsonnet files, as in Argo CD.
        excluded = f"{{{options.exclude},*.jsonnet}}" if options.exclude else "*.jsonnet"
        options = msgspec.structs.replace(options, exclude=excluded)
    if not options.ext_vars and not options.tlas:
        return options
    env = environment(source, context)

    def filled(variables: tuple[JsonnetVar, ...]) -> tuple[JsonnetVar, ...]:
        return tuple(msgspec.structs.replace(variable, value=expand(variable.value, env)) for variable in variables)

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

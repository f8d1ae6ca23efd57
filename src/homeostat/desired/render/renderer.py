"""The way in: a source, a tree and a context become manifests, or an error that an author can act on.

Renders are pure: the same source, tree and context give the same manifests, and the clock, the network and the machine are no part of it.
So they are kept (``cache.py``). Namespaces and tracking are set afterwards (``normalise.py``), for they depend on the cluster.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import orjson

from homeostat.desired.errors import RenderError, RenderFailedError, RenderNotSupportedError, RenderStoppedError
from homeostat.desired.plugins.plugin import Reads
from homeostat.desired.plugins.plugins import Plugins
from homeostat.desired.render.cache import Made, RenderCache
from homeostat.desired.render.detect import SourceType, detect, folder_of
from homeostat.desired.render.override import override
from homeostat.desired.render.plugged import plugged
from homeostat.desired.render.request import REVISION_MARK, RenderContext, request_of
from homeostat.evaluate.errors import EvaluateError, EvaluationError, UnsupportedError
from homeostat.evaluate.files import Prefetch
from homeostat.evaluate.pool import Pool
from homeostat.evaluate.requests import Request, ref_mount
from homeostat.model.app import Source
from homeostat.model.manifest import Manifest, Origin
from homeostat.model.trace import complete
from homeostat.model.tree import Trace, Tree

__all__ = ["RenderContext", "Rendered", "Renderer"]

_UNKNOWN = "unknown"
"""Of what depends on everything while nobody says what the revision is: no other revision is this one, so it is made anew."""

_encode = msgspec.msgpack.Encoder().encode


class Rendered(msgspec.Struct, frozen=True):
    """What a source renders to. ``digest`` is of the objects' content: where it is the same, so are they. ``fresh``: it was rendered just now."""

    manifests: tuple[Manifest, ...]
    source_type: str
    digest: str
    fresh: bool = True


class Renderer:
    """Renders sources in the evaluators of ``pool``, and only what has changed since the last time."""

    def __init__(self, *, pool: Pool, plugins: Plugins | None = None) -> None:
        self._pool = pool
        self._plugins = plugins or Plugins()
        self._cache: RenderCache[Rendered] = RenderCache()
        self._apis: tuple[str, ...] = ()
        self._apis_digest = b""

    async def render(self, *, source: Source, tree: Tree, context: RenderContext, hard: bool = False) -> Rendered:
        """The manifests of ``source`` over ``tree``; ``hard`` renders again whatever is kept. Raises :class:`RenderError`."""

        async def make(before: Trace) -> Made[Rendered]:
            return await self._make(source, tree, context, before)

        subject = context.subject or context.app_name
        key = self._key(source, context)
        rendered, fresh = await self._cache.get(
            subject, key, tree=tree, revision=context.revision, make=make, hard=hard, sources=context.sources
        )
        return rendered if fresh else msgspec.structs.replace(rendered, fresh=False)

    def holds(self, *, source: Source, tree: Tree, context: RenderContext) -> bool:
        """Whether :meth:`render` would answer from what is kept."""
        key = self._key(source, context)
        return self._cache.holds(context.subject or context.app_name, key, tree=tree, revision=context.revision)

    def trace(self, *, source: Source, context: RenderContext) -> Trace:
        """What the render that is kept asked of its tree; empty when none is kept."""
        return self._cache.trace(context.subject or context.app_name, self._key(source, context))

    def forget(self, subject: str) -> None:
        """Drops what is kept for an app that is gone; ``subject`` as in the context (else the app's name)."""
        self._cache.forget(subject)

    def _key(self, source: Source, context: RenderContext) -> bytes:
        """Everything a render depends on but the tree and the revision."""
        if context.api_versions is not self._apis:  # hundreds of strings, and the same ones for every app
            self._apis = context.api_versions
            self._apis_digest = hashlib.blake2b(_encode(self._apis), digest_size=16).digest()
        about = (context.app_name, context.app_id, context.namespace, context.project, context.kube_version, context.subject)
        how = (context.build_options, context.source_type, context.disabled, context.refs, context.generate_paths)
        return hashlib.blake2b(_encode((source, about, how, self._apis_digest)), digest_size=16).digest()

    async def _make(self, source: Source, tree: Tree, context: RenderContext, before: Trace) -> Made[Rendered]:
        seen: set[str] = set()
        reads = Reads(seen)
        kind = ""
        bound = ""

        def made(read: Trace = frozenset(), value: Rendered | None = None, error: RenderError | None = None) -> Made[Rendered]:
            revision = (context.revision or _UNKNOWN) if reads.whole else bound
            return Made(trace=read | complete(tree, seen), value=value, error=error, revision=revision)

        try:
            folder = folder_of(tree, source, seen)
            source = override(tree, source, folder, context.app_id or context.app_name)
            bound = context.revision if REVISION_MARK.encode() in _encode(source) else ""
            kind = SourceType.PLUGIN if source.plugin is not None else ""
            plugin = await plugged(self._plugins, source, tree, folder.path, context, reads)
            request: Request
            if plugin is not None:
                kind = SourceType.PLUGIN
                request = await plugin.request(reads)
            else:
                kind = SourceType(context.source_type) if context.source_type else detect(source, folder, context.disabled)
                request = request_of(source, folder.path, kind, context)
            rendered, trace = await self._evaluate(request, tree, context, kind, Prefetch(trace=before, folder=folder.path))
        except EvaluateError as error:
            return made(error.trace, error=_render_error(error, kind))
        except RenderError as error:
            error.source_type = kind
            return made(error=error.again())
        return made(trace, rendered)

    async def _evaluate(
        self, request: Request, tree: Tree, context: RenderContext, kind: str, prefetch: Prefetch
    ) -> tuple[Rendered, Trace]:
        answer = await self._pool.evaluate(request, tree=tree, subject=context.subject or context.app_name, prefetch=prefetch)
        manifests: list[Manifest] = []
        for item in answer.value["objects"]:
            _unfold(item["object"], Origin(item.get("file") or "", item.get("line") or 0), manifests)
        content = orjson.dumps([manifest.object for manifest in manifests])
        digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        return Rendered(manifests=tuple(manifests), source_type=kind, digest=digest), answer.trace


def _unfold(obj: Any, origin: Origin, into: list[Manifest]) -> None:
    """Lists are taken apart, also those in lists, as Argo CD does for every tool."""
    if isinstance(obj, dict) and str(obj.get("kind")).endswith("List") and "items" in obj and isinstance(obj["items"] or [], list):
        for item in obj["items"] or ():
            _unfold(item, origin, into)
        return
    if not isinstance(obj, dict):
        raise RenderFailedError(f"a manifest must be an object, found {type(obj).__name__}", origin=origin)
    into.append(Manifest(obj, origin))


def _render_error(error: EvaluateError, kind: str) -> RenderError:
    failure: type[RenderError] = RenderStoppedError
    if isinstance(error, UnsupportedError):
        failure = RenderNotSupportedError
    elif isinstance(error, EvaluationError):
        failure = RenderFailedError
    # What is mounted is known to people by the name of its ref.
    message, file = (text.replace(ref_mount(""), "$") for text in (error.message, error.origin.file))
    return failure(message, origin=msgspec.structs.replace(error.origin, file=file), source_type=kind, hint=error.hint)

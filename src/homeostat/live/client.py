"""A small client for any kind of object: verbs in, plain dictionaries out, errors as in ``errors.py``.

Written for little CPU per call: a URL is a string, a body is bytes, nothing is validated that the server validates anyway. What is retried is
``transport.py``'s business, watching without gaps is ``reflector.py``'s; nothing here remembers anything.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self
from urllib.parse import quote, urlencode

import msgspec
import orjson

from homeostat.live import access, transport, wire
from homeostat.live.errors import InvalidObjectError, UnavailableError, from_event
from homeostat.model.objects import Object
from homeostat.model.resources import Resource

Propagation = Literal["Background", "Foreground", "Orphan"]
FieldValidation = Literal["", "Ignore", "Warn", "Strict"]
"""What becomes of fields that a schema does not know; empty leaves it to the server (``Warn``). Server-side apply refuses them in any case where
the kind is built in."""

MANAGER = "homeostat"
"""The field manager of everything we write."""

_WATCH_SECONDS = 290
"""After this the server ends a watch, give or take a tenth, so that many watches do not begin again at one moment."""

_WATCH_SILENCE = 330.0
"""A watch that lives longer than the server promised, without a byte, is dead."""

_PATCHES = {
    "merge": {"Content-Type": "application/merge-patch+json"},
    "json": {"Content-Type": "application/json-patch+json"},
    "strategic": {"Content-Type": "application/strategic-merge-patch+json"},
    "apply": {"Content-Type": "application/apply-patch+yaml"},
}
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_JSON = {"Content-Type": "application/json"}
_PLAIN = re.compile(r"[A-Za-z0-9_.:-]+")


class Listing(NamedTuple):
    """All items of a list (every page), each with ``apiVersion`` and ``kind`` filled in, and the resource version to watch from."""

    items: list[Object]
    resource_version: str


Page = tuple[list[wire.Seen], str]
"""Some items of a list, undecoded, and the resource version of the whole list."""
MetadataPage = list[dict[str, Any]]


class WatchEvent(NamedTuple):
    """``type`` is ADDED, MODIFIED, DELETED or BOOKMARK; an ERROR event is raised as an ApiError instead."""

    type: str
    object: Object


class Client:
    """Talks to one API server. An async context manager; make one with :meth:`connect`.

    Every method raises :class:`~homeostat.live.errors.ApiError` subclasses. ``manager`` is the field manager; ``dry_run`` asks the server to do
    everything but store the result. ``namespace`` is empty for cluster-scoped kinds. ``validation`` is for fields that nobody knows.
    """

    def __init__(self, how: access.Access) -> None:
        self.server = how.server
        self.namespace = how.namespace
        self._way = transport.Transport(how)

    @classmethod
    async def connect(cls, kubeconfig: str | None = None, context: str | None = None) -> Client:
        """A client by kubeconfig (path, ``$KUBECONFIG``, ``~/.kube/config``) or from inside a pod. No request is sent yet.

        Raises :class:`~homeostat.live.access.AccessError` when there is no usable kubeconfig.
        """
        return cls(await access.load(kubeconfig, context))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._way.aclose()

    @property
    def reachable(self) -> bool:
        """False after an attempt to which no server answered, until one does."""
        return self._way.reachable

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        return _loads(await self._way.request("GET", path_to(resource, namespace, name), repeatable=True))

    async def list(
        self, resource: Resource, *, namespace: str = "", label_selector: str = "", field_selector: str = "", limit: int = 500
    ) -> Listing:
        """Every object of a kind, fetched in pages of ``limit``. An empty ``namespace`` means all of them.

        Raises :class:`~homeostat.live.errors.GoneError` when the server forgot the first page before the last was asked for: start again.
        """
        listing = Listing([], "")
        async for page, version in self.pages(
            resource, namespace=namespace, label_selector=label_selector, field_selector=field_selector, limit=limit
        ):
            listing.items.extend(seen.object for seen in page)
            listing = listing._replace(resource_version=version)
        return listing

    async def pages(
        self, resource: Resource, *, namespace: str = "", label_selector: str = "", field_selector: str = "", limit: int = 500
    ) -> AsyncGenerator[Page, None]:
        """The same page by page, undecoded: ``(items, resource version of the list)``."""
        base = path_to(resource, namespace)
        selection = _selection(label_selector, field_selector)
        token = ""
        while True:
            query = {**selection, "limit": str(limit), **({"continue": token} if token else {})}
            answer = await self._way.request("GET", f"{base}?{urlencode(query)}", repeatable=True)
            try:
                page = wire.decode_page(answer)
                items = [wire.seen(item, resource) for item in page.items or ()]
            except msgspec.DecodeError as error:
                raise _bad_answer(answer) from error
            yield items, page.metadata.resource_version
            token = page.metadata.continue_
            if not token:
                return

    async def metadata(self, resource: Resource, *, namespace: str = "", limit: int = 500) -> AsyncGenerator[MetadataPage, None]:
        """The ``metadata`` of every object of a kind, page by page, without the objects' bodies."""
        base = path_to(resource, namespace)
        token = ""
        while True:
            query = {"limit": str(limit), **({"continue": token} if token else {})}
            answer = _loads(await self.raw(f"{base}?{urlencode(query)}", accept=_METADATA))
            yield [item.get("metadata") or {} for item in answer.get("items") or ()]
            token = (answer.get("metadata") or {}).get("continue") or ""
            if not token:
                return

    async def watch(
        self, resource: Resource, *, resource_version: str, namespace: str = "", label_selector: str = "", field_selector: str = ""
    ) -> AsyncGenerator[WatchEvent, None]:
        """What happens after ``resource_version``, bookmarks included, until the server ends the watch (about five minutes).

        Raises :class:`~homeostat.live.errors.GoneError` when the version is too old. Close the iterator (``contextlib.aclosing``).
        """
        async for kind, raw in self.watch_raw(
            resource,
            resource_version=resource_version,
            namespace=namespace,
            label_selector=label_selector,
            field_selector=field_selector,
        ):
            yield WatchEvent(kind, _loads(raw))

    async def watch_raw(
        self,
        resource: Resource,
        *,
        resource_version: str,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        on_open: Callable[[], None] | None = None,
    ) -> AsyncGenerator[tuple[str, bytes], None]:
        """The same with each object as JSON. ``on_open`` is called when the server has accepted the watch, which may then be silent long."""
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(_watch_seconds()),
            **_selection(label_selector, field_selector),
        }
        path = f"{path_to(resource, namespace)}?{urlencode(query)}"
        async with self._way.stream(path, idle=_WATCH_SILENCE) as chunks:
            if on_open is not None:
                on_open()
            async for line in _lines(chunks):
                try:
                    event = wire.decode_event(line)
                except msgspec.DecodeError as error:
                    raise _bad_answer(line) from error
                if event.type == "ERROR":
                    raise from_event(_loads(bytes(event.object)))
                yield event.type, bytes(event.object)

    async def create(
        self, resource: Resource, obj: Object, *, manager: str = MANAGER, dry_run: bool = False, validation: FieldValidation = ""
    ) -> Object:
        """Raises :class:`~homeostat.live.errors.AlreadyExistsError` when it is there already. Never sent twice after a lost connection."""
        path = path_to(resource, _namespace(obj)) + _query(manager, dry_run=dry_run, validation=validation)
        return await self._send("POST", path, obj, _JSON, resource, repeatable=False)

    async def apply(
        self,
        resource: Resource,
        obj: Object,
        *,
        manager: str = MANAGER,
        force: bool = True,
        dry_run: bool = False,
        subresource: str = "",
        validation: FieldValidation = "",
    ) -> Object:
        """Server-side apply. Without ``force``, raises :class:`~homeostat.live.errors.ApplyConflictError` where others own the fields."""
        query = _query(manager, dry_run=dry_run, force=force, validation=validation)
        path = path_to(resource, _namespace(obj), _name(obj), subresource=subresource) + query
        return await self._send("PATCH", path, obj, _PATCHES["apply"], resource, repeatable=True)

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Any,
        *,
        kind: Literal["merge", "json", "strategic"] = "merge",
        subresource: str = "",
        manager: str = MANAGER,
        dry_run: bool = False,
        validation: FieldValidation = "",
    ) -> Object:
        """Raises :class:`~homeostat.live.errors.ConflictError` when ``body`` names a resource version that is no longer the object's."""
        path = path_to(resource, namespace, name, subresource=subresource) + _query(manager, dry_run=dry_run, validation=validation)
        return await self._send("PATCH", path, body, _PATCHES[kind], resource, repeatable=False)

    async def replace(
        self,
        resource: Resource,
        obj: Object,
        *,
        subresource: str = "",
        manager: str = MANAGER,
        dry_run: bool = False,
        validation: FieldValidation = "",
    ) -> Object:
        """Raises :class:`~homeostat.live.errors.ConflictError` when ``obj`` has a resource version and the server's differs."""
        query = _query(manager, dry_run=dry_run, validation=validation)
        path = path_to(resource, _namespace(obj), _name(obj), subresource=subresource) + query
        return await self._send("PUT", path, obj, _JSON, resource, repeatable=False)

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        propagation: Propagation = "Background",
        uid: str | None = None,
        resource_version: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Answers a ``Status``, or the object when it stays for a while (finalizers, a grace period).

        ``uid`` and ``resource_version`` are preconditions: :class:`~homeostat.live.errors.ConflictError` when another object bears the name
        by now, or it changed. With a ``uid`` the request is repeated after a lost connection.
        """
        options: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        conditions = {"uid": uid, "resourceVersion": resource_version}
        if uid or resource_version:
            options["preconditions"] = {field: value for field, value in conditions.items() if value}
        if dry_run:
            options["dryRun"] = ["All"]
        return await self._send("DELETE", path_to(resource, namespace, name), options, _JSON, resource, repeatable=bool(uid))

    async def logs(
        self,
        namespace: str,
        pod: str,
        *,
        container: str = "",
        follow: bool = False,
        tail: int | None = None,
        since_seconds: int | None = None,
        previous: bool = False,
        timestamps: bool = False,
    ) -> AsyncGenerator[str, None]:
        """The lines of a container's log, without their ends, as they come."""
        query = {
            "container": container,
            "follow": "true" if follow else "",
            "tailLines": "" if tail is None else str(tail),
            "sinceSeconds": "" if since_seconds is None else str(since_seconds),
            "previous": "true" if previous else "",
            "timestamps": "true" if timestamps else "",
        }
        asked = urlencode({field: value for field, value in query.items() if value})
        path = f"{path_to(_PODS, namespace, pod, subresource='log')}?{asked}"
        async with self._way.stream(path, idle=3600.0 if follow else 60.0) as chunks:
            async for line in _lines(chunks):
                yield line.decode(errors="replace")

    async def raw(self, path: str, *, accept: str = "application/json") -> bytes:
        """A GET of any path of the server, such as ``/version``."""
        return await self._way.request("GET", path, headers={"Accept": accept}, repeatable=True)

    async def _send(self, method: str, path: str, body: Any, headers: dict[str, str], resource: Resource, *, repeatable: bool) -> Object:
        secret = resource.kind == "Secret" and not resource.group
        try:
            data = orjson.dumps(body)
        except (orjson.JSONEncodeError, RecursionError) as error:
            raise InvalidObjectError(f"{resource}: the object is no JSON: {error}", status=400, reason="BadRequest") from error
        return _loads(await self._way.request(method, path, body=data, headers=headers, repeatable=repeatable, secret=secret))


def path_to(resource: Resource, namespace: str, name: str | None = None, *, subresource: str = "") -> str:
    """The path of a kind (``name`` is ``None``) or of one object. A cluster-scoped kind ignores ``namespace``.

    Raises :class:`InvalidObjectError` for names that would make another path of it; the server would take an empty one for the whole collection.
    """
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    if resource.namespaced and namespace:
        root = f"{root}/namespaces/{_segment(resource, 'namespace', namespace)}"
    elif resource.namespaced and name is not None:
        raise InvalidObjectError(f"{resource} {name!r}: metadata.namespace: a namespace is needed", status=400, reason="BadRequest")
    path = f"{root}/{resource.plural}"
    if name is None:
        return path
    path = f"{path}/{_segment(resource, 'name', name)}"
    return f"{path}/{subresource}" if subresource else path


def _watch_seconds() -> int:
    return round(_WATCH_SECONDS * random.uniform(0.9, 1.1))  # noqa: S311  spreads load, guards nothing


def _segment(resource: Resource, field: str, text: str) -> str:
    if _PLAIN.fullmatch(text) and text not in {".", ".."}:
        return text
    if not isinstance(text, str) or not text or text in {".", ".."} or "/" in text or "%" in text:
        message = f"{resource}: metadata.{field}: expected a name, found {text!r}"
        raise InvalidObjectError(message, status=400, reason="BadRequest")
    return quote(text, safe="")


@functools.lru_cache(maxsize=64)
def _query(manager: str, *, dry_run: bool, force: bool | None = None, validation: FieldValidation = "") -> str:
    query = f"?fieldManager={quote(manager, safe='')}"
    if force:
        query += "&force=true"
    if validation:
        query += f"&fieldValidation={validation}"
    return f"{query}&dryRun=All" if dry_run else query


def _selection(label_selector: str, field_selector: str) -> dict[str, str]:
    selection = {}
    if label_selector:
        selection["labelSelector"] = label_selector
    if field_selector:
        selection["fieldSelector"] = field_selector
    return selection


def _namespace(obj: Object) -> str:
    return (obj.get("metadata") or {}).get("namespace") or ""


def _name(obj: Object) -> str:
    return (obj.get("metadata") or {}).get("name") or ""


def _loads(answer: bytes) -> Object:
    try:
        return orjson.loads(answer)  # type: ignore[no-any-return]
    except orjson.JSONDecodeError as error:
        raise _bad_answer(answer) from error


def _bad_answer(answer: bytes) -> UnavailableError:
    return UnavailableError(f"the API server's answer of {len(answer)} bytes is not what was asked for", reason="BadAnswer")


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines without their ends; the last one may lack its newline."""
    rest: list[bytes] = []
    async for chunk in chunks:
        first, *more = chunk.split(b"\n")
        rest.append(first)
        if not more:
            continue
        yield b"".join(rest)
        for line in more[:-1]:
            yield line
        rest = [more[-1]]
    last = b"".join(rest)
    if last:
        yield last


_PODS = Resource(group="", version="v1", kind="Pod", plural="pods", namespaced=True)

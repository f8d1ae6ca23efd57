"""The live index: which objects there are, which app each belongs to, and what each app has. Pure: it is told, it never asks.

What is kept of an object depends on whose it is. One that an app *manages* (its tracking mark says so, and speaks of this very object) or
*claims* (the app desires it) keeps its body, as JSON, decoded when somebody asks. Of every other only a :class:`Node` is kept.

Every call costs O(1), or the size of its answer: there is an index for each question, and no scan over all objects, ever. Which events
arrive, and in which order, is ``reflector.py``'s business; the rules for old news are here: an object never goes back to an older version.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import msgspec
import orjson

from homeostat.live import facts, wire
from homeostat.model.objects import GroupKind, Key, Object
from homeostat.model.tracking import Tracking

Apps = frozenset[str]

NOBODY: Apps = frozenset()
_NO_KEYS: frozenset[Key] = frozenset()


class Node(msgspec.Struct, gc=False):
    """What is known of every object. ``version`` is the resource version as a number; ``body`` is JSON, empty where none is kept."""

    key: Key
    uid: str
    version: int
    created: str
    owners: tuple[str, ...]
    app: str
    facts: facts.Facts
    body: bytes
    api_version: str = ""


class Change(NamedTuple):
    """What an event changed: ``apps`` manage or claim the object, before or after. Nothing new: ``apps`` is empty.

    ``before`` is the body of an object that was there and still is, where it was kept.
    """

    key: Key
    apps: Apps
    before: bytes = b""


class Index:
    """The objects of one cluster, as far as anybody watches them. Not thread-safe: it belongs to one event loop."""

    def __init__(self, tracking: Tracking) -> None:
        self.tracking = tracking
        self._nodes: dict[Key, Node] = {}
        self._managed: dict[str, set[Key]] = {}
        self._claims: dict[str, frozenset[Key]] = {}
        self._claimed: dict[Key, Apps] = {}
        self._children: dict[str, dict[Key, None]] = {}
        self._uses: dict[GroupKind, int] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, key: object) -> bool:
        return key in self._nodes

    def get(self, key: Key) -> Object | None:
        """The whole object where its body is kept, at the version that is watched. Decoded anew at each call: change it as you like."""
        node = self._nodes.get(key)
        return orjson.loads(node.body) if node is not None and node.body else None

    def node(self, key: Key) -> Node | None:
        return self._nodes.get(key)

    def managed(self, app: str) -> AbstractSet[Key]:
        """The keys whose tracking mark names ``app``. A view: copy it before you await."""
        return self._managed.get(app, _NO_KEYS)

    def claimed(self, app: str) -> frozenset[Key]:
        """The keys that ``app`` said it desires."""
        return self._claims.get(app, _NO_KEYS)

    def claimed_by(self, key: Key) -> Apps:
        return self._claimed.get(key, NOBODY)

    def apps_of(self, key: Key) -> Apps:
        """Every app that manages or claims the object."""
        node = self._nodes.get(key)
        claimers = self._claimed.get(key, NOBODY)
        return claimers | {node.app} if node is not None and node.app else claimers

    def children(self, uid: str) -> list[Node]:
        """The objects that name ``uid`` as an owner."""
        return [self._nodes[key] for key in self._children.get(uid, ())]

    def tree(self, app: str) -> Iterator[Node]:
        """The objects that ``app`` manages or claims and what they brought about, owners first, each once."""
        waiting = [self._nodes[key] for key in sorted(self.managed(app) | self.claimed(app)) if key in self._nodes]
        known = {node.uid for node in waiting}
        for node in waiting:  # grows while we walk it
            yield node
            for child in self.children(node.uid):
                if child.uid not in known:
                    known.add(child.uid)
                    waiting.append(child)

    def uses(self, kind: GroupKind) -> int:
        """How many claims and managed objects there are of ``kind``; 0 means that no app needs it watched."""
        return self._uses.get(kind, 0)

    def claim(self, app: str, keys: Collection[Key]) -> None:
        """``app`` desires exactly ``keys``: their changes concern it, and their bodies are kept from now on.

        A body that was let go before comes back with :meth:`missing` and the server's answer.
        """
        before, after = self._claims.get(app, _NO_KEYS), frozenset(keys)
        if before == after:
            return
        for key in before - after:
            rest = self._claimed[key] - {app}
            if rest:
                self._claimed[key] = rest
            else:
                del self._claimed[key]
            self._use(key.group_kind, -1)
            node = self._nodes.get(key)
            if node is not None and not rest and not node.app:
                node.body = b""
        for key in after - before:
            self._claimed[key] = self._claimed.get(key, NOBODY) | {app}
            self._use(key.group_kind, 1)
        if after:
            self._claims[app] = after
        else:
            del self._claims[app]

    def missing(self, keys: Collection[Key]) -> list[Key]:
        """Those of ``keys`` that exist and whose body is not kept."""
        return [key for key in keys if (node := self._nodes.get(key)) is not None and not node.body]

    def put(self, seen: wire.Seen, *, anyway: bool = False) -> Change:
        """An object as the server has it. News that are older than what is known are ignored, unless ``anyway`` (the server went back)."""
        key = seen.key
        known = self._nodes.get(key)
        if known is not None and not anyway and seen.version and seen.version <= known.version:
            if seen.version == known.version and not known.body and self._keeps(key, known.app):
                known.body = seen.raw
            return Change(key, NOBODY)
        metadata = seen.head.metadata
        owners = tuple(owner.uid for owner in metadata.owner_references or ())
        app = "" if owners else self._app_of(key, metadata)
        kept = self._keeps(key, app)
        node = Node(
            key=key if known is None else known.key,
            uid=metadata.uid,
            version=seen.version,
            created=metadata.creation_timestamp or "",
            owners=owners,
            app=app,
            facts=facts.facts_of(key.group_kind, seen.raw),
            body=seen.raw if kept else b"",
            api_version=seen.head.api_version,
        )
        before = self._unlink(known) if known is not None else ""
        self._nodes[node.key] = node
        self._link(node)
        return Change(key, self._concerned(key, before, app), known.body if known is not None else b"")

    def drop(self, key: Key, *, version: int, uid: str = "") -> Change:
        """The object is gone as of ``version``. Ignored when a newer one has come since, or another one with the same name."""
        known = self._nodes.get(key)
        if known is None or (version and known.version > version) or (uid and known.uid != uid and known.version >= version):
            return Change(key, NOBODY)
        app = self._unlink(known)
        del self._nodes[key]
        return Change(key, self._concerned(key, app, ""))

    def _keeps(self, key: Key, app: str) -> bool:
        return bool(app) or key in self._claimed

    def _concerned(self, key: Key, before: str, after: str) -> Apps:
        claimers = self._claimed.get(key, NOBODY)
        marked = {app for app in (before, after) if app}
        return claimers | marked if marked else claimers

    def _app_of(self, key: Key, metadata: wire.Meta) -> str:
        annotations, labels = metadata.annotations or {}, metadata.labels or {}
        if not annotations and not labels:
            return ""
        app = self.tracking.app_of({"metadata": {"annotations": annotations, "labels": labels}})
        return app if app and self.tracking.is_own(key, annotations) else ""

    def _link(self, node: Node) -> None:
        if node.app:
            self._managed.setdefault(node.app, set()).add(node.key)
            self._use(node.key.group_kind, 1)
        for owner in node.owners:
            self._children.setdefault(owner, {})[node.key] = None

    def _unlink(self, node: Node) -> str:
        if node.app:
            keys = self._managed[node.app]
            keys.discard(node.key)
            if not keys:
                del self._managed[node.app]
            self._use(node.key.group_kind, -1)
        for owner in node.owners:
            siblings = self._children.get(owner)
            if siblings is not None:
                siblings.pop(node.key, None)
                if not siblings:
                    del self._children[owner]
        return node.app

    def _use(self, kind: GroupKind, more: int) -> None:
        count = self._uses.get(kind, 0) + more
        if count:
            self._uses[kind] = count
        else:
            del self._uses[kind]

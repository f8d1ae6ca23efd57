"""What a change of a repository changes in the objects of its apps: each app is rendered from both trees, where the change can be seen by it at all.

Apps are those whose Applications lie in the repository, those that other apps bring, and those that somebody hands in. What the render of an app has not
read cannot change it: then it is rendered once (``desired/render/cache.py``). Values of Secrets are masked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from homeostat.compare import mask
from homeostat.desired.positions import objects_in
from homeostat.desired.render.renderer import RenderContext, Renderer
from homeostat.lint import applications
from homeostat.lint.apps import Fetch, Here, Part, parts_of
from homeostat.lint.walk import walk
from homeostat.model.app import App, AppKey, Source
from homeostat.model.errors import InvalidError
from homeostat.model.objects import GroupKind, Key, Object, key_of
from homeostat.model.tree import Trace, Tree

_AT_ONCE = 16
_DEEPEST = 5

Scope = Callable[[GroupKind], bool | None]


class What(StrEnum):
    """What becomes of an object, or of an app."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


class ObjectChange(msgspec.Struct, frozen=True):
    """One object that differs. ``diff`` is a unified diff of YAML, with nothing secret in it."""

    key: Key
    what: What
    diff: str


class AppChange(msgspec.Struct, frozen=True):
    """One app that the change touches. ``problems`` say why it does not render any more; ``elsewhere`` which sources were not looked at."""

    app: AppKey
    what: What
    objects: tuple[ObjectChange, ...] = ()
    problems: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def count(self, what: What) -> int:
        return sum(one.what is what for one in self.objects)


class Changes(msgspec.Struct, frozen=True):
    """``apps`` are those that differ or could not be told; ``looked_at`` is how many there are in all, ``rendered`` how many renders it took."""

    apps: tuple[AppChange, ...]
    looked_at: int
    rendered: int


class Side:
    """One of the two trees, and the apps that there are in it."""

    def __init__(self, tree: Tree, renderer: Renderer, fetch: Fetch, context: RenderContext, here: Here) -> None:
        self.tree = tree
        self.apps: dict[AppKey, App] = {}
        self.parts: dict[AppKey, list[Part]] = {}
        self._renderer = renderer
        self._fetch = fetch
        self._context = context
        self._here = here
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def render(self, given: Iterable[App], *, unless: Callable[[App], bool] = lambda _app: False) -> None:
        """Renders ``given`` and the apps that they bring, but those that ``unless`` holds of. Of two with one key the first counts."""
        waiting = [app for app in given if app.key not in self.apps]
        for _ in range(_DEEPEST):
            fresh = {app.key: app for app in reversed(waiting) if app.key not in self.apps}
            self.apps.update(fresh)
            wanted = [app for app in fresh.values() if not unless(app)]
            async with asyncio.TaskGroup() as group:
                for app in wanted:
                    group.create_task(self._one(app), name=f"render {app.key}")
            waiting = [child for app in wanted for child in self._children(self.parts[app.key])]
            if not waiting:
                return

    async def _one(self, app: App) -> None:
        async with self._gate:
            self.parts[app.key] = await parts_of(app, self._renderer, self._tree_of, self._context)

    async def _tree_of(self, app: App, source: Source) -> Tree | None:
        if not self._here.has(source, self.tree):
            return await self._fetch.tree(source, app.project)
        return await self._fetch.completed(self.tree, source, app.project)

    def _children(self, parts: Iterable[Part]) -> Iterable[App]:
        for part in parts:
            for manifest in part.rendered.manifests if part.rendered is not None else ():
                if applications.is_kind(manifest.object, "Application") and isinstance(manifest.object.get("metadata"), dict):
                    yield applications.app_of(manifest.object)


async def changes(
    before: Tree,
    after: Tree,
    *,
    renderer: Renderer,
    here: Here,
    fetch: Fetch,
    context: RenderContext,
    scope: Scope,
    given: Sequence[App] = (),
    names: tuple[str, str] = ("before", "after"),
    found: bool = True,
) -> Changes:
    """What differs from ``before`` to ``after``. ``given`` are apps of both sides; ``found`` looks for Applications in the trees, too.

    ``names`` are what the two sides are called in diffs. ``scope`` tells which kinds have namespaces.
    """
    changed = await asyncio.to_thread(after.changed_since, before)
    old, new = (Side(tree, renderer, fetch, context, here) for tree in (before, after))
    lying: tuple[list[App], list[App]] = ([], [])
    if found:
        lying = await asyncio.to_thread(_lying, before, after, changed)
    wanted = {app.key: app.spec for app in lying[1]}

    def far_and_same(app: App) -> bool:
        """All its sources lie elsewhere, and it asks for the same on both sides."""
        return wanted.get(app.key, app.spec) == app.spec and not any(
            here.has(source, before) or here.has(source, after) for source in app.sources
        )

    await old.render([*given, *lying[0]], unless=lambda app: app.key in wanted and far_and_same(app))
    same = {app.key: app.spec for app in old.apps.values()}
    await new.render([*given, *lying[1]], unless=lambda app: same.get(app.key) == app.spec and far_and_same(app))
    keys = sorted(old.apps.keys() | new.apps.keys())
    differing = [one for key in keys if (one := _app(key, old, new, scope, names)) is not None]
    renders = sum(
        part.rendered is not None and part.rendered.fresh for side in (old, new) for parts in side.parts.values() for part in parts
    )
    return Changes(tuple(differing), len(keys), renders)


def _lying(before: Tree, after: Tree, changed: Trace) -> tuple[list[App], list[App]]:
    """The Applications that lie in either tree. A file that has not changed is read once."""
    old = _applications(before, {})
    kept = {file: apps for file, apps in old.items() if file not in changed}
    new = _applications(after, kept)
    return [app for apps in old.values() for app in apps], [app for apps in new.values() for app in apps]


def _applications(tree: Tree, known: Mapping[str, list[App]]) -> dict[str, list[App]]:
    found: dict[str, list[App]] = {}
    for file in walk(tree).plain:
        if file in known:
            found[file] = known[file]
            continue
        data = tree.read(file) or b""
        if b"Application" in data and b"argoproj.io" in data:
            found[file] = apps_in(data, file)
        else:
            found[file] = []
    return found


def apps_in(data: bytes, file: str) -> list[App]:
    """The Applications in a file; none when it cannot be read: what is wrong with it is for ``lint`` to say."""
    try:
        objects = [one.object for one in objects_in(data, name=file)]
    except InvalidError:
        return []
    return [
        applications.app_of(obj) for obj in objects if applications.is_kind(obj, "Application") and isinstance(obj.get("metadata"), dict)
    ]


def _app(key: AppKey, old: Side, new: Side, scope: Scope, names: tuple[str, str]) -> AppChange | None:
    was, now = old.parts.get(key, []), new.parts.get(key, [])
    what = What.ADDED if key not in old.apps else What.REMOVED if key not in new.apps else What.CHANGED
    if what is What.CHANGED and not was and not now:
        return None
    failed, fails = list(_problems(old, key)), list(_problems(new, key))
    if fails and failed == fails:
        return None  # it is no better and no worse for the change
    elsewhere = sorted({_place(part.source) for part in (*was, *now) if part.tree is None and part.error is None})
    differing = _objects(_rendered(old, key, scope), _rendered(new, key, scope), names) if not fails else ()
    # Of an app that is the same, sources that lie elsewhere are no news.
    same = what is What.CHANGED and old.apps[key].spec == new.apps[key].spec
    if not differing and not failed and not fails and (same or (what is What.CHANGED and not elsewhere)):
        return None
    notes = [f"{names[0]} does not render, so all that there is now counts as added: {problem}" for problem in failed]
    return AppChange(key, what, differing, tuple(fails), () if same else tuple(elsewhere), tuple(notes))


def _problems(side: Side, key: AppKey) -> Iterable[str]:
    app = side.apps.get(key)
    if app is not None and not app.sources:
        yield from (problem for problem in app.problems if problem != app.unfit)
    yield from (part.error.message for part in side.parts.get(key, ()) if part.error is not None)


def _rendered(side: Side, key: AppKey, scope: Scope) -> dict[Key, Object]:
    app = side.apps.get(key)
    objects: dict[Key, Object] = {}
    for part in side.parts.get(key, ()):
        for manifest in part.rendered.manifests if part.rendered is not None else ():
            if app is None or not isinstance(manifest.object.get("metadata"), dict):
                continue
            found = key_of(manifest.object)
            namespace = "" if scope(found.group_kind) is False else found.namespace or app.destination.namespace
            name = found.name or f"{manifest.object['metadata'].get('generateName') or ''}{len(objects)}"
            objects[found._replace(namespace=namespace, name=name)] = manifest.object
    return objects


def _objects(was: Mapping[Key, Object], now: Mapping[Key, Object], names: tuple[str, str]) -> tuple[ObjectChange, ...]:
    differing = []
    for key in sorted(was.keys() | now.keys()):
        old, new = was.get(key), now.get(key)
        if old == new:
            continue
        what = What.ADDED if old is None else What.REMOVED if new is None else What.CHANGED
        text = mask.diff_text(ordered(new), ordered(old), names=names)
        if text:
            differing.append(ObjectChange(key, what, text))
    return tuple(differing)


def ordered(value: Any) -> Any:
    """In one order: what stands elsewhere in a mapping is no difference."""
    if isinstance(value, dict):
        return {name: ordered(value[name]) for name in sorted(value)}
    return [ordered(item) for item in value] if isinstance(value, list) else value


def _place(source: Source) -> str:
    return " ".join(filter(None, (source.repo_url, source.chart or source.path, source.target_revision)))

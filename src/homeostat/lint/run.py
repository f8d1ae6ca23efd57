"""The look itself: everything in a folder is rendered, then every object that came of it is held against what is known of its kind.

First Applications, charts, overlays and Jsonnet, side by side in the evaluators; then the files that none of them has read, as they are; then the checks, for
which all definitions in the folder have to be known. The order of findings is that of files and lines.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from homeostat.compare.ignore import Ignorer
from homeostat.desired.errors import RenderError
from homeostat.desired.plugins.plugins import Plugins
from homeostat.desired.positions import Written, objects_in
from homeostat.desired.render.renderer import RenderContext, Renderer
from homeostat.desired.sources.errors import SourceError
from homeostat.evaluate.pool import Pool
from homeostat.lint import applications
from homeostat.lint.apps import Fetch, Here, parts_of
from homeostat.lint.checks import Remark
from homeostat.lint.errors import SchemaError
from homeostat.lint.findings import Finding, Severity, finding
from homeostat.lint.items import Item, Notes
from homeostat.lint.judge import Judge
from homeostat.lint.keys import doubles
from homeostat.lint.schemas import Catalogue
from homeostat.lint.walk import Found, walk
from homeostat.model import yaml
from homeostat.model.app import App, DirectoryOptions, Source
from homeostat.model.errors import InvalidError
from homeostat.model.manifest import Manifest, Origin
from homeostat.model.objects import Object
from homeostat.model.tree import EntryKind, Tree

_AT_ONCE = 16
_DEEPEST = 5
"""Apps of apps of apps: how often what was rendered may bring new Applications."""

_NOT_FETCHED = ("nothing is fetched here", "was not fetched")
"""What the evaluators say of dependencies and bases that are not in the tree."""


class Report(msgspec.Struct, frozen=True):
    """What was found, and how much was looked at."""

    findings: tuple[Finding, ...]
    files: int
    objects: int
    apps: int
    renders: int

    def worst(self) -> Severity | None:
        return next((severity for severity in Severity if any(one.severity is severity for one in self.findings)), None)


class Linter:
    """One look at ``tree``. ``tell`` hears how far it is."""

    def __init__(
        self,
        *,
        tree: Tree,
        pool: Pool,
        catalogue: Catalogue,
        here: Here,
        tell: Callable[[str], None] = lambda _line: None,
        build_options: tuple[str, ...] = (),
        fetch: Fetch | None = None,
        plugins: Plugins | None = None,
    ) -> None:
        self._tree = tree
        self._catalogue = catalogue
        self._here = here
        self._tell = tell
        self._fetch = fetch or Fetch()
        self._renderer = Renderer(pool=pool, plugins=plugins)
        self._ignorer = Ignorer(pool)
        self._notes = Notes(tree)
        self._items: list[Item] = []
        self._read: set[str] = set()
        self._charted: set[str] = set()
        self._apps: set[tuple[str, str, int]] = set()
        self._renders = 0
        self._context = RenderContext(
            app_name="", kube_version=f"{catalogue.version}.0", api_versions=catalogue.api_versions, build_options=build_options
        )

    async def run(self, starts: Iterable[str] = ("",), *, left_out: Callable[[str], bool] = lambda _path: False) -> Report:
        """Looks at everything at and below ``starts``."""
        found = Found()
        for start in starts:
            below = await asyncio.to_thread(walk, self._tree, start, left_out=left_out)
            for name in Found.__struct_fields__:
                setattr(found, name, sorted({*getattr(found, name), *getattr(below, name)}))
        parsed = self._parse(found.plain)
        self._define(one.object for written in parsed.values() for one in written)
        files = [
            Item(one.object, Origin(file, _first(one)), posixpath.dirname(file) or ".") for file, ones in parsed.items() for one in ones
        ]
        await self._applications(files, 0)
        await self._side_by_side("overlays", [self._overlay(folder) for folder in found.overlays])
        await self._side_by_side("charts", [self._chart(folder) for folder in found.charts])
        await self._side_by_side("jsonnet files", [self._jsonnet(file) for file in found.jsonnet if file not in self._read])
        await self._applications(self._items, 1)
        inside = tuple(f"{folder}/" for folder in found.components)
        self._items += [item for item in files if item.origin.file not in self._read and not item.origin.file.startswith(inside or "\0")]
        self._define(item.object for item in self._items)
        await Judge(self._catalogue, self._ignorer, self._notes, self._tell).judge(self._items)
        count = len(found.plain) + len(found.jsonnet) + len(found.overlays) + len(found.charts)
        return Report(self._notes.ordered(), count, len(self._items), len(self._apps), self._renders)

    def _parse(self, files: list[str]) -> dict[str, list[Written]]:
        """The objects of each file that holds any. A file of something else (values, settings of other programs) is none of our business."""
        parsed: dict[str, list[Written]] = {}
        for number, file in enumerate(files):
            if number % 100 == 99:
                self._tell(f"reading: {number} of {len(files)} files")
            data = self._tree.read(file) or b""
            if b"kind" not in data or b"apiVersion" not in data:
                continue
            try:
                written = objects_in(data, name=file)
            except InvalidError as error:
                self._notes.add(finding("syntax", error.message.removeprefix(f"{file}:"), file=file, line=_line_of(error.message, file)))
                continue
            ours = [one for one in written if "kind" in one.object and "apiVersion" in one.object]
            if ours:
                parsed[file] = ours
                self._notes.places.keep(file, written)
                for line, key in (double for one in written for double in doubles(one.node)):
                    self._notes.add(
                        finding("duplicate-key", f"the key {key!r} is written twice: only the last one counts", file=file, line=line)
                    )
        return parsed

    def _define(self, objects: Iterable[Object]) -> None:
        for obj in objects:
            if obj.get("kind") == "CustomResourceDefinition" and str(obj.get("apiVersion")).startswith("apiextensions.k8s.io/"):
                try:
                    self._catalogue.define(obj)
                except SchemaError:
                    continue  # its own schema says better what is wrong with it

    async def _side_by_side(self, what: str, jobs: list[Awaitable[None]]) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)
        done = 0

        async def one(job: Awaitable[None]) -> None:
            nonlocal done
            async with gate:
                await job
            done += 1
            if done % 20 == 0:
                self._tell(f"rendering {what}: {done} of {len(jobs)}")

        async with asyncio.TaskGroup() as group:
            for number, job in enumerate(jobs):
                group.create_task(one(job), name=f"lint {what} {number}")

    async def _applications(self, items: list[Item], depth: int) -> None:
        """Renders the Applications among ``items`` that were not met before, and those that come of it."""
        while items and depth < _DEEPEST:
            jobs: list[Awaitable[None]] = []
            before = len(self._items)
            for item in items:
                if applications.is_kind(item.object, "Application") and isinstance(item.object.get("metadata"), dict):
                    app = applications.app_of(item.object)
                    met = (app.key.name, app.key.namespace, hash(msgspec.json.encode(app.spec)))
                    if met not in self._apps:
                        self._apps.add(met)
                        jobs.append(self._application(item, app))
            await self._side_by_side("Applications", jobs)
            items, depth = self._items[before:], depth + 1

    async def _application(self, item: Item, app: App) -> None:
        async def tree_of(app: App, source: Source) -> Tree | None:
            if self._here.has(source, self._tree):
                return await self._fetch.completed(self._tree, source, app.project)
            return await self._fetch.tree(source, app.project)

        for part in await parts_of(app, self._renderer, tree_of, self._context):
            steps: tuple[str | int, ...] = ("spec", "sources", part.number) if len(app.sources) > 1 else ("spec", "source")
            source = part.source
            if part.tree is None and part.error is not None:
                self._notes.say(
                    item, Remark("source", steps, f"could not be fetched: {part.error.message}", part.error.hint, Severity.ERROR)
                )
                continue
            if part.tree is None:
                where = f"{source.repo_url} {source.chart or source.path}".strip()
                self._notes.say(item, Remark("source", steps, f"{where} lies elsewhere: what it renders to was not looked at"))
                continue
            self._renders += 1
            path = posixpath.normpath(source.path or ".")
            self._charted.add("" if path == "." else path)
            self._read |= part.trace
            if isinstance(part.error, RenderError):
                gone = "app path does not exist" in part.error.message
                self._render_failed(part.error, app, item, Remark("path" if gone else "render", (*steps, "path"), "", part.error.hint))
            elif part.rendered is not None:
                owner = str(app.key) if app.key.namespace else f"Application {app.key.name}"
                self._take(part.rendered.manifests, owner, part.trace, app.destination.namespace)

    def _render_failed(self, error: RenderError, app: App, item: Item, remark: Remark) -> None:
        """At the file where the render failed; at the Application, where the fault is its own."""
        if any(words in error.message for words in _NOT_FETCHED) or (error.origin.file and self._tree.stat(error.origin.file) is not None):
            self._failed(error, f"Application {app.key.name}", item.origin.file)
        else:
            self._notes.say(item, remark._replace(message=f"does not render: {error.message}"))

    async def _overlay(self, folder: str) -> None:
        await self._render(folder, "Kustomize", Source(repo_url="", path=folder or "."), f"overlay {folder or '.'}")

    async def _chart(self, folder: str) -> None:
        data = self._tree.read(f"{folder}/Chart.yaml" if folder else "Chart.yaml") or b""
        try:
            chart = yaml.load(data, name=folder)
        except InvalidError:
            chart = None  # the render says so, too
        if isinstance(chart, dict) and chart.get("type") == "library":
            return
        # Many charts cannot do without the values that somebody gives them: where Applications do, theirs is the proof.
        mild = Severity.WARNING if folder in self._charted else None
        await self._render(folder, "Helm", Source(repo_url="", path=folder or "."), f"chart {folder or '.'}", mild)

    async def _jsonnet(self, file: str) -> None:
        folder, _, name = file.rpartition("/")
        mild = Severity.WARNING if any(file == path or (path and file.startswith(f"{path}/")) for path in self._charted) else None
        source = Source(repo_url="", path=folder or ".", directory=DirectoryOptions(include=glob_escape(name)))
        await self._render(file, "Directory", source, f"Jsonnet file {file}", mild)

    async def _render(self, path: str, kind: str, source: Source, owner: str, severity: Severity | None = None) -> None:
        name = posixpath.basename(path).partition(".")[0] or "release"
        context = msgspec.structs.replace(self._context, app_name=name, namespace="default", subject=owner, source_type=kind)
        self._renders += 1
        try:
            tree = await self._fetch.completed(self._tree, source, "default")
            rendered = await self._renderer.render(source=source, tree=tree, context=context)
        except SourceError as error:
            self._notes.add(finding("source", f"{owner}: {error.message}", file=path, hint=error.hint, severity=Severity.ERROR))
        except RenderError as error:
            place = (
                path
                if self._tree.stat(path) is EntryKind.FILE
                else posixpath.join(path, "Chart.yaml" if kind == "Helm" else "kustomization.yaml")
            )
            self._failed(error, owner, place, severity)
        else:
            self._take(rendered.manifests, owner, self._renderer.trace(source=source, context=context), "")
        finally:
            self._read |= self._renderer.trace(source=source, context=context)

    def _failed(self, error: RenderError, owner: str, place: str = "", severity: Severity | None = None) -> None:
        at = error.origin if error.origin.file else Origin(place)
        message = error.message.removeprefix(f"{at}: ")
        if any(words in message for words in _NOT_FETCHED):
            message = f"{owner} needs what lies elsewhere, and was not looked at: {message}"
            self._notes.add(finding("source", message, file=at.file, line=at.line, hint="`--fetch` fetches it"))
            return
        self._notes.add(
            finding("render", f"{owner} does not render: {message}", file=at.file, line=at.line, hint=error.hint, severity=severity)
        )

    def _take(self, manifests: Iterable[Manifest], owner: str, trace: frozenset[str], namespace: str) -> None:
        read = frozenset(path for path in trace if path.endswith((".yaml", ".yml", ".json")))
        self._items += [Item(one.object, one.origin, owner, read, namespace) for one in manifests]


def glob_escape(name: str) -> str:
    """``name`` as a glob that means nothing but it."""
    return "".join(f"\\{letter}" if letter in "*?[]{}\\!" else letter for letter in name)


def _first(written: Written) -> int:
    lines = written.lines()
    return lines.first if lines is not None else 0


def _line_of(message: str, file: str) -> int:
    number = message.removeprefix(f"{file}:").partition(":")[0]
    return int(number) if number.isdigit() else 0

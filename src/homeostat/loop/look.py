"""Compares what an app wants with what is there: the right half of the picture, up to drift and health.

For an object that is there, the API server is asked once per desired content what it would become (an apply dry-run, ``expecting.py``); from then on
its drift is judged from the watch alone, and only when it changes (design points 4 and 5). Nothing is written here. What follows from the outcome
is ``decide``'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import msgspec
from msgspec.structs import replace

from homeostat.compare.drift import Difference, differences
from homeostat.compare.errors import CompareError
from homeostat.compare.health.app import Judged, app_health
from homeostat.compare.health.scripts import Judge
from homeostat.compare.ignore import Ignorer
from homeostat.live.cluster import Cluster
from homeostat.loop import summary
from homeostat.loop.expecting import Expecter
from homeostat.loop.memory import Compared, Memory, Wanted
from homeostat.model.app import App
from homeostat.model.health import Health
from homeostat.model.hooks import is_hook
from homeostat.model.manifest import Desired
from homeostat.model.objects import Key, Object, annotations_of, version_of
from homeostat.model.report import Condition, ResourceReport
from homeostat.model.settings import Settings
from homeostat.model.sync import SyncStatus
from homeostat.sync import images
from homeostat.sync.options import CREATE_NAMESPACE, asks_before_deletion
from homeostat.sync.order import NAMESPACE, wave_or_zero

COMPARE_OPTIONS = "argocd.argoproj.io/compare-options"
IGNORE_EXTRANEOUS = "IgnoreExtraneous"


class Look(msgspec.Struct, frozen=True):
    """The outcome. ``differences`` holds, for each object that differs, in which fields; a missing one has none.

    ``shared`` says, in Argo CD's words, which objects another app tracks. ``namespace_differs``: the destination's namespace lacks what
    ``managedNamespaceMetadata`` declares.
    """

    status: SyncStatus
    health: Health
    resources: tuple[ResourceReport, ...] = ()
    differences: dict[Key, tuple[Difference, ...]] = {}
    conditions: tuple[Condition, ...] = ()
    images: tuple[str, ...] = ()
    external_urls: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    namespace_differs: bool = False


class Looker:
    """Looks at one cluster."""

    def __init__(self, cluster: Cluster, *, judge: Judge, ignorer: Ignorer, settings: Callable[[], Settings]) -> None:
        self._cluster = cluster
        self._judge = judge
        self.ignorer = ignorer
        self._settings = settings
        self._expecter = Expecter(cluster, ignorer)

    async def attend(self, app: App, wanted: Collection[Key], memory: Memory) -> None:
        """Tells the index which objects the app is about, and waits until their kinds are watched.

        The kinds of what the status recorded are part of it, so that nothing an earlier process applied is overlooked. Kinds that the API
        does not know are left out: their objects are reported one by one.
        """
        kinds = {key.group_kind for key in wanted} | {key.group_kind for key in app.recorded}
        if CREATE_NAMESPACE in app.policy.options:
            kinds.add(NAMESPACE)
        claims = frozenset(wanted)
        if app.policy.namespace_labels or app.policy.namespace_annotations:
            claims |= {Key("", "Namespace", "", app.destination.namespace)}
        if claims != memory.claims:
            self._cluster.index.claim(app.id, claims)
            memory.claims = claims
        await self._cluster.ensure(kinds)
        await self._cluster.fetch(claims)

    async def look(self, app: App, wanted: Wanted, memory: Memory) -> Look:
        """Compares and judges. Raises :class:`homeostat.live.errors.ApiError` when the API server cannot be asked."""
        await self.attend(app, wanted.objects.keys(), memory)
        await self._expecter.expect(app, wanted, memory)
        discovery = self._cluster.discovery
        served = {key.group_kind for key in wanted.objects if discovery.find(key.group_kind) is not None}
        unavailable = self._cluster.unavailable(served)
        conditions = [Condition("ComparisonError", f"{kind}: {error}") for kind, error in sorted(unavailable.items())]
        seen: list[Compared] = []
        for key, desired in wanted.objects.items():
            if key.group_kind in unavailable:
                report = ResourceReport(key, version_of(desired.object), SyncStatus.UNKNOWN, wave=wave_or_zero(desired.object))
                seen.append(Compared(version=-1, basis=(), report=report, judged=Judged(key, desired.object, None, None)))
            else:
                seen.append(await self._compared(app, key, desired, memory))
        index = self._cluster.index
        for key in sorted(index.managed(app.id) - wanted.objects.keys()):
            live = index.get(key)
            if live is not None:
                seen.append(await self._extra(key, live))
        memory.compared = {one.report.key: one for one in seen}
        conditions += [Condition("ComparisonError", one.problem) for one in seen if one.problem]
        shared = tuple(_shared(app, one) for one in seen if one.shared)
        conditions += [Condition("SharedResourceWarning", told) for told in shared]
        broken = await self.ignorer.problems(app.ignore)
        conditions += [Condition("ComparisonError", problem) for problem in broken]
        look = replace(_summed_up(app, seen, conditions), shared=shared)
        if broken:
            # What was meant to be ignored would be overwritten: Unknown is what no automated sync follows from.
            look = replace(look, status=SyncStatus.UNKNOWN)
        if self._namespace_differs(app):
            look = replace(look, namespace_differs=True, status=SyncStatus.OUT_OF_SYNC if look.status is SyncStatus.SYNCED else look.status)
        return look

    def _namespace_differs(self, app: App) -> bool:
        policy = app.policy
        if not (policy.namespace_labels or policy.namespace_annotations) or CREATE_NAMESPACE not in policy.options:
            return False
        live = self._cluster.index.get(Key("", "Namespace", "", app.destination.namespace))
        metadata = live["metadata"] if live is not None else {}
        declared = (("labels", policy.namespace_labels), ("annotations", policy.namespace_annotations))
        return any((wanted or {}).items() - (metadata.get(field) or {}).items() for field, wanted in declared)

    async def look_unwanted(self, app: App) -> Look:
        """What there is of the app when nobody can tell what it wants: health is judged, nothing is compared."""
        seen: list[Compared] = []
        for key in sorted(self._cluster.index.managed(app.id)):
            live = self._cluster.index.get(key)
            if live is not None:
                one = await self._extra(key, live)
                seen.append(replace(one, report=replace(one.report, status=SyncStatus.UNKNOWN, requires_pruning=False)))
        return replace(_summed_up(app, seen, []), status=SyncStatus.UNKNOWN)

    async def _compared(self, app: App, key: Key, desired: Desired, memory: Memory) -> Compared:
        """The outcome of the last look where nothing that it rests on has changed since."""
        node = self._cluster.index.node(key)
        version = node.version if node is not None else 0
        expected = memory.expected.get(key)
        basis = (expected, self._settings(), app.ignore, desired.object)
        known = memory.compared.get(key)
        if known is not None and known.version == version and all(a is b for a, b in zip(known.basis, basis, strict=False)):
            return known
        api = version_of(desired.object)
        live = await self._cluster.body(key, api)
        wave = wave_or_zero(desired.object)
        asks = any(asks_before_deletion(obj, ()) for obj in (desired.object, live) if obj is not None)
        if live is None or expected is None:
            report = ResourceReport(key, api, SyncStatus.OUT_OF_SYNC, wave=wave, asks_before_deletion=asks)
            return Compared(version=version, basis=basis, report=report, judged=Judged(key, desired.object, None, None))
        health = await self._judge.judge(live)
        judged = Judged(key, desired.object, live, health)
        tracker = self._settings().tracking.app_of(live) or app.id
        shared = "" if tracker == app.id else tracker
        if expected.echo is None:
            report = ResourceReport(
                key,
                api,
                SyncStatus.OUT_OF_SYNC,
                health=health,
                wave=wave,
                message=expected.error,
                deleting=_is_going(live),
                asks_before_deletion=asks,
            )
            return replace(_made(version, basis, report, judged, live), shared=shared)
        try:
            rules = self.ignorer.rules_for(key, app.ignore)
            found = differences(expected.echo, live) if rules is None else await self.ignorer.differences(expected.echo, live, rules)
        except CompareError as error:
            report = ResourceReport(key, api, SyncStatus.UNKNOWN, health=health, wave=wave, message=str(error), asks_before_deletion=asks)
            return replace(_made(version, basis, report, judged, live), problem=str(error))
        status = SyncStatus.OUT_OF_SYNC if found else SyncStatus.SYNCED
        report = ResourceReport(key, api, status, health=health, wave=wave, deleting=_is_going(live), asks_before_deletion=asks)
        return replace(_made(version, basis, report, judged, live), differences=found, shared=shared)

    async def _extra(self, key: Key, live: Object) -> Compared:
        health = await self._judge.judge(live)
        hook = is_hook(live)
        report = ResourceReport(
            key,
            version_of(live),
            None if hook else SyncStatus.OUT_OF_SYNC,
            health=health,
            wave=wave_or_zero(live),
            hook=hook,
            requires_pruning=True,
            deleting=_is_going(live),
            asks_before_deletion=asks_before_deletion(live, ()),
        )
        matters = not hook and IGNORE_EXTRANEOUS not in _options(annotations_of(live).get(COMPARE_OPTIONS))
        return replace(_made(0, (), report, Judged(key, None, live, health), live), matters=matters)


def _shared(app: App, one: Compared) -> str:
    key = one.report.key
    return f"{key.kind}/{key.name} is part of applications {app.key.namespace}/{app.key.name} and {one.shared}"


def _options(annotation: str | None) -> list[str]:
    return [option.strip() for option in (annotation or "").split(",")]


def _is_going(live: Object) -> bool:
    return "deletionTimestamp" in live["metadata"]


def _made(version: int, basis: tuple[object, ...], report: ResourceReport, judged: Judged, live: Object) -> Compared:
    kept = Judged(judged.key, judged.desired, summary.slim(live), judged.health)
    return Compared(
        version=version, basis=basis, report=report, judged=kept, images=images.images_of(live), urls=tuple(summary.urls_of(live))
    )


def _reports(app: App, seen: Collection[Compared]) -> Iterator[ResourceReport]:
    """With what the app's own options ask for its objects; what the objects say themselves is known already."""
    asked = any(option.endswith("=confirm") for option in app.policy.options)
    for one in seen:
        obj = one.judged.live or one.judged.desired
        if asked and obj is not None and asks_before_deletion(obj, app.policy.options):
            yield replace(one.report, asks_before_deletion=True)
        else:
            yield one.report


def _summed_up(app: App, seen: Collection[Compared], conditions: Collection[Condition]) -> Look:
    statuses = {one.report.status for one in seen if one.matters}
    status = SyncStatus.SYNCED
    if SyncStatus.UNKNOWN in statuses:
        status = SyncStatus.UNKNOWN
    elif SyncStatus.OUT_OF_SYNC in statuses:
        status = SyncStatus.OUT_OF_SYNC
    # An app may be among its own objects: its health must not depend on itself.
    own = Key("argoproj.io", app.key.kind, app.key.namespace, app.key.name)
    return Look(
        status,
        app_health((one.judged for one in seen), own=own),
        tuple(sorted(_reports(app, seen), key=lambda report: report.key)),
        {one.report.key: one.differences for one in seen if one.differences},
        tuple(conditions),
        tuple(sorted({image for one in seen for image in one.images})),
        tuple(sorted({url for one in seen for url in one.urls})),
    )

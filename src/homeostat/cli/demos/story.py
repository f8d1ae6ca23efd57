"""The demo by itself: every step is done as a person would do it, and counts only when what it is for was seen in the cluster.

Waits are watches that were begun before the step, so that what comes and goes in a moment is seen too. The control plane, the repository and the
working copy are of this story alone, and are deleted after it.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import click
import psutil

from homeostat.argo.control import DEFAULT_NAMESPACE
from homeostat.argo.resources import APPLICATIONS, CONFIG_MAPS
from homeostat.cli.apps import words
from homeostat.cli.demos import examples, sights
from homeostat.cli.demos.commands import Terminal
from homeostat.cli.demos.errors import StepError
from homeostat.cli.demos.git import commit, git, push
from homeostat.cli.demos.stage import Stage, stage
from homeostat.cli.demos.stopping import Stopping
from homeostat.cli.demos.tale import Tale, seconds
from homeostat.cli.demos.watching import Witness, witness
from homeostat.cli.demos.world import World, world
from homeostat.model.resources import Resource

_DEPLOYMENTS = Resource("apps", "v1", "Deployment", "deployments", namespaced=True)
_SERVICES = Resource("", "v1", "Service", "services", namespaced=True)

_STEPS = 9
_BANNER = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: banner\ndata:\n  text: Back on Monday\n"
_BROKEN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: guestbook\ndata: {colour: red}\n"
_LOG_LINES = 20
_END_SECONDS = 15.0


def play(stopping: Stopping, *, port: int | None) -> None:
    """Plays all of it. Raises :class:`StepError` and what else goes wrong; nothing is left then either."""
    tale = Tale(_STEPS)
    tale.begin("Control plane, Git server, controller and four apps are started")
    processes: list[psutil.Process] = []
    with (
        tempfile.TemporaryDirectory(prefix="homeostat-demo-") as home,
        stage("story", keep=False, stopping=stopping, home=Path(home)) as made,
    ):
        tale.did(f"control plane up at {made.plane.server}")
        if not stopping.run(lambda: _play(made, tale, processes, port)):
            raise click.Abort
    left = _left(processes)
    if left:
        raise StepError("every process ended", ", ".join(left), _END_SECONDS)
    tale.saw(f"{len(processes)} processes ran; none is left")
    tale.end()
    click.echo(f"\nAll {_STEPS} steps were seen to happen, in {seconds(time.monotonic() - tale.began)}.")


def _left(processes: list[psutil.Process]) -> list[str]:
    """Those that have not ended in time. One that was killed is there for some moments more, while its memory is given back."""
    deadline = time.monotonic() + _END_SECONDS
    while alive := [process for process in processes if _lives(process)]:
        if time.monotonic() > deadline:
            return [str(process) for process in alive]
        psutil.wait_procs(alive, timeout=0.1)
    return []


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def _play(made: Stage, tale: Tale, processes: list[psutil.Process], port: int | None) -> None:
    """``processes`` is filled with those that have to be gone in the end."""
    try:
        async with world(made, port=port, tell=tale.did) as running:
            await _Story(made, running, tale).play()
            tale.begin("Everything is stopped")
            processes += await asyncio.to_thread(_processes, made)
            tale.did("controller, Git server and control plane asked to end; their data deleted")
    except (Exception, BaseExceptionGroup):
        log = await asyncio.to_thread(made.log.read_text, errors="replace") if made.log.exists() else ""
        click.echo("\n".join(["", "the end of the controller's log:", *log.splitlines()[-_LOG_LINES:], ""]), err=True)
        raise


def _processes(made: Stage) -> list[psutil.Process]:
    """What was started: children with theirs, and the control plane, which is nobody's child."""
    planes = [psutil.Process(component.pid) for component in made.plane.status().components if component.pid]
    return [*psutil.Process().children(recursive=True), *planes]


class _Story:
    """What happens while all runs."""

    def __init__(self, made: Stage, running: World, tale: Tale) -> None:
        self._tale = tale
        self._folder = made.folder
        self._copy = made.folder / "copy"
        self._terminal = Terminal(made)
        self._client = running.client
        self._url = running.url
        self._revision = running.revision

    async def play(self) -> None:
        await self._see_apps()
        await git(self._folder, "clone", "--quiet", self._url, str(self._copy))
        await self._scale()
        await self._delete()
        await self._change()
        await self._prune()
        await self._break()
        await self._mend()
        await self._sync_by_hand()

    async def _see_apps(self) -> None:
        async with asyncio.TaskGroup() as group:
            for name in examples.WRITTEN_AS:
                group.create_task(self._see_app(name), name=f"see {name}")
        self._tale.end()

    async def _see_app(self, name: str) -> None:
        async with self._app(name) as app:
            await app.until("the app is Synced and Healthy", sights.settled(self._revision))
        since = seconds(time.monotonic() - self._tale.began)
        self._tale.saw(f"{name} ({examples.WRITTEN_AS[name]}) Synced to {words.short(self._revision)} and Healthy, {since} after the start")

    async def _scale(self) -> None:
        with self._tale.step("A Deployment is scaled by hand: it is healed"):
            async with self._app("guestbook") as app, self._object(_DEPLOYMENTS, "guestbook") as deployment:
                await self._kubectl("-n", "guestbook", "scale", "deployment", "guestbook", "--replicas=5")
                await deployment.until("the Deployment is scaled to 5", sights.has("spec", "replicas", value=5))
                drifted = deployment.when
                await deployment.until("the Deployment is scaled back to 2", sights.has("spec", "replicas", value=2))
                self._tale.saw(f"5 replicas, and 2 again {seconds(deployment.when - drifted)} later")
                await self._see_heal(app)

    async def _delete(self) -> None:
        with self._tale.step("An object is deleted by hand: it comes back"):
            async with self._app("shop") as app, witness(self._client, _SERVICES, "shop", "shop-web") as service:
                before = service.last
                await self._kubectl("-n", "shop", "delete", "service", "shop-web", "--wait=false")
                await service.until("the Service is gone", sights.is_gone)
                gone = service.when
                await service.until("the Service is there again", sights.is_another_than(before))
                self._tale.saw(f"the Service gone, and there again {seconds(service.when - gone)} later")
                await self._see_heal(app)

    async def _change(self) -> None:
        with self._tale.step("A commit is pushed: it is applied"):
            async with self._app("guestbook") as app, self._object(CONFIG_MAPS, "guestbook") as settings:
                self._edit("settings.yaml", lambda text: text.replace("colour: blue", "colour: green"))
                self._edit("banner.yaml", lambda _: _BANNER)
                pushed = await self._push("A green guestbook with a banner")
                await settings.until("the ConfigMap says green", sights.has("data", "colour", value="green"))
                self._tale.saw(f"the ConfigMap says green {_since(pushed, settings)} after the push")
                await self._see_revision(app)

    async def _prune(self) -> None:
        with self._tale.step("A file is removed in Git: its object is pruned"):
            async with self._app("guestbook") as app, self._object(CONFIG_MAPS, "banner") as banner:
                await banner.until("the ConfigMap banner is there", sights.is_there)
                self._remove("banner.yaml")
                pushed = await self._push("No banner")
                await banner.until("the ConfigMap banner is gone", sights.is_gone)
                self._tale.saw(f"the ConfigMap banner gone {_since(pushed, banner)} after the push")
                await self._see_revision(app)

    async def _break(self) -> None:
        with self._tale.step("A commit breaks one file and removes another: it is said, and nothing is deleted"):
            async with self._app("guestbook") as app:
                before = await self._uids()
                self._edit("settings.yaml", lambda _: _BROKEN)
                self._remove("web.yaml")
                pushed = await self._push("A broken guestbook")
                await app.until("the app has a ComparisonError", sights.has_condition("ComparisonError"))
                self._tale.saw(f"{_since(pushed, app)} after the push: {sights.conditions_of(app.last)['ComparisonError']}")
                after = await self._uids()
                if after != before:
                    raise StepError("every object stayed", f"{before} before, {after} after", 0)
                self._tale.saw(f"{', '.join(before)}: still there, and the same")

    async def _mend(self) -> None:
        with self._tale.step("The next commit mends it"):
            async with self._app("guestbook") as app:
                await git(self._copy, "revert", "--no-edit", "HEAD")
                self._tale.did("$ git revert HEAD && git push")
                pushed = await self._push_head()
                await app.until("the condition is gone", sights.has_no_condition)
                self._tale.saw(f"no condition any more {_since(pushed, app)} after the push")
                await app.until("the app is Synced and Healthy", sights.settled(self._revision))
                self._tale.saw(f"guestbook Synced to {words.short(self._revision)} and Healthy")

    async def _sync_by_hand(self) -> None:
        with self._tale.step("An app is synced by hand"):
            async with self._app("metrics") as app:
                self._tale.did("$ homeostat app sync metrics")
                for line in (await self._terminal.homeostat("app", "sync", "metrics")).splitlines():
                    self._tale.saw(line)
                await app.until("the sync that somebody asked for has succeeded", sights.was_synced_by_hand)
                await app.until("the app is Synced and Healthy", sights.settled(self._revision))

    async def _see_heal(self, app: Witness) -> None:
        await app.until("the status tells of the self-heal", sights.was_self_healed)
        await app.until("the app is Synced and Healthy again", sights.settled(self._revision))
        self._tale.saw("the self-heal in the app's status, which is Synced and Healthy")

    async def _see_revision(self, app: Witness) -> None:
        await app.until("the app is Synced to the commit, and Healthy", sights.settled(self._revision))
        history = sights.history_of(app.last)
        if not history or history[-1].get("revision") != self._revision:
            raise StepError("the commit is the last of the app's history", str(history), 0)
        self._tale.saw(f"guestbook Synced to {words.short(self._revision)} and Healthy; it is number {len(history)} in the history")

    async def _uids(self) -> dict[str, str]:
        """Of the guestbook's objects, by their kinds. Raises :class:`~homeostat.live.errors.NotFoundError` when one is missing."""
        resources = (_DEPLOYMENTS, _SERVICES, CONFIG_MAPS)
        return {one.kind: sights.uid_of(await self._client.get(one, "guestbook", "guestbook")) for one in resources}

    def _app(self, name: str) -> AbstractAsyncContextManager[Witness]:
        return witness(self._client, APPLICATIONS, DEFAULT_NAMESPACE, name)

    def _object(self, resource: Resource, name: str) -> AbstractAsyncContextManager[Witness]:
        return witness(self._client, resource, "guestbook", name)

    async def _kubectl(self, *arguments: str) -> None:
        self._tale.did(f"$ kubectl {' '.join(arguments)}")
        await self._terminal.kubectl(*arguments)

    def _edit(self, file: str, change: Callable[[str], str]) -> None:
        path = self._copy / "guestbook" / file
        path.write_text(change(path.read_text() if path.exists() else ""))

    def _remove(self, file: str) -> None:
        (self._copy / "guestbook" / file).unlink()

    async def _push(self, message: str) -> float:
        """Answers when the push was done, on the monotonic clock."""
        self._tale.did(f"$ git commit --all --message '{message}' && git push")
        await commit(self._copy, message)
        return await self._push_head()

    async def _push_head(self) -> float:
        self._revision = await push(self._copy)
        return time.monotonic()


def _since(pushed: float, seen: Witness) -> str:
    # The push is known to be done a moment after the server has taken it.
    return seconds(max(seen.when - pushed, 0.0))

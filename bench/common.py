"""The stage on which every bench plays: a control plane of its own, a Git server, a controller process, and someone who watches the apps.

The parts are processes, as in real life, and share the machine's processors with each other and with the bench. What is on the stage is empty at
first; a bench asks for the apps that it needs (:meth:`Stage.synced`), and finds those that another one has left there.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import psutil

from bench import apps as making
from bench.git import GitProcess, Repository
from homeostat.argo import install
from homeostat.argo.resources import APPLICATIONS, NAMESPACES
from homeostat.box import lifeline
from homeostat.box.plane import Plane
from homeostat.live.client import Client
from homeostat.live.errors import AlreadyExistsError, GoneError
from homeostat.model.resources import Resource
from homeostat.model.tasks import cancel, spawn

CONTROL = "argocd"
PROGRAM = (sys.executable, "-c", "from homeostat.cli.main import main; main()")
SIDE_BY_SIDE = 16
"""Requests of the bench under way at a time."""

PATIENCE = 600.0
"""Seconds after which a bench that waits gives up: something is broken then, not slow."""


class _Part(msgspec.Struct):
    """``sync``, ``health``, ``operationState``."""

    status: str = ""
    revision: str = ""
    phase: str = ""


class _Status(msgspec.Struct, rename="camel"):
    sync: _Part = msgspec.field(default_factory=_Part)
    operation_state: _Part = msgspec.field(default_factory=_Part)


class _Meta(msgspec.Struct, rename="camel"):
    name: str
    resource_version: str = ""


class State(msgspec.Struct):
    """What a bench wants to know of an Application."""

    metadata: _Meta
    status: _Status = msgspec.field(default_factory=_Status)

    @property
    def synced(self) -> bool:
        """Synced, and the sync that made it so has been recorded."""
        return self.status.sync.status == "Synced" and self.status.operation_state.phase == "Succeeded"


_decode = msgspec.json.Decoder(State).decode


class Apps:
    """Every Application as it is now, by a watch. ``states`` is by name."""

    def __init__(self, client: Client) -> None:
        self.states: dict[str, State] = {}
        self.writes = 0
        self._client = client
        self._changed = asyncio.Event()

    async def watch(self) -> None:
        while True:
            listing = await self._client.list(APPLICATIONS, namespace=CONTROL)
            version = listing.resource_version
            with contextlib.suppress(GoneError):
                while True:
                    async for kind, raw in self._client.watch_raw(APPLICATIONS, resource_version=version, namespace=CONTROL):
                        state = _decode(raw) if kind != "BOOKMARK" else None
                        if state is not None:
                            self.writes += 1
                            self.states[state.metadata.name] = state
                            version = state.metadata.resource_version
                            self._changed.set()

    async def until(self, wanted: Callable[[], bool]) -> float:
        """Waits until ``wanted`` is true of what is known, and answers when it was seen (:func:`time.perf_counter`)."""
        async with asyncio.timeout(PATIENCE):
            while not wanted():
                self._changed.clear()
                await self._changed.wait()
        return time.perf_counter()


class Usage(msgspec.Struct, frozen=True):
    """Seconds of processor time so far, and bytes resident."""

    controller: float
    evaluators: float
    memory: int

    @property
    def seconds(self) -> float:
        return self.controller + self.evaluators


class Controller:
    """`homeostat run` as a process. Its log is in ``folder``."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"
        self._arguments = ("--kubeconfig", str(kubeconfig), "--namespace", CONTROL, "--cache", str(folder / "cache"))
        self._process: asyncio.subprocess.Process | None = None
        self._address = ""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Returns when it has begun to look at apps."""
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *PROGRAM, "run", *self._arguments, "--listen", "127.0.0.1:0", stdout=subprocess.DEVNULL, stderr=log
            )
        while "controller started" not in (said := await asyncio.to_thread(self.log.read_text)):
            if self._process.returncode is not None:
                raise RuntimeError(f"the controller ended: {said}")
            await asyncio.sleep(0.02)
        found = re.search(r"listening\s+address=(\S+)", said)
        assert found is not None
        self._address = found.group(1)

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), 60)

    def usage(self) -> Usage:
        own = psutil.Process(self.pid)
        spent = [(process, sum(process.cpu_times()[:2])) for process in (own, *own.children(recursive=True))]
        return Usage(spent[0][1], sum(seconds for _, seconds in spent[1:]), sum(process.memory_info().rss for process, _ in spent))

    async def _request(self, request: bytes) -> str:
        host, _, port = self._address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request)
        text = (await reader.read()).decode()
        writer.close()
        return text

    async def webhook(self, payload: Mapping[str, Any]) -> None:
        """Tells of a push as GitHub does."""
        body = msgspec.json.encode(payload)
        head = (
            f"POST /api/webhook HTTP/1.0\r\nX-GitHub-Event: push\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        answer = await self._request(head.encode() + body)
        if "accepted" not in answer:
            raise RuntimeError(f"the webhook is not accepted: {answer}")

    async def metrics(self) -> Mapping[str, float]:
        """What ``/metrics`` says, by name and labels."""
        text = await self._request(b"GET /metrics HTTP/1.0\r\n\r\n")
        lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in lines if re.fullmatch(r"[-+0-9.e]+", value)}


class Stage:
    """See the module."""

    def __init__(self, folder: Path, plane: Plane, client: Client, git: GitProcess, apps: Apps) -> None:
        self.plane = plane
        self.client = client
        self.apps = apps
        self.controller = Controller(plane.kubeconfig, folder / "controller")
        self._git = git
        self._repositories: dict[str, Repository] = {}

    async def repository(self, name: str) -> Repository:
        if name not in self._repositories:
            self._repositories[name] = await self._git.repository(name)
        return self._repositories[name]

    async def synced(self, count: int) -> list[str]:
        """Sees to it that ``count`` plain apps are synced, and the controller is running and quiet; answers their names."""
        names = [f"app-{number}" for number in range(count)]
        missing = [name for name in names if name not in self.apps.states]
        if missing:
            await self.push_plain(missing)
            await self.namespaces("bench")
            await self.create(missing)
        await self.running()
        await self.apps.until(lambda: all(name in self.apps.states and self.apps.states[name].synced for name in names))
        await self.quiet()
        return names

    async def push_plain(self, names: Iterable[str], text: str = "first") -> str:
        repository = await self.repository("plain")
        files = {path: content for name in names for path, content in making.plain(name, text).items()}
        return await asyncio.to_thread(repository.push, files)

    async def create(self, names: Iterable[str], *, repository: str = "plain", folder: str = "") -> None:
        """Creates the Applications of ``names``."""
        url = (await self.repository(repository)).url

        async def one(name: str) -> None:
            number = int(name.rpartition("-")[2])
            namespace = making.namespace_of(number, "bench")
            body = making.application(name, control=CONTROL, repo=url, path=f"{folder}{name}", namespace=namespace)
            await self.client.create(APPLICATIONS, body)

        await together(one(name) for name in names)

    async def namespaces(self, prefix: str) -> None:
        for name in making.namespaces(prefix):
            with contextlib.suppress(AlreadyExistsError):
                await self.client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    async def running(self) -> None:
        """Starts the controller unless it runs."""
        try:
            _ = self.controller.pid
        except AssertionError:
            await self.controller.start()

    async def quiet(self) -> None:
        """Waits until the controller has nothing to do: for a second, no app is due and it has used next to no processor time."""
        async with asyncio.timeout(PATIENCE):
            while True:
                before = self.controller.usage().seconds
                await asyncio.sleep(1.0)
                due = (await self.controller.metrics()).get("homeostat_apps_due", 0)
                if not due and self.controller.usage().seconds - before < 0.05:
                    return

    async def versions(self, prefix: str = "bench") -> dict[tuple[str, str, str], str]:
        """The resource versions of all objects of the apps, by kind, namespace and name."""
        found: dict[tuple[str, str, str], str] = {}
        for kind in making.KINDS:
            for item in (await self.client.list(kind)).items:
                metadata = item["metadata"]
                if metadata["namespace"].startswith(f"{prefix}-"):
                    found[kind.kind, metadata["namespace"], metadata["name"]] = metadata["resourceVersion"]
        return found

    async def requests(self) -> dict[str, float]:
        """Requests that the API server has answered, by verb and resource (all clients; watches are long and not counted)."""
        text = (await self.client.raw("/metrics", accept="text/plain")).decode()
        found: dict[str, float] = {}
        for line in text.splitlines():
            if line.startswith("apiserver_request_total{") and 'verb="WATCH"' not in line:
                labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
                dry = " (dry run)" if labels.get("dry_run") else ""
                sub = f"/{labels['subresource']}" if labels.get("subresource") else ""
                name = f"{labels['verb']} {labels['resource']}{sub}{dry}"
                found[name] = found.get(name, 0.0) + float(line.rpartition(" ")[2])
        return found


@contextlib.asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """An empty stage, gone without a trace afterwards. The first one of a machine takes minutes: the control plane's program is built."""
    folder = Path(tempfile.mkdtemp(prefix="homeostat-bench-"))
    try:
        with lifeline.held(folder) as line:
            plane = Plane("bench", home=folder / "box", lifeline=line)
            await asyncio.to_thread(plane.up, progress=lambda said: print(said, file=sys.stderr))
            try:
                async with await Client.connect(str(plane.kubeconfig)) as client, GitProcess(folder / "git") as git:
                    await install.install(client, namespace=CONTROL)
                    apps = Apps(client)
                    watching = spawn(apps.watch(), name="watch the apps")
                    made = Stage(folder, plane, client, git, apps)
                    try:
                        yield made
                    finally:
                        await made.controller.stop()
                        await cancel([watching])
            finally:
                await asyncio.to_thread(plane.reset)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def together(coros: Iterable[Coroutine[Any, Any, object]], *, at_a_time: int = SIDE_BY_SIDE) -> None:
    """Runs ``coros``, some at a time."""
    waiting = iter(coros)

    async def worker() -> None:
        for coro in waiting:
            await coro

    async with asyncio.TaskGroup() as group:
        for number in range(at_a_time):
            group.create_task(worker(), name=f"worker {number}")


async def watched(
    client: Client, resource: Resource, namespace: str, seen: Callable[[bytes], bool]
) -> Callable[[], Coroutine[Any, Any, float]]:
    """Begins to watch a kind, and answers a function that waits for the first event of which ``seen`` is true and tells when it came."""
    opened = asyncio.Event()
    version = (await client.list(resource, namespace=namespace, limit=1)).resource_version

    async def run() -> float:
        events = client.watch_raw(resource, resource_version=version, namespace=namespace, on_open=opened.set)
        async with contextlib.aclosing(events):
            async for _, raw in events:
                if seen(raw):
                    return time.perf_counter()
        raise RuntimeError("the watch ended before it came")

    running = spawn(run(), name=f"watch {resource}")
    await opened.wait()

    async def outcome() -> float:
        async with asyncio.timeout(PATIENCE):
            return await running

    return outcome

"""A plane by its name: up, down, status, reset.

Whatever is asked works from what is found, never from what is remembered: `up` starts what does not run, whether that is all of it or one
component that crashed, and `down` stops what does. A lock per plane makes two commands at the same time take turns.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import random
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from pathlib import Path

import psutil

from homeostat import toolchain
from homeostat.box import identity
from homeostat.box.api import Api
from homeostat.box.components import Component, components
from homeostat.box.errors import BoxError, ComponentError, NotStartedError, SlowError
from homeostat.box.files import Files, state_folder
from homeostat.box.lifeline import VARIABLE as LIFELINE
from homeostat.box.process import Daemon
from homeostat.model.errors import InvalidError

Progress = Callable[[str], None]

NODE = "box-0"

_OBJECTS = {
    "node.yaml": f"/api/v1/nodes/{NODE}",
    "storage-class.yaml": "/apis/storage.k8s.io/v1/storageclasses/kwok-volume",
}

_READY_SECONDS = 120.0
"""Until the API server is ready, and again until the node is: 4 and 1 on an idle machine with two cores."""

_RELEASE_SECONDS = 1.0

_PORTS = range(20000, 32000)
"""Below those that the system gives to outgoing connections, so that a plane finds its own port free when it comes up again."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")


class State(StrEnum):
    """Of a component, and of a plane: up when all its components are, crashed when one of them is, down when none was started."""

    UP = "up"
    CRASHED = "crashed"
    DOWN = "down"


@dataclass(frozen=True)
class ComponentStatus:
    """``uptime`` is in seconds, ``memory`` in bytes resident; ``message`` says what is known of a crash."""

    name: str
    state: State
    pid: int = 0
    uptime: float = 0.0
    memory: int = 0
    message: str = ""


@dataclass(frozen=True)
class PlaneStatus:
    """``ready``: the API server answers `/readyz` with yes."""

    name: str
    state: State
    ready: bool
    server: str
    kubeconfig: str
    components: tuple[ComponentStatus, ...] = field(default=())


def planes(home: Path | None = None) -> list[Plane]:
    """Every plane that was started and not reset, by name."""
    root = home or state_folder()
    if not root.is_dir():
        return []
    return [Plane(path.name, home=home) for path in sorted(root.iterdir()) if path.is_dir() and _NAME.fullmatch(path.name)]


class Plane:
    """One control plane. ``home`` is the folder of all planes, by default the user's; ``lifeline`` see :mod:`homeostat.box.lifeline`.

    Methods block: call them in a thread from a coroutine.
    """

    def __init__(self, name: str = "default", *, home: Path | None = None, lifeline: Path | None = None) -> None:
        if not _NAME.fullmatch(name):
            raise InvalidError(f"`{name}` cannot be the name of a box: expected lower case letters, digits and dashes")
        self.name = name
        self.files = Files((home or state_folder()).absolute() / name)
        self._lifeline = str(lifeline or os.environ.get(LIFELINE, ""))

    @property
    def kubeconfig(self) -> Path:
        """The path of the kubeconfig. Raises :class:`NotStartedError` when the plane was never started, or reset."""
        if not self.files.kubeconfig.exists():
            raise NotStartedError(self.name)
        return self.files.kubeconfig

    @property
    def server(self) -> str:
        """The address of the API server. Raises as :attr:`kubeconfig` does."""
        return f"https://127.0.0.1:{self._port()}"

    def up(self, *, progress: Progress | None = None) -> None:
        """Starts what does not run of this plane; returns when it is ready for pods. Does nothing to a plane that is.

        Raises :class:`BoxError`, or :class:`homeostat.toolchain.ToolchainError` when the program has to be built and cannot be. What was
        started is stopped again then; the logs stay.
        """
        tell = progress or (lambda _line: None)
        program = toolchain.program("box", progress=progress)
        with self._locked():
            identity.make(self.files)
            started: list[Component] = []
            try:
                try:
                    self._up(program, tell, started)
                except ComponentError as error:
                    if error.component in {component.name for component in started}:
                        raise
                    # It was there when we looked and had been killed a moment before: now it is gone, and can be started.
                    self._up(program, tell, started)
            except BaseException:
                for component in reversed(started):
                    self._daemon(component).stop(grace=1.0)
                raise

    def down(self, *, progress: Progress | None = None) -> None:
        """Stops all of it and keeps the data."""
        tell = progress or (lambda _line: None)
        if not self.files.root.is_dir():
            return
        with self._locked():
            # Backwards: an API server that has lost its etcd hangs when it is asked to end.
            for component in reversed(self._components()):
                daemon = self._daemon(component)
                if daemon.process() is not None:
                    tell(f"stopping {component.name}")
                if not daemon.stop(grace=component.grace):
                    tell(f"{component.name} did not end within {component.grace:.0f} seconds and was killed")

    def reset(self, *, progress: Progress | None = None) -> None:
        """Stops it and deletes everything that it has: data, certificates, token. The next start makes a new, empty one."""
        tell = progress or (lambda _line: None)
        if not self.files.root.is_dir():
            return
        with self._locked():
            for component in reversed(self._components()):
                self._daemon(component).stop(grace=0)
            tell(f"deleting {self.files.root}")
            shutil.rmtree(self.files.root)

    def status(self) -> PlaneStatus:
        """What runs, as it is found now."""
        states = tuple(self._status(component) for component in self._components())
        found = {component.state for component in states}
        # A plane that has been started has a file for every component: one that is down beside others that are up has lost more than itself.
        state = State.CRASHED if len(found) > 1 else found.pop()
        known = self.files.kubeconfig.exists()
        # Not asked when something has crashed: without etcd it takes the API server seconds to say no.
        ready = state is State.UP and self._api().ready()
        return PlaneStatus(
            name=self.name,
            state=state,
            ready=ready,
            server=self.server if known else "",
            kubeconfig=str(self.files.kubeconfig) if known else "",
            components=states,
        )

    def _up(self, program: Path, tell: Progress, started: list[Component]) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        self._mend_port(tell)
        storage, server, *clients = self._components()
        for component in (storage, server):
            self._start(component, program, tell, started)
        self._await_ready((storage, server), deadline)
        api = self._api()
        self.files.stages.write_text(_stages())
        for component in clients:
            self._start(component, program, tell, started)
        for name, path in _OBJECTS.items():
            api.apply(path, resources.files(__package__).joinpath("objects", name).read_bytes())
        self._await(api, "/api/v1/nodes", NODE, _is_ready, "kwok", "the simulated node was not Ready")
        # Without it the namespace takes no pods; it is the controller manager's sign of life as well.
        accounts = "/api/v1/namespaces/default/serviceaccounts"
        self._await(api, accounts, "default", bool, "kube-controller-manager", "the default service account was not made")
        for component in clients:
            self._check_alive(component)

    def _mend_port(self, tell: Progress) -> None:
        """Chooses the port at the first start, and a new one when the API server does not run and someone else has taken its own."""
        port = int(self.files.port.read_text()) if self.files.port.exists() else 0
        running = port and self._daemon(components(self.files, port)[1]).process() is not None
        if not port or (not running and not _becomes_free(port, seconds=_RELEASE_SECONDS)):
            chosen = next(candidate for candidate in random.sample(_PORTS, k=len(_PORTS)) if _is_free(candidate))
            if port:
                tell(f"port {port} is in use by another program: the API server moves to {chosen}, and the kubeconfig with it")
            port = chosen
            identity.write(self.files.port, f"{port}\n")
        identity.write_kubeconfigs(self.files, port)

    def _start(self, component: Component, program: Path, tell: Progress, started: list[Component]) -> None:
        daemon = self._daemon(component)
        if daemon.process() is not None:
            return
        if daemon.started():
            tell(f"{component.name} had crashed: starting it again ({_crash_message(daemon)})")
        else:
            tell(f"starting {component.name}")
        # Nothing of the user's environment is theirs to see: proxies and credentials would only lead astray.
        environment = {"HOME": str(self.files.root), "PATH": os.defpath, **dict(component.environment)}
        if self._lifeline:
            environment[LIFELINE] = self._lifeline
        daemon.start([str(program), component.name, *component.arguments], folder=self.files.root, environment=environment)
        started.append(component)

    def _await_ready(self, needed: tuple[Component, ...], deadline: float) -> None:
        api = self._api()
        pause = 0.05
        while not api.ready():
            for component in needed:
                self._check_alive(component)
            if time.monotonic() > deadline:
                raise SlowError("the API server was not ready", seconds=_READY_SECONDS, log=self.files.log("kube-apiserver"))
            time.sleep(pause)  # it has no event for "ready"
            pause = min(pause * 1.2, 0.25)

    def _await(self, api: Api, collection: str, name: str, wanted: Callable[[object], bool], component: str, complaint: str) -> None:
        for seen in api.watch(collection, name, seconds=_READY_SECONDS):
            if wanted(seen):
                return
        raise SlowError(complaint, seconds=_READY_SECONDS, log=self.files.log(component))

    def _check_alive(self, component: Component) -> None:
        daemon = self._daemon(component)
        if daemon.process() is None:
            raise ComponentError(component.name, last_words=daemon.last_words(), log=daemon.log)

    def _status(self, component: Component) -> ComponentStatus:
        daemon = self._daemon(component)
        process = daemon.process()
        if process is not None:
            with contextlib.suppress(psutil.Error):
                memory = process.memory_info().rss
                return ComponentStatus(component.name, State.UP, process.pid, time.time() - process.create_time(), memory)
        if daemon.started():
            return ComponentStatus(component.name, State.CRASHED, message=_crash_message(daemon))
        return ComponentStatus(component.name, State.DOWN)

    def _components(self) -> tuple[Component, ...]:
        return components(self.files, self._port() if self.files.port.exists() else 0)

    def _daemon(self, component: Component) -> Daemon:
        return Daemon(self.files.pid(component.name), self.files.log(component.name))

    def _api(self) -> Api:
        return Api(self._port(), authority=self.files.certificate("ca"), token=identity.token(self.files, "admin"))

    def _port(self) -> int:
        try:
            return int(self.files.port.read_text())
        except FileNotFoundError:
            raise NotStartedError(self.name) from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.files.lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.files.lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _stages() -> str:
    """Every stage in one file: KWOK's ready-made ones, with the pods' behaviours of our own."""
    folder = resources.files(__package__).joinpath("stages")
    return "---\n".join(path.read_text() for path in sorted(folder.iterdir(), key=lambda path: path.name) if path.name.endswith(".yaml"))


def _is_ready(node: object) -> bool:
    assert isinstance(node, dict)
    conditions = node.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _becomes_free(port: int, *, seconds: float) -> bool:
    """An API server that was killed a moment ago holds its port until the last of its threads is gone; its process is taken for ended before."""
    deadline = time.monotonic() + seconds
    while not _is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the API server binds it: connections of an earlier run that are still closing do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise BoxError(f"cannot use port {port} of the loopback address: {error.strerror}") from error
            return False
    return True


def _crash_message(daemon: Daemon) -> str:
    return f"it ended without being asked to: {daemon.last_words() or 'it said nothing of why, as if it had been killed'}"

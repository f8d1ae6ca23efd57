"""What runs in a demo beside its control plane: the Git server, the controller and the example apps; and what a push sets off.

A hosting service tells Argo CD of a push through a webhook, which asks the apps of the repository for a refresh. Here our own Git server does the same.
"""

from __future__ import annotations

import asyncio
import errno
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from homeostat.argo import install as installer
from homeostat.argo.control import DEFAULT_NAMESPACE
from homeostat.argo.read import REFRESH
from homeostat.argo.resources import APPLICATIONS
from homeostat.box.gitserver import GitServer
from homeostat.cli.apps import words
from homeostat.cli.demos import examples
from homeostat.cli.demos.controller import Controller
from homeostat.cli.demos.errors import BusyError
from homeostat.cli.demos.git import head, push_files, subject
from homeostat.cli.demos.stage import Stage
from homeostat.live.client import Client
from homeostat.live.errors import AlreadyExistsError, ApiError, NotFoundError
from homeostat.model.objects import Object
from homeostat.model.tasks import cancel, together

REPOSITORY = "demo"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class World:
    """``url`` is the address of the repository, ``revision`` the commit that it stood at when the apps were created."""

    client: Client
    url: str
    revision: str


@asynccontextmanager
async def world(stage: Stage, *, port: int | None, tell: Tell) -> AsyncIterator[World]:
    """Everything started, and ended with the context.

    ``port`` of the Git server: ``None`` takes that of the last start or a free one. ``tell`` is given a line for each thing that is done, later also
    for each push. Raises :class:`BusyError` for a port that is taken, and :class:`ControllerError` in a group, out of the body, when the
    controller is lost.
    """
    pushes: asyncio.Queue[str] = asyncio.Queue()
    async with _git_server(stage, port, pushes) as git, await Client.connect(str(stage.plane.kubeconfig)) as client:
        bare = await git.create(REPOSITORY)
        url = git.url(REPOSITORY)
        # Before the controller: what it asks for when it starts is there. Side by side: one waits for programs, the other for the API server.
        revision, _ = await asyncio.gather(_seeded(bare, url, tell), _installed(client, tell))
        async with Controller(stage.plane.kubeconfig, clones=stage.clones, log=stage.log) as controller:
            await together(*(_applied(client, app) for app in examples.applications(url)))
            tell(f"four Applications created; the controller runs (process {controller.pid})")
            made = World(client, url, revision)
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(controller.lost(), name="controller lost"),
                    group.create_task(_answer_pushes(made, bare, pushes, tell), name="pushes"),
                ]
                yield made
                await cancel(tasks)


@asynccontextmanager
async def _git_server(stage: Stage, port: int | None, pushes: asyncio.Queue[str]) -> AsyncIterator[GitServer]:
    remembered = int(stage.port.read_text()) if port is None and stage.port.exists() else 0
    try:
        server = await _listening(GitServer(stage.repositories, port=port or remembered, on_push=pushes.put_nowait))
    except BusyError:
        if port is not None:
            raise
        server = await _listening(GitServer(stage.repositories, on_push=pushes.put_nowait))
    stage.port.write_text(f"{server.port}\n")
    try:
        yield server
    finally:
        await server.__aexit__(None, None, None)


async def _listening(server: GitServer) -> GitServer:
    try:
        return await server.__aenter__()
    except OSError as error:
        await server.__aexit__(None, None, None)
        if error.errno != errno.EADDRINUSE:
            raise
        raise BusyError(
            f"port {server.port} is in use by another program", hint="choose another with --port, or leave --port out"
        ) from error


async def _seeded(bare: Path, url: str, tell: Tell) -> str:
    revision = await head(bare)
    if not revision:
        # Pushed as anyone would, so that what is tried later is known to work.
        with tempfile.TemporaryDirectory(prefix="homeostat-demo-") as scratch:
            revision = await push_files(Path(scratch) / REPOSITORY, examples.repository(), url)
    tell(f"Git server: {url} stands at {words.short(revision)}")
    return revision


async def _installed(client: Client, tell: Tell) -> None:
    await installer.install(client)
    tell("definitions, settings and the default project installed")


async def _applied(client: Client, app: Object) -> None:
    """An app of an earlier start stays as people have made it, but for the repository's address, and is looked at anew."""
    try:
        await client.create(APPLICATIONS, app)
    except AlreadyExistsError:
        source = {"repoURL": app["spec"]["source"]["repoURL"]}
        news = {"metadata": {"annotations": {REFRESH: "normal"}}, "spec": {"source": source}}
        await client.patch(APPLICATIONS, DEFAULT_NAMESPACE, app["metadata"]["name"], news)


async def _answer_pushes(made: World, bare: Path, pushes: asyncio.Queue[str], tell: Tell) -> None:
    """Asks the apps of the repository for a refresh after each push, as a webhook does."""
    stood = made.revision
    while True:
        await pushes.get()
        stands = await head(bare)
        if stands != stood and stands:
            tell(f"push: main stands at {words.short(stands)}, {await subject(bare, stands)!r}")
        stood = stands
        try:
            listing = await made.client.list(APPLICATIONS, namespace=DEFAULT_NAMESPACE)
            await together(*(_refresh(made.client, app) for app in listing.items if made.url in words.repositories_of(app)))
        except ApiError as error:
            tell(f"the apps could not be told of the push: {error}")


async def _refresh(client: Client, app: Object) -> None:
    try:
        await client.patch(APPLICATIONS, DEFAULT_NAMESPACE, words.name_of(app), {"metadata": {"annotations": {REFRESH: "normal"}}})
    except NotFoundError:
        return

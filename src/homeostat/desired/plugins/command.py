"""A plugin that is a command of this machine: files into a private folder, its commands in the jail, what they write to stdout out again.

A command sees a copy: whatever it does there is gone afterwards. Init runs before generate, in the same folder, within the same limit of time.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from homeostat.desired.errors import RenderFailedError, RenderStoppedError
from homeostat.desired.plugins import looking
from homeostat.desired.plugins.config import Command, Definition, Shown
from homeostat.desired.plugins.files import Item, hand_over
from homeostat.desired.plugins.jail import NOBODY
from homeostat.desired.plugins.plugin import Job, Reads
from homeostat.desired.plugins.run import Place, run
from homeostat.model.tree import EntryKind


class CommandPlugin:
    """What ``definition`` says, as a :class:`homeostat.desired.plugins.plugin.Plugin`. ``places`` bounds how many commands run side by side."""

    def __init__(self, definition: Definition, *, places: asyncio.Semaphore) -> None:
        self._definition = definition
        self._spec = definition.spec
        self._places = places

    @property
    def name(self) -> str:
        return self._definition.name

    @property
    def shown(self) -> Shown:
        return self._definition.shown

    async def discovers(self) -> bool:
        return bool(self._spec.discover)

    async def matches(self, job: Job, reads: Reads) -> bool:
        discover = self._spec.discover
        if pattern := discover.file_name or discover.find.glob:
            return looking.found(job.tree, job.folder, pattern, reads.keys)
        reads.shown(job, self.shown)
        async with self._inside(job) as inside:
            try:
                return bool((await inside.run(discover.find, "discover")).strip())
            except RenderFailedError:
                return False  # `grep -q` and its like say no by failing

    async def generate(self, job: Job) -> str:
        async with self._inside(job) as inside:
            if self._spec.init.command:
                await inside.run(self._spec.init, "init")
            manifests = await inside.run(self._spec.generate, "generate")
        try:
            return manifests.decode()
        except UnicodeDecodeError as error:
            raise RenderFailedError(f"plugin {self.name}: generate wrote what is no UTF-8 at byte {error.start}") from error

    async def parameters(self, job: Job) -> list[dict[str, Any]]:
        announced: list[dict[str, Any]] = []
        if self._spec.parameters.dynamic.command:
            async with self._inside(job) as inside:
                answer = await inside.run(self._spec.parameters.dynamic, "parameters")
            try:
                announced = orjson.loads(answer)
            except ValueError as error:
                raise RenderFailedError(f"plugin {self.name}: parameters: expected a list in JSON: {error}") from error
            if not isinstance(announced, list) or not all(isinstance(one, dict) for one in announced):
                raise RenderFailedError(f"plugin {self.name}: parameters: expected a list of objects in JSON")
        return [*announced, *self._spec.parameters.static]

    @asynccontextmanager
    async def _inside(self, job: Job) -> AsyncIterator[_Inside]:
        """The files of the job in a private folder, which is gone afterwards."""
        async with self._places:
            place = await asyncio.to_thread(_furnish)
            try:
                modes = self._spec.preserve_file_mode
                top = job.folder if self.shown is Shown.FOLDER else ""
                try:
                    await hand_over(job.tree, top, lambda items: _write(place, items, modes=modes))
                except OSError as error:
                    raise RenderStoppedError(f"plugin {self.name}: its files cannot be laid out: {error.strerror}") from error
                yield _Inside(self._definition, job, place)
            finally:
                await asyncio.shield(asyncio.to_thread(_clear, place.private))


class _Inside:
    """A private folder that holds a job's files. The time for all that is run in it begins with it."""

    def __init__(self, definition: Definition, job: Job, place: Place) -> None:
        self._definition = definition
        self._job = job
        self._place = place
        self._deadline = asyncio.get_running_loop().time() + definition.jail.seconds

    async def run(self, command: Command, name: str) -> bytes:
        return await run(
            command.line,
            what=f"plugin {self._definition.name}: {name}",
            place=self._place,
            folder=self._place.repository / self._job.folder,
            environment=self._job.environment,
            jail=self._definition.jail,
            deadline=self._deadline,
        )


def _furnish() -> Place:
    place = Place(Path(tempfile.mkdtemp(prefix="homeostat-plugin-")))
    for folder in (place.repository, place.home, place.temporary):
        folder.mkdir(mode=0o700)
        _give(folder)
    _give(place.private)
    return place


def _write(place: Place, items: Sequence[Item], *, modes: bool) -> None:
    for item in items:
        path = place.repository / item.path
        _way(path.parent, place.repository)
        if item.kind is EntryKind.SYMLINK:
            path.symlink_to(item.link)
        elif item.kind is EntryKind.DIRECTORY:
            path.mkdir(mode=0o755, exist_ok=True)
        else:
            path.write_bytes(item.content)
            path.chmod(0o755 if modes and item.executable else 0o644)
        _give(path)


def _way(folder: Path, root: Path) -> None:
    """The folders above the one that a plugin is shown alone."""
    if not folder.is_dir():
        _way(folder.parent, root)
        folder.mkdir(mode=0o755)
        _give(folder)


def _give(path: Path) -> None:
    """To whom the command will run as."""
    if os.geteuid() == 0:
        os.lchown(path, NOBODY, NOBODY)


def _clear(folder: Path) -> None:
    """However deep it is and whatever rights are set in it: ``rm`` knows folders of any depth."""
    remove = ["rm", "-rf", "--", str(folder)]
    if subprocess.run(remove, check=False, capture_output=True).returncode:
        subprocess.run(["chmod", "-R", "u+rwX", "--", str(folder)], check=False, capture_output=True)
        subprocess.run(remove, check=False, capture_output=True)

"""What a demo stands on: its folders, its control plane, and the promise that nothing of it is left when the process is gone.

Everything here blocks, and is done before and after the event loop runs: an interrupt then ends what is under way by itself.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from homeostat.box import lifeline
from homeostat.box.files import state_folder
from homeostat.box.plane import Plane
from homeostat.cli import output as out
from homeostat.cli.demos.errors import BusyError
from homeostat.cli.demos.stopping import Stopping


@dataclass(frozen=True)
class Stage:
    """``folder`` holds the repositories, the controller's clones and its log."""

    plane: Plane
    folder: Path

    @property
    def repositories(self) -> Path:
        return self.folder / "git"

    @property
    def clones(self) -> Path:
        return self.folder / "clones"

    @property
    def log(self) -> Path:
        return self.folder / "controller.log"

    @property
    def port(self) -> Path:
        """The port of the Git server at the last start: the addresses that people noted down stay good."""
        return self.folder / "port"


@contextmanager
def stage(name: str, *, keep: bool, stopping: Stopping, home: Path | None = None) -> Iterator[Stage]:
    """A control plane that is up for the time of the context. Without ``keep`` it begins empty, and is deleted with all that belongs to it.

    ``home`` is the folder for all of that, by default the user's, where `homeostat box` finds the plane as well.
    Raises :class:`BusyError` when a demo of this name runs, and what :meth:`Plane.up` raises.
    """
    with ExitStack() as ends:
        plane = Plane(name, home=home and home / "box", lifeline=ends.enter_context(_lifeline()))
        folder = (home or state_folder().parent) / "demo" / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ends.enter_context(_alone(folder, name))
        made = Stage(plane, folder)
        if not keep:
            _clear(made)
        try:
            with out.progress() as tell:
                plane.up(progress=tell)
            yield made
        finally:
            with stopping.ending():
                if keep:
                    with out.progress() as tell:
                        plane.down(progress=tell)
                else:
                    _clear(made)
                    folder.rmdir()


@contextmanager
def _lifeline() -> Iterator[Path]:
    """Of this process, unless it hangs on to another's itself: then what it starts does so, too."""
    given = os.environ.get(lifeline.VARIABLE)
    if given:
        yield Path(given)
        return
    with tempfile.TemporaryDirectory(prefix="homeostat-demo-") as folder, lifeline.held(Path(folder)) as path:
        yield path


@contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    with folder.with_name(f".{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                f"a demo `{name}` is running already", hint="end it with Ctrl-C where it runs, or choose another name with --name"
            ) from None
        yield


def _clear(made: Stage) -> None:
    with out.progress() as tell:
        made.plane.reset(progress=tell)
    shutil.rmtree(made.folder, ignore_errors=True)
    made.folder.mkdir(mode=0o700, parents=True)

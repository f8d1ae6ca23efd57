"""What every plugin is to whoever renders: it says whether a folder is for it, and makes manifests of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from homeostat.desired.plugins.config import Shown
from homeostat.desired.plugins.files import keys, tops
from homeostat.model.tree import Tree


class Job(msgspec.Struct, frozen=True):
    """An app's folder of a repository. ``environment`` holds the variables of Argo CD's contract, ``app_name`` is told to sidecars."""

    subject: str
    app_name: str
    tree: Tree
    folder: str
    environment: Mapping[str, str]
    paths: tuple[str, ...] = ()
    """What its author says that the manifests are made of (``argocd.argoproj.io/manifest-generate-paths``); empty: nothing is said."""


class Reads:
    """What an answer depends on: the trace keys ``keys``, or with ``whole`` on everything about the repository and its revision.

    What a plugin's programs read cannot be traced, so what they are shown stands for it.
    """

    def __init__(self, keys: set[str]) -> None:
        self.keys = keys
        self.whole = False

    def shown(self, job: Job, shown: Shown) -> None:
        """A plugin's program sees the files of the job. What the author of the app says of it counts first, as with Argo CD."""
        if job.paths:
            self.keys |= keys(job.tree, tops(job.paths, job.folder))
        elif shown is Shown.FOLDER:
            self.keys |= keys(job.tree, [job.folder])
        else:
            self.whole = True


class Plugin(Protocol):
    """A config management plugin. All methods raise :class:`homeostat.desired.errors.RenderError` when it fails at what it is asked."""

    @property
    def name(self) -> str:
        """What apps call it by, the version included."""
        ...

    @property
    def shown(self) -> Shown:
        """What it is shown of the repository."""
        ...

    async def discovers(self) -> bool:
        """Whether it can say of a folder that it is for it. One that cannot serves those who name it."""
        ...

    async def matches(self, job: Job, reads: Reads) -> bool:
        """Whether the folder is for it. What the answer depends on is noted in ``reads``, also when there is none."""
        ...

    async def generate(self, job: Job) -> str:
        """The manifests, as a stream of YAML documents. What it depends on is what the plugin is shown."""
        ...

    async def parameters(self, job: Job) -> list[dict[str, Any]]:
        """The parameters that it understands, as Argo CD announces them (``name``, ``title``, ``tooltip``, ``required``, ``string`` …)."""
        ...

"""What the tests of `homeostat app` stand on: a control namespace, a controller on it, and a repository in a folder that apps are read from."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import structlog

from homeostat.cli import main
from tests.cluster import Cluster
from tests.commands import Outcome, homeostat
from tests.e2e.controller import Controller
from tests.e2e.repository import Repository

_OWN_PROCESS = frozenset({"why", "diff", "manifests", "logs", "--tree", "--local", "--label", "--preview-changes"})
"""What sets up logging for the process it runs in."""


class Stage:
    """One for all tests of a run; each test has apps, folders and namespaces with names of its own."""

    def __init__(self, plane: Cluster, mark: str, folder: Path) -> None:
        self.plane = plane
        self.mark = mark
        self.control = f"control-{mark}"
        self._folder = folder
        self._namespaces = {self.control}
        self._runner = asyncio.Runner()
        self.repository: Repository
        self.controller: Controller

    def set_up(self) -> None:
        bare = self._folder / "repositories" / "apps.git"
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
        self.repository = Repository(self._folder / "work", bare.as_uri())
        self.controller = Controller(self.plane.kubeconfig, self.control, self._folder / "controller")
        installed = homeostat("install", "--kubeconfig", str(self.plane.kubeconfig), "--namespace", self.control)
        assert installed.code == 0, installed.stderr
        # Apps of other control namespaces may bear the same names; this tells their objects apart.
        identity = json.dumps({"data": {"installationID": self.mark}})
        self.plane.kubectl("-n", self.control, "patch", "configmap", "argocd-cm", "--type=merge", "-p", identity)
        self._runner.run(self.controller.start("--file-root", str(bare.parent)))

    def tear_down(self) -> None:
        self._runner.run(self.controller.stop())
        self._runner.close()
        for name in self._apps():
            self.plane.kubectl("-n", self.control, "patch", "app", name, "--type=merge", '-p={"metadata":{"finalizers":null}}')
        self.plane.kubectl("delete", "namespace", "--wait=false", "--ignore-not-found", *self._namespaces)

    def _apps(self) -> list[str]:
        return self.plane.kubectl("-n", self.control, "get", "app", "-o", "jsonpath={.items[*].metadata.name}").split()

    @property
    def file_roots(self) -> tuple[str, ...]:
        return ("--file-root", str(self._folder / "repositories"))

    def namespace(self, about: str) -> str:
        name = f"{about}-{self.mark}"
        self._namespaces.add(name)
        return name

    def write(self, **files: str) -> None:
        """Files of the repository by their paths, with ``__`` for a slash and without their ``.yaml``."""
        for path, text in files.items():
            self.repository.write(path.replace("__", "/") + ".yaml", text)

    def push(self) -> str:
        return asyncio.run(self.repository.push())

    def create(self, name: str, *options: str, path: str = "", policy: str = "none") -> None:
        """An app of that name, delivered to a namespace of its own; its folder bears its name unless another is given."""
        self.app(
            "create", name, "--repo", self.repository.url, "--path", path or name, "--revision", "main", "--dest-namespace", self.namespace(name),
            "--sync-option", "CreateNamespace=true", "--sync-policy", policy, *options,
        )  # fmt: skip

    def app(self, verb: str, *arguments: str, code: int = 0, terminal: int = 0) -> Outcome:
        """Runs `homeostat app VERB …`; any other exit code fails the test. ``terminal`` makes standard output one of so many columns."""
        command = ["app", verb, "--kubeconfig", str(self.plane.kubeconfig), "--namespace", self.control, *arguments]
        if verb in {"diff", "manifests", "why"} or (verb == "sync" and {"--label", "--preview-changes"}.intersection(arguments)):
            command += self.file_roots
        outcome = self.run(command, terminal=terminal)
        assert outcome.code == code, f"homeostat {' '.join(command)} exited with {outcome.code}: {outcome.stdout}\n{outcome.stderr}"
        return outcome

    def run(self, command: list[str], *, terminal: int = 0) -> Outcome:
        """Runs a whole command line, in this process where that leaves no traces."""
        if _OWN_PROCESS.intersection(command):
            return homeostat(*command)
        return in_process(command, terminal=terminal)

    def get(self, name: str) -> Any:
        return json.loads(self.plane.kubectl("-n", self.control, "get", "app", name, "-o", "json"))

    def object(self, kind: str, about: str, name: str) -> Any:
        return json.loads(self.plane.kubectl("-n", self.namespace(about), "get", kind, name, "-o", "json"))

    def synced(self, name: str) -> None:
        self.app("wait", name, "--sync", "--operation", "--timeout", "60")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def in_process(command: list[str], *, terminal: int = 0) -> Outcome:
    """Runs a command line in this process, which is quicker; its asyncio loop is one of its own."""
    stdout = _Terminal() if terminal else io.StringIO()
    stderr = io.StringIO()
    environment = {"COLUMNS": str(terminal)} if terminal else {}
    with (
        mock.patch.dict(os.environ, environment),
        mock.patch.object(sys, "stdin", io.StringIO()),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        code = main.run(command)
    structlog.reset_defaults()
    return Outcome(code, stdout.getvalue(), stderr.getvalue())

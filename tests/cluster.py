"""The cluster that tests run against: the box of this test run, or the one that `--kubeconfig` names."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from homeostat import toolchain


def find_kubectl() -> Path:
    """PATH's kubectl, else the one that is built beside the box."""
    found = shutil.which("kubectl")
    return Path(found) if found else toolchain.kubectl_program()


class KubectlError(AssertionError):
    """kubectl said no; ``stderr`` is what it said."""

    def __init__(self, arguments: tuple[str, ...], code: int, stderr: str) -> None:
        super().__init__(f"kubectl {' '.join(arguments)} exited with {code}: {stderr}")
        self.code = code
        self.stderr = stderr


@dataclass(frozen=True)
class Cluster:
    """``cache`` is where kubectl remembers what the API server offers: that of another plane on the same port would lead it astray."""

    kubeconfig: Path
    cache: Path
    _kubectl: Path = field(default_factory=find_kubectl)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs kubectl and answers what it printed. Raises :class:`KubectlError` when it exits with anything but 0."""
        done = subprocess.run(
            [str(self._kubectl), f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.cache}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.cache)},
        )
        if done.returncode:
            raise KubectlError(arguments, done.returncode, done.stderr.strip())
        return done.stdout

    def established(self, *crds: str) -> None:
        """Waits until the kinds that the CustomResourceDefinitions of these names define are served."""
        while True:
            try:
                self.kubectl("wait", "--for=condition=Established", "--timeout=60s", *(f"crd/{name}" for name in crds))
            except KubectlError as error:
                # One that was made a moment ago has conditions that are null, which kubectl takes for an error.
                if "accessor error" not in error.stderr:
                    raise
            else:
                return

    @cached_property
    def server(self) -> str:
        """The address of the API server."""
        return self.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")

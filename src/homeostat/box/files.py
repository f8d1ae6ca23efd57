"""Where a plane keeps what: one folder per plane, readable by its user alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


def state_folder() -> Path:
    """``$XDG_STATE_HOME/homeostat/box``, by default below ``~/.local/state`` (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "homeostat" / "box"


@dataclass(frozen=True)
class Files:
    """The paths of one plane. ``root`` exists from the first start until a reset; the lock beside it stays."""

    root: Path

    @property
    def lock(self) -> Path:
        return self.root.with_name(f".{self.root.name}.lock")

    @property
    def port(self) -> Path:
        """The port of the API server, so that a plane which comes up again is where its kubeconfig says it is."""
        return self.root / "port"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def tokens(self) -> Path:
        return self.root / "tokens.csv"

    @property
    def stages(self) -> Path:
        return self.root / "stages.yaml"

    @property
    def etcd(self) -> Path:
        return self.root / "etcd"

    def key(self, name: str) -> Path:
        return self.root / "pki" / f"{name}.key"

    def certificate(self, name: str) -> Path:
        return self.root / "pki" / f"{name}.crt"

    def component_kubeconfig(self, component: str) -> Path:
        return self.root / "components" / f"{component}.kubeconfig"

    def log(self, component: str) -> Path:
        return self.root / "logs" / f"{component}.log"

    def pid(self, component: str) -> Path:
        return self.root / "run" / f"{component}.json"

"""The real ``kustomize``, ``helm`` and ``jsonnet``, built from the modules that the evaluator itself is built from, to compare its output with theirs."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import tempfile
from pathlib import Path

from homeostat import toolchain

_MODULE = Path(__file__).resolve().parents[1] / "evaluator"


def kustomize() -> Path:
    """The path of a ``kustomize`` program of the version in ``evaluator/go.mod``; the first call builds it."""
    return _tool("kustomize", "sigs.k8s.io/kustomize/kustomize/v5")


def helm() -> Path:
    """The path of a ``helm`` program of the version in ``evaluator/go.mod``; the first call builds it."""
    return _tool("helm", "helm.sh/helm/v4/cmd/helm")


def jsonnet() -> Path:
    """The path of a ``jsonnet`` program of the version in ``evaluator/go.mod``; the first call builds it."""
    return _tool("jsonnet", "github.com/google/go-jsonnet/cmd/jsonnet")


def _tool(name: str, package: str) -> Path:
    sources = [_MODULE / "go.mod", _MODULE / "go.sum"]
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    folder = toolchain.cache_folder() / f"reference-{digest}"
    target = folder / name
    if target.is_file():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_file():
            _build(package, target)
    return target


def _build(package: str, target: Path) -> None:
    needed = re.search(r"^go (\S+)", (_MODULE / "go.mod").read_text(), re.MULTILINE)
    assert needed is not None
    go = toolchain.find_go(needed[1])
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        made = Path(scratch) / target.name
        command = [str(go), "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", str(made), package]
        subprocess.run(command, cwd=_MODULE, env={**os.environ, **toolchain.environment()}, check=True)
        made.rename(target)


if __name__ == "__main__":
    kustomize()
    helm()
    jsonnet()

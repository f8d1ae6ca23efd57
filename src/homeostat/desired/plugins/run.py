"""One run of a plugin's command: through the door of the jail (``jail.py``), heard out within its limits, and ended with everything that it started."""

from __future__ import annotations

import asyncio
import math
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from homeostat.desired.errors import RenderFailedError, RenderStoppedError
from homeostat.desired.plugins import jail as door
from homeostat.desired.plugins.config import Jail
from homeostat.evaluate import child

_STDERR_KEPT = 16 * 1024
_LINES_TOLD = 5
_WITH_NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")

_SECRET = re.compile(
    r"(?i)((?:pass(?:word|wd|phrase)?|token|secret|api[_-]?key|credentials?|authorization)[\"']?\s*[:=]\s*)(?:(?:bearer|basic)\s+)?[^\s,;]+"
)
_USER = re.compile(r"(://)[^/@\s']*@")


class Place(NamedTuple):
    """The private folder of a run. ``repository`` holds the files, ``home`` and ``temporary`` are empty."""

    private: Path

    @property
    def repository(self) -> Path:
        return self.private / "repository"

    @property
    def home(self) -> Path:
        return self.private / "home"

    @property
    def temporary(self) -> Path:
        return self.private / "tmp"


async def run(
    command: Sequence[str], *, what: str, place: Place, folder: Path, environment: Mapping[str, str], jail: Jail, deadline: float
) -> bytes:
    """What the command writes to stdout. ``what`` names it in errors, ``folder`` is where it starts, ``deadline`` is in the loop's time.

    Raises :class:`RenderFailedError` when it says that it failed, :class:`RenderStoppedError` when a limit ended it.
    """
    orders = {
        "private": str(place.private),
        "folder": str(folder),
        "readable": jail.readable,
        "network": jail.network,
        "cpu": math.ceil(jail.seconds),
        "memory": jail.memory,
        "file": jail.file,
        "processes": jail.processes,
    }
    line = [sys.executable, "-I", "-S", door.__file__, orjson.dumps(orders).decode(), *command]
    try:
        process = await child.start(line, environment={**_environment(place, jail), **environment})
    except OSError as error:
        raise RenderFailedError(f"{what} cannot be started: {error.strerror}", hint="its variables or arguments may be too long") from error
    try:
        stdout, stderr = await process.output()
        async with asyncio.timeout_at(deadline):
            async with asyncio.TaskGroup() as group:
                output = group.create_task(_all(stdout, jail.output, process), name="output of a plugin")
                errors = group.create_task(_last(stderr), name="errors of a plugin")
            await process.wait()
    except TimeoutError:
        raise RenderStoppedError(
            f"{what} was stopped: it took longer than {jail.seconds:g} s", hint="give it more time (homeostat/timeout in its plugin.yaml)"
        ) from None
    finally:
        await process.end()
    if len(output.result()) > jail.output:
        raise RenderStoppedError(f"{what} was stopped: it wrote more than {jail.output} bytes")
    if process.code:
        raise _failure(what, process.code, said(errors.result(), place), jail)
    return output.result()


def _environment(place: Place, jail: Jail) -> dict[str, str]:
    """All that is not the app's. Nothing else of the controller's environment reaches a plugin."""
    passed = {name: os.environ[name] for name in _WITH_NETWORK if jail.network and name in os.environ}
    return passed | {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(place.home),
        "TMPDIR": str(place.temporary),
        "LANG": "C.UTF-8",
    }


async def _all(stream: asyncio.StreamReader, most: int, process: child.Child) -> bytes:
    """All of it; of a process that writes more than ``most``, which is ended, a little more than that."""
    kept = bytearray()
    while chunk := await stream.read(65536):
        kept += chunk
        if len(kept) > most:
            process.kill()
            break
    return bytes(kept)


async def _last(stream: asyncio.StreamReader) -> bytes:
    kept = bytearray()
    while chunk := await stream.read(65536):
        kept += chunk
        del kept[:-_STDERR_KEPT]
    return bytes(kept)


def said(error: bytes, place: Place | None = None) -> str:
    """The last lines of what was written to stderr: without what looks like a secret, and without the name of the private folder."""
    text = error.decode(errors="replace").replace("\0", "")
    if place is not None:
        text = text.replace(f"{place.repository}/", "").replace(str(place.repository), ".").replace(str(place.private), "…")
    text = _USER.sub(r"\1", _SECRET.sub(r"\1***", text))
    lines = [stripped for line in text.splitlines() if (stripped := line.strip())]
    told = "; ".join(lines[-_LINES_TOLD:])
    return told if len(told) <= 1000 else "…" + told[-1000:]


_STOPPED_BY = {
    signal.SIGXCPU: "it used more processor time than it may",
    signal.SIGKILL: "it was killed: the machine may be out of memory",
    signal.SIGXFSZ: "it wrote a file that is larger than it may be",
}


def _failure(what: str, code: int, told: str, jail: Jail) -> RenderFailedError | RenderStoppedError:
    if -code in _STOPPED_BY:
        return RenderStoppedError(f"{what} was stopped: {_STOPPED_BY[signal.Signals(-code)]}")
    if code == door.REFUSED and told.startswith(door.MARK):
        return RenderFailedError(
            f"{what} cannot be run: {told.removeprefix(door.MARK)}", hint="look at its plugin.yaml, or run it as a sidecar"
        )
    how = f"exit code {code}" if code > 0 else f"signal {-code}"
    message = f"{what} failed ({how}): {told}" if told else f"{what} failed ({how}) and said nothing"
    # With a network in it the same files may do another time.
    return RenderStoppedError(message) if jail.network else RenderFailedError(message)

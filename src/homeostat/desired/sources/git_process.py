"""One run of the ``git`` program: argument lists, an environment of its own, limits, and a certain end.

git is never given a shell, a terminal, a user's configuration, hooks or more than one transport. A run that is silent for too long or lasts too
long is killed with everything it started. What a failure *means* is told in ``failures.py``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from homeostat.evaluate import child

# What old but honest repositories have in their history; none of it matters where nothing is ever checked out. The rest is refused.
_TOLERATED = ("zeroPaddedFilemode", "missingSpaceBeforeDate", "missingSpaceBeforeEmail", "missingEmail", "missingNameBeforeEmail", "badEmail",
              "badName", "badDate", "badDateOverflow", "badTimezone", "zeroPaddedDate", "missingTaggerEntry", "badTagName", "nulInCommit",
              "multipleAuthors", "gitmodulesUrl", "gitmodulesName", "gitmodulesPath", "gitmodulesUpdate", "gitmodulesParse",
              "gitmodulesMissing", "gitmodulesBlob", "gitmodulesLarge", "gitmodulesSymlink", "hasDotgit", "emptyName")  # fmt: skip

_SETTINGS = [
    ("safe.directory", "*"),
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.logAllRefUpdates", "false"),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("submodule.recurse", "false"),
    ("protocol.version", "2"),
    ("transfer.fsckObjects", "true"),
    ("fetch.writeCommitGraph", "false"),
    ("advice.fetchShowForcedUpdates", "false"),
    *((f"fetch.fsck.{name}", "ignore") for name in _TOLERATED),
]
_PROTOCOLS = {"https": "https", "http": "http:https", "ssh": "ssh", "file": "file", "": "none"}
# What an operator sets for the whole process and git, curl and ssh should see; nothing else of our environment reaches them.
_PASSED_ON = ("PATH", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
              "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "TMPDIR")  # fmt: skip
_KEPT_OUTPUT = 16 * 1024


class Finished(NamedTuple):
    """How a run ended. ``error`` is the end of what it wrote to stderr; ``stalled`` is set when it was killed for being slow."""

    code: int
    output: bytes
    error: str
    stalled: str


async def run(
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    settings: Sequence[tuple[str, str]] = (),
    scheme: str = "",
    silence: float = 30.0,
    limit: float = 900.0,
    kept: int = _KEPT_OUTPUT,
) -> Finished:
    """Run ``git`` in the bare repository ``folder``. ``scheme`` is the one transport it may use; none without.

    ``silence`` is how many seconds it may go without writing anything (a fetch reports its progress), ``limit`` how long it may run. Of its
    output the last ``kept`` bytes are answered, at least. Cancelling ends the process too.
    """
    low_speed = [("http.lowSpeedLimit", "500"), ("http.lowSpeedTime", str(max(1, round(silence))))]
    environment = _with_settings(dict(environment), [*_SETTINGS, *low_speed, *settings]) | {
        "GIT_DIR": str(folder),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": _PROTOCOLS[scheme],
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ASKPASS": environment.get("GIT_ASKPASS", "false"),
        "SSH_ASKPASS_REQUIRE": "never",
    }
    return await listen(["git", *arguments], environment=environment, silence=silence, limit=limit, kept=kept)


async def listen(
    command: Sequence[str], *, environment: Mapping[str, str], silence: float = 30.0, limit: float = 900.0, kept: int = _KEPT_OUTPUT
) -> Finished:
    """Run a program with ``environment`` and what an operator has set for all of them, and hear it out. Limits as in :func:`run`."""
    inherited = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment = inherited | dict(environment) | {"LC_ALL": "C.UTF-8", "LANGUAGE": "C"}
    # In a session of its own: git starts helpers (git-remote-https, ssh, index-pack), and a kill must reach them all.
    process = await child.start(command, environment=environment)
    output, error = bytearray(), bytearray()
    stalled = ""
    watch = _Watch(silence)
    try:
        stdout, stderr = await process.output()
        async with asyncio.timeout(limit):
            async with asyncio.TaskGroup() as group:
                group.create_task(_collect(stdout, output, watch, kept), name="output of a program")
                group.create_task(_collect(stderr, error, watch, _KEPT_OUTPUT), name="errors of a program")
            async with asyncio.timeout(silence):
                await process.wait()
    except* TimeoutError:
        stalled = "was silent" if watch.fired else "took too long"
    finally:
        await process.end()
    return Finished(process.code or 0, bytes(output), error.decode(errors="replace"), stalled)


class _Watch:
    """The silence that all streams of a run share: output on one of them counts for the other."""

    def __init__(self, silence: float) -> None:
        self.silence = silence
        self.fired = False
        self.last = asyncio.get_running_loop().time()


async def _collect(stream: asyncio.StreamReader, into: bytearray, watch: _Watch, kept: int) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            async with asyncio.timeout_at(watch.last + watch.silence):
                chunk = await stream.read(65536)
        except TimeoutError:
            if loop.time() < watch.last + watch.silence:
                continue
            watch.fired = True
            raise
        if not chunk:
            return
        watch.last = loop.time()
        into += chunk
        if len(into) > 2 * kept:
            del into[:-kept]


def _with_settings(environment: Mapping[str, str], settings: Sequence[tuple[str, str]]) -> dict[str, str]:
    found = dict(environment)
    found["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (name, value) in enumerate(settings):
        found[f"GIT_CONFIG_KEY_{number}"] = name
        found[f"GIT_CONFIG_VALUE_{number}"] = value
    return found

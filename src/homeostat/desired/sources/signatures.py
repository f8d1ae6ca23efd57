"""Looks at the signatures of commits and tags, as ``git verify-commit`` and ``git verify-tag`` do, against keys that were given and no others.

``git`` asks ``gpg`` and ``ssh-keygen``, which see a private home with the trusted public keys in it: no agent, no key server, no network. Whose keys
are trusted and what has to be signed is said by an :class:`~homeostat.desired.sources.integrity.Policy`; what a problem means for an app is
said elsewhere. The words of the problems are Argo CD's (``util/sourceintegrity``).
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog

from homeostat.desired.sources import git_process
from homeostat.desired.sources.errors import CacheError, SlowError
from homeostat.desired.sources.git_process import Finished
from homeostat.desired.sources.integrity import Keyring, Mode, Policy
from homeostat.desired.sources.store import Store, Tag
from homeostat.model import tasks
from homeostat.model.errors import NotSupportedError

log = structlog.get_logger(__name__)

_GPG_CONF = "batch\nno-autostart\nno-auto-key-locate\nno-auto-key-retrieve\ndisable-dirmngr\ntrust-model always\nno-auto-check-trustdb\nlock-never\nno-greeting\n"
_RESULTS = {
    "G": "signed",
    "U": "signed with untrusted key",
    "B": "bad signature",
    "X": "expired signature",
    "Y": "signed with expired key",
    "R": "signed with revoked key",
    "E": "signed with key not in keyring",
    "N": "unsigned",
}
_CODES = {"GOODSIG": "G", "BADSIG": "B", "EXPSIG": "X", "EXPKEYSIG": "Y", "REVKEYSIG": "R", "ERRSIG": "E"}
_STATUS = re.compile(r"^\[GNUPG:\] (GOODSIG|BADSIG|EXPSIG|EXPKEYSIG|REVKEYSIG|ERRSIG) ([0-9A-F]{16,64})(?: |$)", re.MULTILINE)
_VALID = re.compile(r"^\[GNUPG:\] VALIDSIG ([0-9A-F]{40,64}) (?:\S+ ){8}([0-9A-F]{40,64})$", re.MULTILINE)
_SSH = re.compile(r"^(Good|Could not verify)(?: \"git\" signature)?(?P<known> for .*)? with \S+ key (SHA256:[A-Za-z0-9+/]+)$", re.MULTILINE)
_FORMAT = "%H%x1f%G?%x1f%GK%x1f%GF%x1f%GP%x1f%an <%ae>"
_SEAL = "^argocd-gpg-seal:"
_MOST_COMMITS = 20_000
_MOST_PROBLEMS = 10
_MOST_HOMES = 8
_MOST_ANSWERS = 10_000
_MOST_TIPS = 8
_KEPT = 3600.0
"""Seconds for which an answer is kept: keys expire."""


class Signatures:
    """Remembers what it has looked at: a thousand apps at one commit cost one look. ``folder`` is where private files may be made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._homes: OrderedDict[str, Path] = OrderedDict()
        self._lock = asyncio.Lock()
        self._looking: dict[tuple[str, str, str, Policy], asyncio.Task[str]] = {}
        self._answers: OrderedDict[tuple[str, str, str, Policy], tuple[float, str]] = OrderedDict()
        self._tips: dict[tuple[str, Policy], list[str]] = {}

    async def problem(self, store: Store, commit: str, tag: Tag | None, tag_name: str, policy: Policy) -> str:
        """What is wrong with the signatures of ``commit``, one problem a line; empty when nothing is.

        ``tag`` is the annotated tag of the name ``tag_name`` that led to the commit. Raises :class:`NotSupportedError` without gpg or
        ssh-keygen, :class:`SlowError`, :class:`CacheError`.
        """
        key = (store.path.name, commit, f"{tag.id} {tag_name}" if tag else "", policy)
        known = self._answers.get(key)
        if known is not None and time.monotonic() - known[0] < _KEPT:
            return known[1]
        task = self._looking.get(key)
        if task is None:
            task = self._looking[key] = tasks.spawn(self._look(store, commit, tag, tag_name, policy), name=f"signatures of {commit[:12]}")
            task.add_done_callback(lambda _: self._looking.pop(key, None))
            task.add_done_callback(lambda done: done.exception() if not done.cancelled() else None)
        answer = await asyncio.shield(task)
        self._answers[key] = (time.monotonic(), answer)
        while len(self._answers) > _MOST_ANSWERS:
            self._answers.popitem(last=False)
        return answer

    async def aclose(self) -> None:
        """Ends what runs, and removes the private homes."""
        await tasks.cancel(self._looking.values())
        for home in self._homes.values():
            await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)
        self._homes.clear()

    async def _look(self, store: Store, commit: str, tag: Tag | None, tag_name: str, policy: Policy) -> str:
        async with self._lock:
            home = await self._home(policy.ring)
        eyes = _Eyes(store.path, home, policy)
        problems: list[str] = []
        if tag is not None:
            problems += await eyes.tag(tag, tag_name)
        if tag is None or policy.mode is Mode.STRICT:
            problems += await (self._history(eyes, store, commit, policy) if policy.mode is Mode.STRICT else eyes.commits(["-1", commit]))
        return "\n".join(f"GIT/GPG: {problem}" for problem in problems[:_MOST_PROBLEMS])

    async def _history(self, eyes: _Eyes, store: Store, commit: str, policy: Policy) -> list[str]:
        """All commits back to sealing ones, or to those that were found good before: only what is new costs something."""
        tips = self._tips.setdefault((store.path.name, policy), [])
        good = [tip for tip in tips if store.has(tip)]
        problems = await eyes.commits([commit, "--not", *good, *await eyes.seals(commit, good)])
        if not problems:
            tips[:] = [commit, *(tip for tip in good if tip != commit)][:_MOST_TIPS]
        return problems

    async def _home(self, ring: Keyring) -> Path:
        """The private home with the keys of ``ring`` in it."""
        home = self._homes.get(ring.digest)
        if home is None:
            for program in ("gpg", "ssh-keygen"):
                if shutil.which(program) is None:
                    raise NotSupportedError(
                        f"signatures cannot be verified: the program {program} is not installed", hint="install gnupg and openssh-client"
                    )
            home = await asyncio.to_thread(_make_home, self._folder, ring)
            if ring.gpg:
                keys = [str(home / f"{number}.asc") for number in range(len(ring.gpg))]
                done = await git_process.listen(
                    ["gpg", "--homedir", str(home / "gnupg"), "--import", *keys], environment=_environment(home)
                )
                if done.code or done.stalled:
                    # Those that could be read are there. A signature by another one is by a key that is not in the keyring.
                    log.warning("a GnuPG key cannot be imported", reason=_last_line(done))
            self._homes[ring.digest] = home
            while len(self._homes) > _MOST_HOMES:
                _, old = self._homes.popitem(last=False)
                await asyncio.to_thread(shutil.rmtree, old, ignore_errors=True)
        self._homes.move_to_end(ring.digest)
        return home


class _Eyes:
    """Looks into one repository with the keys of one home."""

    def __init__(self, folder: Path, home: Path, policy: Policy) -> None:
        self._folder = folder
        self._home = home
        self._policy = policy

    async def commits(self, which: Sequence[str]) -> list[str]:
        """The problems of the commits that the arguments of ``git log`` name; of each key only the first."""
        done = await self._git(["log", f"--format={_FORMAT}", f"--max-count={_MOST_COMMITS}", *which])
        problems: list[str] = []
        told: set[str] = set()
        lines = done.output.decode(errors="replace").splitlines()
        for line in lines:
            commit, result, key, *ids, author = line.split("\x1f", 5)
            problem = self._problem(commit, author, result, key, *ids)
            if problem and (not key or key not in told):
                told.add(key)
                problems.append(problem)
        if len(lines) >= _MOST_COMMITS:
            problems.append(
                f"Failed verifying the history: it has more than {_MOST_COMMITS} commits; seal a commit with `Argocd-gpg-seal:`"
            )
        return problems

    async def seals(self, commit: str, good: Sequence[str]) -> list[str]:
        """The sealing commits: who has signed one answers for all commits before it. One by another key, or by none, seals nothing."""
        arguments = ["log", f"--format={_FORMAT}", f"--grep={_SEAL}", "--regexp-ignore-case", commit, "--not", *good]
        done = await self._git(arguments)
        found = [line.split("\x1f", 5) for line in done.output.decode(errors="replace").splitlines()]
        return [commit for commit, result, *ids, _ in found if result == "G" and self._policy.allows(*ids)]

    async def tag(self, tag: Tag, name: str) -> list[str]:
        """The problems of an annotated tag."""
        if tag.name != name:
            # The signature is about this name: a server could otherwise show an old release for a new one.
            return [f"Failed verifying revision {name} by '{tag.tagger}': the tag object is of another tag ({tag.name[:100]})"]
        done = await self._git(["verify-tag", "--raw", tag.id], may_fail=True)
        result, ids = _read_raw(done)
        problem = self._problem(name, tag.tagger, result, *ids)
        return [problem] if problem else []

    def _problem(self, revision: str, author: str, result: str, key: str = "", *ids: str) -> str:
        if result != "G":
            said = _RESULTS.get(result, "bad signature")
            return f"Failed verifying revision {revision} by '{author}': {said} (key_id={key})"
        if self._policy.allows(key, *ids):
            return ""
        return f"Failed verifying revision {revision} by '{author}': signed with unallowed key (key_id={key})"

    async def _git(self, arguments: list[str], *, may_fail: bool = False) -> Finished:
        settings = [
            ("gpg.program", "gpg"),
            ("gpg.x509.program", "false"),
            ("gpg.ssh.program", "ssh-keygen"),
            ("gpg.ssh.allowedSignersFile", str(self._home / "allowed_signers")),
            ("log.showSignature", "false"),
        ]
        done = await git_process.run(
            arguments, folder=self._folder, environment=_environment(self._home), settings=settings, silence=120.0, kept=16 * 1024 * 1024
        )
        if done.stalled:
            raise SlowError(
                f"`git {arguments[0]}` {done.stalled} while it verified signatures", hint="seal a commit, so that less is looked at"
            )
        if done.code and not may_fail:
            raise CacheError(f"`git {arguments[0]}` failed while it verified signatures: {_last_line(done)}")
        return done


def _read_raw(done: Finished) -> tuple[str, tuple[str, ...]]:
    """What ``git verify-tag --raw`` found: a letter as ``%G?`` has it, and the ids of the key."""
    statuses = _STATUS.findall(done.error)
    if len(statuses) == 1:
        code, key = statuses[0]
        valid = _VALID.findall(done.error)
        result = _CODES[code]
        if result == "G" and (done.code or len(valid) != 1):
            return "B", (key,)
        return result, (key, *(valid[0] if len(valid) == 1 else ()))
    ssh = _SSH.findall(done.error)
    if not statuses and len(ssh) == 1:
        said, known, key = ssh[0]
        return ("G" if said == "Good" and known and not done.code else "U"), (key,)
    return ("N" if "no signature found" in done.error else "B"), ()


def _make_home(folder: Path, ring: Keyring) -> Path:
    home = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-keys-", dir=folder))
    (home / "gnupg").mkdir(mode=0o700)
    (home / "gnupg" / "gpg.conf").write_text(_GPG_CONF)
    (home / "allowed_signers").write_text("".join(f"{line}\n" for line in ring.signers))
    for number, key in enumerate(ring.gpg):
        (home / f"{number}.asc").write_text(key)
    return home


def _environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "GNUPGHOME": str(home / "gnupg"), "TMPDIR": str(home)}


def _last_line(done: Finished) -> str:
    lines: Iterator[str] = (line.strip() for line in reversed(done.error.splitlines()))
    return next((line for line in lines if line), done.stalled or f"code {done.code}")[:300]

"""Which signatures a commit must show before an app may be made from it: the policies of a project, and the keys that are trusted. Pure.

As Argo CD's ``AppProject.spec.sourceIntegrity.git.policies`` (and the older ``signatureKeys``), with SSH keys besides GnuPG's. It goes like this:

    ring = integrity.keyring(data of the ConfigMap argocd-gpg-keys-cm)
    policies = integrity.policies(signature_keys=…, git=…)                  # of the app's project
    policy = integrity.choose(repo_url, policies, ring)                     # None: nothing is asked for
    problem = await sources.verify(repo, resolved.commit, policy, reference=resolved.reference)

``choose`` and ``verify`` raise a :class:`~homeostat.model.errors.HomeostatError` when it cannot be told whether a commit is good; to whoever renders or
syncs, that is the same as a problem. The signatures themselves are looked at in ``signatures.py``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from homeostat.desired.sources import urls
from homeostat.desired.sources.errors import RefusedError
from homeostat.model import glob
from homeostat.model.errors import InvalidError
from homeostat.model.integrity import GitPolicy

_SSH_KEY = re.compile(r"((?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+)(?: .*)?")
_SIGNER = re.compile(
    r"[^\s#\"]+ (?:[a-z-]+(?:=\"[^\"\n]*\")?(?:,[a-z-]+(?:=\"[^\"\n]*\")?)* )?((?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+)(?: .*)?"
)


class Mode(StrEnum):
    """How much is looked at: nothing; the commit, or the annotated tag that led to it; that and all commits before, back to a sealing one."""

    NONE = "none"
    HEAD = "head"
    STRICT = "strict"


class Keyring(msgspec.Struct, frozen=True):
    """The public keys that count: armoured GnuPG keys, and lines of an allowed-signers file of OpenSSH. ``digest`` is of both."""

    gpg: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    digest: str = ""
    strange: tuple[str, ...] = ()
    """Names of entries that are no key."""


class Policy(msgspec.Struct, frozen=True):
    """What the commits of one repository must show: signatures by one of ``keys``, which must be in ``ring``."""

    mode: Mode
    keys: frozenset[str]
    ring: Keyring

    def allows(self, *ids: str) -> bool:
        """Whether one of the ids of a key (short, long, that of its primary key) is wanted. Ids of less than 16 characters are nobody's."""
        return any(bool(known) and known in self.keys for known in map(_comparable, ids))


def keyring(data: Mapping[str, str]) -> Keyring:
    """The keys in the ``data`` of ``argocd-gpg-keys-cm``: each value is an armoured key, an SSH public key, or lines of allowed signers."""
    gpg: list[str] = []
    signers: list[str] = []
    strange: list[str] = []
    for name, text in sorted(data.items()):
        if "BEGIN PGP PUBLIC KEY BLOCK" in text:
            gpg.append(text)
            continue
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
        found = [_signer(line) for line in lines]
        signers += [line for line in found if line]
        if not found or "" in found:
            strange.append(name)
    digest = hashlib.sha256("\0".join((*gpg, "", *signers)).encode()).hexdigest()
    return Keyring(tuple(gpg), tuple(signers), digest, tuple(strange))


def policies(*, signature_keys: Iterable[str] = (), git: Iterable[GitPolicy] = ()) -> tuple[GitPolicy, ...]:
    """The policies of a project. Its ``signatureKeys`` count where it has none: the head of every repository must be signed by one of them."""
    own, keys = tuple(git), tuple(signature_keys)
    return own or ((GitPolicy(repos=("*",), mode=Mode.HEAD, keys=keys),) if keys else ())


def check(of: Iterable[GitPolicy]) -> None:
    """Raises :class:`InvalidError` for a pattern or a mode that means nothing."""
    for policy in of:
        _mode(policy)
        for pattern in policy.repos:
            glob.parse(pattern.removeprefix("!"))


def choose(url: str, of: Sequence[GitPolicy], ring: Keyring) -> Policy | None:
    """The policy for the repository at ``url``; ``None`` when none is about it, or it asks for nothing.

    An address is compared in every spelling that leads to the same repository: a capital letter is no way round a policy. Raises
    :class:`InvalidError` for a pattern or mode that means nothing, and when more than one policy is about the repository (as Argo CD): a
    mistake in a policy must not switch it off.
    """
    spellings = _spellings(url)
    about = [policy for policy in of if _is_about(policy, spellings)]
    if not about:
        return None
    if len(about) > 1:
        raise InvalidError(
            f"multiple ({len(about)}) git source integrity policies found for repo URL: {urls.redact(url)}",
            hint="exclude the repository from all but one with a pattern that starts with !",
        )
    mode = _mode(about[0])
    return None if mode is Mode.NONE else Policy(mode, frozenset(filter(None, map(_comparable, about[0].keys))), ring)


def _mode(policy: GitPolicy) -> Mode:
    if policy.mode not in set(Mode):
        raise InvalidError(f"unknown GPG mode {policy.mode!r} configured for GIT source integrity", hint="use none, head or strict")
    return Mode(policy.mode)


def _is_about(policy: GitPolicy, spellings: Sequence[str]) -> bool:
    included = False
    for pattern in policy.repos:
        excludes = pattern.startswith("!")
        glob.parse(pattern.removeprefix("!"))  # one that is wrong would match nothing, in silence
        if any(glob.matches(pattern.removeprefix("!"), spelling) for spelling in spellings):
            if excludes:
                return False
            included = True
    return included


def _spellings(url: str) -> list[str]:
    found = {url, url.strip(), urls.match_form(url)}
    try:
        address = urls.parse(url)
    except RefusedError:
        return sorted(found)
    found |= {address.url, address.key}
    found |= {spelling.removesuffix(".git") for spelling in found}
    return sorted(found | {f"{spelling}.git" for spelling in found if not spelling.endswith(".git")})


def _comparable(key: str) -> str:
    """A key id in the form in which two of one key are equal: the last 16 characters of a GnuPG fingerprint, in upper case. Empty: it is none."""
    key = key.strip()
    if key.startswith("SHA256:"):
        return key
    key = re.sub(r"^0[xX]|\s", "", key)
    return key[-16:].upper() if re.fullmatch(r"[0-9A-Fa-f]{16}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}", key) else ""


def _signer(line: str) -> str:
    """A line of allowed signers; for a bare public key one that names anybody. Empty when it is neither."""
    bare = _SSH_KEY.fullmatch(line)
    if bare is not None:
        return f'* namespaces="git" {bare[1]}'
    return line if _SIGNER.fullmatch(line) else ""

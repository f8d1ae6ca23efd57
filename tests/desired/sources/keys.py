"""Throw-away keys to sign with: GnuPG keys in a home of their own, and SSH keys."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import NamedTuple


class Signer(NamedTuple):
    """One key. ``id`` is how a policy names it, ``public`` what stands in the ConfigMap, ``settings`` what git must be told to sign with it."""

    id: str
    public: str
    settings: tuple[str, ...]


class Gpg:
    """A GnuPG home with secret keys."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        folder.mkdir(mode=0o700)
        for name, clock in (("gpg", ""), ("gpg-then", "--faked-system-time 20200101T120000")):
            program = folder / name
            program.write_text(f'#!/bin/sh\nexec gpg --homedir "{folder}" --batch --no-tty {clock} "$@"\n')
            program.chmod(0o700)

    async def key(self, name: str, *, subkey: bool = False) -> Signer:
        await self.run("--passphrase", "", "--quick-generate-key", f"{name} <{name}@example.com>", "ed25519", "sign", "never")
        fingerprint = await self.fingerprint(name)
        if subkey:
            await self.run("--passphrase", "", "--quick-add-key", fingerprint, "ed25519", "sign", "never")
        return await self._signer(fingerprint, "gpg")

    async def expired_key(self, name: str) -> Signer:
        """A key of 2020 that lived for a day, and signs as on that day."""
        await self.run(
            "--passphrase", "", "--quick-generate-key", f"{name} <{name}@example.com>", "ed25519", "sign", "1d", program="gpg-then"
        )
        return await self._signer(await self.fingerprint(name), "gpg-then")

    async def _signer(self, fingerprint: str, program: str) -> Signer:
        settings = ("-c", f"gpg.program={self.home}/{program}", "-c", f"user.signingKey={fingerprint}")
        return Signer(fingerprint[-16:], await self.run("--armor", "--export", fingerprint), settings)

    async def fingerprint(self, name: str) -> str:
        listed = await self.run("--with-colons", "--list-keys", f"{name}@example.com")
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))

    async def run(self, *arguments: str, program: str = "gpg") -> str:
        return await run(str(self.home / program), "--pinentry-mode", "loopback", *arguments)

    async def close(self) -> None:
        await run("gpgconf", "--homedir", str(self.home), "--kill", "all")


async def ssh_key(folder: Path, name: str) -> Signer:
    await run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name))
    listed = await run("ssh-keygen", "-lf", str(folder / f"{name}.pub"))
    public = await asyncio.to_thread((folder / f"{name}.pub").read_text)
    return Signer(listed.split()[1], public, ("-c", "gpg.format=ssh", "-c", f"user.signingKey={folder / name}"))


async def run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, env={"PATH": os.environ["PATH"], "HOME": "/nowhere"}, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, error = await process.communicate()
    assert process.returncode == 0, f"{command}: {error.decode()}"
    return output.decode()

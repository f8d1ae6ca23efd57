"""Puts credentials where git and ssh can read them for one run, and takes them away afterwards.

Never on a command line (every user of the machine can read those) and never in the stored configuration of a repository. Settings go
through git's ``GIT_CONFIG_*`` environment; keys and certificates into files of mode 0600 in a private folder that lives as long as the run.

A password is sent with the first request (an ``Authorization`` header), which saves a round trip and two processes over being asked for it.
Such a header would follow a redirect to another server, and git would follow one to anywhere: so git follows none (``redirects.py``).
"""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import RefusedError
from homeostat.desired.sources.urls import Address
from homeostat.model.errors import NotSupportedError

_SSH = """#!/bin/sh
exec ssh -F "$HOMEOSTAT_SSH_CONFIG" "$@"
"""


class Access:
    """What one run of git gets: its environment, and the settings that stand in ``GIT_CONFIG_*``."""

    def __init__(self) -> None:
        self.environment: dict[str, str] = {}
        self.settings: list[tuple[str, str]] = []


def sweep(folder: Path) -> None:
    """Remove what a process that was killed left behind."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in folder.iterdir():
        owner = left.name.partition("-")[0]
        if not owner.isdigit() or int(owner) == os.getpid() or not Path(f"/proc/{owner}").exists():
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def granted(address: Address, credentials: Credentials | None, folder: Path) -> Iterator[Access]:
    """The access that ``credentials`` give to ``address``, for the time of the ``with`` block. Blocks for about a millisecond.

    ``folder`` is where private files may be made. Raises :class:`NotSupportedError` for combinations that are not built.
    """
    credentials = credentials or Credentials()
    access = Access()
    private = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=folder))
    try:
        access.environment["HOME"] = str(private)
        if address.scheme in {"https", "http"}:
            _http(access, address, credentials, private)
        elif address.scheme == "ssh":
            _ssh(access, credentials, private)
        yield access
    finally:
        shutil.rmtree(private, ignore_errors=True)


def authorization(address: Address, credentials: Credentials) -> str:
    """The header that signs in to ``address`` over HTTP; empty without anything to sign in with. Raises :class:`RefusedError`."""
    username = credentials.username or address.username
    password = credentials.password or address.password
    if credentials.bearer_token and not (username and password):
        _no_line_breaks(credentials.bearer_token, "bearer token")
        return f"Bearer {credentials.bearer_token}"
    if username or password:
        return "Basic " + base64.b64encode(f"{username or 'git'}:{password}".encode()).decode()
    return ""


def _http(access: Access, address: Address, credentials: Credentials, private: Path) -> None:
    header = authorization(address, credentials)
    if header:
        access.settings.append(("http.extraHeader", f"Authorization: {header}"))
    access.settings.append(("http.followRedirects", "false"))
    if credentials.insecure:
        access.settings.append(("http.sslVerify", "false"))
    elif credentials.ca:
        # The variable, since it wins over the setting, and an operator may have set it for the whole process.
        access.environment["GIT_SSL_CAINFO"] = _file(private / "ca.pem", credentials.ca)
    if credentials.tls_client_cert:
        access.settings.append(("http.sslCert", _file(private / "client.pem", credentials.tls_client_cert)))
        access.settings.append(("http.sslKey", _file(private / "client.key", credentials.tls_client_key)))
    if credentials.proxy:
        _no_line_breaks(credentials.proxy, "proxy")
        access.settings.append(("http.proxy", credentials.proxy))
        access.environment["NO_PROXY"] = access.environment["no_proxy"] = credentials.no_proxy


def _ssh(access: Access, credentials: Credentials, private: Path) -> None:
    if credentials.proxy:
        raise NotSupportedError("A proxy for Git over SSH is not supported", hint="use https for this repository")
    options = [
        "BatchMode yes",
        "IdentityAgent none",
        "IdentitiesOnly yes",
        "ForwardAgent no",
        "ClearAllForwardings yes",
        "PermitLocalCommand no",
        "UpdateHostKeys no",
        "ConnectTimeout 15",
        "ServerAliveInterval 10",
        "ServerAliveCountMax 3",
        "GlobalKnownHostsFile /dev/null",
        "LogLevel ERROR",
    ]
    if credentials.insecure_ignore_host_key or credentials.insecure:
        options += ["StrictHostKeyChecking no", "UserKnownHostsFile /dev/null"]
    else:
        options += ["StrictHostKeyChecking yes", f'UserKnownHostsFile "{_file(private / "known_hosts", credentials.known_hosts)}"']
    if credentials.ssh_private_key:
        # ssh wants a line break at the end, which Secrets often lack, and no carriage returns.
        key = credentials.ssh_private_key.replace("\r\n", "\n").strip() + "\n"
        options.append(f'IdentityFile "{_file(private / "identity", key)}"')
    else:
        options += ["PubkeyAuthentication no", "IdentityFile none"]
    access.environment |= {
        "GIT_SSH": _script(private / "ssh", _SSH),
        "GIT_SSH_VARIANT": "ssh",
        "HOMEOSTAT_SSH_CONFIG": _file(private / "ssh_config", "\n".join(options) + "\n"),
    }


def _no_line_breaks(value: str, what: str) -> None:
    """A line break in a header would let a Secret write headers of its own."""
    if any(ord(char) < 32 for char in value):
        raise RefusedError(f"The {what} has control characters, a line break at its end perhaps", hint="encode the Secret without one")


def _file(path: Path, text: str) -> str:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
    return str(path)


def _script(path: Path, text: str) -> str:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
    return str(path)

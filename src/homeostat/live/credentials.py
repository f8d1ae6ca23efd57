"""Who we are to an API server: the ``Authorization`` header, kept fresh.

Tokens that never change, tokens in a file that the kubelet renews, and what an exec plugin or auth provider hands out. Only the last needs
``kubernetes_asyncio``, which costs 38 MB and a fifth of a second to import, so it is imported only then. Client certificates are in ``access.py``.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from homeostat.live.errors import ForbiddenError

_FILE_LIFETIME = 60.0
"""Seconds between looks at a token file: the kubelet renews a token minutes before it runs out."""


class Credentials(Protocol):
    """Answers the value of the ``Authorization`` header; empty when there is none (a client certificate, or an open server)."""

    async def header(self) -> str: ...

    async def renew(self) -> bool:
        """The server said 401. True when another header is worth a try."""
        ...


class FixedCredentials:
    """A token, or a name and password, that stands in the kubeconfig."""

    def __init__(self, header: str = "") -> None:
        self._header = header

    @classmethod
    def token(cls, token: str) -> FixedCredentials:
        return cls(f"Bearer {token}" if token else "")

    @classmethod
    def basic(cls, username: str, password: str) -> FixedCredentials:
        return cls("Basic " + base64.b64encode(f"{username}:{password}".encode()).decode())

    async def header(self) -> str:
        return self._header

    async def renew(self) -> bool:
        return False


class FileCredentials:
    """A token in a file, read again every minute and when the server refuses it. Raises :class:`ForbiddenError` when it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header = ""
        self._read_at = 0.0

    async def header(self) -> str:
        now = asyncio.get_running_loop().time()
        if not self._header or now - self._read_at > _FILE_LIFETIME:
            self._header = f"Bearer {await asyncio.to_thread(self._read)}"
            self._read_at = now
        return self._header

    async def renew(self) -> bool:
        before, self._header = self._header, ""
        return await self.header() != before

    def _read(self) -> str:
        try:
            return self._path.read_text().strip()
        except OSError as error:
            raise ForbiddenError(f"cannot read the token file {self._path}: {error.strerror}", reason="Unauthorized") from error


class PluginCredentials:
    """What an exec plugin or an auth provider of the kubeconfig hands out, asked for again when it runs out or the server refuses it.

    ``config`` is a whole kubeconfig, as data, whose current context is the one wanted.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._loader: Any = None
        self._lock = asyncio.Lock()
        self.cert_file = ""
        self.key_file = ""

    async def header(self) -> str:
        async with self._lock:
            if self._loader is None or self._expired():
                await self._load()
            return str(getattr(self._loader, "token", ""))

    async def renew(self) -> bool:
        async with self._lock:
            before = getattr(self._loader, "token", "")
            await self._load()
            return bool(self._loader.token != before) if before else False

    def _expired(self) -> bool:
        from kubernetes_asyncio.config.kube_config import _is_expired  # noqa: PLC0415  loaded by now

        expiry = getattr(self._loader, "exec_plugin_expiry", None)
        return expiry is not None and bool(_is_expired(expiry))

    async def _load(self) -> None:
        loader, configuration = await asyncio.to_thread(_loader, self._config)
        try:
            await loader.load_and_set(configuration)
        except Exception as error:  # the library and its plugins raise what they like: one kind of failure for us
            raise ForbiddenError(
                f"the kubeconfig's credential plugin failed: {str(error)[:500] or type(error).__name__}",
                reason="Unauthorized",
                hint="run the plugin's sign-in command by hand and try again",
            ) from error
        self._loader = loader
        self.cert_file = str(configuration.cert_file or "")
        self.key_file = str(configuration.key_file or "")


def _loader(config: Mapping[str, Any]) -> tuple[Any, Any]:
    from kubernetes_asyncio.client import Configuration  # noqa: PLC0415  costs 38 MB: only those who need it pay
    from kubernetes_asyncio.config.kube_config import KubeConfigLoader  # noqa: PLC0415

    # The library logs a plugin's error output, which may hold a token, before it raises it.
    logging.getLogger("kubernetes_asyncio").setLevel(logging.CRITICAL)
    return KubeConfigLoader(config_dict=config, config_base_path=""), Configuration()


def needs_plugin(user: Mapping[str, Any]) -> bool:
    return "exec" in user or "auth-provider" in user


def expand(path: str, base: str) -> Path:
    """A path of a kubeconfig: relative ones count from the kubeconfig's own folder."""
    return Path(os.path.normpath(Path(base) / Path(path).expanduser()))

"""Access to one cluster: where its API server is, how TLS is checked, who we are. From a kubeconfig, or from inside a pod.

The usual kubeconfig (certificates, tokens, passwords) is read here, because the client library's reader costs more memory and time than the rest
of a command; exec plugins and auth providers go through that library (``credentials.py``). Rules:
https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import ipaddress
import os
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import yaml

from homeostat.live import credentials as who
from homeostat.model.errors import HomeostatError

_POD_FILES = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_DEFAULT = Path("~/.kube/config")


class AccessError(HomeostatError):
    """There is no usable kubeconfig: says which file, which entry and what is wrong with it."""


class Access(msgspec.Struct, frozen=True):
    """Everything that a client needs to talk to one cluster. ``server`` has no trailing slash; ``proxy`` is empty or a URL."""

    server: str
    credentials: who.Credentials
    namespace: str = "default"
    tls: ssl.SSLContext | None = None
    tls_server_name: str = ""
    proxy: str = ""


async def load(kubeconfig: str | None = None, context: str | None = None) -> Access:
    """The access that ``kubeconfig`` (a path), ``$KUBECONFIG``, ``~/.kube/config`` or the pod we run in gives, in this order.

    Raises :class:`AccessError`, or :class:`~homeostat.live.errors.ForbiddenError` when a credential plugin fails.
    """
    config = await asyncio.to_thread(_read, kubeconfig)
    if config is None:
        return await asyncio.to_thread(in_cluster, os.environ, _POD_FILES)
    return await from_config(config, context)


def in_cluster(environment: Mapping[str, str], files: Path) -> Access:
    """The access of a pod: ``environment`` holds the server's address, ``files`` the token, CA and namespace."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise AccessError("KUBERNETES_SERVICE_HOST is not set: this pod does not know its API server")
    host = f"[{host}]" if ":" in host else host
    namespace = files / "namespace"
    return Access(
        server=f"https://{host}:{port}",
        credentials=who.FileCredentials(files / "token"),
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
        tls=_tls(ca=(files / "ca.crt").read_text()),
        proxy=environment_proxy(f"https://{host}:{port}", environment),
    )


async def from_config(config: Mapping[str, Any], context: str | None = None) -> Access:
    """The access that a kubeconfig, as data with absolute paths, gives for ``context`` (the current one when ``None``)."""
    name = context or str(config.get("current-context") or "")
    if not name:
        raise AccessError("the kubeconfig has no current-context", hint="pass --context NAME")
    chosen = _named(config, "contexts", "context", name)
    cluster = _named(config, "clusters", "cluster", str(chosen.get("cluster") or ""))
    user = _named(config, "users", "user", str(chosen["user"])) if chosen.get("user") else {}
    plugin = None
    if who.needs_plugin(user):
        plugin = who.PluginCredentials({**config, "current-context": name})
        await plugin.header()
        if plugin.cert_file:
            user = {"client-certificate": plugin.cert_file, "client-key": plugin.key_file}
    return await asyncio.to_thread(_access, chosen, cluster, user, plugin)


def _access(chosen: Mapping[str, Any], cluster: Mapping[str, Any], user: Mapping[str, Any], plugin: who.PluginCredentials | None) -> Access:
    name = chosen.get("cluster")
    server = str(cluster.get("server") or "").rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise AccessError(f"cluster {name!r} of the kubeconfig: server: expected a URL, found {server!r}")
    tls = None
    if server.startswith("https://"):
        try:
            tls = _tls(
                ca=_pem(cluster, "certificate-authority"),
                certificate=_pem(user, "client-certificate"),
                key=_pem(user, "client-key"),
                insecure=bool(cluster.get("insecure-skip-tls-verify")),
            )
        except ssl.SSLError as error:
            raise AccessError(f"the kubeconfig's way to cluster {name!r}: bad certificate or key: {error}") from error
    return Access(
        server=server,
        credentials=plugin or _credentials(user),
        namespace=str(chosen.get("namespace") or "default"),
        tls=tls,
        tls_server_name=str(cluster.get("tls-server-name") or ""),
        proxy=str(cluster.get("proxy-url") or "") or environment_proxy(server, os.environ),
    )


def _credentials(user: Mapping[str, Any]) -> who.Credentials:
    if user.get("token"):
        return who.FixedCredentials.token(str(user["token"]))
    if user.get("tokenFile"):
        return who.FileCredentials(Path(str(user["tokenFile"])))
    if user.get("username"):
        return who.FixedCredentials.basic(str(user["username"]), str(user.get("password") or ""))
    return who.FixedCredentials()


def _read(kubeconfig: str | None) -> dict[str, Any] | None:
    """The kubeconfig as data, or ``None`` when there is none and we run in a pod."""
    paths = _paths(kubeconfig)
    if paths:
        return _merge(paths)
    if _POD_FILES.joinpath("token").exists():
        return None
    raise AccessError(
        "no kubeconfig: neither $KUBECONFIG nor ~/.kube/config names one, and this is no pod",
        hint="pass --kubeconfig FILE, or start a local cluster with `homeostat box up`",
    )


def _paths(kubeconfig: str | None) -> list[Path]:
    if kubeconfig:
        path = Path(kubeconfig).expanduser()
        if not path.is_file():
            raise AccessError(f"kubeconfig {kubeconfig}: there is no such file")
        return [path]
    named = [Path(part).expanduser() for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [path for path in named or [_DEFAULT.expanduser()] if path.is_file()]


def _merge(paths: list[Path]) -> dict[str, Any]:
    """Several files as one, as kubectl merges them: whoever names a thing first wins. Paths of files become absolute."""
    merged: dict[str, Any] = {"clusters": [], "users": [], "contexts": []}
    for path in paths:
        try:
            config = yaml.load(path.read_text(), yaml.CSafeLoader)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise AccessError(f"kubeconfig {path}: cannot be read: {str(error).splitlines()[0]}") from error
        if config is None:
            continue
        if not isinstance(config, dict):
            raise AccessError(f"kubeconfig {path}: expected a mapping, found {type(config).__name__}")
        merged["current-context"] = merged.get("current-context") or config.get("current-context")
        for section, inner in (("clusters", "cluster"), ("users", "user"), ("contexts", "context")):
            known = {entry["name"] for entry in merged[section]}
            for entry in config.get(section) or []:
                if not isinstance(entry, dict) or "name" not in entry:
                    raise AccessError(f"kubeconfig {path}: {section}: expected entries with a name")
                if entry["name"] not in known:
                    merged[section].append({"name": entry["name"], inner: _absolute(entry.get(inner) or {}, path)})
    return merged


def _absolute(entry: Mapping[str, Any], path: Path) -> dict[str, Any]:
    base = str(path.absolute().parent)
    files = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
    changed = {field: str(who.expand(str(entry[field]), base)) for field in files if entry.get(field)}
    plugin = entry.get("exec")
    if isinstance(plugin, Mapping) and os.sep in str(plugin.get("command") or ""):
        changed["exec"] = {**plugin, "command": str(who.expand(str(plugin["command"]), base))}  # type: ignore[assignment]
    return {**entry, **changed}


def _named(config: Mapping[str, Any], section: str, inner: str, name: str) -> Mapping[str, Any]:
    for entry in config.get(section) or []:
        if entry.get("name") == name:
            found = entry.get(inner) or {}
            if isinstance(found, Mapping):
                return found
    known = ", ".join(sorted(str(entry.get("name")) for entry in config.get(section) or [])) or "none"
    raise AccessError(f"the kubeconfig has no {inner} named {name!r} (it has: {known})")


def environment_proxy(server: str, environment: Mapping[str, str]) -> str:
    """The proxy that ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` name for a server, as client-go reads them: never for this machine itself."""
    url = urlsplit(server)
    lowered = {name.lower(): value for name, value in sorted(environment.items())}  # lower case comes last, and wins
    proxy = lowered.get(f"{url.scheme}_proxy", "")
    host = (url.hostname or "").lower()
    if not proxy or host in {"localhost", "::1"} or host.startswith("127."):
        return ""
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # noqa: PLC0415  slow, and seldom needed

    if proxy_bypass_environment(f"{host}:{url.port or 443}", {"no": lowered.get("no_proxy", "")}) or _in_networks(
        host, lowered.get("no_proxy", "")
    ):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _in_networks(host: str, no_proxy: str) -> bool:
    """Whether ``no_proxy`` holds a network (``10.0.0.0/8``) that the address ``host`` is in."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for part in no_proxy.split(","):
        with contextlib.suppress(ValueError):
            if "/" in part and address in ipaddress.ip_network(part.strip(), strict=False):
                return True
    return False


def _pem(entry: Mapping[str, Any], field: str) -> str:
    """The PEM text in ``<field>-data`` (base64) or in the file that ``<field>`` names; empty when neither is there."""
    data = entry.get(f"{field}-data")
    try:
        if data:
            return base64.b64decode("".join(str(data).split()), validate=True).decode()
        return Path(str(entry[field])).read_text() if entry.get(field) else ""
    except (OSError, binascii.Error, UnicodeDecodeError) as error:
        raise AccessError(f"the kubeconfig's {field} cannot be read: {error}") from error


def _tls(*, ca: str = "", certificate: str = "", key: str = "", insecure: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca or None)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # Clusters' own CAs often lack what strict checking, the default since Python 3.13, asks for; client-go does not ask for it.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if certificate:
        with tempfile.TemporaryDirectory() as folder:  # OpenSSL takes files only; the folder is ours alone and gone at once
            chain = Path(folder) / "client.pem"
            chain.touch(mode=0o600)
            chain.write_text(f"{certificate}\n{key}")
            context.load_cert_chain(chain)
    return context

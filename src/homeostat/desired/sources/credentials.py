"""Credentials of a repository, from Argo CD's Secrets and ConfigMaps (reference 1.15), as plain data.

A ``repository`` Secret belongs to one address; a ``repo-creds`` Secret is a template for every address that starts with its own. The
ConfigMaps ``argocd-tls-certs-cm`` (one CA bundle per host name) and ``argocd-ssh-known-hosts-cm`` say which servers are trusted. Reading
these objects from a cluster is not done here, nor is handing them to git (``secrets.py``).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from homeostat.desired.sources import urls
from homeostat.desired.sources.issuers import FIELDS, Issuer, issuer_of
from homeostat.model.errors import InvalidError

SECRET_TYPE = "argocd.argoproj.io/secret-type"  # noqa: S105 (the name of a label)

_PLAIN_SIGN_IN = ("username", "password", "bearerToken", "sshPrivateKey")
_SIGN_IN = (*_PLAIN_SIGN_IN, "tlsClientCertData", *FIELDS)


@dataclass(frozen=True)
class Credentials:
    """How to sign in to a server and whom to trust. Empty means: not given. Secret parts never show in ``repr``.

    ``ca`` (PEM) replaces the system's authorities for this repository. ``known_hosts`` is the text of an OpenSSH file. ``lfs`` says that the
    repository was declared to use Git LFS, ``depth`` how many commits of each branch the first fetch brings (0: all),
    ``issuer`` who hands out a token in place of a password, ``plain_http`` that an OCI registry speaks no TLS.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    bearer_token: str = field(default="", repr=False)
    ssh_private_key: str = field(default="", repr=False)
    tls_client_cert: str = field(default="", repr=False)
    tls_client_key: str = field(default="", repr=False)
    ca: str = field(default="", repr=False)
    known_hosts: str = field(default="", repr=False)
    insecure: bool = False
    insecure_ignore_host_key: bool = False
    proxy: str = field(default="", repr=False)
    no_proxy: str = ""
    force_basic_auth: bool = False
    lfs: bool = False
    depth: int = 0
    issuer: Issuer | None = None
    plain_http: bool = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that no message may hold."""
        return tuple(value for value in (self.password, self.bearer_token, self.ssh_private_key, self.tls_client_key, self.proxy) if value)


def credentials_for(
    url: str, secrets: Sequence[Mapping[str, Any]], tls_certs: Mapping[str, str], known_hosts: str, *, project: str = ""
) -> Credentials | None:
    """What to use for the repository at ``url``, or ``None`` when nothing is configured for it.

    ``secrets`` are Kubernetes Secret objects (others than repository ones are passed over), ``tls_certs`` is the ``data`` of
    ``argocd-tls-certs-cm`` and ``known_hosts`` the key ``ssh_known_hosts`` of ``argocd-ssh-known-hosts-cm``. A Secret of ``project`` wins over
    one of no project; one of another project is never used. A repository Secret without sign-in takes it from the template with the longest
    matching prefix. Unlike the original, a template without a path matches its own host only, so ``https://git.example`` does not sign in
    at ``https://git.example.org``.

    Raises :class:`InvalidError` when a field of the Secret that matches cannot be read, :class:`RefusedError` when ``url`` is no address.
    Other repositories are not concerned.
    """
    address = urls.parse(url)
    wanted = urls.match_form(url)
    repository = _own([SecretFields(secret) for secret in of_type(secrets, "repository")], wanted, project)
    template: SecretFields | None = None
    if repository is None or not (any(repository.has(name) for name in _SIGN_IN) or repository.flag("useAzureWorkloadIdentity")):
        template = _longest((SecretFields(secret) for secret in of_type(secrets, "repo-creds")), wanted)
    ca = tls_certs.get(address.host, "") or tls_certs.get(address.host.lower(), "") if address.scheme == "https" else ""
    hosts = known_hosts if address.scheme == "ssh" else ""
    if repository is None and template is None:
        return Credentials(ca=ca, known_hosts=hosts) if ca or hosts else None
    empty = SecretFields({})
    own, sign_in = repository or empty, template or repository or empty
    return Credentials(
        username=sign_in.text("username"),
        password=sign_in.text("password"),
        bearer_token=sign_in.text("bearerToken"),
        ssh_private_key=sign_in.text("sshPrivateKey"),
        tls_client_cert=sign_in.text("tlsClientCertData"),
        tls_client_key=sign_in.text("tlsClientCertKey"),
        ca=ca,
        known_hosts=hosts,
        insecure=own.flag("insecure") or sign_in.flag("insecure"),
        insecure_ignore_host_key=own.flag("insecureIgnoreHostKey") or sign_in.flag("insecureIgnoreHostKey"),
        proxy=own.text("proxy") or sign_in.text("proxy"),
        no_proxy=own.text("noProxy") or sign_in.text("noProxy"),
        force_basic_auth=sign_in.flag("forceHttpBasicAuth"),
        lfs=own.flag("enableLfs"),
        depth=own.number("depth"),
        # A password that stands there is used: Argo CD's order.
        issuer=None if any(sign_in.has(name) for name in _PLAIN_SIGN_IN) else issuer_of(sign_in),
    )


def of_type(secrets: Iterable[Mapping[str, Any]], wanted: str) -> list[Mapping[str, Any]]:
    return [secret for secret in secrets if ((secret.get("metadata") or {}).get("labels") or {}).get(SECRET_TYPE) == wanted]


def _own(secrets: Iterable[SecretFields], wanted: str, project: str) -> SecretFields | None:
    """The ``repository`` Secret of this address: of the project first, else of no project. Sorted by name, so that a tie is stable."""
    matching = sorted(
        (secret for secret in secrets if secret.is_git and urls.match_form(secret.text("url")) == wanted), key=lambda secret: secret.name
    )
    for scope in (project, ""):
        for secret in matching:
            if secret.text("project") == scope:
                return secret
    return None


def _longest(templates: Iterable[SecretFields], wanted: str) -> SecretFields | None:
    best, length = None, 0
    for template in sorted((template for template in templates if template.is_git), key=lambda secret: secret.name):
        prefix = urls.match_form(template.text("url"))
        if len(prefix) > length and wanted.startswith(prefix) and _host_ends(prefix, wanted):
            best, length = template, len(prefix)
    return best


def _host_ends(prefix: str, wanted: str) -> bool:
    """Whether ``prefix`` covers the host of ``wanted`` to its end, port included."""
    _, _, rest = prefix.partition("://")
    return "/" in rest or wanted[len(prefix) : len(prefix) + 1] in {"", "/"}


class SecretFields:
    """One Secret object: ``data`` is base64, ``stringData`` (a manifest that was not yet sent) is not."""

    def __init__(self, secret: Mapping[str, Any]) -> None:
        metadata = secret.get("metadata") or {}
        self.name = f"{metadata.get('namespace') or ''}/{metadata.get('name') or ''}".strip("/")
        self._data: Mapping[str, Any] = secret.get("data") or {}
        self._strings: Mapping[str, Any] = secret.get("stringData") or {}

    @property
    def is_git(self) -> bool:
        return self.text("type") in {"", "git"} and not self.flag("enableOCI") and bool(self.text("url"))

    def has(self, name: str) -> bool:
        return bool(self._strings.get(name) or self._data.get(name))

    def text(self, name: str) -> str:
        if name in self._strings:
            return str(self._strings[name] or "")
        try:
            return base64.b64decode(self._data.get(name) or "", validate=True).decode()
        except (binascii.Error, ValueError, TypeError) as error:
            # The value stays out of the message: it may be a password that someone forgot to encode.
            raise InvalidError(f"Secret {self.name}: field {name} is not base64 of UTF-8 text") from error

    def number(self, name: str) -> int:
        text = self.text(name).strip()
        if text and not text.isdecimal():
            raise InvalidError(f"Secret {self.name}: field {name}: expected a whole number, found {text[:20]!r}")
        return int(text or 0)

    def flag(self, name: str) -> bool:
        """Go's ``strconv.ParseBool``: what the original accepts for true."""
        return self.text(name).strip() in {"1", "t", "T", "true", "TRUE", "True"}

"""Credentials of Helm repositories and OCI registries, from Argo CD's Secrets (``type: helm`` or ``oci``; reference 1.15), as plain data.

What differs from Git's (``credentials.py``): a registry's address has no scheme, who signs in to a registry signs in for all its repositories, and
repositories have names, by which charts call them (``@name``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from homeostat.desired.sources import urls
from homeostat.desired.sources.charts import ChartRepository
from homeostat.desired.sources.credentials import Credentials, SecretFields, of_type
from homeostat.model.errors import NotSupportedError

_SIGN_IN = ("username", "password", "bearerToken", "tlsClientCertData")
_Secrets = Sequence[Mapping[str, Any]]


def chart_repository(
    url: str, secrets: _Secrets, tls_certs: Mapping[str, str], *, project: str = "", everywhere: bool = False
) -> ChartRepository:
    """The repository at ``url`` with what is configured for it: its own Secret (of ``project``, else of none), and the sign-in of the longest
    ``repo-creds`` prefix when that has none. For a registry without either, the Secret of another repository on the same host will do, as
    after ``helm registry login``.

    A Secret of another project is never used. Raises :class:`homeostat.model.errors.InvalidError` for a field that cannot be read.
    """
    wanted, is_oci = _form(url), _is_registry(url)
    own: SecretFields | None = None
    same_host: SecretFields | None = None
    for scope in dict.fromkeys((project, "")):
        for secret in _charts(secrets):
            if secret.text("project") != scope or _speaks_oci(secret) != is_oci:
                continue
            form = _form(secret.text("url"))
            if form == wanted:
                own = own or secret
            elif is_oci and form.partition("/")[0] == wanted.partition("/")[0]:
                same_host = same_host or secret
    template = None
    if own is None or not any(own.has(name) for name in _SIGN_IN):
        template = _longest(secrets, wanted)
    sign_in = template or own or same_host
    host = wanted.partition("://")[2].partition("/")[0] if not is_oci else wanted.partition("/")[0]
    ca = tls_certs.get(host, "") or tls_certs.get(_without_port(host), "")
    if sign_in is not None and sign_in.flag("useAzureWorkloadIdentity"):
        raise NotSupportedError(
            f"Secret {sign_in.name}: field useAzureWorkloadIdentity: signing in to a registry with Azure workload identity is not supported",
            hint="use username and password (a token of the registry)",
        )
    if sign_in is None:
        return ChartRepository(url, Credentials(ca=ca), everywhere)
    base = own or sign_in
    credentials = Credentials(
        username=sign_in.text("username"),
        password=sign_in.text("password"),
        bearer_token=sign_in.text("bearerToken"),
        tls_client_cert=sign_in.text("tlsClientCertData"),
        tls_client_key=sign_in.text("tlsClientCertKey"),
        ca=ca,
        insecure=base.flag("insecure") or sign_in.flag("insecure"),
        proxy=base.text("proxy") or sign_in.text("proxy"),
        no_proxy=base.text("noProxy") or sign_in.text("noProxy"),
        plain_http=base.flag("insecureOCIForceHttp") or sign_in.flag("insecureOCIForceHttp"),
    )
    return ChartRepository(url, credentials, everywhere)


def chart_repository_names(secrets: _Secrets, *, project: str = "") -> dict[str, str]:
    """The addresses of the Helm repositories that have a name and are of no other project."""
    names: dict[str, str] = {}
    for scope in ("", project):
        for secret in reversed(_charts(secrets)):
            if secret.text("project") == scope and secret.has("name"):
                url = secret.text("url")
                names[secret.text("name")] = f"oci://{url}" if _speaks_oci(secret) and "://" not in url else url
    return names


def _charts(secrets: _Secrets) -> list[SecretFields]:
    fields = (SecretFields(secret) for secret in of_type(secrets, "repository"))
    found = [secret for secret in fields if secret.has("url") and (secret.text("type") in {"helm", "oci"} or secret.flag("enableOCI"))]
    return sorted(found, key=lambda secret: secret.name)


def _longest(secrets: _Secrets, wanted: str) -> SecretFields | None:
    """The template with the longest prefix. Other than in the original, a prefix ends where a host or a folder ends."""
    best, length = None, 0
    for template in sorted((SecretFields(secret) for secret in of_type(secrets, "repo-creds")), key=lambda secret: secret.name):
        prefix = _form(template.text("url"))
        if prefix and len(prefix) > length and f"{wanted}/".startswith(f"{prefix}/"):
            best, length = template, len(prefix)
    return best


def _speaks_oci(secret: SecretFields) -> bool:
    return secret.flag("enableOCI") or secret.text("type") == "oci" or _is_registry(secret.text("url"))


def _is_registry(url: str) -> bool:
    return "://" not in url or url.strip().lower().startswith("oci://")


def _form(url: str) -> str:
    """In which two spellings of an address are the same."""
    if _is_registry(url):
        return url.strip().lower().removeprefix("oci://").rstrip("/")
    return urls.match_form(url).rstrip("/")


def _without_port(host: str) -> str:
    return host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host

"""Tokens that stand for a password for an hour: had from their issuer by the documented requests, kept, and renewed before they end.

Nothing here is written to disk, and no token or key is in an error. What is done with a token (a header for git) is ``secrets.py``'s business.

    GitHub App          a JWT of ours → POST /app/installations/ID/access_tokens (docs.github.com, "Authenticating as a GitHub App")
    Azure               client_credentials with a secret or a federated token → POST /TENANT/oauth2/v2.0/token, for Azure DevOps
    Google account      a JWT of ours → POST token_uri (RFC 7523)
"""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit
from weakref import WeakValueDictionary

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import FetchFailedError, RefusedError, UnauthorisedError
from homeostat.desired.sources.issuers import AZURE, AzurePrincipal, AzureWorkload, GitHubApp, GoogleAccount, Issuer
from homeostat.desired.sources.urls import Address
from homeostat.desired.sources.web import Access, Web, mapping, place

_MAX_ANSWER = 256 * 1024
_EARLY = 300.0
"""Seconds before its end from which on a token is not used for a new fetch, which may take minutes."""
_AZURE_DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798/.default"
_GOOGLE_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_GITHUB = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class _Token(NamedTuple):
    text: str
    ends: float


class Tokens:
    """All tokens of the process. Who asks for one that is on its way waits for it."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._tokens: dict[tuple[Issuer, str], _Token] = {}
        self._locks: WeakValueDictionary[tuple[Issuer, str], asyncio.Lock] = WeakValueDictionary()

    async def signed_in(self, address: Address, credentials: Credentials | None) -> Credentials | None:
        """``credentials`` with the token that they are good for; as they are where they need none. Raises a SourceError."""
        if credentials is None or credentials.issuer is None or address.scheme not in {"https", "http"}:
            return credentials
        issuer = credentials.issuer
        key = (issuer, _owner(address) if isinstance(issuer, GitHubApp) and not issuer.installation else "")
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            token = self._tokens.get(key)
            if token is None or token.ends - _EARLY < time.time():
                token = self._tokens[key] = await self._issue(issuer, address, credentials)
        match issuer:
            case GitHubApp():
                return replace(credentials, username="x-access-token", password=token.text)
            case GoogleAccount():
                return replace(credentials, username=issuer.email, password=token.text)
            case _:
                return replace(credentials, bearer_token=token.text)

    def forget(self, credentials: Credentials | None) -> None:
        """The server did not take the token of these credentials: the next one is a new one."""
        if credentials is not None:
            for key in [key for key in self._tokens if key[0] == credentials.issuer]:
                del self._tokens[key]

    async def _issue(self, issuer: Issuer, address: Address, credentials: Credentials) -> _Token:
        match issuer:
            case GitHubApp():
                return await self._github(issuer, address, credentials)
            case AzurePrincipal():
                form = {"client_id": issuer.client, "client_secret": issuer.secret}
                return await self._azure(issuer.url, issuer.tenant, form, address, credentials)
            case AzureWorkload():
                return await self._workload(address, credentials)
            case GoogleAccount():
                now = int(time.time())
                claims = {"iss": issuer.email, "scope": _GOOGLE_SCOPE, "aud": issuer.url, "iat": now, "exp": now + 3600}
                assertion = await asyncio.to_thread(_jwt, issuer.private_key, claims, "gcpServiceAccountKey", key_id=issuer.key_id)
                form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
                return await self._form(issuer.url, form, "A token of the Google service account", address, credentials)

    async def _github(self, app: GitHubApp, address: Address, credentials: Credentials) -> _Token:
        now = int(time.time())
        # A minute back, since GitHub refuses a token of the future and clocks differ; ten minutes is the most it allows.
        claims = {"iat": now - 60, "exp": now + 540, "iss": str(app.app)}
        authorization = f"Bearer {await asyncio.to_thread(_jwt, app.private_key, claims, 'githubAppPrivateKey')}"
        access = _access(app.url, address, credentials)
        installation = app.installation
        if not installation:
            url = f"{app.url}/repos/{_owner(address)}/{quote(_names(address)[1], safe='')}/installation"
            what = f"The installation of GitHub App {app.app} for {address.url}"
            answer = await self._web.get(url, access=access, what=what, limit=_MAX_ANSWER, headers=_GITHUB, authorization=authorization)
            installation = int(_field(_object(answer.body, what), "id", int, what))
        what = f"A token of GitHub App {app.app} for its installation {installation}"
        answer = await self._web.post(
            f"{app.url}/app/installations/{installation}/access_tokens", body=b"", access=access, what=what, limit=_MAX_ANSWER,
            headers=_GITHUB, authorization=authorization, accept=frozenset({200, 201}),
        )  # fmt: skip
        given = _object(answer.body, what)
        try:
            ends = datetime.fromisoformat(str(_field(given, "expires_at", str, what))).timestamp()
        except ValueError as error:
            raise FetchFailedError(f"{what} cannot be read: field expires_at is no time") from error
        return _Token(_sendable(str(_field(given, "token", str, what)), what), ends)

    async def _workload(self, address: Address, credentials: Credentials) -> _Token:
        names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE")
        tenant, client, file = (os.environ.get(name, "") for name in names)
        if not (tenant and client and file):
            raise UnauthorisedError(
                f"The Git repository {address.url} asks for Azure workload identity, and this process has none",
                hint=f'label the pod azure.workload.identity/use: "true", which sets {", ".join(names)}',
            )
        try:
            assertion = (await asyncio.to_thread(Path(file).read_text)).strip()
        except OSError as error:
            raise UnauthorisedError(f"The federated token of Azure workload identity cannot be read: {error.strerror}") from error
        form = {
            "client_id": client,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        }
        return await self._azure(os.environ.get("AZURE_AUTHORITY_HOST", "") or AZURE, tenant, form, address, credentials)

    async def _azure(self, url: str, tenant: str, form: Mapping[str, str], address: Address, credentials: Credentials) -> _Token:
        form = {"grant_type": "client_credentials", "scope": _AZURE_DEVOPS, **form}
        url = f"{url.rstrip('/')}/{quote(tenant, safe='')}/oauth2/v2.0/token"
        return await self._form(url, form, "A token of Microsoft Entra for Azure DevOps", address, credentials)

    async def _form(self, url: str, form: Mapping[str, str], what: str, address: Address, credentials: Credentials) -> _Token:
        try:
            answer = await self._web.post(
                url, body=urlencode(form).encode(), access=_access(url, address, credentials), what=what, limit=_MAX_ANSWER, headers=_FORM,
                accept=frozenset({200, 400}),
            )  # fmt: skip
        except UnauthorisedError as error:
            raise UnauthorisedError(error.message, hint="check the repository Secret: the issuer does not accept it") from error
        given = _object(answer.body, what)
        if answer.status != 200:
            reason = str(given.get("error") or "no reason given")[:100]
            raise UnauthorisedError(f"{what} is refused ({reason})", hint="check the repository Secret: the issuer does not accept it")
        lasts = float(_field(given, "expires_in", int, what))
        return _Token(_sendable(str(_field(given, "access_token", str, what)), what), time.time() + lasts)


def _jwt(private_key: str, claims: Mapping[str, object], field: str, *, key_id: str = "") -> str:
    """A JSON web token signed with RS256 (RFC 7515, 7518)."""
    try:
        key = load_pem_private_key(private_key.replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError) as error:
        raise UnauthorisedError(f"The private key in {field} cannot be read", hint="give it as unencrypted PEM") from error
    if not isinstance(key, RSAPrivateKey):
        raise UnauthorisedError(f"The private key in {field} is not an RSA key")
    header = {"alg": "RS256", "typ": "JWT"} | ({"kid": key_id} if key_id else {})
    signed = f"{_base64(orjson.dumps(header))}.{_base64(orjson.dumps(claims))}"
    return f"{signed}.{_base64(key.sign(signed.encode(), PKCS1v15(), hashes.SHA256()))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _access(url: str, address: Address, credentials: Credentials) -> Access:
    """How the issuer is asked: by the repository's proxy; what is about the repository's host alone, where it is the same."""
    kept = Credentials(proxy=credentials.proxy, no_proxy=credentials.no_proxy, insecure=credentials.insecure)
    if (urlsplit(url).hostname or "").lower() == address.host.lower():
        kept = replace(kept, ca=credentials.ca, tls_client_cert=credentials.tls_client_cert, tls_client_key=credentials.tls_client_key)
    return Access(place(url).origin, kept)


def _names(address: Address) -> tuple[str, str]:
    parts = address.path.strip("/").removesuffix(".git").split("/")
    if len(parts) != 2:
        raise RefusedError(f"The repository address {address.url!r} is not one of GitHub", hint="use https://host/owner/repository")
    return parts[0], parts[1]


def _owner(address: Address) -> str:
    return quote(_names(address)[0].lower(), safe="")


def _object(body: bytes, what: str) -> dict[str, Any]:
    return mapping(body, f"{what} cannot be read: expected JSON")


def _field(given: Mapping[str, Any], name: str, kind: type, what: str) -> Any:
    found = given.get(name)
    if kind is int and isinstance(found, str) and found.isdecimal():
        found = int(found)
    if not isinstance(found, kind) or not found:
        raise FetchFailedError(f"{what} cannot be read: expected the field {name}")
    return found


def _sendable(token: str, what: str) -> str:
    """A token ends in a header: it must not bring lines of its own."""
    if not token.isascii() or not token.isprintable() or " " in token:
        raise FetchFailedError(f"{what} cannot be read: it has characters that no token has")
    return token

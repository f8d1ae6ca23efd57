"""Who hands out the tokens that sign in to a repository, where its Secret names no password: GitHub for an App, Azure, Google. Plain data.

A Secret names the issuer and what proves to it who we are (reference 1.15); how a token is had and for how long is ``tokens.py``'s business.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from homeostat.model.errors import InvalidError

if TYPE_CHECKING:
    from homeostat.desired.sources.credentials import SecretFields

FIELDS = (
    "githubAppID",
    "githubAppPrivateKey",
    "gcpServiceAccountKey",
    "azureServicePrincipalClientId",
    "azureServicePrincipalClientSecret",
)
"""Any of these in a Secret makes it one with a sign-in of its own."""

GITHUB = "https://api.github.com"
GOOGLE = "https://oauth2.googleapis.com/token"
AZURE = "https://login.microsoftonline.com"


@dataclass(frozen=True)
class GitHubApp:
    """``installation`` 0: the one that covers the repository is asked for. ``url`` is that of the API. ``private_key`` is PEM."""

    app: int
    installation: int
    private_key: str = field(repr=False)
    url: str = GITHUB


@dataclass(frozen=True)
class AzurePrincipal:
    """A service principal of Microsoft Entra with a client secret."""

    tenant: str
    client: str
    secret: str = field(repr=False)
    url: str = AZURE


@dataclass(frozen=True)
class AzureWorkload:
    """The workload identity of our own pod; what it is stands in the environment that Azure's webhook gives a pod."""


@dataclass(frozen=True)
class GoogleAccount:
    """A service account of Google. ``private_key`` is PEM, ``url`` where tokens are had."""

    email: str
    key_id: str
    private_key: str = field(repr=False)
    url: str = GOOGLE


Issuer = GitHubApp | AzurePrincipal | AzureWorkload | GoogleAccount


def issuer_of(secret: SecretFields) -> Issuer | None:
    """The issuer that a Secret names, in Argo CD's order where it names several. Raises :class:`InvalidError`."""
    if secret.has("githubAppID") or secret.has("githubAppPrivateKey"):
        app = secret.number("githubAppID")
        if not app or not secret.has("githubAppPrivateKey"):
            raise InvalidError(f"Secret {secret.name}: a GitHub App needs the fields githubAppID and githubAppPrivateKey")
        url = secret.text("githubAppEnterpriseBaseUrl").strip().rstrip("/")
        return GitHubApp(app, secret.number("githubAppInstallationID"), secret.text("githubAppPrivateKey"), url or GITHUB)
    if secret.has("gcpServiceAccountKey"):
        return _google(secret)
    names = ("azureServicePrincipalTenantId", "azureServicePrincipalClientId", "azureServicePrincipalClientSecret")
    if any(secret.has(name) for name in names[1:]):
        missing = [name for name in names if not secret.has(name)]
        if missing:
            raise InvalidError(f"Secret {secret.name}: an Azure service principal needs the fields {', '.join(missing)} too")
        tenant, client, password = (secret.text(name).strip() for name in names)
        return AzurePrincipal(tenant, client, password, secret.text("azureActiveDirectoryEndpoint").strip().rstrip("/") or AZURE)
    return AzureWorkload() if secret.flag("useAzureWorkloadIdentity") else None


def _google(secret: SecretFields) -> GoogleAccount:
    wrong = InvalidError(f"Secret {secret.name}: field gcpServiceAccountKey: expected the JSON key of a service account")
    try:
        key = json.loads(secret.text("gcpServiceAccountKey"))
    except ValueError:
        raise wrong from None  # the text is a secret, and the parser quotes it
    if not isinstance(key, dict) or key.get("type") != "service_account" or not key.get("client_email") or not key.get("private_key"):
        raise wrong
    return GoogleAccount(
        str(key["client_email"]), str(key.get("private_key_id") or ""), str(key["private_key"]), str(key.get("token_uri") or GOOGLE)
    )

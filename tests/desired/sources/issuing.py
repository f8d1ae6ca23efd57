"""Issuers of tokens, and a Git server that takes what they have handed out. Requests are checked as the real ones check them."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from homeostat.box.gitserver import GitServer


class RsaKey:
    """A private key as a Secret has it, and the look at signatures by it."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(65537, 2048)
        form = serialization.PrivateFormat.TraditionalOpenSSL
        self.pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
        self._public = key.public_key()

    def claims(self, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The header and the claims of a token that this key has signed. Raises when it has not."""
        head, body, signature = token.split(".")
        self._public.verify(_decoded(signature), f"{head}.{body}".encode(), PKCS1v15(), hashes.SHA256())
        header = json.loads(_decoded(head))
        assert header["alg"] == "RS256"
        return header, json.loads(_decoded(body))


class TokenGitServer(GitServer):
    """Takes any token that was issued and not revoked, as ``wanted`` says: ``basic x-access-token`` (a user name) or ``bearer``."""

    def __init__(self, folder: Path, wanted: str) -> None:
        super().__init__(folder)
        self.wanted = wanted
        self.valid: set[str] = set()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if not any(given == self._header(token) for token in self.valid):
            self._note(request, "", 401, 0)
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        return await super()._serve(request)

    def _header(self, token: str) -> str:
        if self.wanted == "bearer":
            return f"Bearer {token}"
        return "Basic " + base64.b64encode(f"{self.wanted.partition(' ')[2]}:{token}".encode()).decode()


class Issuer:
    """A server on the loopback address; what it hands out is valid at ``git``. ``asked`` are the paths that were asked for."""

    def __init__(self, git: TokenGitServer, *, lasts: float = 3600) -> None:
        self.git = git
        self.key = RsaKey()
        self.lasts = lasts
        self.asked: list[str] = []
        self.url = ""
        self._numbers = itertools.count(1)
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def issue(self) -> str:
        token = f"s3cret-token-{next(self._numbers)}"
        self.git.valid.add(token)
        return token

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        # Long enough that everybody who asks at the same time has asked.
        await asyncio.sleep(0)
        return await self.answer(request)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raise NotImplementedError


class GitHub(Issuer):
    """The API of GitHub as far as an App needs it. App 7 is installed for ``team`` as number 42."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        try:
            _, claims = self.key.claims(request.headers["Authorization"].removeprefix("Bearer "))
            assert claims["iss"] == "7"
            assert claims["iat"] <= time.time() < claims["exp"] <= claims["iat"] + 660
        except Exception:  # noqa: BLE001 - whatever is wrong with it
            return web.json_response({"message": "A JSON web token could not be decoded"}, status=401)
        if request.method == "GET" and request.path == "/api/v3/repos/team/web/installation":
            return web.json_response({"id": 42})
        if request.method == "POST" and request.path == "/api/v3/app/installations/42/access_tokens":
            ends = datetime.fromtimestamp(time.time() + self.lasts, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            return web.json_response({"token": self.issue(), "expires_at": ends}, status=201)
        return web.json_response({"message": "Not Found"}, status=404)


class Entra(Issuer):
    """Microsoft Entra: tenant ``t1``, client ``c1`` with the secret ``hush-hush``, or the federated token ``pod-token``."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        form = dict(await request.post())
        shared = {"grant_type": "client_credentials", "scope": "499b84ac-1321-427f-aa17-267ca6975798/.default", "client_id": "c1"}
        assertion = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion": "pod-token"}
        if request.path != "/t1/oauth2/v2.0/token" or form not in ({**shared, "client_secret": "hush-hush"}, {**shared, **assertion}):
            return web.json_response({"error": "invalid_client", "error_description": "AADSTS7000215: hush-hush?"}, status=401)
        return web.json_response({"token_type": "Bearer", "expires_in": int(self.lasts), "access_token": self.issue()})


class Google(Issuer):
    """Google's token endpoint, for the account ``git@project.example``."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        try:
            assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
            header, claims = self.key.claims(str(form["assertion"]))
            assert header["kid"] == "k1"
            assert claims["iss"] == "git@project.example"
            assert claims["aud"] == f"{self.url}/token"
            assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
            assert claims["exp"] - claims["iat"] == 3600
        except Exception:  # noqa: BLE001 - whatever is wrong with it
            return web.json_response({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, status=400)
        return web.json_response({"access_token": self.issue(), "expires_in": int(self.lasts), "token_type": "Bearer"})


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

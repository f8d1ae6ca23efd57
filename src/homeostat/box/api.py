"""The little that starting a plane has to ask of its API server: is it ready, take this object, tell me when that one is.

Everything else is the business of whoever uses the plane, with a client of their own.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from homeostat.box.errors import BoxError


class Api:
    """Speaks to the API server on a port of the loopback address. No request is repeated; each has a connection of its own."""

    def __init__(self, port: int, *, authority: Path, token: str) -> None:
        self._port = port
        self._tls = ssl.create_default_context(cafile=str(authority))
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": "homeostat-box"}

    def ready(self) -> bool:
        """Whether `/readyz` says yes. A server that does not answer yet is not ready."""
        try:
            with closing(self._connect(timeout=5.0)) as connection:
                connection.request("GET", "/readyz", headers=self._headers)
                return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def apply(self, path: str, manifest: bytes) -> None:
        """Server-side apply of a YAML manifest to the object at ``path``."""
        headers = {**self._headers, "Content-Type": "application/apply-patch+yaml"}
        with closing(self._connect(timeout=30.0)) as connection:
            connection.request("PATCH", f"{path}?fieldManager=homeostat-box&force=true", body=manifest, headers=headers)
            response = connection.getresponse()
            said = response.read()
        if response.status not in {http.client.OK, http.client.CREATED}:
            raise BoxError(f"the API server refused {path}: {_message(said) or response.reason}")

    def watch(self, path: str, name: str, *, seconds: float) -> Iterator[dict[str, Any]]:
        """The states of one object of the collection at ``path``, the present one first, until ``seconds`` are over."""
        query = f"watch=true&fieldSelector=metadata.name%3D{name}&timeoutSeconds={max(1, int(seconds))}"
        with closing(self._connect(timeout=seconds + 5.0)) as connection:
            connection.request("GET", f"{path}?{query}", headers=self._headers)
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise BoxError(f"the API server refused to watch {path}: {_message(response.read()) or response.reason}")
            while line := response.readline():
                event = json.loads(line)
                if event["type"] in {"ADDED", "MODIFIED"}:
                    yield event["object"]

    def _connect(self, *, timeout: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self._port, timeout=timeout, context=self._tls)


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body).get("message", ""))
    except ValueError:
        return body.decode(errors="replace")[:200]

"""Where a Git server redirects to. git would follow at once, whatever the address; so it is told not to, and where it would go is looked at first.

Pure. A redirect is good for HTTP and HTTPS only, never away from HTTPS, and credentials go along on their own server only.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urljoin

from homeostat.desired.sources import urls
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import RefusedError
from homeostat.desired.sources.urls import Address

MOST = 5
TRACE = {"GIT_TRACE_CURL": "1", "GIT_TRACE_CURL_NO_DATA": "1", "GIT_TRACE_REDACT": "1"}
"""The environment in which git says what it was answered, :func:`location` included. It holds no credentials, and is shown to nobody all the same."""

_LOCATION = re.compile(r"<= Recv header: location: *(\S+)", re.IGNORECASE)
_ASKED = "/info/refs?service=git-upload-pack"
_PORTS = {"https": "443", "http": "80"}


def location(trace: str) -> str:
    """The last ``Location`` in what git said; empty when there was none."""
    found = _LOCATION.findall(trace)
    return str(found[-1]) if found else ""


def behind(address: Address, location: str) -> Address:
    """The repository to which a server sends who asks for ``address``. Raises :class:`RefusedError`."""
    target = urljoin(address.url.rstrip("/") + _ASKED, location)
    start = f"The Git repository {address.url} cannot be fetched: the server redirects to {urls.redact(target)!r}"
    if not target.endswith(_ASKED):
        raise RefusedError(f"{start}, which is no repository", hint="use the address that it redirects to")
    try:
        found = urls.parse(target.removesuffix(_ASKED))
    except RefusedError as error:
        raise RefusedError(f"{start}, which is no address of a repository") from error
    if found.scheme not in _PORTS or (address.scheme, found.scheme) == ("https", "http"):
        raise RefusedError(f"{start}, by another transport", hint="use the address that it redirects to")
    # What a server writes into an address is no sign-in of ours.
    return found._replace(username=address.username, password=address.password) if _same(address, found) else _anonymous(found)


def along(credentials: Credentials | None, start: Address, end: Address) -> Credentials | None:
    """What of the credentials for ``start`` is used at ``end``."""
    if credentials is None or start == end or _same(start, end):
        return credentials
    return replace(credentials, username="", password="", bearer_token="", tls_client_cert="", tls_client_key="")


def _same(one: Address, other: Address) -> bool:
    """Whether both are on one server; one that sends from HTTP to HTTPS stays the same."""
    if one.host.lower() != other.host.lower():
        return False
    ports = [address.port or _PORTS[address.scheme] for address in (one, other)]
    return ports[0] == ports[1] if one.scheme == other.scheme else ports == ["80", "443"]


def _anonymous(address: Address) -> Address:
    return address._replace(username="", password="")

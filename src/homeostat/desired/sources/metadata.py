"""Addresses that nobody may be sent to, whoever asks: link-local ones, and those at which clouds hand out credentials to their machines. Pure."""

from __future__ import annotations

import ipaddress

from homeostat.desired.sources.errors import RefusedError

_NAMES = ("metadata.google.internal", "metadata", "metadata.goog", "instance-data")
_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32")
)  # fmt: skip
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def refuse(host: str, shown: str) -> None:
    """Raises :class:`RefusedError` when ``host``, a name or an address, is one of these. ``shown`` is how the message names it.

    What a name resolves to has to be asked about too.
    """
    host = host.strip("[]").rstrip(".").lower()
    if host in _NAMES:
        raise RefusedError(f"The address {shown!r} is one at which clouds hand out credentials")
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        address = inner or address
    if any(address in network for network in _NETWORKS):
        raise RefusedError(f"The address {shown!r} is link-local, or one at which clouds hand out credentials")

"""Which addresses on a network others may send us to.

Whoever can name a host for us to connect to must not reach what only we can: this machine, its
network, the metadata service of a cloud. So a name is resolved, and every address that it leads to
has to be public; this is where connections are made, so there is no second look-up that might
answer otherwise. Addresses that carry another one (mapped, NAT64, 6to4, Teredo) count as that one.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from aisle.outgoing.request import TransportError

_NAT64: Final = (
    ipaddress.IPv6Network("64:ff9b::/96"),
    ipaddress.IPv6Network("64:ff9b:1::/48"),
)
_METADATA: Final = ipaddress.IPv6Network("fd00:ec2::/32")  # Amazon's
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


class ForbiddenAddress(TransportError):
    """A name leads to an address that is not to be connected to."""

    passing = False

    def __init__(self) -> None:
        super().__init__("its address is not a public one", sent=False)


def literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is, if it is one and no name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0].strip("[]"))
    except ValueError:
        return None


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is one of the Internet's."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast
    inner = _carried(address)
    return address.is_global and not address.is_multicast if inner is None else is_public(inner)


def is_link_local(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is one of the link alone, or of a cloud's metadata service."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_link_local
    inner = _carried(address)
    if inner is not None:
        return inner.is_link_local
    return address.is_link_local or address in _METADATA


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that packets to an IPv6 address end at."""
    if any(address in network for network in _NAT64) or address in _COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


class PublicResolver(AbstractResolver):
    """Names by the system, to public addresses alone. Raises `ForbiddenAddress` for a name that
    leads to any other."""

    def __init__(self) -> None:
        self._inner: ThreadedResolver | None = None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if self._inner is None:
            self._inner = ThreadedResolver()
        found = await self._inner.resolve(host, port, family)
        for one in found:
            address = literal(one["host"])
            if address is None or not is_public(address):
                raise ForbiddenAddress
        return found

    async def close(self) -> None: ...

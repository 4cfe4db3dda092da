"""The edge: which requests come in at all, who is said to have sent them, what browsers may do.

Nothing here knows a dialect or does any work of one. Headers that claim where a request comes from
count only if a configured proxy has added them; there are only so many requests at a time; and what
a browser gets is never run as a script of this origin. Everything is on the way of each request, so
what can be known before is computed before.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from aisle.api.base import HOST_ID, Headers, virtual_bucket
from aisle.core.errors import InvalidRequest, TooBusy
from aisle.core.http import RequestHead

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# On every reply.
_ALWAYS: Final = (
    (b"x-amz-id-2", HOST_ID),
    (b"server", b"Aisle"),
    (b"x-content-type-options", b"nosniff"),
)
_HSTS: Final = (*_ALWAYS, (b"strict-transport-security", b"max-age=31536000"))
SANDBOX: Final = (b"content-security-policy", b"sandbox")
# Headers that decide where a request goes, how long it is or who sent it; two of them are an attack
# on whatever stands between, which may go by the other one.
_SINGLE: Final = frozenset({"host", "content-length", "authorization"})
# What load balancers and monitoring ask, who have to be answered most of all when it is crowded.
_OPEN: Final = frozenset({b"/v1/health", b"/metrics"})
_HOPS: Final = 32
_MAPPED: Final = "::ffff:"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one worker takes on, and how long it waits for clients, in seconds."""

    requests: int = 1024
    body_timeout: float = 60.0
    send_timeout: float = 300.0


class Edge:
    """The edge of one worker."""

    def __init__(self, limits: Limits | None = None, proxies: Iterable[Network] = ()) -> None:
        self.limits = limits or Limits()
        self.proxies = tuple(proxies)
        self.running = 0
        self._trusts = lru_cache(maxsize=4096)(self._is_proxy)

    def origin(self, headers: dict[str, str], client: str, scheme: str) -> tuple[str, str]:
        """The address and scheme that a request came with to the outermost trusted proxy.

        `X-Forwarded-For` is read from its end, where each proxy has written who came to it: the
        first address that is no trusted proxy's is the client's, and what stands before it is
        hearsay.
        """
        if not self.proxies or not self._trusts(client):
            return client, scheme
        told = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
        if told in ("http", "https"):
            scheme = told
        hops = headers.get("x-forwarded-for", "").rsplit(",", _HOPS)
        while hops and self._trusts(client):
            address = _address(hops.pop())
            if not address:
                break
            client = address
        return client, scheme

    def _is_proxy(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None) or found
        return any(mapped in network or found in network for network in self.proxies)

    def check(self, head: RequestHead, version: str) -> None:
        """Raise `InvalidRequest` for a head that two readers may understand differently, and
        `TooBusy` if there are too many requests already.

        How long a body is, is settled before, by the HTTP server: docs/edge.md has the list.
        """
        if head.repeated and not _SINGLE.isdisjoint(head.repeated):
            twice = min(_SINGLE & head.repeated)
            raise InvalidRequest(f"the header {twice} is there more than once")
        if not head.headers.get("host") and version == "1.1":
            raise InvalidRequest("the header host is missing")
        if self.running > self.limits.requests and head.path not in _OPEN:
            raise TooBusy("this node serves as many requests as it may: try again in a moment")


def peer(client: Sequence[Any] | None) -> str:
    """The address that a connection comes from. One of IPv4 is told as such on a socket of IPv6,
    too: policies and limits know it by that."""
    if not client:
        return ""
    address: str = client[0]
    return address[len(_MAPPED) :] if address.startswith(_MAPPED) and "." in address else address


def standard(scheme: str, host: str) -> tuple[tuple[bytes, bytes], ...]:
    """The headers of every reply, but for its number."""
    return _secured(host) if scheme == "https" else _ALWAYS


@lru_cache(maxsize=256)
def _secured(host: str) -> tuple[tuple[bytes, bytes], ...]:
    """With the promise that this host will speak HTTPS for a year: not for `localhost`, which has
    other servers on other ports."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    local = name.lower() == "localhost" or name.lower().endswith(".localhost")
    return _ALWAYS if local else _HSTS


def runs_here(headers: Headers, head: RequestHead, domains: tuple[str, ...]) -> bool:
    """Whether a browser would run an object's content as a part of this origin.

    A bucket that is addressed by a host of its own is an origin of its own, and left alone.
    """
    kind = dict(headers).get(b"content-type")
    return kind is not None and _runs(kind) and virtual_bucket(head, domains) is None


@lru_cache(maxsize=1024)
def _runs(content_type: bytes) -> bool:
    """Whether content of this type may hold scripts that run when it is opened. Browsers read odd
    types in odd ways, so that a word anywhere in it counts; confining a document too many does no
    harm."""
    text = content_type.lower()
    return any(word in text for word in (b"html", b"xml", b"svg", b"xsl", b"multipart", b"mixed"))


def _address(hop: str) -> str:
    """The address in one entry of X-Forwarded-For, without a port; `""` if it is none."""
    text = hop.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return ""
    return str(getattr(found, "ipv4_mapped", None) or found)

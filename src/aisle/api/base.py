"""What the dialects share: a request in context, a response as a value, the services they use.

A handler is `async def get_object(svc: Service, ctx: Context) -> Response`. It parses what its
operation needs from `ctx`, calls the namespace, and returns a value; bytes move in `app`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from aisle.api.limits import Limits
from aisle.auth.payload import Payload
from aisle.auth.principal import Principal
from aisle.backend.base import Backend
from aisle.core.counters import Counters
from aisle.core.http import RequestHead
from aisle.core.logfiles import LogFiles
from aisle.jobs.inventories import Inventories
from aisle.jobs.jobs import Jobs
from aisle.jobs.members import Watch
from aisle.namespace.accesslogs import AccessLogs
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.users.principals import Principals
from aisle.query.runner import Queries
from aisle.targets.base import NONE as NO_TARGETS
from aisle.targets.base import Targets

# x-amz-id-2 and HostId: for Amazon a second request id, here always the same.
HOST_ID: Final = b"YWlzbGU="

Headers = list[tuple[bytes, bytes]]


class RequestBody(Protocol):
    """The raw body of a request, as it comes from the wire; `count` bytes have come so far."""

    count: int

    async def read(self) -> bytes:
        """The next piece, `b""` at the end. Raises `IncompleteBody` if the client went away or
        sent another number of bytes than it announced."""
        ...


class Certificate(Protocol):
    """The certificate of a node: `aisle.node.certificate.Certificate`."""

    def describe(self) -> dict[str, str]: ...

    def check(self) -> None:
        """Raise `InvalidRequest` if the files as they are now could not serve."""
        ...

    def renew(self) -> None:
        """Have the node read its files anew."""
        ...


@dataclass(slots=True)
class Response:
    """Status, headers and body. A streamed body without a `length` is sent in chunks.

    `waits` is false for a reply to a client that will not send the body it has announced; `error`
    is the dialect's code of the error that it tells.
    """

    status: int = 200
    headers: Headers = field(default_factory=list)
    body: bytes | AsyncIterator[bytes] = b""
    length: int | None = None
    waits: bool = True
    error: str = ""


@dataclass(slots=True)
class Service:
    """What the handlers of one process work with."""

    store: Store
    principals: Principals
    auth_enabled: bool
    region: str
    domains: tuple[str, ...]
    jobs: Jobs
    root_api: bool = True  # the S3 API answers at the root too: feature S3-API-via-Root
    node: str = ""  # this node's id
    advertise: str = ""  # where others reach it; empty: where the client did
    targets: Targets = NO_TARGETS  # of event notifications
    promote_dir: Path | None = None  # below which files may be promoted; none: no files may
    watch: Watch | None = None  # the nodes of the cluster; none if this one is alone
    ready: Callable[[], bool] = lambda: True
    session: str = ""  # tells this life of the node from the next
    workers: int = 1
    counters: Counters = field(default_factory=Counters)  # shared by the node's workers
    limits: Limits = field(default_factory=Limits)
    certificate: Certificate | None = None  # that it serves HTTPS with; none if it serves HTTP
    log: LogFiles | None = None
    local: Mapping[str, Any] = field(default_factory=dict)  # AIStore's local part of the config
    stop: Callable[[], None] | None = None  # ends the node in order; none if it is not ours to end
    website_domains: tuple[str, ...] = ()  # below which buckets are served as websites
    access_logs: AccessLogs | None = None  # of buckets that log; none if nobody writes them
    queries: Queries = field(default_factory=Queries)  # on objects: SelectObjectContent
    inventories: Inventories = field(init=False)  # of remote buckets

    def __post_init__(self) -> None:
        self.inventories = Inventories(self.store, self.jobs)


class Beside(NamedTuple):
    """What a request did beside what it names, for the access log of the bucket it did it in."""

    row: BucketRow
    operation: str
    key: str
    version: str = ""
    status: int = 200
    error: str = ""


@dataclass(slots=True)
class Context:
    """One request on its way: what is known of it grows from parsing to the handler."""

    head: RequestHead
    body: RequestBody
    request_id: str
    operation: str = "-"
    principal: Principal | None = None
    payload: Payload | None = None
    bucket: str = ""
    key: str = ""
    resource: str = ""  # the path as errors name it
    unsigned: bool = False  # nobody signed it, and nobody had to
    row: BucketRow | None = None  # of the bucket it is for, once that was found
    facts: dict[str, tuple[str, ...]] = field(default_factory=dict)  # condition keys not in `head`
    learn: Callable[[], Awaitable[None]] | None = None  # reads what of `facts` is in the body
    via: Backend | None = None  # to the remote bucket, as whoever asks has signed for it
    counted: bool = False  # by the limit of a bucket
    denied: str = ""  # why it was refused: for the log, not for the client
    extra: Headers = field(default_factory=list)  # of the reply, be it an error
    beside: list[Beside] = field(default_factory=list)

    @property
    def known_payload(self) -> Payload:
        """How the body is guarded: known once the request is authenticated."""
        assert self.payload is not None
        return self.payload

    @property
    def who(self) -> Principal:
        """Who asks: known once the request is authenticated."""
        assert self.principal is not None
        return self.principal

    @property
    def anonymous(self) -> bool:
        return self.principal is None or self.principal.anonymous or self.unsigned


Handler = Callable[[Service, Context], Awaitable[Response]]


def virtual_bucket(head: RequestHead, domains: tuple[str, ...]) -> tuple[str, bool] | None:
    """The bucket that the Host header names in front of one of `domains`, if it does, and
    whether that domain serves S3 under `/s3` (its entry then ends so) rather than at the root."""
    return _virtual_bucket(head.headers.get("host", ""), domains)


@lru_cache(maxsize=256)
def _virtual_bucket(host: str, domains: tuple[str, ...]) -> tuple[str, bool] | None:
    host = host.lower()
    colon = host.rfind(":")
    if colon > host.rfind("]"):
        host = host[:colon]
    for domain in domains:
        name, _, mount = domain.partition("/")
        if host.endswith(name) and host[: -len(name)].endswith("."):
            return host[: -len(name) - 1], bool(mount)
    return None


def website_bucket(
    head: RequestHead, websites: tuple[str, ...], domains: tuple[str, ...]
) -> str | None:
    """The bucket that the Host header names in front of one of `websites`, unless one of `domains`
    says more of that host."""
    return _website_bucket(head.headers.get("host", ""), websites, domains)


@lru_cache(maxsize=256)
def _website_bucket(host: str, websites: tuple[str, ...], domains: tuple[str, ...]) -> str | None:
    found = _virtual_bucket(host, websites)
    other = _virtual_bucket(host, domains)
    if found is None or not found[0] or (other is not None and len(other[0]) < len(found[0])):
        return None
    return found[0]


async def read_all(body: RequestBody, limit: int) -> bytes | None:
    """A body that must be small, whole; `None` if it has more than `limit` bytes."""
    pieces: list[bytes] = []
    size = 0
    while piece := await body.read():
        size += len(piece)
        if size > limit:
            return None
        pieces.append(piece)
    return b"".join(pieces)

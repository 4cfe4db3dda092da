"""The port of providers: one remote bucket as its clients see it, whatever it speaks.

A `Backend` is a remote bucket behind an endpoint, opened by a `Provider` from what the settings say
of it. It keeps nothing, caches nothing and decides nothing: what is kept in the cluster, when it is
compared with the remote one and what a client is told is `namespace.window`'s.

* Every method raises `RemoteError`s alone (`core.errors`), each of which names the remote bucket
  and nothing that requests were signed with. Failures that pass are tried again inside, with
  backoff, jitter and the server's Retry-After, a bounded number of times; a body that was cut off
  raises `RemoteBroken` from `read`, and is never padded, restarted or given out short.
* No redirect is followed to another host, no proxy, cookie or credential taken from anywhere but
  what the provider documents.
* `size` is in bytes, times are integer nanoseconds since the epoch, ETags are without quotes, and
  digests are lower-case hex.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

from aisle.core.ranges import Span

# Listed names of one page at most, by what providers allow; a backend may say less.
PAGE_LIMIT: Final = 1000
# Pages without a name that a service may give in a row; one that gives more never comes to an end.
EMPTY_PAGES: Final = 1000
# What S3 says of how it has encrypted an object, with keys of its own or of its key service.
ENCRYPTION: Final = (
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
)


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """What the remote says of an object. What it does not say is empty, `size` apart.

    `etag` is as S3 clients may see it: a provider whose own is not fit (it changes with metadata,
    or is an encoded number) puts the MD5 there if it knows it. `version` names this version where
    the bucket keeps versions (a generation, a version id). `checksums` are of the whole body:
    `md5`, `crc32c`, `sha256` and so on, in hex. `headers` are the content headers by their HTTP
    names (`content-type`, `cache-control` ...), `meta` is user metadata without a prefix.
    `encryption` are headers of S3 by the names in `ENCRYPTION`.
    """

    key: str
    size: int
    etag: str = ""
    mtime: int = 0
    version: str = ""
    checksums: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = "STANDARD"
    encryption: Mapping[str, str] = field(default_factory=dict)


class RemoteBody(Protocol):
    """Bytes on their way from the remote. `about` is of the whole object, also for a range."""

    about: RemoteObject

    async def read(self) -> bytes:
        """The next piece, `b""` at the end, which comes only after as many bytes as were asked
        for. Raises `RemoteBroken`, `RemoteUnavailable`."""
        ...

    async def close(self) -> None:
        """Give the connection up; never raises, may be called at any time."""
        ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A body on its way to the remote. `open(start, length)` gives a stretch of it, again and again
    if need be: that is what lets an upload be repeated or go in parts. `parts` are the sizes that
    the client uploaded it in, empty if it came in one piece. `md5` is of the whole, if known."""

    size: int
    open: Callable[[int, int], AsyncIterator[bytes]]
    md5: str = ""
    parts: tuple[int, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = "STANDARD"
    encryption: Mapping[str, str] = field(default_factory=dict)  # headers of S3, of aws alone
    if_match: str = ""  # an ETag as `RemoteObject.etag` has it
    if_none_match: bool = False  # only if there is no such object
    started: Callable[[str], Awaitable[None]] | None = None  # told of an upload in parts by its id


@dataclass(frozen=True, slots=True)
class RemoteEntry:
    """An object in a listing: as much of it as listings tell."""

    key: str
    size: int = 0
    etag: str = ""
    mtime: int = 0
    version: str = ""
    checksums: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = "STANDARD"


class RemotePage(NamedTuple):
    """Entries and common prefixes in the order of their UTF-8 bytes (see `in_order`). `token`
    continues after them, `""` if that was all."""

    entries: list[RemoteEntry]
    prefixes: list[str]
    token: str


class RemoteFacts(NamedTuple):
    """What is known of a remote bucket: its region, and whether it keeps versions."""

    region: str = ""
    versioned: bool = False
    extra: Mapping[str, Any] = {}


class Backend(Protocol):
    """One remote bucket. Methods may be called at the same time from many tasks of one loop."""

    provider: str  # AIStore's word, which is also an object's `source`: aws, gcp, azure, ht, ais
    name: str  # the remote bucket as errors name it: aws://my-bucket
    lists: bool  # whether it can be listed at all
    writes: bool  # whether it can be written to
    in_order: bool  # whether all of a list is in the order of UTF-8, and not each page alone
    ranges_by_etag: bool  # whether `get` honours `etag`, so that parts of one version fit together

    async def facts(self) -> RemoteFacts:
        """Look the bucket up. Raises `RemoteBucketNotFound`, `RemoteDenied`."""
        ...

    async def head(self, key: str, *, version: str = "") -> RemoteObject:
        """Raises `RemoteObjectNotFound`."""
        ...

    async def get(
        self, key: str, *, span: Span | None = None, etag: str = "", version: str = ""
    ) -> RemoteBody:
        """Begin to read the object, or the bytes of `span` (which lie inside it). With `etag` only
        if that is still its ETag. Raises `RemoteObjectNotFound`, `RemoteChanged`."""
        ...

    async def put(self, key: str, body: Outgoing) -> RemoteObject:
        """Store a body; what the remote says of it now. Nothing is visible there unless this
        returns, or fails with `RemoteUnknown`: then it may be. Raises `PreconditionFailed`."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the object; that there is none is no error."""
        ...

    async def give_up(self, key: str, upload: str) -> None:
        """Drop an upload in parts that `Outgoing.started` told of and nobody finished; that there
        is none is no error."""
        ...

    async def list(
        self, *, prefix: str = "", delimiter: str = "", after: str = "", token: str = "",
        limit: int = PAGE_LIMIT,
    ) -> RemotePage:  # fmt: skip
        """A page of objects: from `token`, else after the key `after` (exclusive), else from the
        start. A provider that cannot begin at a key reads its pages up to there."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request of the S3 API for a remote bucket, or for a key in it, to be sent as it is.

    `key` and `query` are percent-encoded as they go over the wire; `headers` have lower-case names
    and neither Host nor Content-Length. With a `style` (`path` or `virtual-hosted`) the request
    was signed by who sent it, for the bucket's host in that style: nothing of it may be changed.
    Without one it is signed with the cluster's credentials.
    """

    method: str
    key: str = ""
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: AsyncIterator[bytes] | bytes = b""
    size: int = 0  # of the body
    style: str = ""


class Forwarded(Protocol):
    """The reply to a raw request, whatever its status. Names of `headers` are lower case."""

    status: int
    headers: Mapping[str, str]
    size: int | None  # of the body, if that is known

    async def read(self) -> bytes:
        """The next piece of the body, `b""` at its end. Raises `RemoteBroken`."""
        ...

    async def close(self) -> None: ...


class Forwarding(Protocol):
    """What a backend that speaks S3 can do beside its port: requests that Aisle has no words for,
    and those that somebody else has signed."""

    region: str  # that requests for the bucket are signed for, "" if not known before `facts`

    async def forward(self, request: RawRequest) -> Forwarded:
        """Send a request once: a body cannot be sent again. The address is the bucket's configured
        endpoint and region, whatever the request says. Raises `RemoteUnavailable`, and
        `RemoteUnknown` for one that may have been carried out."""
        ...

    def other_style(self, style: str) -> str:
        """The style in which the bucket has another host yet, which a request may have been signed
        for; `""` if it has none."""
        ...

    def described(self, key: str, headers: Mapping[str, str]) -> RemoteObject:
        """The object that the headers of a reply to GET, HEAD or PUT tell of; its size is that of
        the whole, also for a range."""
        ...


class Provider(Protocol):
    """A kind of remote bucket: opens backends, and knows which buckets there are."""

    name: str  # aws, gcp, azure, ht, ais

    def open(self, bucket: str, settings: Mapping[str, Any], *, namespace: str = "") -> Backend:
        """The remote bucket of that name by the bucket's props in force (flat names, such as
        `extra.aws.endpoint`). Does no I/O. Raises `InvalidArgument`, `ConfigError`."""
        ...

    async def buckets(self, settings: Mapping[str, Any], *, namespace: str = "") -> list[str]:
        """The names of the buckets that the cluster's credentials may list. Raises
        `RemoteError`s, `NotSupported` where there is no such list."""
        ...

    async def close(self) -> None: ...


class ClusterSeen(NamedTuple):
    """Another cluster, as its map tells: `map` is AIStore's JSON of it."""

    uuid: str
    url: str
    map: Mapping[str, Any]


@runtime_checkable
class Clusters(Protocol):
    """What a provider whose buckets are those of other clusters can do beside its port."""

    async def look(
        self, alias: str, urls: Sequence[str], settings: Mapping[str, Any]
    ) -> ClusterSeen:
        """What cluster answers at one of these addresses. Raises `RemoteError`s that name it by
        the alias, and `InvalidArgument` if they lead to different ones."""
        ...

"""The rows: the only place that encodes and decodes what the Index holds.

Every row is one version byte and then MessagePack of an array. New fields are added at the end
with a default, which old and new readers both understand; a change of meaning takes a new version
byte and an entry in `MIGRATIONS`, which is applied when a row is read.

| table     | key                                         | value       |
|-----------|---------------------------------------------|-------------|
| `bucket`  | name NUL provider NUL namespace             | `Bucket`    |
| `object`  | bucket id (8) + key                         | `Object`    |
| `layout`  | layout id (16)                              | `Layout`    |
| `body`    | body id (16)                                | raw bytes   |
| `upload`  | bucket id (8) + escaped key + NUL + id (16) | `Upload`    |
| `part`    | upload id (16) + number (2, big endian)     | `Part`      |
| `done`    | upload id (16)                              | `Completed` |
| `garbage` | time (8, ns, big endian) + blob             | its bytes (8) |
| `moved`   | blob of an object that was renamed          | bucket id + key |
| `reader`  | worker id                                   | `Reader`    |
| `claim`   | bucket id (8) + key                         | `Claim`     |
| `chunk`   | holder (16) + number (4, big endian)        | `Extent`    |
| `atime`   | bucket id (8) + key                         | when it was last used (8, ns) |
| `inventory` | generation id (8) + key                   | `Inventoried` |
| `inventories` | bucket id (8) + kind + NUL + name       | `Inventory` |
| `config`  | `cluster`                                   | `Config`    |
| `config`  | `node/` + node id                           | `NodeConfig` |
| `config`  | `root`, `internal`                         | `KeyPair`   |
| `config`  | `tokens`                                    | `TokenKeys` |
| `node`    | node id                                     | `Member`    |
| `lease`   | name of the duty                            | `Lease`     |
| `beat`    | name of the duty, or `node/` + node id      | `Beat`      |
| `job`     | job id                                      | `Job`       |
| `queue`   | job id, while the job is not over           | `Queued`    |
| `progress` | job id                                     | `Progress`  |
| `pulled`  | see `transfer.journal`                      | digest      |
| `document` | bucket id (8) + kind                       | see `documents` |
| `account` | `id/` + account id                          | `Account`   |
| `account` | `canonical/` + canonical id, `email/` + address | account id |
| `user`    | name                                        | `User`      |
| `accesskey` | access key                                | `AccessKey` |
| `session` | access key of a session                     | `Session`   |
| `role`    | name                                        | `Role`      |
| `cluster` | `id/` + uuid                                | `Registered` |
| `cluster` | `alias/` + alias                            | uuid        |
| `revoked` | id of a token                               | its end (8, ns, big endian) |
| `used`    | access key                                  | when it was last used (8, ns) |
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import msgspec

from aisle.auth.acl import Grant
from aisle.core.errors import StoreUnavailable
from aisle.core.names import BucketName, parse_bucket_name

VERSION: Final = 1
_VERSION_BYTE: Final = bytes([VERSION])
# Up to this many parts travel in the object's own row; more get a `layout` row, so that a
# listing never reads the parts of a large upload.
PARTS_IN_ROW: Final = 4
# The property of a bucket of our own that makes it a window: the remote bucket's full name.
BACKEND_BCK: Final = "backend_bck"


_SECRET: Final = frozenset(("password", "secret_key", "token", "secret"))


class Record(msgspec.Struct, frozen=True, array_like=True):
    """The base of every row. What is secret in it stays out of `repr`."""

    def __repr__(self) -> str:
        fields = ", ".join(
            f"{name}={getattr(self, name)!r}"
            for name in self.__struct_fields__
            if name not in _SECRET
        )
        return f"{type(self).__name__}({fields})"


class Extent(Record, frozen=True, array_like=True):
    """`length` bytes at `offset` of a blob, or of a row of `body` if `inline`. One that is `cold`
    is never in a row: its bytes are in a remote bucket, and `blob` is what the window calls them.
    """

    blob: bytes
    offset: int
    length: int
    inline: bool = False
    cold: bool = False


class Bucket(Record, frozen=True, array_like=True):
    """A bucket. `props` holds only what was set on it, by flat setting name.

    `mark` is set by a running DeleteBucket and cleared by any writer: see `buckets.delete`.
    """

    id: bytes
    name: str
    provider: str
    namespace: str
    created: int
    owner: str
    location: str
    props: dict[str, Any]
    mark: bytes = b""

    @property
    def behind(self) -> BucketName | None:
        """The remote bucket that this one is a window on; `None` for a bucket of our own."""
        if self.provider != "ais" or self.namespace.startswith("@"):
            return BucketName(self.name, self.provider, self.namespace)
        named = self.props.get(BACKEND_BCK)
        return parse_bucket_name(named) if named else None


class PartInfo(Record, frozen=True, array_like=True):
    """One part of a completed upload: its number, size, and base64 checksums by algorithm."""

    number: int
    size: int
    checksums: dict[str, str]


class Listed(Record, frozen=True, array_like=True):
    """The leading fields of `Object`: what a listing shows, decoded without the rest."""

    size: int
    mtime: int
    etag: str
    storage_class: str
    checksums: dict[str, str]
    checksum_type: str


class Owned(Listed, frozen=True, array_like=True):
    """The same with whose the object is, which most listings need not know."""

    owner: str


class Inventoried(Owned, frozen=True, array_like=True):
    """An entry of an inventory of a remote bucket: what a listing shows, its version there, and
    digests of the whole body in hex."""

    version: str = ""
    sums: dict[str, str] = {}


class Inventory(Record, frozen=True, array_like=True):
    """An inventory of a remote bucket: see `window.inventory.generations`.

    `rows` is the id of the generation that is listed, empty while there is none; `source` tells
    what it was made of, `started` and `finished` (ns) when, `count` and `size` (bytes of its rows)
    how large it is. `making` is one that `job` makes of `making_of`; the rows of those in `dropped`
    are to be deleted. `prefix` limits what is in it; `chunk` is names a chunk, for who asks.
    """

    name: str
    rows: bytes = b""
    source: str = ""
    started: int = 0
    finished: int = 0
    count: int = 0
    size: int = 0
    prefix: str = ""
    chunk: int = 0
    job: str = ""
    making: bytes = b""
    making_of: str = ""
    dropped: list[bytes] = []


class Origin(Record, frozen=True, array_like=True):
    """What the remote bucket said of the version that a row of a window is a copy of.

    `source` is the provider; `etag` is the remote's and also the row's; `modified` (ns) its
    Last-Modified and the row's `mtime`; `checksums` are the remote's, of the whole body, in hex.
    """

    source: str
    etag: str = ""
    version: str = ""
    modified: int = 0
    checksums: dict[str, str] = {}


class Object(Record, frozen=True, array_like=True):
    """The current version of an object.

    `etag` is without quotes; `checksums` are S3's, in base64; `digest` is the bucket's
    `checksum.type` and its value in hex; `mtime` is in nanoseconds since the epoch; `acl` holds
    grants (`aisle.auth.acl`), `None` where the owner alone has everything.
    """

    size: int
    mtime: int
    etag: str
    storage_class: str
    checksums: dict[str, str]
    checksum_type: str
    owner: str
    extents: list[Extent]
    layout: bytes
    headers: dict[str, str]
    meta: dict[str, str]
    digest: tuple[str, str]
    parts: list[PartInfo]
    part_count: int
    seq: int
    acl: list[Grant] | None = None
    origin: Origin | None = None  # of a window's copy; its ETag may be no MD5


class Layout(Record, frozen=True, array_like=True):
    """The extents and parts of an object that has many."""

    extents: list[Extent]
    parts: list[PartInfo]


class Holder(Record, frozen=True, array_like=True):
    """Who is at work on an object of a window: `id` (16) names the work, `worker` the process, as
    in `reader`. A writer that has begun an upload in parts at the remote names it."""

    id: bytes
    worker: bytes
    writes: bool
    started: int
    upload: str = ""


class Claim(Record, frozen=True, array_like=True):
    """Who is at work on an object of a window: any number of writers, or one that fetches it. A
    copy may be kept only by one that was alone all the time: see `window.claims`. Of what is
    fetched, `etag` and `size` are told, and the chunks that are there already (table `chunk`)."""

    holders: list[Holder]
    crowded: bool = False
    etag: str = ""
    size: int = 0


class Upload(Record, frozen=True, array_like=True):
    """A multipart upload under way."""

    id: bytes
    started: int
    owner: str
    storage_class: str
    headers: dict[str, str]
    meta: dict[str, str]
    checksum_algorithm: str
    checksum_type: str
    acl: list[Grant] | None = None
    initiator: str = ""  # the user that began it, as policies call it
    asked: dict[str, str] = {}  # what policies may ask of its parts, by header


class Part(Record, frozen=True, array_like=True):
    """An uploaded part; `etag` is its MD5 in hex (or opaque, as the bucket says)."""

    number: int
    size: int
    mtime: int
    etag: str
    checksums: dict[str, str]
    extents: list[Extent]


class Completed(Record, frozen=True, array_like=True):
    """What a completed upload became, kept for a while so that a retry hears the same."""

    bucket: bytes
    key: bytes
    time: int
    etag: str
    request: bytes
    checksums: dict[str, str]
    checksum_type: str


class Reader(Record, frozen=True, array_like=True):
    """A worker process: when it was last alive, and since when its longest read has run."""

    alive: int
    oldest: int


class Member(Record, frozen=True, array_like=True):
    """A node of the cluster: what it said of itself when it joined, and what it was told since.

    `url` is where others reach it; `session` tells one start of a node from the next; `formats`
    is the highest row version it reads; sizes are bytes, `started` is in nanoseconds.
    """

    url: str
    session: str
    version: str
    formats: int
    started: int
    workers: int
    state: str


class Lease(Record, frozen=True, array_like=True):
    """Who has a duty, since its `term`-th change of hands. `holder` is empty if it was given up."""

    holder: str
    term: int


class Beat(Record, frozen=True, array_like=True):
    """A sign of life: `count` differs from one to the next, and by nothing else is it judged.

    `total` and `free` are the bytes under the blobs, as the node that sent it sees them.
    """

    count: int
    total: int = 0
    free: int = 0


class Job(Record, frozen=True, array_like=True):
    """Long work: what was asked for, and how far its life has come.

    `args` are what the worker of its `kind` needs; times are in nanoseconds, 0 for what has not
    been yet; `state` is `queued`, `running`, `finished`, `failed` or `aborted`; `stop` is why it
    is to end early; `node` ran it last; `result` is what it leaves, if it leaves anything. `runs`
    is how often in a row it was begun at the cursor `begun_at`, without getting any further. `only`
    is the node that has what it needs; any will do if it is empty.
    """

    kind: str
    args: dict[str, Any]
    user: str
    created: int
    started: int = 0
    ended: int = 0
    state: str = "queued"
    error: str = ""
    stop: str = ""
    node: str = ""
    result: Any = None
    runs: int = 0
    begun_at: str = ""
    only: str = ""


class Queued(Record, frozen=True, array_like=True):
    """What every worker looks at again and again: a job that is not over. `stop`: it has to end;
    `only`: the node that may do it, if not any."""

    created: int
    kind: str
    stop: bool = False
    only: str = ""


class Progress(Record, frozen=True, array_like=True):
    """How far a job has come. `cursor` is where a worker that takes it over goes on."""

    objects: int = 0
    bytes: int = 0
    in_objects: int = 0
    in_bytes: int = 0
    out_objects: int = 0
    out_bytes: int = 0
    errors: int = 0
    cursor: str = ""
    message: str = ""


class Config(Record, frozen=True, array_like=True):
    """The cluster's settings that differ from the defaults, by flat name; `changed` is when they
    last did, in nanoseconds."""

    version: int
    values: dict[str, Any]
    changed: int = 0


class Account(Record, frozen=True, array_like=True):
    """A tenant: what users make belongs to their account. `id` is 12 digits; `canonical` the 64 hex
    digits that S3 shows as an owner; `owner` the name of the user that has everything in it, empty
    if that one is gone; `members` is how many users it has."""

    id: str
    canonical: str
    display: str
    email: str
    owner: str
    created: int
    members: int = 0


class User(Record, frozen=True, array_like=True):
    """A user. `password` is argon2's encoding, empty if there is none to log in with; `policies`
    are documents by name; tokens and sessions made before `tokens_after` (ns) are void; `id` tells
    a user from a later one of the same name; `keys` are its access keys."""

    name: str
    account: str
    created: int
    password: str = ""
    roles: list[str] = []
    policies: dict[str, str] = {}
    tokens_after: int = 0
    path: str = "/"
    id: str = ""
    tags: dict[str, str] = {}
    keys: list[str] = []


class AccessKey(Record, frozen=True, array_like=True):
    """An access key of a user."""

    access_key: str
    secret_key: str
    user: str
    created: int
    active: bool = True


class KeyPair(Record, frozen=True, array_like=True):
    """Keys that the store has made for itself."""

    access_key: str
    secret_key: str


class Session(Record, frozen=True, array_like=True):
    """Temporary credentials of a user until `expires` (ns): all the user may do, but only what
    `policy` allows, if there is one, and only with `role`'s permissions, if one was assumed.
    `source` is the access key it was made with, and ends with."""

    access_key: str
    secret_key: str
    token: str
    user: str
    created: int
    expires: int
    name: str = ""
    policy: str = ""
    role: str = ""
    user_id: str = ""
    source: str = ""


class Role(Record, frozen=True, array_like=True):
    """AIStore's role: permission bits by cluster id, and by bucket (cluster id, provider,
    namespace, name)."""

    name: str
    description: str = ""
    clusters: dict[str, int] = {}
    buckets: list[tuple[str, str, str, str, int]] = []
    admin: bool = False


class Registered(Record, frozen=True, array_like=True):
    """A cluster that roles may name."""

    id: str
    alias: str
    urls: list[str]


class TokenKey(Record, frozen=True, array_like=True):
    """What tokens are signed with (`aisle.auth.tokens.Key`). One that has been replaced verifies
    until `ends` (ns)."""

    id: str
    method: str
    secret: bytes
    created: int
    ends: int = 0


class TokenKeys(Record, frozen=True, array_like=True):
    """All keys of tokens; the one without an end signs."""

    keys: list[TokenKey]


class NodeConfig(Record, frozen=True, array_like=True):
    """What one node has of its own, by flat name, over the cluster's settings.

    `transient` values are in force only while the node's `session` is this one, so a restart of
    the node drops them. `orders` counts how often the node was told to do something.
    """

    values: dict[str, Any]
    session: str = ""
    transient: dict[str, Any] = {}
    orders: dict[str, int] = {}


R = TypeVar("R", bound=Record)

# (record type, version found) -> function from that version's payload to the next version's.
# A `Listed` or `Owned` is read from an `Object` row, and so goes by that one's entries.
MIGRATIONS: Final[dict[tuple[type[Record], int], Callable[[bytes], bytes]]] = {}

_encode: Final = msgspec.msgpack.Encoder().encode
_DECODERS: dict[type[Record], Callable[[Any], Any]] = {}


def encode(record: Record) -> bytes:
    return _VERSION_BYTE + _encode(record)


def decoder(kind: type[R]) -> Callable[[Any], R]:
    """A function from the payload after the version byte to a record."""
    found = _DECODERS.get(kind)
    if found is None:
        found = _DECODERS[kind] = msgspec.msgpack.Decoder(kind).decode
    return found


def decode(kind: type[R], row: bytes) -> R:
    """The record in `row`, brought up to this version. Raises `StoreUnavailable` if it cannot."""
    if row[:1] != _VERSION_BYTE:
        row = _migrate(kind, row)
    try:
        return decoder(kind)(memoryview(row)[1:])
    except msgspec.MsgspecError as error:
        raise StoreUnavailable(f"a {kind.__name__} row cannot be read: {error}") from error


class _Sized(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The first field of `Listed`."""

    size: int


def sizes(rows: Iterable[bytes]) -> list[int]:
    """The sizes in rows of objects, or of entries of inventories: a fifth of what `decode` costs,
    for pages of ten thousand. Raises `StoreUnavailable`."""
    read = _read_size
    try:
        return [
            read(row[1:]).size if row[0] == VERSION else decode(Listed, row).size for row in rows
        ]
    except (msgspec.MsgspecError, IndexError) as error:
        raise StoreUnavailable(f"a row of a listing cannot be read: {error}") from error


_read_size: Final = msgspec.msgpack.Decoder(_Sized).decode


def _migrate(kind: type[Record], row: bytes) -> bytes:
    written = Object if issubclass(kind, Listed) else kind
    version, payload = (row[0], row[1:]) if row else (0, b"")
    if version > VERSION:
        raise StoreUnavailable(
            f"a {kind.__name__} row has version {version}; this release reads up to {VERSION}"
        )
    while version < VERSION:
        step = MIGRATIONS.get((written, version))
        if step is None:
            raise StoreUnavailable(f"a {kind.__name__} row has the unknown version {version}")
        payload, version = step(payload), version + 1
    return _VERSION_BYTE + payload


# --- keys -----------------------------------------------------------------------------------


def bucket_key(name: str, provider: str, namespace: str) -> bytes:
    # A name that somebody asks for may hold any bytes, as surrogates: it is not found.
    return f"{name}\0{provider}\0{namespace}".encode("utf-8", "surrogateescape")


def escape_key(key: bytes) -> bytes:
    """`key` and a terminator, such that escaped keys sort as the keys do, whatever follows.

    NUL becomes NUL 0xFF and the end is one NUL (the tuple encoding of FoundationDB): ids that
    follow start with the high byte of a time, which is never 0xFF.
    """
    return key.replace(b"\0", b"\0\xff") + b"\0"


def unescape_key(escaped: bytes) -> bytes:
    """The key of what `escape_key` made, terminator included."""
    return escaped[:-1].replace(b"\0\xff", b"\0")


def upload_key(bucket: bytes, key: bytes, upload: bytes) -> bytes:
    return bucket + escape_key(key) + upload


def part_key(upload: bytes, number: int) -> bytes:
    return upload + number.to_bytes(2, "big")


def timed_id() -> bytes:
    """16 bytes that sort by time of making, so that rows made together lie together."""
    return time.time_ns().to_bytes(8, "big") + os.urandom(8)

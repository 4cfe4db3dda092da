"""Objects: write, read, delete. Each write has one visible moment, the commit of its row.

Order of a write: look at the conditions (so that a hopeless one is refused before its body is
read), take the body in, then commit `Check(bucket), Check(old row), Put(new row), ...` and look
again at the conditions whenever another writer was faster. Of several conditional writers exactly
one wins, whichever process or gateway they came through.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, cast

from aisle.auth.acl import Grant
from aisle.backend.base import Backend
from aisle.core import checksums
from aisle.core.errors import (
    BlobMissing,
    DeleteMarkerFound,
    DeleteMarkerNamed,
    ObjectNotFound,
    RowChanged,
    StoreUnavailable,
    VersionNotFound,
    WriteConflict,
)
from aisle.namespace import (
    bodies,
    buckets,
    completions,
    documents,
    events,
    layouts,
    locks,
    ownership,
)
from aisle.namespace.bodies import Incoming, Stored
from aisle.namespace.conditions import UNCONDITIONAL, WriteConditions
from aisle.namespace.records import (
    Extent,
    Layout,
    Lock,
    Object,
    Origin,
    PartInfo,
    Sealed,
    decode,
    encode,
    timed_id,
)
from aisle.namespace.sealing import wishes
from aisle.namespace.sealing.frames import key_of, open_whole
from aisle.namespace.sealing.wishes import Wish
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.namespace.versions import lookup, stack
from aisle.namespace.versions.lookup import Place
from aisle.namespace.windows import LOOK, READ, How
from aisle.store.base import ABSENT, Change, Check, Delete, Put

_REPLICATED: Final = documents.BITS[documents.REPLICATION]
_LOCKS: Final = documents.BITS[documents.LOCK]


@dataclass(frozen=True, slots=True)
class Description:
    """What a client says of an object, apart from its bytes. Header and metadata names are
    lower case, metadata names without the `x-amz-meta-` prefix. With `inherits` the metadata of
    the object that is replaced stays, where `meta` has no other value. `owner` is who writes it and
    `acl` what it is to have (see `ownership`); with `keeps_access` both stay what they are where
    there is an object. `remote_encryption` is what the remote bucket of a window is asked for, as
    headers of S3."""

    headers: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = "STANDARD"
    owner: str = ""
    checksum_algorithm: str = ""  # of S3's ChecksumAlgorithm; "" for none
    inherits: bool = False
    acl: list[Grant] | None = None
    keeps_access: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    lock: Lock | None = None
    sealed: Sealed | None = None  # filled in from `wish`, or the bucket's default
    replication: str = ""
    wish: Wish | None = None
    remote_encryption: Mapping[str, str] = field(default_factory=dict)


class Found(NamedTuple):
    """An object's record and its extents and parts, wherever they were kept."""

    record: Object
    extents: Sequence[Extent]
    parts: Sequence[PartInfo]


class DigestPlan(NamedTuple):
    """What a bucket's properties ask to be computed over every body."""

    md5_etag: bool
    digest_type: str  # AIStore's name, `checksum.type`

    def algorithms(self, *others: str) -> set[str]:
        wanted = {name for name in (bodies.DIGEST_OF[self.digest_type], *others) if name}
        return wanted | {"MD5"} if self.md5_etag else wanted

    def etag(self, digests: Mapping[str, bytes], sealed: Sealed | None = None) -> str:
        """The body's MD5, or an ETag that no client takes for one: it has a dash. One that looks
        like an MD5 and tells nothing, where a key is needed to know the body."""
        if sealed is not None and sealed.opaque:
            return wishes.opaque_etag()
        return digests["MD5"].hex() if self.md5_etag else f"{timed_id().hex()}-1"

    def digest(self, digests: Mapping[str, bytes]) -> tuple[str, str]:
        name = bodies.DIGEST_OF[self.digest_type]
        return (self.digest_type, digests[name].hex()) if name else ("none", "")


async def plan_digests(store: Store, bucket: BucketRow) -> DigestPlan:
    window = bucket.record.behind is not None  # its MD5 goes to the remote with the body
    return DigestPlan(
        window or await store.setting("etag.type", bucket.record) == "md5",
        await store.text("checksum.type", bucket.record),
    )


async def head(store: Store, bucket: BucketRow, key: bytes, how: How = LOOK) -> Object:
    """The record of the current version, or of the one that `how` names. Raises `ObjectNotFound`,
    `VersionNotFound`, `DeleteMarkerNamed`, `BucketNotFound` where the bucket was looked up a moment
    ago and is gone, and `RemoteError`s where it is a window."""
    if how.version and bucket.record.behind is None:
        return await _version(store, bucket, key, how.version)
    raw = await store.index.get("object", bucket.record.id + key)
    if raw is None and store.index.lag:
        known, bucket = bucket.record.id, await buckets.get(store, bucket.name)
        if bucket.record.id != known:
            raw = await store.index.get("object", bucket.record.id + key)
    window = store.window_of(bucket.record)
    if window is not None:
        cached = decode(Object, raw) if raw is not None else None
        return await window.present(store, bucket, key, cached, how)
    if raw is None:
        await refuse_marker(store, bucket, key)
        raise ObjectNotFound(bucket.record.name, key.decode())
    return decode(Object, raw)


async def _version(store: Store, bucket: BucketRow, key: bytes, version: str) -> Object:
    try:
        place = await lookup.find(store, bucket, key, version)
    except VersionNotFound:
        current = await buckets.get(store, bucket.name) if store.index.lag else bucket
        if current.record.id == bucket.record.id:
            raise
        place = await lookup.find(store, current, key, version)
    return _unmarked(place).record


async def place_of(store: Store, bucket: BucketRow, key: bytes, version: str) -> Place:
    """Where the record of an object, or of one of its versions, is. Raises `ObjectNotFound`,
    `VersionNotFound`, `DeleteMarkerNamed`."""
    if version:
        return _unmarked(await lookup.find(store, bucket, key, version))
    row_key = bucket.record.id + key
    raw = await store.index.get("object", row_key)
    if raw is None:
        await refuse_marker(store, bucket, key)
        raise ObjectNotFound(bucket.record.name, key.decode())
    return Place("object", row_key, raw, decode(Object, raw))


def _unmarked(place: Place) -> Place:
    if place.record.marker:
        raise DeleteMarkerNamed(place.record.version, place.record.mtime)
    return place


async def refuse_marker(store: Store, bucket: BucketRow, key: bytes) -> None:
    """Raise `DeleteMarkerFound` if a key without a current object has versions."""
    if bucket.record.versions:
        top = await stack.covering(store, bucket.record.id, key)
        if top is not None:
            raise DeleteMarkerFound(bucket.record.name, key.decode(), top.version)


async def is_kept(store: Store, bucket: BucketRow, key: bytes) -> bool:
    """Whether an object is in the cluster, without a question to any remote bucket."""
    return await store.index.get("object", bucket.record.id + key) is not None


async def find(store: Store, bucket: BucketRow, key: bytes, how: How = READ) -> Found:
    """The record with its extents and parts: see `head`. Where bytes are about to be read, the
    extents come with the key that opens them; raises what `wishes.open_key` does."""
    previous: Object | None = None
    for _ in range(RETRIES):
        record = await head(store, bucket, key, how)
        if not record.layout:
            return Found(record, _opened(store, record, record.extents, how), record.parts)
        row = await store.index.get("layout", record.layout)
        if row is not None:
            layout = decode(Layout, row)
            return Found(record, _opened(store, record, layout.extents, how), layout.parts)
        if record == previous:
            raise BlobMissing(record.layout.hex())
        # The object was replaced between the two reads: look again.
        previous = record
    raise WriteConflict("the object is being replaced faster than it can be read")


def _opened(store: Store, record: Object, extents: list[Extent], how: How) -> list[Extent]:
    if record.sealed is None and not how.customer_key:
        return extents
    if not how.used and not how.customer_key:
        return extents  # nobody reads them
    return wishes.opened(store, record.sealed, extents, how.customer_key)


async def find_small(
    store: Store, bucket: BucketRow, key: bytes, how: How = READ
) -> tuple[Found, bytes | None]:
    """Like `find`, with the bytes of an object that is one row."""
    previous: Object | None = None
    for _ in range(RETRIES):
        record = await head(store, bucket, key, how)
        found = Found(record, record.extents, record.parts)
        if record.layout:
            found = await find(store, bucket, key, how)
        elif record.sealed is not None or how.customer_key:
            opened = wishes.opened(store, record.sealed, record.extents, how.customer_key)
            found = Found(record, opened, record.parts)
        extents = found.extents
        if not extents:
            return found, b""
        if len(extents) > 1 or not extents[0].inline:
            return found, None
        data = await store.index.get("body", extents[0].blob)
        if data is not None:
            if extents[0].seal:
                data = open_whole(key_of(extents), extents[0], data)
            return found, data
        if found.record == previous:
            raise BlobMissing(extents[0].blob.hex())
        previous = found.record
    raise WriteConflict("the object is being replaced faster than it can be read")


async def put(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    incoming: Incoming,
    description: Description,
    *,
    conditions: WriteConditions = UNCONDITIONAL,
    algorithms: frozenset[str] = frozenset(),
    via: Backend | None = None,
    event: str = events.PUT,
) -> Object:
    """Store a body under `key`. `algorithms` are digests `incoming.verify` wants to see; for `via`
    see `windows`."""
    if not conditions.empty:
        await check_conditions(store, bucket, key, conditions)
    description = await settled(store, bucket, description)
    plan = await plan_digests(store, bucket)
    wanted = plan.algorithms(description.checksum_algorithm, *algorithms)
    sealed, secret = await wishes.begin(store, bucket, description.wish)
    stored = await bodies.ingest(
        store, incoming, owner=bucket.record.id + key, algorithms=sorted(wanted), key=secret
    )
    etag, digest = plan.etag(stored.digests, sealed), plan.digest(stored.digests)
    if sealed is not None:
        description = replace(description, sealed=sealed)

    def build(old: Object | None, mtime: int) -> Object:
        return new_object(stored, description, etag=etag, digest=digest, old=old, mtime=mtime)

    return await commit(store, bucket, key, stored, build, conditions, via=via, event=event)


async def settled(store: Store, bucket: BucketRow, description: Description) -> Description:
    """The description with the owner and ACL that the bucket lets the object have."""
    wanted = description.owner, description.acl
    owner, acl = await ownership.settle(store, bucket, *wanted)
    return description if (owner, acl) == wanted else replace(description, owner=owner, acl=acl)


def new_object(
    stored: Stored,
    description: Description,
    *,
    etag: str,
    digest: tuple[str, str],
    old: Object | None,
    mtime: int,
) -> Object:
    """The record of a body that came in one piece."""
    algorithm = description.checksum_algorithm
    # What another account has said of its object is not handed on with the owner.
    inherits = description.inherits and old is not None and old.owner == description.owner
    before = old.meta if old is not None and inherits else {}
    access = old if old is not None and description.keeps_access else description
    return Object(
        size=stored.size,
        mtime=mtime,
        etag=etag,
        storage_class=description.storage_class,
        checksums={algorithm: checksums.to_base64(stored.digests[algorithm])} if algorithm else {},
        checksum_type="FULL_OBJECT" if algorithm else "",
        owner=access.owner,
        extents=stored.extents,
        layout=b"",
        headers=dict(description.headers),
        meta={**before, **description.meta},
        digest=digest,
        parts=[],
        part_count=0,
        seq=old.seq + 1 if old else 1,
        acl=access.acl,
        tags=dict(description.tags),
        lock=description.lock,
        sealed=description.sealed,
        replication=description.replication,
        origin=asked_of_remote(description.remote_encryption),
    )


def asked_of_remote(encryption: Mapping[str, str]) -> Origin | None:
    """What the record of an object on its way to a remote bucket says of that."""
    return Origin("", encryption=dict(encryption)) if encryption else None


async def check_conditions(
    store: Store, bucket: BucketRow, key: bytes, conditions: WriteConditions
) -> None:
    """Refuse early what cannot succeed now; the commit decides, and alone for a window."""
    if bucket.record.behind is not None:
        return
    raw = await store.index.get("object", bucket.record.id + key)
    current = decode(Object, raw) if raw is not None else None
    conditions.check(current, bucket=bucket.record.name, key=key.decode())


async def commit(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    stored: Stored | None,
    build: Callable[[Object | None, int], Object],
    conditions: WriteConditions,
    *extra: Change,
    via: Backend | None = None,
    event: str = events.PUT,
) -> Object:
    """Make a new record visible, in one batch with `extra`. Raises `RowChanged` if one of the
    checks in `extra` fails, and what the conditions and the engine raise."""
    window = store.window_of(bucket.record)
    if window is not None:
        return await window.commit(store, bucket, key, stored, build, conditions, extra, via)
    row_key = bucket.record.id + key
    # Where new keys come in one after the other, the commit's own check is the only look at the
    # old row: see `Store.expects_new_keys`.
    guess = conditions.empty and store.expects_new_keys
    try:
        for _ in range(RETRIES):
            raw = None if guess else await store.index.get("object", row_key)
            old = decode(Object, raw) if raw is not None else None
            conditions.check(old, bucket=bucket.record.name, key=key.decode())
            now = store.now()
            record = build(old, now)
            if bucket.record.has & _LOCKS:
                record = await _retained(store, bucket, record)
            changes = [
                *buckets.guard(bucket),
                Check("object", row_key, raw if raw is not None else ABSENT),
                *(stored.changes() if stored else ()),
                *extra,
            ]
            if bucket.record.versions:
                record, more = await stack.push(
                    store, bucket.record, key, old, record, now, guess=guess
                )
                if extra:
                    changes = [completions.told(one, version=record.version) for one in changes]
                changes += more
            elif old is not None:
                locks.check_removal(old, now)
                changes += await layouts.release(store, old, now)
            if store.stamp is not None and bucket.record.has & _REPLICATED:
                record = await store.stamp(store, bucket, key, record)
            changes.append(Put("object", row_key, encode(record)))
            if bucket.record.has & documents.TOLD:
                changes += await events.of(store, bucket, key, record, event)
            try:
                await store.index.commit(*changes)
            except RowChanged as lost:
                if lost.table == "bucket":
                    bucket = await buckets.refresh(store, bucket)
                elif lost.table not in ("object", "version", "hidden", "null", "annotated"):
                    raise
                elif any(one[:2] == (lost.table, lost.key) for one in extra):
                    raise  # it is what the caller has looked at
                guess = False
                continue
            store.note_put(new=old is None)
            return record
        raise WriteConflict("too many writers are changing this object at once")
    except (StoreUnavailable, MemoryError):
        raise  # the batch may have been applied: the sweep decides what its bytes are
    except Exception:
        if stored is not None:
            await bodies.discard(store, stored)
        raise


async def _retained(store: Store, bucket: BucketRow, record: Object) -> Object:
    """The record with the default retention of its bucket."""
    raw = (await documents.of(store, bucket)).raw.get(documents.LOCK)
    return record if raw is None else locks.with_default(record, locks.decode_rule(raw))


class Deleted(NamedTuple):
    """What a delete did: whether there was a current object, and the marker it has left."""

    found: bool
    marker: Object | None = None


async def delete(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    *,
    conditions: WriteConditions = UNCONDITIONAL,
    owner: str = "",
    event: str = events.DELETE,
    replication: str = "",
) -> Deleted:
    """Remove an object, or where the bucket is or was versioned put a delete marker of `owner` in
    front of it, which may be a replica. That there was none is no error without conditions. Raises
    `ObjectLocked`."""
    window = store.window_of(bucket.record)
    if window is not None:
        return Deleted(await window.delete(store, bucket, key, conditions))
    row_key = bucket.record.id + key
    for _ in range(RETRIES):
        raw = await store.index.get("object", row_key)
        old = decode(Object, raw) if raw is not None else None
        conditions.check(old, bucket=bucket.record.name, key=key.decode())
        now, marker = store.now(), None
        # What happens to the old version is the bucket's to say, as it is at that moment.
        changes: list[Change] = [bucket.check]
        changes.append(Check("object", row_key, raw if raw is not None else ABSENT))
        if bucket.record.versions:
            changes += buckets.guard(bucket)[1:]
            pushed = await stack.mark(
                store, bucket.record, key, old, now, owner=owner, replication=replication
            )
            marker = pushed.record
            changes += pushed.changes
        elif old is None:
            return Deleted(False)
        else:
            locks.check_removal(old, now)
            changes.append(Delete("object", row_key))
            changes += await layouts.release(store, old, now)
        if bucket.record.has & documents.TOLD:
            changes += await events.of(
                store,
                bucket,
                key,
                marker or cast("Object", old),
                event if marker is None else events.marked(event),
            )
        try:
            await store.index.commit(*changes)
        except RowChanged as lost:
            if lost.table == "bucket":
                bucket = await buckets.refresh(store, bucket)
            continue
        return Deleted(old is not None, marker)
    raise WriteConflict("too many writers are changing this object at once")


def known_digests(record: Object) -> dict[str, bytes]:
    """The digests of the whole body that a record already holds."""
    known: dict[str, bytes] = {}
    if record.checksum_type == "FULL_OBJECT":
        known |= {name: b64decode(value) for name, value in record.checksums.items()}
    kind, value = record.digest
    if value:
        known[bodies.DIGEST_OF[kind]] = bytes.fromhex(value)
    if record.origin is not None:
        known |= {name.upper(): bytes.fromhex(v) for name, v in record.origin.checksums.items()}
    elif "-" not in record.etag and not (record.sealed and record.sealed.opaque):
        known["MD5"] = bytes.fromhex(record.etag)
    return known

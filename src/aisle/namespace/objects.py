"""Objects: write, read, copy, delete. Each write has one visible moment, the commit of its row.

Order of a write: look at the conditions (so that a hopeless one is refused before its body is
read), take the body in, then commit `Check(bucket), Check(old row), Put(new row), ...` and look
again at the conditions whenever another writer was faster. Of several conditional writers exactly
one wins, whichever process or gateway they came through.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from aisle.auth.acl import Grant
from aisle.backend.base import Backend
from aisle.core import checksums
from aisle.core.errors import (
    BlobMissing,
    ObjectNotFound,
    RowChanged,
    StoreUnavailable,
    WriteConflict,
)
from aisle.namespace import bodies, buckets, ownership
from aisle.namespace.bodies import Incoming, Stored
from aisle.namespace.conditions import UNCONDITIONAL, WriteConditions
from aisle.namespace.records import (
    PARTS_IN_ROW,
    Extent,
    Layout,
    Object,
    PartInfo,
    decode,
    encode,
    timed_id,
)
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.namespace.windows import LOOK, READ, How
from aisle.store.base import ABSENT, Change, Check, Delete, Put


@dataclass(frozen=True, slots=True)
class Description:
    """What a client says of an object, apart from its bytes. Header and metadata names are
    lower case, metadata names without the `x-amz-meta-` prefix. With `inherits` the metadata of
    the object that is replaced stays, where `meta` has no other value. `owner` is who writes it and
    `acl` what it is to have (see `ownership`); with `keeps_access` both stay what they are where
    there is an object."""

    headers: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = "STANDARD"
    owner: str = ""
    checksum_algorithm: str = ""  # of S3's ChecksumAlgorithm; "" for none
    inherits: bool = False
    acl: list[Grant] | None = None
    keeps_access: bool = False


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

    def etag(self, digests: Mapping[str, bytes]) -> str:
        """The body's MD5, or an ETag that no client takes for one: it has a dash."""
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
    """The record of the current version. Raises `ObjectNotFound`, `BucketNotFound` where the
    bucket was looked up a moment ago and is gone, and `RemoteError`s where it is a window."""
    raw = await store.index.get("object", bucket.record.id + key)
    if raw is None and store.index.lag:
        current = await buckets.get(store, bucket.name)
        if current.record.id != bucket.record.id:
            raw = await store.index.get("object", current.record.id + key)
    window = store.window_of(bucket.record)
    if window is not None:
        cached = decode(Object, raw) if raw is not None else None
        return await window.present(store, bucket, key, cached, how)
    if raw is None:
        raise ObjectNotFound(bucket.record.name, key.decode())
    return decode(Object, raw)


async def is_kept(store: Store, bucket: BucketRow, key: bytes) -> bool:
    """Whether an object is in the cluster, without a question to any remote bucket."""
    return await store.index.get("object", bucket.record.id + key) is not None


async def find(store: Store, bucket: BucketRow, key: bytes, how: How = READ) -> Found:
    """The record with its extents and parts: see `head`."""
    previous: Object | None = None
    for _ in range(RETRIES):
        record = await head(store, bucket, key, how)
        if not record.layout:
            return Found(record, record.extents, record.parts)
        row = await store.index.get("layout", record.layout)
        if row is not None:
            layout = decode(Layout, row)
            return Found(record, layout.extents, layout.parts)
        if record == previous:
            raise BlobMissing(record.layout.hex())
        # The object was replaced between the two reads: look again.
        previous = record
    raise WriteConflict("the object is being replaced faster than it can be read")


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
        extents = found.extents
        if not extents:
            return found, b""
        if len(extents) > 1 or not extents[0].inline:
            return found, None
        data = await store.index.get("body", extents[0].blob)
        if data is not None:
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
) -> Object:
    """Store a body under `key`. `algorithms` are digests `incoming.verify` wants to see; for `via`
    see `windows`."""
    if not conditions.empty:
        await check_conditions(store, bucket, key, conditions)
    description = await settled(store, bucket, description)
    plan = await plan_digests(store, bucket)
    wanted = plan.algorithms(description.checksum_algorithm, *algorithms)
    stored = await bodies.ingest(
        store, incoming, owner=bucket.record.id + key, algorithms=sorted(wanted)
    )
    etag, digest = plan.etag(stored.digests), plan.digest(stored.digests)

    def build(old: Object | None, mtime: int) -> Object:
        return new_object(stored, description, etag=etag, digest=digest, old=old, mtime=mtime)

    return await commit(store, bucket, key, stored, build, conditions, via=via)


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
    )


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
            changes = [
                *buckets.guard(bucket),
                Check("object", row_key, raw if raw is not None else ABSENT),
                Put("object", row_key, encode(record)),
                *(stored.changes() if stored else ()),
                *extra,
            ]
            if old is not None:
                changes += await release(store, old, now)
            try:
                await store.index.commit(*changes)
            except RowChanged as lost:
                if lost.table == "bucket":
                    bucket = await buckets.refresh(store, bucket)
                elif lost.table != "object":
                    raise
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


async def release(store: Store, old: Object, now: int) -> list[Change]:
    """The changes that give up the bytes and rows behind a record."""
    if not old.layout:
        return bodies.release(old.extents, now)
    row = await store.index.get("layout", old.layout)
    extents = decode(Layout, row).extents if row is not None else []
    return [*bodies.release(extents, now), Delete("layout", old.layout)]


async def delete(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    *,
    conditions: WriteConditions = UNCONDITIONAL,
) -> bool:
    """Remove an object; False if there was none (which is not an error without conditions)."""
    window = store.window_of(bucket.record)
    if window is not None:
        return await window.delete(store, bucket, key, conditions)
    row_key = bucket.record.id + key
    for _ in range(RETRIES):
        raw = await store.index.get("object", row_key)
        if raw is None:
            conditions.check(None, bucket=bucket.record.name, key=key.decode())
            return False
        old = decode(Object, raw)
        conditions.check(old, bucket=bucket.record.name, key=key.decode())
        changes: list[Change] = [Check("object", row_key, raw), Delete("object", row_key)]
        changes += await release(store, old, store.now())
        try:
            await store.index.commit(*changes)
        except RowChanged:
            continue
        return True
    raise WriteConflict("too many writers are changing this object at once")


async def copy(
    store: Store,
    source: Found,
    bucket: BucketRow,
    key: bytes,
    description: Description,
    *,
    small: bytes | None = None,
    conditions: WriteConditions = UNCONDITIONAL,
) -> Object:
    """Store the bytes of `source` under another name, with another description.

    `source` and `small` are what `find_small` gave: the bytes of a source that is one row are
    gone as soon as it is replaced.

    The copy is an object of one piece, as in S3: its ETag is the MD5 of its bytes. Bytes pass
    through Python only if a digest is wanted that the source's record does not have.
    """
    if not conditions.empty:
        await check_conditions(store, bucket, key, conditions)
    description = await settled(store, bucket, description)
    plan = await plan_digests(store, bucket)
    known = known_digests(source.record)
    wanted = plan.algorithms(description.checksum_algorithm)
    owner = bucket.record.id + key
    if wanted <= known.keys():
        stored = await bodies.copy_extents(store, source.extents, owner=owner, small=small)
        stored = stored._replace(digests={name: known[name] for name in wanted})
    else:
        stretch = bodies.Stretch(store, source.extents, 0, source.record.size, small=small)
        stored = await bodies.ingest(store, stretch, owner=owner, algorithms=sorted(wanted))
    etag, digest = plan.etag(stored.digests), plan.digest(stored.digests)

    def build(old: Object | None, mtime: int) -> Object:
        return new_object(stored, description, etag=etag, digest=digest, old=old, mtime=mtime)

    return await commit(store, bucket, key, stored, build, conditions)


async def redescribe(
    store: Store,
    source: Found,
    bucket: BucketRow,
    key: bytes,
    description: Description,
    *,
    conditions: WriteConditions = UNCONDITIONAL,
) -> Object | None:
    """Copy an object onto itself: new description, same bytes. `None` if it changed meanwhile.

    Works only where the description asks for no digest that the record lacks.
    """
    if bucket.record.behind is not None:
        return None  # the remote has to hear of it, with the bytes
    row_key = bucket.record.id + key
    raw = await store.index.get("object", row_key)
    if raw is None or decode(Object, raw) != source.record:
        return None
    old = source.record
    conditions.check(old, bucket=bucket.record.name, key=key.decode())
    description = await settled(store, bucket, description)
    values = {name: getattr(old, name) for name in Object.__struct_fields__}
    values.update(
        mtime=store.now(),
        headers=dict(description.headers),
        meta=dict(description.meta),
        storage_class=description.storage_class,
        owner=description.owner,
        acl=description.acl,
        seq=old.seq + 1,
    )
    record = Object(**values)
    try:
        await store.index.commit(
            *buckets.guard(bucket),
            Check("object", row_key, raw),
            Put("object", row_key, encode(record)),
        )
    except RowChanged:
        return None
    return record


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
    elif "-" not in record.etag:
        known["MD5"] = bytes.fromhex(record.etag)
    return known


def layout_of(
    extents: list[Extent], parts: list[PartInfo]
) -> tuple[list[Extent], list[PartInfo], bytes, list[Change]]:
    """Where the extents and parts of a record go: into it if few, else to a row of their own.

    Returns what to put into the record (extents, parts, layout id) and the extra changes.
    """
    if len(parts) <= PARTS_IN_ROW and len(extents) <= PARTS_IN_ROW:
        return extents, parts, b"", []
    layout = timed_id()
    return [], [], layout, [Put("layout", layout, encode(Layout(extents, parts)))]

"""Appends: an object grows by pieces, and is seen to have grown when they are flushed.

A session is a multipart upload whose one part has a number that clients of multipart uploads can
neither name nor see, and the pieces as its extents, in order. So it expires, is aborted, swept and
moved as uploads are. The part's `etag` is the digest of the latest piece.

A handle is the session's id and how many bytes it has: a piece is taken only where the session
ends, so that two writers cannot interleave, and one that is sent again because its reply was lost
is recognised. Flushing adds the pieces to the object as it is at that moment, in one batch, and
copies nothing but runs of small extents. The pieces are encrypted with the key that the object has
when the session begins; if it is encrypted otherwise by then, flushing writes all of it anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import msgspec

from aisle.core.errors import (
    BlobMissing,
    InvalidArgument,
    ObjectNotFound,
    PreconditionFailed,
    RowChanged,
    StoreError,
    StoreUnavailable,
    UploadNotFound,
    WriteConflict,
)
from aisle.namespace import (
    bodies,
    buckets,
    documents,
    events,
    layouts,
    locks,
    notes,
    objects,
    uploads,
)
from aisle.namespace.bodies import Incoming, Stored
from aisle.namespace.chains import Claim, copied, digest_of, with_key
from aisle.namespace.conditions import Unchanged, WriteConditions
from aisle.namespace.objects import Description
from aisle.namespace.records import (
    Completed,
    Extent,
    Object,
    Part,
    decode,
    encode,
    part_key,
    timed_id,
)
from aisle.namespace.sealing import wishes
from aisle.namespace.sealing.frames import DataKey
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.namespace.uploads import UploadRow
from aisle.store.base import ABSENT, Change, Check, Delete, Put

_log = logging.getLogger("aisle.appends")

NUMBER: Final = 0xFFFF
PIECE: Final = "XXHASH128"
# From this many small extents at the end, they are made one.
RUN: Final = 64
SMALL: Final = 16 << 20


class Handle(NamedTuple):
    """A session and how many bytes it has; `str()` is what clients carry from piece to piece."""

    upload: str
    size: int

    def __str__(self) -> str:
        return f"{self.upload}-{self.size}"


def parse_handle(text: str) -> Handle:
    """Raises `InvalidArgument`."""
    upload, _, size = text.rpartition("-")
    if not (upload and size.isascii() and size.isdigit() and len(size) < 20):
        raise InvalidArgument("the append handle cannot be read", name="append_handle", value=text)
    return Handle(upload, int(size))


async def begin(store: Store, bucket: BucketRow, key: bytes, description: Description) -> Handle:
    """Open a session. `description` is for an object that is not there yet. Raises
    `CustomerKeyNeeded` where only the client has the key of the one that is."""
    raw = await store.index.get("object", bucket.record.id + key)
    sealed = decode(Object, raw).sealed if raw is not None else None
    if sealed is not None:
        wishes.open_key(store, sealed)  # raises where its key would have to come with each piece
        description = replace(description, sealed=sealed)
    upload = await uploads.create(store, bucket, key, description, checksum_type="")
    return Handle(upload.id.hex(), 0)


async def append(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    handle: Handle,
    incoming: Incoming,
    *,
    algorithms: frozenset[str] = frozenset(),
) -> Handle:
    """Add a piece. Raises `UploadNotFound` where the session has ended, `WriteConflict` where
    another piece has taken the place of this one, and what `bodies.ingest` does."""
    session = await uploads.find(store, bucket, key, handle.upload)
    stored = await bodies.ingest(
        store,
        incoming,
        owner=bucket.record.id + key,
        algorithms=sorted({*algorithms, PIECE}),
        key=wishes.key_for(store, session.record.sealed),
    )
    try:
        part = await _add(store, session, handle, stored)
    except (StoreUnavailable, MemoryError):
        raise  # the batch may have been applied: the sweep decides what its bytes are
    except Exception:
        await bodies.discard(store, stored)
        raise
    if part is not None and run_of(part.extents) < len(part.extents):
        await _merge(store, bucket, session, part)
    return Handle(handle.upload, handle.size + stored.size)


async def _add(store: Store, session: UploadRow, handle: Handle, stored: Stored) -> Part | None:
    """The part with a piece behind it; `None` if the piece was there already."""
    row_key = part_key(session.record.id, NUMBER)
    digest = f"{stored.digests[PIECE].hex()}-1"  # not to be taken for the MD5 of the part
    for _ in range(RETRIES):
        raw = await store.index.get("part", row_key)
        old = decode(Part, raw) if raw is not None else None
        size = old.size if old else 0
        if old and size == handle.size + stored.size and old.etag == digest and stored.size:
            await bodies.discard(store, stored)
            return None
        if size != handle.size:
            raise _stale(handle, size)
        part = Part(
            number=NUMBER,
            size=size + stored.size,
            mtime=store.now(),
            etag=digest,
            checksums={},
            extents=[*(old.extents if old else ()), *stored.extents],
        )
        try:
            await store.index.commit(
                Check("upload", session.row_key, session.raw),
                Check("part", row_key, raw if raw is not None else ABSENT),
                Put("part", row_key, encode(part)),
                *stored.changes(),
            )
        except RowChanged as lost:
            if lost.table == "upload":
                raise UploadNotFound(handle.upload) from None
            continue
        return part
    raise WriteConflict("too many writers append to this object with one handle")


def _stale(handle: Handle, size: int) -> WriteConflict:
    return WriteConflict(
        f"the append handle is for {handle.size} bytes, and {size} have been appended by now"
    )


def run_of(extents: Sequence[Extent]) -> int:
    """Where the run of small extents at the end begins that is to become one; else the end."""
    start = len(extents)
    while start and extents[start - 1].length < SMALL:
        start -= 1
    return start if len(extents) - start >= RUN else len(extents)


async def _merge(store: Store, bucket: BucketRow, session: UploadRow, part: Part) -> None:
    """Make one extent of the small ones at the end of a session, unless it goes on meanwhile.

    The piece is safe by now: if this fails, the next one will try.
    """
    start = run_of(part.extents)
    row_key = part_key(session.record.id, NUMBER)
    try:
        secret = wishes.key_for(store, session.record.sealed)
        merged = await bodies.copy_extents(
            store,
            with_key(part.extents[start:], secret),
            owner=bucket.record.id + session.key,
            key=secret,
        )
    except StoreError as error:
        _log.warning("the pieces of an append stay as they are: %s", error)
        return
    shorter = [*part.extents[:start], *merged.extents]
    try:
        await store.index.commit(
            Check("part", row_key, encode(part)),
            Put("part", row_key, encode(_with_extents(part, shorter))),
            *merged.changes(),
            *bodies.release(part.extents[start:], store.now()),
        )
    except RowChanged:
        await bodies.discard(store, merged)
    except StoreError as error:
        _log.warning("the pieces of an append may stay as they are: %s", error)


def _with_extents(part: Part, extents: list[Extent]) -> Part:
    return Part(part.number, part.size, part.mtime, part.etag, part.checksums, extents)


async def flush(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    handle: Handle,
    *,
    claim: Claim | None = None,
) -> Object:
    """End a session and make its pieces visible behind what the object has by then.

    Raises what `append` does, `ObjectLocked`, and `DigestMismatch` if the object would not be what
    is claimed: the session goes on then.
    """
    session = await uploads.find(store, bucket, key, handle.upload)
    part_row = part_key(session.record.id, NUMBER)
    row_key = bucket.record.id + key
    for _ in range(RETRIES):
        if bucket.record.behind is not None or bucket.record.versions:  # it may be so by now
            return await _flush_through(store, bucket, session, handle, claim)
        raw_part = await store.index.get("part", part_row)
        raw = await store.index.get("object", row_key)
        part = decode(Part, raw_part) if raw_part is not None else None
        if (part.size if part else 0) != handle.size:
            raise _stale(handle, part.size if part else 0)
        old = decode(Object, raw) if raw is not None else None
        if old is not None:
            locks.check_removal(old, store.now())
        if old is not None and old.sealed != session.record.sealed:
            return await _flush_through(store, bucket, session, handle, claim)
        secret = wishes.key_for(store, session.record.sealed)
        try:
            grown = await _grown(store, row_key, old, part.extents if part else (), claim, secret)
        except BlobMissing:
            if await store.index.get("object", row_key) == raw:
                raise
            continue  # replaced, and its bytes given up, since its row was read
        record = _record(session, old, grown, now=store.now())
        done = Completed(
            bucket.record.id, key, record.mtime, record.etag, b"%d" % handle.size, {}, ""
        )
        told: list[Change] = []
        if bucket.record.has & documents.TOLD:
            told = await events.of(store, bucket, key, record, events.PUT)
        try:
            await store.index.commit(
                *buckets.guard(bucket),
                Check("object", row_key, raw if raw is not None else ABSENT),
                Put("object", row_key, encode(record)),
                Check("upload", session.row_key, session.raw),
                Delete("upload", session.row_key),
                Check("part", part_row, raw_part if raw_part is not None else ABSENT),
                Delete("part", part_row),
                Put("done", session.record.id, encode(done)),
                *grown.changes,
                *told,
            )
        except RowChanged as lost:
            await grown.discard(store)
            if lost.table == "upload":
                raise UploadNotFound(handle.upload) from None
            if lost.table == "bucket":
                bucket = await buckets.refresh(store, bucket)
            continue
        except (StoreUnavailable, MemoryError):
            raise  # the batch may have been applied
        except Exception:
            await grown.discard(store)
            raise
        return record
    raise WriteConflict("too many writers are changing this object at once")


async def _flush_through(
    store: Store, bucket: BucketRow, session: UploadRow, handle: Handle, claim: Claim | None
) -> Object:
    """The same where a remote bucket has the object, or what it was stays as a former version, or
    the pieces are encrypted with another key: all of it is written anew, with the pieces behind
    what it has by then, unless it is replaced meanwhile."""
    key, part_row = session.key, part_key(session.record.id, NUMBER)
    for _ in range(RETRIES):
        raw_part = await store.index.get("part", part_row)
        part = decode(Part, raw_part) if raw_part is not None else None
        if (part.size if part else 0) != handle.size:
            raise _stale(handle, part.size if part else 0)
        try:
            found = await objects.find(store, bucket, key)
            condition = WriteConditions(if_match=found.record.etag)
        except ObjectNotFound:
            found, condition = None, WriteConditions(if_none_match="*")
        if bucket.record.behind is None:  # its tags, ACL and key count too, not its bytes alone
            condition = Unchanged(record=found.record if found else None)
        pieces = part.extents if part else []
        said = found.record if found else session.record
        secret = wishes.key_for(store, session.record.sealed)
        sources = [found.extents if found else [], with_key(pieces, secret)]
        sealed, secret = said.sealed, wishes.key_for(store, said.sealed)
        if said.sealed is None:
            sealed, secret = await wishes.begin(store, bucket, None)
        stored, digest = await copied(store, bucket, key, sources, claim, secret)
        taken = notes.NONE_TAKEN
        if found is not None and found.record.notes:
            taken = await notes.taken(store, found.record, secret)
        description = Description(
            said.headers,
            said.meta,
            said.storage_class,
            said.owner,
            acl=said.acl,
            tags=said.tags,
            sealed=sealed,
        )
        done = Completed(
            bucket.record.id, key, store.now(), "", b"%d" % handle.size, {}, ""
        )  # its ETag is the one that the remote gives
        try:
            record = await objects.commit(
                store,
                bucket,
                key,
                stored,
                _builder(stored, description, digest, taken.notes),
                condition,
                *taken.changes,
                Check("upload", session.row_key, session.raw),
                Delete("upload", session.row_key),
                Check("part", part_row, raw_part if raw_part is not None else ABSENT),
                Delete("part", part_row),
                Put("done", session.record.id, encode(done)),
                *bodies.release(pieces, store.now()),
            )
        except RowChanged as lost:
            await taken.discard(store)
            if lost.table == "upload":
                raise UploadNotFound(handle.upload) from None
            continue
        except (PreconditionFailed, ObjectNotFound):
            await taken.discard(store)
            continue  # replaced since it was read
        return record
    raise WriteConflict("too many writers are changing this object at once")


def _builder(
    stored: Stored, description: Description, digest: tuple[str, str], annotated: bytes
) -> Callable[[Object | None, int], Object]:
    def build(old: Object | None, mtime: int) -> Object:
        etag = stored.digests["MD5"].hex()
        if description.sealed is not None and description.sealed.opaque:
            etag = wishes.opaque_etag()
        record = objects.new_object(
            stored, description, etag=etag, digest=digest, old=old, mtime=mtime
        )
        return msgspec.structs.replace(record, notes=annotated) if annotated else record

    return build


class _Grown(NamedTuple):
    """Where the bytes of an object are with its pieces, and what it takes to have it so."""

    size: int
    extents: list[Extent]
    layout: bytes
    digest: tuple[str, str]
    changes: list[Change]
    merged: Stored | None

    async def discard(self, store: Store) -> None:
        if self.merged is not None:
            await bodies.discard(store, self.merged)


async def _grown(
    store: Store,
    owner: bytes,
    old: Object | None,
    pieces: Sequence[Extent],
    claim: Claim | None,
    secret: DataKey | None,
) -> _Grown:
    """The bytes of `old` and then the pieces. Raises `BlobMissing` where the former have gone, and
    `DigestMismatch`."""
    before = await layouts.extents_of(store, old) if old is not None else ()
    if before is None:
        raise BlobMissing("extents of the object")
    extents = [*before, *pieces]
    size = sum(extent.length for extent in extents)
    digest = await digest_of(store, with_key(extents, secret), size, claim)
    start, merged, given_up = run_of(extents), None, list[Change]()
    if start < len(extents):
        run = with_key(extents[start:], secret)
        merged = await bodies.copy_extents(store, run, owner=owner, key=secret)
        given_up = [*merged.changes(), *bodies.release(extents[start:], store.now())]
        extents[start:] = merged.extents
    kept, _, layout, changes = layouts.layout_of(extents, [])
    if old is not None and old.layout:
        changes = [*changes, Delete("layout", old.layout)]
    return _Grown(size, kept, layout, digest, [*changes, *given_up], merged)


def _record(session: UploadRow, old: Object | None, grown: _Grown, *, now: int) -> Object:
    """The object with its pieces. What is said of it beside its bytes is what was said before."""
    etag = f"{timed_id().hex()}-1"
    if old is not None:
        return msgspec.structs.replace(
            old,
            size=grown.size,
            mtime=now,
            etag=etag,
            checksums={},
            checksum_type="",
            extents=grown.extents,
            layout=grown.layout,
            digest=grown.digest,
            parts=[],
            part_count=0,
            seq=old.seq + 1,
        )
    said = session.record
    return Object(
        size=grown.size,
        mtime=now,
        etag=etag,
        storage_class=said.storage_class,
        checksums={},
        checksum_type="",
        owner=said.owner,
        extents=grown.extents,
        layout=grown.layout,
        headers=said.headers,
        meta=said.meta,
        digest=grown.digest,
        parts=[],
        part_count=0,
        seq=1,
        acl=said.acl,
        tags=said.tags,
        sealed=said.sealed,
    )


async def flushed(store: Store, bucket: BucketRow, key: bytes, handle: Handle) -> str | None:
    """The ETag that a session ended with: for a flush that is asked for again."""
    try:
        row = await store.index.get("done", bytes.fromhex(handle.upload))
    except ValueError:
        return None
    if row is None:
        return None
    done = decode(Completed, row)
    same = done.bucket == bucket.record.id and done.key == key and done.request.isdigit()
    return done.etag if same and int(done.request) >= handle.size else None

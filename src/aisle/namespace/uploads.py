"""Multipart uploads: create, add parts, list them, complete, abort.

A part is a body with a row of its own. Completing writes one object row that refers to the parts'
bytes, and copies nothing; its batch checks the upload's row and the rows of all its parts, so
that a part uploaded again at that very moment makes it start over. A completed upload leaves a
`done` row for a while: a client whose reply was lost may ask again and hears the same.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

import msgspec

from aisle.backend.base import Backend
from aisle.core import checksums
from aisle.core.errors import (
    DigestMismatch,
    InvalidPart,
    InvalidPartOrder,
    InvalidRequest,
    PartTooSmall,
    RowChanged,
    StoreUnavailable,
    UploadNotFound,
    WriteConflict,
)
from aisle.namespace import bodies, buckets, events, layouts, objects, ownership
from aisle.namespace.bodies import Incoming
from aisle.namespace.conditions import UNCONDITIONAL, WriteConditions
from aisle.namespace.objects import Description
from aisle.namespace.records import (
    Completed,
    Object,
    Part,
    PartInfo,
    Upload,
    decode,
    encode,
    part_key,
    timed_id,
    unescape_key,
    upload_key,
)
from aisle.namespace.sealing import wishes
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.store.base import ABSENT, Change, Check, Delete, Put

MAX_PARTS = 10_000
# The checksum of an upload that was created without one: what S3 computes by itself.
IMPLIED = "CRC64NVME"


class UploadRow(NamedTuple):
    """An upload, its row's key and value, and the object key it is for."""

    row_key: bytes
    raw: bytes
    record: Upload
    key: bytes


class NamedPart(NamedTuple):
    """A part as CompleteMultipartUpload names it; `etag` without quotes, `None` for whichever the
    part has."""

    number: int
    etag: str | None
    checksums: dict[str, str]


class Claims(NamedTuple):
    """What the client says of the whole object when it completes an upload."""

    checksums: dict[str, str]
    checksum_type: str
    size: int | None


async def create(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    description: Description,
    *,
    checksum_type: str,
    initiator: str = "",
    asked: Mapping[str, str] | None = None,
    identity: bytes = b"",
) -> Upload:
    """Begin an upload; `initiator` is the user that does, as policies call it, and `asked` what
    they may ask of its parts. It has an `identity` already where it is another service's too."""
    description = await objects.settled(store, bucket, description)
    sealed = description.sealed
    if sealed is None:
        sealed, _ = await wishes.begin(store, bucket, description.wish)
    record = Upload(
        id=identity or timed_id(),
        started=store.now(),
        owner=description.owner,
        storage_class=description.storage_class,
        headers=dict(description.headers),
        meta=dict(description.meta),
        checksum_algorithm=description.checksum_algorithm,
        checksum_type=checksum_type,
        acl=description.acl,
        initiator=initiator,
        asked=dict(asked or {}),
        tags=dict(description.tags),
        lock=description.lock,
        sealed=sealed,
        replication=description.replication,
        remote_encryption=dict(description.remote_encryption),
    )
    row_key = upload_key(bucket.record.id, key, record.id)
    for _ in range(RETRIES):
        try:
            await store.index.commit(*buckets.guard(bucket), Put("upload", row_key, encode(record)))
        except RowChanged:
            bucket = await buckets.refresh(store, bucket)
            continue
        return record
    raise WriteConflict("the bucket is being changed by too many writers")


async def find(store: Store, bucket: BucketRow, key: bytes, upload: str) -> UploadRow:
    """The upload of this id. Raises `UploadNotFound`, also for another key's id."""
    try:
        upload_id = bytes.fromhex(upload)
    except ValueError:
        raise UploadNotFound(upload) from None
    row_key = upload_key(bucket.record.id, key, upload_id)
    raw = await store.index.get("upload", row_key) if len(upload_id) == 16 else None
    if raw is None:
        raise UploadNotFound(upload)
    return UploadRow(row_key, raw, decode(Upload, raw), key)


async def put_part(
    store: Store,
    bucket: BucketRow,
    upload: UploadRow,
    number: int,
    incoming: Incoming,
    *,
    algorithms: frozenset[str] = frozenset(),
    checksum: str = "",
    customer_key: bytes = b"",
) -> Part:
    """Store a part, in place of an earlier one of its number. `checksum` is the S3 algorithm
    whose value to keep with it, beside what the upload's own checksum needs. All parts have the
    upload's key, each its own salt; raises what `wishes.open_key` does."""
    secret = wishes.key_for(store, upload.record.sealed, customer_key)
    plan = await objects.plan_digests(store, bucket)
    wanted = set(algorithms)
    if plan.md5_etag:
        wanted.add("MD5")
    kept = {upload.record.checksum_algorithm or IMPLIED}
    if checksum:
        kept.add(checksum)
    wanted |= kept
    stored = await bodies.ingest(
        store,
        incoming,
        owner=bucket.record.id + upload.key,
        algorithms=sorted(wanted),
        key=secret,
    )
    part = Part(
        number=number,
        size=stored.size,
        mtime=store.now(),
        etag=plan.etag(stored.digests, upload.record.sealed),
        checksums={name: checksums.to_base64(stored.digests[name]) for name in sorted(kept)},
        extents=stored.extents,
    )
    row_key = part_key(upload.record.id, number)
    try:
        for _ in range(RETRIES):
            old = await store.index.get("part", row_key)
            changes: list[Change] = [
                Check("upload", upload.row_key, upload.raw),
                Check("part", row_key, old if old is not None else ABSENT),
                Put("part", row_key, encode(part)),
                *stored.changes(),
            ]
            if old is not None:
                changes += bodies.release(decode(Part, old).extents, store.now())
            try:
                await store.index.commit(*changes)
            except RowChanged as lost:
                if lost.table == "upload":
                    raise UploadNotFound(upload.record.id.hex()) from None
                continue
            return part
        raise WriteConflict("too many writers are sending this part at once")
    except (StoreUnavailable, MemoryError):
        raise  # the batch may have been applied: the sweep decides what its bytes are
    except Exception:
        await bodies.discard(store, stored)
        raise


async def list_parts(store: Store, upload: UploadRow, *, after: int, limit: int) -> list[Part]:
    """Up to `limit` parts with numbers above `after`; not the pieces of an append."""
    rows = await store.index.scan(
        "part",
        prefix=upload.record.id,
        after=part_key(upload.record.id, min(after, 65_535)),
        limit=limit,
    )
    parts = [decode(Part, raw) for _, raw in rows]
    return [part for part in parts if part.number <= MAX_PARTS]


async def complete(
    store: Store,
    bucket: BucketRow,
    upload: UploadRow,
    named: Sequence[NamedPart],
    claims: Claims,
    *,
    conditions: WriteConditions = UNCONDITIONAL,
    via: Backend | None = None,
) -> Object:
    """Make the object of the named parts visible; for `via` see `windows`.

    Raises `InvalidPart`, `InvalidPartOrder`, `PartTooSmall`, `DigestMismatch` and what the
    conditions raise; then nothing has changed.
    """
    if any(left.number >= right.number for left, right in pairwise(named)):
        raise InvalidPartOrder("the parts are not in ascending order")
    minimum = await store.size("multipart.min_part_size", bucket.record)
    # Whose objects are may have been changed since the upload was begun.
    owner, acl = await ownership.settle(store, bucket, upload.record.owner, upload.record.acl)
    upload = upload._replace(record=msgspec.structs.replace(upload.record, owner=owner, acl=acl))
    for _ in range(RETRIES):
        rows = await store.index.scan("part", prefix=upload.record.id, limit=MAX_PARTS + 1)
        found = {int.from_bytes(key[-2:], "big"): (key, raw) for key, raw in rows}
        try:
            used = [_match(upload, name, found) for name in named]
        except InvalidPart:
            # Parts end with their upload: a request that came twice must hear that it has ended.
            if await store.index.get("upload", upload.row_key) is None:
                raise UploadNotFound(upload.record.id.hex()) from None
            raise
        for part in used[:-1]:
            if part.size < minimum:
                raise PartTooSmall(part.number, size=part.size, minimum=minimum, etag=part.etag)
        build, extra = _assemble(store, bucket, upload, used, claims, named)
        used_numbers = {part.number for part in used}
        for number, (row_key, raw) in found.items():
            extra += [Check("part", row_key, raw), Delete("part", row_key)]
            if number not in used_numbers:
                extra += bodies.release(decode(Part, raw).extents, store.now())
        try:
            record = await objects.commit(
                store,
                bucket,
                upload.key,
                None,
                build,
                conditions,
                *extra,
                via=via,
                event=events.COMPLETE,
            )
        except RowChanged as lost:
            if lost.table == "upload":
                raise UploadNotFound(upload.record.id.hex()) from None
            continue
        await discard_parts(store, upload.record.id)
        return record
    raise WriteConflict("parts of this upload are being replaced while it is completed")


def _match(upload: UploadRow, name: NamedPart, found: dict[int, tuple[bytes, bytes]]) -> Part:
    """The uploaded part that `name` means. Raises `InvalidPart`."""
    entry = found.get(name.number)
    wrong = InvalidPart(name.number, upload=upload.record.id.hex(), etag=name.etag or "")
    if entry is None or name.number > MAX_PARTS:
        raise wrong
    part = decode(Part, entry[1])
    if name.etag not in (None, part.etag):
        raise wrong
    for algorithm, value in name.checksums.items():
        if part.checksums.get(algorithm) != value:
            raise wrong
    return part


def _assemble(
    store: Store,
    bucket: BucketRow,
    upload: UploadRow,
    used: Sequence[Part],
    claims: Claims,
    named: Sequence[NamedPart],
) -> tuple[Callable[[Object | None, int], Object], list[Change]]:
    """The record's builder and the changes that turn an upload into an object."""
    algorithm = upload.record.checksum_algorithm or IMPLIED
    kind = upload.record.checksum_type or checksums.FULL_OBJECT
    if kind == checksums.COMPOSITE:
        _require_named(algorithm, named)
    size = sum(part.size for part in used)
    if claims.size is not None and claims.size != size:
        raise InvalidRequest(f"x-amz-mp-object-size is {claims.size}, the parts have {size} bytes")
    computed = whole_checksum(algorithm, kind, used)
    claimed = claims.checksums.get(algorithm)
    # A composite value may come with or without the number of parts; if it comes it must be right.
    if claimed is not None and claimed not in (computed, computed.partition("-")[0]):
        raise DigestMismatch(algorithm, expected=claimed, computed=computed)
    values = {algorithm: computed}
    extents = [extent for part in used for extent in part.extents]
    infos = [PartInfo(part.number, part.size, part.checksums) for part in used]
    etag = whole_etag(used)
    kept_extents, kept_parts, layout, extra = layouts.layout_of(extents, infos)
    description = upload.record

    def build(old: Object | None, mtime: int) -> Object:
        return Object(
            size=size,
            mtime=mtime,
            etag=etag,
            storage_class=description.storage_class,
            checksums=values,
            checksum_type=kind,
            owner=description.owner,
            extents=kept_extents,
            layout=layout,
            headers=description.headers,
            meta=description.meta,
            digest=("none", ""),
            parts=kept_parts,
            part_count=len(used),
            seq=old.seq + 1 if old else 1,
            acl=description.acl,
            tags=description.tags,
            lock=description.lock,
            sealed=description.sealed,
            replication=description.replication,
            origin=objects.asked_of_remote(description.remote_encryption),
        )

    done = Completed(
        bucket=bucket.record.id,
        key=upload.key,
        time=store.now(),
        etag=etag,
        request=request_digest(named),
        checksums=values,
        checksum_type=kind,
    )
    return build, [
        *extra,
        Check("upload", upload.row_key, upload.raw),
        Delete("upload", upload.row_key),
        Put("done", upload.record.id, encode(done)),
    ]


def whole_etag(parts: Sequence[Part]) -> str:
    """S3's ETag of a multipart object: the MD5 of the parts' MD5s, a dash, their number."""
    joined = hashlib.md5(usedforsecurity=False)
    for part in parts:
        joined.update(bytes.fromhex(part.etag.partition("-")[0]))
    return f"{joined.hexdigest()}-{len(parts)}"


def whole_checksum(algorithm: str, kind: str, parts: Sequence[Part]) -> str:
    """The checksum of the whole from those of its parts, as base64 (`-N` if COMPOSITE)."""
    values = [(b64decode(part.checksums[algorithm]), part.size) for part in parts]
    if kind == "FULL_OBJECT":
        return checksums.to_base64(combine_all(algorithm, values))
    return checksums.ALGORITHMS[algorithm].composite([value for value, _ in values])


def combine_all(algorithm: str, values: Sequence[tuple[bytes, int]]) -> bytes:
    """The digest of bytes from the digests and lengths of the stretches they consist of."""
    row = checksums.ALGORITHMS[algorithm]
    whole = values[0][0]
    for digest, length in values[1:]:
        whole = row.combine(whole, digest, length)
    return whole


def _require_named(algorithm: str, named: Sequence[NamedPart]) -> None:
    """A COMPOSITE checksum is agreed part by part: the client must name each."""
    for part in named:
        if algorithm not in part.checksums:
            raise InvalidRequest(
                f"The upload was created using a {algorithm.lower()} checksum. The complete"
                " request must include the checksum for each part. It was missing for part"
                f" {part.number} in the request."
            )


def request_digest(named: Sequence[NamedPart]) -> bytes:
    """Tells whether a repeated complete asks for the same as the first."""
    text = "\n".join(f"{part.number} {part.etag}" for part in named)
    return hashlib.sha256(text.encode()).digest()


async def completed(
    store: Store, bucket: BucketRow, key: bytes, upload: str, named: Sequence[NamedPart]
) -> Completed | None:
    """What an earlier, identical complete of this upload led to."""
    try:
        row = await store.index.get("done", bytes.fromhex(upload))
    except ValueError:
        return None
    if row is None:
        return None
    done = decode(Completed, row)
    same = (
        done.bucket == bucket.record.id
        and done.key == key
        and done.request == request_digest(named)
    )
    return done if same else None


async def abort(store: Store, upload: UploadRow) -> None:
    """Drop an upload and its parts. Raises `UploadNotFound` if another request ended it."""
    for _ in range(RETRIES):
        rows = await store.index.scan("part", prefix=upload.record.id, limit=MAX_PARTS + 1)
        changes: list[Change] = [
            Check("upload", upload.row_key, upload.raw),
            Delete("upload", upload.row_key),
        ]
        now = store.now()
        for row_key, raw in rows:
            changes += [Check("part", row_key, raw), Delete("part", row_key)]
            changes += bodies.release(decode(Part, raw).extents, now)
        try:
            await store.index.commit(*changes)
        except RowChanged as lost:
            if lost.table == "upload":
                raise UploadNotFound(upload.record.id.hex()) from None
            continue
        # A part may have come in between the scan and the commit; none can any more.
        await discard_parts(store, upload.record.id)
        return
    raise WriteConflict("parts of this upload are being replaced while it is aborted")


async def discard_parts(store: Store, upload: bytes) -> int:
    """Give up the parts of an upload that has ended; returns how many there were. If another does
    so at the same time, they are left to that one, and to the sweep."""
    rows = await store.index.scan("part", prefix=upload, limit=MAX_PARTS + 1)
    changes: list[Change] = []
    for row_key, raw in rows:
        changes += [Check("part", row_key, raw), Delete("part", row_key)]
        changes += bodies.release(decode(Part, raw).extents, store.now())
    if changes:
        with suppress(RowChanged):
            await store.index.commit(*changes)
    return len(rows)


async def discard_all(store: Store, bucket: bytes) -> int:
    """Drop every upload of a bucket that no longer exists; returns how many there were."""
    count = 0
    while rows := await store.index.scan("upload", prefix=bucket, limit=100):
        for row_key, raw in rows:
            record = decode(Upload, raw)
            key = unescape_key(row_key[8:-16])
            try:
                await abort(store, UploadRow(row_key, raw, record, key))
            except UploadNotFound:
                continue
            count += 1
    return count

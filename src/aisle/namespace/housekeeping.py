"""Housekeeping: give up what no row refers to any more, and report what is amiss.

Run by one worker at a time, in small steps between requests. Nothing is deleted on suspicion: a
blob goes when a row of `garbage` says so and no read that may need it is running, or when it is
older than `space.sweep_age` and its owner's rows do not name it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from aisle.core.errors import (
    BlobMissing,
    RowChanged,
    StoreError,
    UploadNotFound,
    WriteConflict,
)
from aisle.namespace import uploads
from aisle.namespace.bodies import BLOB
from aisle.namespace.records import (
    Bucket,
    Claim,
    Completed,
    Extent,
    Layout,
    Object,
    Part,
    Reader,
    Session,
    Upload,
    decode,
    encode,
    escape_key,
    unescape_key,
)
from aisle.namespace.store import RETRIES, Store
from aisle.namespace.uploads import UploadRow
from aisle.namespace.versions.ids import PLACE
from aisle.namespace.window import atimes
from aisle.namespace.window.inventory import generations
from aisle.store.base import Change, Check, Delete, Put

_log = logging.getLogger("aisle.housekeeping")

SECOND = 1_000_000_000
STEP = 500
# A worker that has not announced itself for this long is gone, and its reads with it.
READER_TIMEOUT = 180 * SECOND
READER_KEPT = 86_400 * SECOND
LONG_READ = 30 * SECOND
# Parts are given this long before they count as left over from an ended upload.
PART_GRACE = 3600 * SECOND
DONE_KEPT = 86_400 * SECOND
# Whoever still uses temporary credentials is told for so long that they have expired.
SESSION_KEPT = 1800 * SECOND
# A token may be taken for good so long after its end.
TOKEN_LEEWAY = 600 * SECOND


@dataclass(slots=True)
class Report:
    """What one round found and did."""

    garbage: int = 0
    uploads: int = 0
    parts: int = 0
    orphans: int = 0
    orphan_bytes: int = 0
    missing: list[str] = field(default_factory=list)


async def announce_after(store: Store) -> int:
    """How long a read runs, in ns, before it is announced, and how often that is done: so that
    whoever gave its bytes up since it began has waited for only half of the grace by then."""
    return min(LONG_READ, await store.duration("space.garbage_grace") // 4)


async def grace(store: Store) -> int:
    """How long bytes that were given up are kept for running reads, in ns. Where there is little
    room left, only until every process has had the time to announce the reads that need them."""
    asked = await store.duration("space.garbage_grace")
    return min(asked, 4 * await announce_after(store)) if store.room.tight else asked


async def announce(store: Store, worker: bytes) -> None:
    """Tell the housekeeper since when this process has been reading, if for long, and others that
    it is alive while it holds claims."""
    oldest, now = store.oldest_read(), store.now()
    known = await store.index.get("reader", worker)
    if now - oldest > await announce_after(store) or store.claims:
        await store.index.commit(Put("reader", worker, encode(Reader(now, oldest))))
    elif known is not None:
        store.beaten = 0  # a claim that is made from now on says anew that this process is alive
        with suppress(RowChanged):
            await store.index.commit(Check("reader", worker, known), Delete("reader", worker))


async def collect_garbage(store: Store, *, grace: int) -> int:
    """Delete blobs given up longer than `grace` ns ago and before every running read."""
    now = store.now()
    cutoff = min(now - grace, store.oldest_read())
    for worker, raw in await store.index.scan("reader", limit=10_000):
        reader = decode(Reader, raw)
        if reader.alive > now - READER_TIMEOUT:
            cutoff = min(cutoff, reader.oldest)
        elif reader.alive < now - READER_KEPT:
            await store.index.commit(Delete("reader", worker))
    count = 0
    while rows := await store.index.scan("garbage", limit=STEP):
        due = [key for key, _ in rows if int.from_bytes(key[:8], "big") < cutoff]
        changes: list[Change] = []
        for key in due:
            kind, blob = key[8:9], key[9:]
            if kind == BLOB:
                await store.blobs.delete(blob)
                changes.append(Delete("moved", blob))
            else:
                changes.append(Delete("body", blob))
            changes.append(Delete("garbage", key))
        if changes:
            await store.index.commit(*changes)
        count += len(due)
        if len(due) < len(rows) or len(rows) < STEP:
            break
    return count


async def expire_uploads(store: Store) -> int:
    """Abort uploads older than their bucket's `multipart.expiry` (0: never), and those of buckets
    that are gone."""
    expiry: dict[bytes, int] = {}
    for _, raw in await store.index.scan("bucket", limit=1_000_000):
        bucket = decode(Bucket, raw)
        expiry[bucket.id] = await store.duration("multipart.expiry", bucket)
    now, after, count = store.now(), b"", 0
    while rows := await store.index.scan("upload", after=after, limit=STEP):
        after = rows[-1][0]
        for row_key, raw in rows:
            record = decode(Upload, raw)
            age = expiry.get(row_key[:8], PART_GRACE)
            if age and record.started < now - age:
                row = UploadRow(row_key, raw, record, unescape_key(row_key[8:-16]))
                try:
                    await uploads.abort(store, row)
                except (UploadNotFound, WriteConflict):
                    continue  # it has just ended, or is in use after all
                count += 1
    return count


async def reclaim_parts(store: Store) -> int:
    """Give up parts that came in while their upload was ending."""
    live = set[bytes]()
    after = b""
    while rows := await store.index.scan("upload", after=after, limit=STEP):
        after = rows[-1][0]
        live.update(key[-16:] for key, _ in rows)
    after, count, now = b"", 0, store.now()
    while rows := await store.index.scan("part", after=after, limit=1):
        upload = rows[0][0][:16]
        after = upload + b"\xff\xff\xff"
        if upload in live or int.from_bytes(upload[:8], "big") > now - PART_GRACE:
            continue
        count += await uploads.discard_parts(store, upload)
    return count


async def forget_completed(store: Store) -> None:
    """Drop the answers kept for repeated completes."""
    now, after = store.now(), b""
    while rows := await store.index.scan("done", after=after, limit=STEP):
        after = rows[-1][0]
        old = [key for key, raw in rows if decode(Completed, raw).time < now - DONE_KEPT]
        if old:
            await store.index.commit(*(Delete("done", key) for key in old))


async def forget_credentials(store: Store) -> None:
    """Drop sessions and revoked tokens whose time is over, and what is known of the use of access
    keys that are gone."""
    now = store.now()
    await _drop(store, "session", lambda raw: decode(Session, raw).expires < now - SESSION_KEPT)
    await _drop(store, "revoked", lambda raw: int.from_bytes(raw, "big") < now - TOKEN_LEEWAY)
    after = b""
    while rows := await store.index.scan("used", after=after, limit=STEP):
        after = rows[-1][0]
        present = await store.index.get_many("accesskey", [key for key, _ in rows])
        gone = [key for (key, _), raw in zip(rows, present, strict=True) if raw is None]
        if gone:
            await store.index.commit(*(Delete("used", key) for key in gone))


async def _drop(store: Store, table: str, over: Callable[[bytes], bool]) -> None:
    after = b""
    while rows := await store.index.scan(table, after=after, limit=STEP):
        after = rows[-1][0]
        old = [key for key, raw in rows if over(raw)]
        if old:
            await store.index.commit(*(Delete(table, key) for key in old))


async def sweep_blobs(store: Store, report: Report, *, min_age: int) -> None:
    """Delete blobs older than `min_age` ns that no row refers to."""
    orphans: dict[bytes, int] = {}
    async for info in store.blobs.scan():
        if info.age * SECOND < min_age:
            continue
        if info.owner is None or not await _referred(store, info.owner, info.blob):
            orphans[info.blob] = info.size
        if len(orphans) == STEP:
            await _delete_orphans(store, report, orphans)
    await _delete_orphans(store, report, orphans)


async def _delete_orphans(store: Store, report: Report, orphans: dict[bytes, int]) -> None:
    """Delete what is not waiting in `garbage`, and empty `orphans`.

    Looked up now and not when the sweep began: a blob given up in between is in `garbage` since
    its row went, and running reads may need it for as long as it is there.
    """
    after = b""
    while orphans and (rows := await store.index.scan("garbage", after=after, limit=STEP)):
        after = rows[-1][0]
        for key, _ in rows:
            orphans.pop(key[9:], None)
    for blob, size in orphans.items():
        await store.blobs.delete(blob)
        await store.index.commit(Delete("moved", blob))
        report.orphans += 1
        report.orphan_bytes += size
        _log.info("removed orphan blob %s (%d bytes)", blob.hex(), size)
    orphans.clear()


async def _referred(store: Store, owner: bytes, blob: bytes) -> bool:
    """True if a row of the owner (bucket id and key) names the blob, or may name it.

    An object that was renamed has its blobs under the name they were written for; `moved` tells
    where they are now. A rename changes both in one batch, so whoever finds the blob nowhere and
    `moved` as it was has not missed one.
    """
    seen = owner
    while not await _named_under(store, seen, blob):
        moved = await store.index.get("moved", blob)
        if moved is None or moved == seen:
            return False
        seen = moved
    return True


async def _named_under(store: Store, owner: bytes, blob: bytes) -> bool:
    """The same for one name.

    Parts and chunks come first: completing an upload, or a fetch from a remote bucket, moves a
    blob from them to the object, never back.
    """
    scope = owner[:8] + escape_key(owner[8:])
    for row_key, _ in await store.index.scan("upload", prefix=scope, limit=10_000):
        for _, part in await store.index.scan("part", prefix=row_key[-16:], limit=10_001):
            if _names(decode(Part, part).extents, blob):
                return True
    if await _fetched(store, owner, blob):
        return True
    # A version moves between the two tables, which shows in what is on top: then look once more.
    for _ in range(RETRIES):
        top = await _top(store, owner)
        if top[0] is not None and await _may_name(store, top[0], blob):
            return True
        after = b""
        while rows := await store.index.scan("version", prefix=scope, after=after, limit=STEP):
            after = rows[-1][0]
            for _, raw in rows:
                if await _may_name(store, raw, blob):
                    return True
        if await _top(store, owner) == top:
            return False
    return True


async def _top(store: Store, owner: bytes) -> tuple[bytes | None, bytes | None]:
    """What is on top of an object's versions: see `versions`."""
    return await store.index.get("object", owner), await store.index.get("hidden", owner)


async def _may_name(store: Store, raw: bytes, blob: bytes) -> bool:
    """Whether the version in a row names a blob, as far as that can be told now."""
    extents = await _extents(store, decode(Object, raw))
    return extents is None or _names(extents, blob)


async def _fetched(store: Store, owner: bytes, blob: bytes) -> bool:
    """Whether a blob is a chunk of what somebody fetches from a remote bucket, or may be what
    somebody sends there, which no row names yet."""
    raw = await store.index.get("claim", owner)
    for holder in decode(Claim, raw).holders if raw is not None else ():
        if holder.writes:
            return True
        after = b""
        while rows := await store.index.scan("chunk", prefix=holder.id, after=after, limit=STEP):
            after = rows[-1][0]
            if any(decode(Extent, row).blob == blob for _, row in rows):
                return True
    return False


def _names(extents: Sequence[Extent], blob: bytes) -> bool:
    return any(extent.blob == blob and not extent.inline for extent in extents)


async def _extents(store: Store, record: Object) -> Sequence[Extent] | None:
    """The extents of an object; `None` if the row that holds them is missing."""
    if not record.layout:
        return record.extents
    row = await store.index.get("layout", record.layout)
    return decode(Layout, row).extents if row is not None else None


async def find_missing(store: Store, report: Report) -> None:
    """Report objects whose bytes are not where their rows say; nothing is changed."""
    for table in ("object", "version"):
        after = b""
        while rows := await store.index.scan(table, after=after, limit=STEP):
            after = rows[-1][0]
            for key, raw in rows:
                lost = await _first_missing(store, decode(Object, raw))
                if lost and await store.index.get(table, key) == raw:
                    part = key[8:] if table == "object" else unescape_key(key[8:-PLACE])
                    name = part.decode("utf-8", "replace")
                    report.missing.append(name)
                    _log.error("object %r refers to missing bytes %s", name, lost.hex())


async def _first_missing(store: Store, record: Object) -> bytes:
    """The first blob or row of an object that is not there; `b""` if all are."""
    extents = await _extents(store, record)
    if extents is None:
        return record.layout
    for extent in extents:
        if not await _present(store, extent):
            return extent.blob
    return b""


async def _present(store: Store, extent: Extent) -> bool:
    if extent.inline:
        return await store.index.get("body", extent.blob) is not None
    try:
        body = await store.blobs.open(extent.blob, extent.offset, extent.length)
    except BlobMissing:
        return False
    body.close()
    return True


async def tidy(store: Store) -> Report:
    """The frequent round: garbage, forgotten uploads, left-over parts."""
    report = Report()
    report.garbage = await collect_garbage(store, grace=await grace(store))
    report.uploads = await expire_uploads(store)
    report.parts = await reclaim_parts(store)
    await forget_completed(store)
    await forget_credentials(store)
    await generations.sweep(store)
    return report


async def sweep(store: Store) -> Report:
    """The rare round: blobs without rows, rows without bytes, access times without copies."""
    report = Report()
    try:
        age = await store.duration("space.sweep_age")
        await sweep_blobs(store, report, min_age=age)
        await find_missing(store, report)
        await atimes.tidy(store.index, store.now())
    except StoreError as error:
        _log.warning("the sweep stopped early: %s", error)
    return report

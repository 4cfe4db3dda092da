"""Claims: who is at work on an object of a window, so that no copy outlives what it is a copy of.

Invariant: as long as the remote bucket is written to through the cluster alone, a row of `object`
in a window is a copy of the version that the remote has now, at every moment, whoever crashes.

* The order in which a remote carries out two writes that overlap cannot be known, nor whether one
  whose answer was lost is carried out later. So a copy is kept only by who was *alone*: a writer
  without another writer at any time, a fetcher without any writer at all.
* A writer claims the key before the remote hears of it, and drops the row in the same commit; from
  then on nobody puts one until the claim ends. A writer that comes to others makes the claim
  `crowded`: of all who are in it then, none keeps a copy. Whoever fetches loses the claim to it.
* `finish` puts the row and ends the claim in one commit. Whatever happens before leaves a claim
  and no row, which is cold: the object is read from the remote, and nothing of it is kept.
* A holder whose process has died stays for `SETTLE`, in which a request of its that is under way
  ends at the remote, one way or the other; then `reaping` removes it. A writer that does not know
  what became of its request leaves such a holder behind (`abandon`). What only fetched is taken
  over sooner: who has lost its claim cannot keep anything, alive or dead.

Processes show that they are alive by the stamps of `reader`, told by the store's one clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from aisle.core.errors import BucketNotFound, RowChanged, StoreError, WriteConflict
from aisle.namespace import bodies, buckets, layouts
from aisle.namespace.records import (
    Claim,
    Extent,
    Holder,
    Object,
    Reader,
    decode,
    encode,
    timed_id,
)
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.store.base import ABSENT, Change, Check, Delete, Put

SECOND: Final = 1_000_000_000
# How often a process that holds claims says that it is alive.
BEAT: Final = 2 * SECOND
# A fetcher that has not been heard of for so long may be taken over.
PATIENCE: Final = 15 * SECOND
# A writer that has not been heard of for so long is dead, and what it asked of the remote over.
SETTLE: Final = 180 * SECOND


class Held:
    """A place in a claim. What is asked of the remote is asked of `bucket` as it is here, which
    was the bucket's row when the claim was made. `former` is the fetcher that was taken over."""

    __slots__ = ("bucket", "doubtful", "former", "id", "key", "store", "writes")

    def __init__(
        self, store: Store, bucket: BucketRow, key: bytes, *, writes: bool, former: bytes = b""
    ) -> None:
        self.store = store
        self.bucket = bucket
        self.key = key
        self.id = timed_id()
        self.writes = writes
        self.former = former
        self.doubtful = False

    @property
    def row_key(self) -> bytes:
        """The key of the object's row, and of the claim's."""
        return self.bucket.record.id + self.key

    def holder(self) -> Holder:
        return Holder(self.id, self.store.worker, self.writes, self.store.now())

    async def note(self, *, etag: str = "", size: int = 0, upload: str = "") -> bool:
        """Tell others what is being fetched, or housekeeping of an upload in parts at the remote.
        What is empty stays as it was. False if the place is lost: nothing can be kept any more."""
        for _ in range(RETRIES):
            raw = await self.store.index.get("claim", self.row_key)
            claim = decode(Claim, raw) if raw is not None else None
            if raw is None or claim is None or not _place(claim, self.id):
                return False
            holders = [
                msgspec.structs.replace(one, upload=upload or one.upload)
                if one.id == self.id
                else one
                for one in claim.holders
            ]
            noted = Claim(holders, claim.crowded, etag or claim.etag, size or claim.size)
            try:
                await self.store.index.commit(
                    Check("claim", self.row_key, raw), Put("claim", self.row_key, encode(noted))
                )
            except RowChanged:
                continue
            return True
        raise _conflict()


async def look(store: Store, bucket: BucketRow, key: bytes) -> Claim | None:
    """Who is at work on an object, if anybody."""
    raw = await store.index.get("claim", bucket.record.id + key)
    return decode(Claim, raw) if raw is not None else None


async def fetching(store: Store, bucket: BucketRow, key: bytes) -> Held | None:
    """Claim an object to fetch it; `None` while somebody else is at work: see `look`.

    What the row of the object is has to be looked at once more then: another fetcher may have
    finished just before. Raises `BucketNotFound`.
    """
    row_key = bucket.record.id + key
    for _ in range(RETRIES):
        raw = await store.index.get("claim", row_key)
        former = b""
        if raw is not None:
            holders = decode(Claim, raw).holders
            if any([one.writes or await alive(store, one, PATIENCE) for one in holders]):
                return None
            former = holders[0].id if holders else b""
        held = Held(store, bucket, key, writes=False, former=former)
        try:
            await _take(held, raw, Claim([held.holder()]))
        except RowChanged as lost:
            if lost.table == "bucket":
                bucket = await buckets.refresh(store, bucket)
            continue
        return held
    raise _conflict()


async def writing(store: Store, bucket: BucketRow, key: bytes) -> Held:
    """Claim an object to change it at the remote, and drop the copy. Raises `BucketNotFound`."""
    row_key = bucket.record.id + key
    for _ in range(RETRIES):
        raw = await store.index.get("claim", row_key)
        row = await store.index.get("object", row_key)
        before = decode(Claim, raw).holders if raw is not None else []
        others = [one for one in before if one.writes]
        held = Held(store, bucket, key, writes=True)
        changes: list[Change] = [Check("object", row_key, row if row is not None else ABSENT)]
        if row is not None:
            released = await layouts.release(store, decode(Object, row), store.now())
            changes += [Delete("object", row_key), *released]
        try:
            await _take(held, raw, Claim([*others, held.holder()], crowded=bool(others)), *changes)
        except RowChanged as lost:
            if lost.table == "bucket":
                bucket = await buckets.refresh(store, bucket)
            continue
        return held
    raise _conflict()


async def finish(held: Held, *changes: Change, otherwise: Sequence[Change] = ()) -> bool:
    """End the claim of who has done what it wanted to, together with `changes` if it was alone all
    the time, else with `otherwise`; tells which.

    Raises `RowChanged` if one of their checks fails; the claim is as it was then.
    """
    return await _end(held, changes, otherwise)


async def leave(held: Held, *changes: Change) -> None:
    """End the claim of who has changed nothing at the remote, and knows it, with `changes`."""
    await _end(held, None, changes)


async def abandon(held: Held) -> None:
    """Leave the claim of a writer that does not know what the remote makes of its request: until
    that is over, nobody keeps a copy."""
    held.doubtful = True
    store = held.store
    try:
        for _ in range(RETRIES):
            raw = await store.index.get("claim", held.row_key)
            claim = decode(Claim, raw) if raw is not None else Claim([])
            mine = _place(claim, held.id)
            ghost = Holder(held.id, b"", True, store.now(), mine.upload if mine else "")
            others = [one for one in claim.holders if one.id != held.id and one.writes]
            row = await store.index.get("object", held.row_key)
            changes: list[Change] = []
            if row is not None:  # only where this writer was taken for dead
                changes = await _drop(held, row)
            claim = Claim([*others, ghost], crowded=claim.crowded or bool(others))
            try:
                await store.index.commit(
                    Check("claim", held.row_key, raw if raw is not None else ABSENT),
                    Put("claim", held.row_key, encode(claim)),
                    *changes,
                )
            except RowChanged:
                continue
            store.claims.discard(held.id)
            return
        raise _conflict()
    except BaseException:
        _later(held)
        raise


async def alive(store: Store, holder: Holder, patience: int) -> bool:
    """Whether a holder has been heard of within `patience` (ns). Of this process it is known."""
    if holder.worker == store.worker:
        return holder.id in store.claims
    heard = holder.started
    if holder.worker and heard <= store.now() - patience:
        raw = await store.index.get("reader", holder.worker)
        if raw is not None:
            heard = max(heard, decode(Reader, raw).alive)
    return heard > store.now() - patience


async def beat(store: Store) -> None:
    """Say that this process is alive if it holds claims, and end those that it could not end."""
    late, store.unended = store.unended, []
    for number, held in enumerate(late):
        try:
            await (abandon(held) if held.doubtful else leave(held))
        except StoreError:
            store.unended += late[number + 1 :]  # this one is back in it already
            raise
    now = store.now()
    if store.claims and now - store.beaten >= BEAT:
        store.beaten = now
        await store.index.commit(_stamp(store, now))


async def drop_chunks(store: Store, holder: bytes) -> int:
    """Give up what a fetcher has fetched and not made an object of; how many chunks that was."""
    count = 0
    while rows := await store.index.scan("chunk", prefix=holder, limit=500):
        changes: list[Change] = []
        for key, raw in rows:
            changes += [Check("chunk", key, raw), Delete("chunk", key)]
            changes += bodies.release([decode(Extent, raw)], store.now())
        try:
            await store.index.commit(*changes)
        except RowChanged:
            continue
        count += len(rows)
    return count


async def _take(held: Held, raw: bytes | None, claim: Claim, *changes: Change) -> None:
    """Commit a claim in which `held` has a place. Raises `RowChanged`."""
    store = held.store
    now = store.now()
    if now - store.beaten >= BEAT // 2:
        changes = (*changes, _stamp(store, now))
        store.beaten = now
    store.claims.add(held.id)  # before it can be seen: from then on this process vouches for it
    try:
        await store.index.commit(
            *buckets.guard(held.bucket),
            Check("claim", held.row_key, raw if raw is not None else ABSENT),
            Put("claim", held.row_key, encode(claim)),
            *changes,
        )
    except RowChanged:
        store.claims.discard(held.id)
        raise
    except BaseException:
        _later(held)
        raise


async def _end(held: Held, changes: Sequence[Change] | None, otherwise: Sequence[Change]) -> bool:
    """End a claim; with `changes`, unless they are `None`, if the holder was alone."""
    store = held.store
    try:
        for _ in range(RETRIES):
            raw = await store.index.get("claim", held.row_key)
            claim = decode(Claim, raw) if raw is not None else None
            if raw is None or claim is None or not _place(claim, held.id):
                await _lost(held, otherwise)
                return False
            rest = [one for one in claim.holders if one.id != held.id]
            kept = changes is not None and not rest and not claim.crowded
            try:
                await store.index.commit(
                    *(buckets.guard(held.bucket) if kept else ()),
                    Check("claim", held.row_key, raw),
                    Put("claim", held.row_key, encode(Claim(rest, crowded=True)))
                    if rest
                    else Delete("claim", held.row_key),
                    *(changes if kept and changes is not None else otherwise),
                )
            except RowChanged as lost:
                if lost.table == "bucket" and not await _same_remote(held):
                    changes = None
                elif lost.table not in ("bucket", "claim"):
                    raise
                continue
            await _ended(held, kept=kept)
            return kept
        raise _conflict()
    except RowChanged:
        raise
    except BaseException:
        _later(held)
        raise


async def _ended(held: Held, *, kept: bool) -> None:
    held.store.claims.discard(held.id)
    if not kept and not held.writes:
        await drop_chunks(held.store, held.id)


async def _lost(held: Held, otherwise: Sequence[Change]) -> None:
    """End the work of who has no place in the claim any more. A writer that was taken for dead has
    changed the remote after all: who has come since, and what was kept, know nothing of it."""
    if held.writes:
        try:
            again = await writing(held.store, held.bucket, held.key)
        except BucketNotFound:
            await _ended(held, kept=False)
            return
        await _end(again, None, otherwise)
    elif otherwise:
        await held.store.index.commit(*otherwise)
    await _ended(held, kept=False)


async def _same_remote(held: Held) -> bool:
    """Read the bucket's row again; whether what was done still was at the bucket's remote."""
    props = held.bucket.record.props
    try:
        held.bucket = await buckets.refresh(held.store, held.bucket)
    except BucketNotFound:
        return False
    return held.bucket.record.props == props


async def _drop(held: Held, row: bytes) -> list[Change]:
    released = await layouts.release(held.store, decode(Object, row), held.store.now())
    return [Check("object", held.row_key, row), Delete("object", held.row_key), *released]


def _place(claim: Claim, holder: bytes) -> Holder | None:
    return next((one for one in claim.holders if one.id == holder), None)


def _later(held: Held) -> None:
    """Leave it to `beat` to end a claim: the store has not said what it did."""
    held.store.claims.discard(held.id)
    if held not in held.store.unended:
        held.store.unended.append(held)


def _stamp(store: Store, now: int) -> Put:
    return Put("reader", store.worker, encode(Reader(now, store.oldest_read())))


def _conflict() -> WriteConflict:
    return WriteConflict("too many writers are changing this object at once")

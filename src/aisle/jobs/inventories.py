"""Inventories as listings and operators ask for them: found, read in, made, shown, removed.

`listed` gives the inventory that a listing asked for. One of Amazon's is looked for at the remote
at most every few seconds a process (`CHECK_SECONDS`), and read in by one job in the whole cluster
when there is a newer one; meanwhile the former is listed. Who comes before there is any waits a
while, and then hears that it is busy. Only listings that begin look: their later pages come from
what is there, which is why they may continue in a newer inventory than they began in.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from aisle.core.errors import (
    InvalidArgument,
    InventoryBusy,
    InventoryDamaged,
    InventoryExists,
    InventoryNotFound,
    NotSupported,
    RemoteThrottled,
    RemoteUnavailable,
    RowChanged,
)
from aisle.core.names import BucketName
from aisle.jobs.jobs import JobNotFound, Jobs
from aisle.jobs.work.inventory import FOUND, ROW
from aisle.jobs.work.selection import bucket_args
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.namespace.window.inventory import finding, generations
from aisle.namespace.window.inventory.finding import Found, Where
from aisle.namespace.window.inventory.generations import InventoryRow

KIND: Final = "create-inventory"
CHECK_SECONDS: Final = 5.0
WAIT_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 3.0
# After so long an inventory that could not be read in is tried again.
FAILED: Final = 30_000_000_000
CHUNK: Final = 20_000
CHUNKS: Final = (2, 640_000)
_SHORTEST, _LONGEST = 0.02, 0.25
_KEPT: Final = 1000
_NAME: Final = 64


@dataclass(slots=True)
class _Look:
    """A look at the remote: when it began, and what it found, or will."""

    began: float
    found: asyncio.Future[Found]


class Inventories:
    """The inventories of a store's windows, seen from one process."""

    def __init__(self, store: Store, jobs: Jobs) -> None:
        self._store = store
        self._jobs = jobs
        self._looks: OrderedDict[tuple[bytes, Where], _Look] = OrderedDict()

    async def listed(
        self, bucket: BucketRow, asked: Where, *, begins: bool = True, user: str = ""
    ) -> InventoryRow:
        """The inventory to list. The cluster's own comes first if its name, or none, is asked for.

        Raises `InventoryNotFound`, `InventoryBusy`, `InventoryDamaged`, `NotSupported` for a bucket
        that can have none, `RemoteError`s.
        """
        behind = _behind(bucket)
        if not asked.id:
            row = await generations.read(self._store, generations.native_key(bucket))
            if asked.name in ("", row.record.name):
                if row.record.rows:
                    return row
                if await generations.is_made(self._store, row.record):
                    raise _busy(row.record.job)
        if behind.provider != "aws":
            raise InventoryNotFound(
                f'bucket "{bucket.record.name}" has no {asked}: make one (ais nbi create)'
            )
        return await self._of_amazon(bucket, asked, begins=begins, user=user)

    # --- Amazon's ---------------------------------------------------------------------------

    async def _of_amazon(
        self, bucket: BucketRow, asked: Where, *, begins: bool, user: str
    ) -> InventoryRow:
        try:
            found = await self._look(bucket, asked, anew=begins)
        except (RemoteUnavailable, RemoteThrottled):
            known = self._known(bucket, asked)
            if known is None:
                raise
            found = known  # what was read in can be listed without the remote
        key = generations.amazon_key(bucket, f"{found.bucket}/{found.date[:-18]}")
        row = await generations.read(self._store, key)
        if row.record.rows and (not begins or row.record.source == found.source):
            return row
        if not await self._is_coming(row, found):
            await self._start(bucket, row, found, user)
        return row if row.record.rows else await self._wait(key)

    async def _look(self, bucket: BucketRow, asked: Where, *, anew: bool) -> Found:
        """What there is at the remote, or was a moment ago."""
        place = (bucket.record.id, asked)
        look = self._looks.get(place)
        now = time.monotonic()
        if look is None or _is_stale(look, now, anew=anew):
            future = asyncio.ensure_future(finding.newest(self._store, bucket.record, asked))
            future.add_done_callback(_noticed)
            before, look = look, _Look(now, future)
            self._looks[place] = look
            self._looks.move_to_end(place)
            if len(self._looks) > _KEPT:
                self._looks.popitem(last=False)
            try:
                return await asyncio.shield(future)
            except (RemoteUnavailable, RemoteThrottled):
                if before is not None and self._looks.get(place) is look:
                    self._looks[place] = before
                raise
        return await asyncio.shield(look.found)

    def _known(self, bucket: BucketRow, asked: Where) -> Found | None:
        look = self._looks.get((bucket.record.id, asked))
        if look is None or not look.found.done() or look.found.exception() is not None:
            return None
        return look.found.result()

    async def _is_coming(self, row: InventoryRow, found: Found) -> bool:
        """Whether a job is at work on it. Raises `InventoryDamaged` if one has just failed at the
        same, and there is no other to list."""
        record = row.record
        if not record.job:
            return False
        try:
            view = await self._jobs.get(record.job)
        except JobNotFound:
            return False
        if not view.over:
            return True
        recent = view.record.ended > self._store.now() - FAILED
        if view.record.state == "failed" and record.making_of == found.source and recent:
            if not record.rows:
                raise InventoryDamaged(view.record.error)
            return True  # in a while
        return False

    async def _start(self, bucket: BucketRow, row: InventoryRow, found: Found, user: str) -> None:
        args = {**bucket_args(bucket), ROW: row.key.hex(), FOUND: list(found)}
        try:
            await self._jobs.submit(
                KIND,
                args,
                user=user,
                along=lambda job: generations.claimed(row, job, found.source, name=found.folder),
            )
        except RowChanged:
            return  # another process was faster

    async def _wait(self, key: bytes) -> InventoryRow:
        """The inventory once it has been read in. Raises `InventoryBusy`, `InventoryDamaged`."""
        deadline, pause = time.monotonic() + WAIT_SECONDS, _SHORTEST
        while True:
            row = await generations.read(self._store, key)
            if row.record.rows:
                return row
            if not await generations.is_made(self._store, row.record):
                raise await self._failure(row)
            if time.monotonic() > deadline:
                raise _busy(row.record.job)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST)

    async def _failure(self, row: InventoryRow) -> InventoryDamaged | InventoryBusy:
        try:
            view = await self._jobs.get(row.record.job)
        except JobNotFound:
            return _busy(row.record.job)
        if view.over and view.record.state != "finished":
            return InventoryDamaged(view.record.error or f"job {view.id} was {view.record.state}")
        return _busy(view.id)

    # --- the cluster's own ------------------------------------------------------------------

    async def create(
        self, bucket: BucketRow, *, name: str, prefix: str, chunk: int, force: bool, user: str
    ) -> str:
        """Have one made of the remote's listing; the id of the job. Raises `InventoryExists`,
        `InvalidArgument`, `NotSupported`."""
        await self._check_lists(bucket)
        name = name or f"inv-{secrets.token_hex(4)}"
        if len(name) > _NAME or not name.isascii() or not _is_plain(name):
            raise InvalidArgument(
                f"the name of an inventory has letters, digits, dashes, underscores and dots, at"
                f" most {_NAME}",
                name="name",
                value=name[:100],
            )
        if chunk and not CHUNKS[0] <= chunk <= CHUNKS[1]:
            raise InvalidArgument(
                f"names per chunk are between {CHUNKS[0]} and {CHUNKS[1]:,}",
                name="names_per_chunk",
                value=str(chunk),
            )
        for _ in range(RETRIES):
            row = await generations.read(self._store, generations.native_key(bucket))
            await self._check_none(bucket, row, force=force)
            try:
                return await self._jobs.submit(
                    KIND,
                    {**bucket_args(bucket), ROW: row.key.hex()},
                    user=user,
                    along=lambda job, row=row: generations.claimed(  # type: ignore[misc]
                        row, job, "", name=name, prefix=prefix, chunk=chunk or CHUNK, afresh=True
                    ),
                )
            except RowChanged:
                continue
        raise InventoryExists(f'an inventory of bucket "{bucket.record.name}" is just being made')

    async def _check_lists(self, bucket: BucketRow) -> None:
        _behind(bucket)
        if self._store.remotes is None:
            raise NotSupported("remote buckets cannot be reached from this process")
        backend = await self._store.remotes.backend(self._store, bucket.record)
        if not backend.lists:
            raise NotSupported(f"{backend.name} cannot be listed, so it has no inventory")

    async def _check_none(self, bucket: BucketRow, row: InventoryRow, *, force: bool) -> None:
        """Raise `InventoryExists` if there is one; with `force` none is in the way."""
        record = row.record
        is_made = await generations.is_made(self._store, record)
        if force:
            if is_made:
                await self._jobs.stop(record.job, "another inventory is made in its place")
        elif record.rows or is_made:
            what = f"job {record.job} is making" if is_made else "there is"
            raise InventoryExists(
                f'{what} inventory "{record.name}" of bucket "{bucket.record.name}" already: a'
                " bucket has one, --force replaces it"
            )

    async def shown(self, bucket: BucketRow, name: str) -> InventoryRow | None:
        """The bucket's own inventory, if it has one (of this name). One that is being made has no
        rows yet. Raises `NotSupported`."""
        _behind(bucket)
        row = await generations.read(self._store, generations.native_key(bucket))
        if row.raw is None or (name and row.record.name != name):
            return None
        if not row.record.rows and not await generations.is_made(self._store, row.record):
            return None
        return row

    async def destroy(self, bucket: BucketRow, name: str) -> None:
        """Remove the bucket's own inventory, and stop who makes it. Raises `InventoryNotFound`."""
        for _ in range(RETRIES):
            row = await self.shown(bucket, name)
            if row is None:
                called = f' "{name}"' if name else ""
                raise InventoryNotFound(
                    f'bucket "{bucket.record.name}" has no inventory{called} of the cluster\'s own'
                )
            try:
                if await generations.is_made(self._store, row.record):
                    await self._jobs.stop(row.record.job)
                await generations.discard(self._store, row)
            except RowChanged:
                continue
            return
        raise InventoryExists(f'the inventory of bucket "{bucket.record.name}" is being changed')


def _noticed(found: asyncio.Future[Found]) -> None:
    """Take note of what a look ended with, which nobody may be waiting for any more."""
    if not found.cancelled():
        found.exception()


def _behind(bucket: BucketRow) -> BucketName:
    """The remote bucket. Raises `NotSupported` if there is none, or the bucket is not added."""
    behind = bucket.record.behind
    if behind is None:
        raise NotSupported("a bucket inventory is of a remote bucket: this one has none")
    if not bucket.record.created:
        raise NotSupported("a bucket that is not added to the cluster has no inventory there")
    return behind


def _is_stale(look: _Look, now: float, *, anew: bool) -> bool:
    if not look.found.done():
        return False
    failed = look.found.cancelled() or look.found.exception() is not None
    return now - look.began > CHECK_SECONDS if anew or failed else False


def _is_plain(name: str) -> bool:
    return name[0] not in ".-" and all(letter.isalnum() or letter in "-_." for letter in name)


def _busy(job: str) -> InventoryBusy:
    return InventoryBusy(
        f"the inventory is being read in by job {job}: try again later", RETRY_SECONDS
    )

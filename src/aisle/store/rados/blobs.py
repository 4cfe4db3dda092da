"""`RadosBlobs`: `Blobs` on a pool of a Ceph cluster, replicated or erasure-coded.

* URL: `rados://POOL?conf=/etc/ceph/ceph.conf&user=client.admin&stripe=4MiB&timeout=30s`. The user
  needs `mon 'allow r'` and `osd 'allow rw pool=POOL'`.
* The store's identity is the RADOS namespace: stores in one pool never see each other.
* Every operation ends within `timeout`, with its outcome or as `StoreUnavailable`. librados
  reconnects by itself: there is nothing to repair here after an outage.
* The event loop never waits for the cluster: reads and changes are asynchronous (`rados.aio`), what
  can only block (connecting, listing, xattrs, statistics) runs in the engine's own threads.
* Connected by `connect`, so after any fork; one process and one event loop use one engine.

Ages come from the modification times of objects, which RADOS takes from the clock of the gateway
that wrote: they are wrong by as much as two gateways differ, which is nothing beside the day that
a sweep waits for.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Final, TypeVar

from aisle.core.errors import BlobMissing, StoreUnavailable
from aisle.store.base import BlobInfo, Space
from aisle.store.rados.aio import Aio, Found
from aisle.store.rados.blob import (
    MAX_OWNER,
    PIECE,
    PROBES,
    SEAL,
    UNIQUE_SIZE,
    BlobId,
    decode_seal,
    object_name,
    parse_name,
    remove_objects,
)
from aisle.store.rados.body import Ahead, RadosBody
from aisle.store.rados.lib import Listed, code_of, failures, store_error
from aisle.store.rados.pool import OpenPool, connect_pool, parse_url
from aisle.store.rados.writer import RadosWriter

THREADS: Final = 4
SCAN_BATCH: Final = 256

_Result = TypeVar("_Result")


@dataclass(slots=True)
class _Listing:
    """A listing under way. `close` empties it, because librados has to free it while connected."""

    objects: Iterator[Listed] | None


class RadosBlobs:
    """See the module. `connect` it; the constructor is for `connect`."""

    def __init__(self, pool: OpenPool, threads: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._threads = threads
        self._failures = failures()
        self._aio = Aio(pool.ioctx, pool.options.timeout)
        self._ahead = Ahead()
        self._background: set[asyncio.Task[None]] = set()
        self._listings: list[_Listing] = []
        self._closed = False

    @classmethod
    async def connect(cls, url: str, *, store: str) -> RadosBlobs:
        """Connect to the pool of `url` for the store of that identity.

        Raises `ConfigError` for a URL that makes no sense, a missing binding, and a cluster that
        does not answer or let us in.
        """
        options = parse_url(url)
        threads = ThreadPoolExecutor(THREADS, thread_name_prefix="aisle-rados")
        job = threads.submit(connect_pool, options, namespace=store)
        try:
            return cls(await asyncio.wrap_future(job), threads)
        except BaseException:
            job.add_done_callback(_disconnect)  # which also happens to a cancelled caller
            threads.shutdown(wait=False)
            raise

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        try:
            job = self._threads.submit(work)
        except RuntimeError as error:
            raise StoreUnavailable("the blob store is closed") from error
        return await asyncio.wrap_future(job)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that `close` waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    # --- writing ----------------------------------------------------------------------------

    async def create(self, owner: bytes, *, size_hint: int = 0) -> RadosWriter:
        if len(owner) > MAX_OWNER:
            raise ValueError(f"an owner of {len(owner)} bytes")
        return RadosWriter(
            self._aio,
            os.urandom(UNIQUE_SIZE),
            owner,
            stripe=self._pool.stripe,
            alignment=self._pool.alignment,
            whole_at_once=size_hint <= PIECE,
            open_source=self.open,
            in_background=self._in_background,
        )

    async def delete(self, blob: bytes) -> None:
        known = BlobId.decode(blob)
        if known is None:
            return
        if known.stripe:
            last = known.last
        else:
            last = max([number for number, _ in await self._survey(known)], default=-1)
        await remove_objects(self._aio, known.unique, last)

    async def _survey(self, blob: BlobId) -> list[tuple[int, Found]]:
        """The objects of a blob that was never sealed, in order. There may be gaps."""
        objects: list[tuple[int, Found]] = []
        numbers = range(PROBES)
        while True:
            stats = [self._aio.stat(object_name(blob.unique, number)) for number in numbers]
            found = [
                (number, stat)
                for number, stat in zip(numbers, await asyncio.gather(*stats), strict=True)
                if _exists(stat, blob.unique)
            ]
            objects += found
            if not found and numbers.stop > blob.size:
                return objects
            numbers = range(numbers.stop, numbers.stop + PROBES)

    # --- reading ----------------------------------------------------------------------------

    async def open(self, blob: bytes, offset: int, length: int) -> RadosBody:
        known = BlobId.decode(blob)
        if known is None or not known.stripe:
            raise BlobMissing(blob.hex(), "not an id of a sealed blob")
        if offset + length > known.size:
            raise BlobMissing(blob.hex(), "truncated")
        return RadosBody(self._aio, self._ahead, known, offset, length)

    # --- looking ----------------------------------------------------------------------------

    async def scan(self) -> AsyncIterator[BlobInfo]:
        listing = _Listing(await self._in_thread(self._pool.ioctx.list_objects))
        self._listings.append(listing)
        try:
            while names := await self._in_thread(lambda: self._names(listing)):
                for info in await self._look_at(names):
                    yield info
            # A failure that ended the listing at once is met again by any other operation.
            known = await self._aio.stat("end-of-listing")
            if known.code < 0 and known.code != -errno.ENOENT:
                raise store_error(known.code, "listing of blobs")
        finally:
            listing.objects = None
            self._listings.remove(listing)

    def _names(self, listing: _Listing) -> list[str]:
        """The next names of a listing, none at its end. Blocks."""
        names: list[str] = []
        objects = listing.objects
        if objects is None:
            raise StoreUnavailable("the blob store is closed")
        while len(names) < SCAN_BATCH:
            began = time.monotonic()
            listed = next(objects, None)
            if listed is not None:
                names.append(listed.key)
                continue
            # The binding makes an end of every failure. One that took this long is a timeout.
            if time.monotonic() - began > self._pool.options.timeout / 2:
                raise store_error(errno.ETIMEDOUT, "listing of blobs")
            break
        return names

    async def _look_at(self, names: list[str]) -> list[BlobInfo]:
        """The blobs whose first object is among `names`."""
        parsed = [known for known in map(parse_name, names) if known is not None]
        heads = [unique for unique, number in parsed if number == 0]
        seals, stats, headless = await asyncio.gather(
            self._seals(heads),
            asyncio.gather(*[self._aio.stat(object_name(unique, 0)) for unique in heads]),
            self._headless([(unique, number) for unique, number in parsed if number > 0]),
        )
        now = time.time()
        infos: list[BlobInfo] = []
        for unique, seal, stat in zip(heads, seals, stats, strict=True):
            if not _exists(stat, unique):
                continue
            if seal is None:
                unsealed = await self._unsealed(BlobId(unique, 0, 0))
                infos += [unsealed] if unsealed is not None else []
                continue
            blob, owner = seal
            infos.append(BlobInfo(blob.encode(), owner, max(0.0, now - stat.mtime), blob.size))
        return infos + headless

    async def _seals(self, heads: list[bytes]) -> list[tuple[BlobId, bytes] | None]:
        # One share a thread: the binding reads an xattr only while its caller waits.
        share = -(-len(heads) // THREADS) or 1
        read = await asyncio.gather(
            *[
                self._in_thread(partial(self._read_seals, heads[start : start + share]))
                for start in range(0, len(heads), share)
            ]
        )
        return list(chain.from_iterable(read))

    def _read_seals(self, heads: list[bytes]) -> list[tuple[BlobId, bytes] | None]:
        return [self._seal(unique) for unique in heads]

    def _seal(self, unique: bytes) -> tuple[BlobId, bytes] | None:
        """What the xattr says; `None` if there is none. Blocks."""
        try:
            return decode_seal(unique, self._pool.ioctx.get_xattr(object_name(unique, 0), SEAL))
        except self._failures as error:
            if code_of(error) in (errno.ENODATA, errno.ENOENT):
                return None
            raise store_error(code_of(error), f"blob {unique.hex()}") from error

    async def _headless(self, others: list[tuple[bytes, int]]) -> list[BlobInfo]:
        """The blobs that have lost their object 0, told where their first object is listed."""
        stats = await asyncio.gather(*[self._aio.stat(object_name(u, 0)) for u, _ in others])
        infos: list[BlobInfo] = []
        for (unique, number), head in zip(others, stats, strict=True):
            if _exists(head, unique):
                continue
            info = await self._unsealed(BlobId(unique, 0, number))
            if info is not None and info.blob == BlobId(unique, 0, number).encode():
                infos.append(info)
        return infos

    async def _unsealed(self, blob: BlobId) -> BlobInfo | None:
        """A blob without a seal. `None` if it has just gone."""
        objects = await self._survey(blob)
        if not objects:
            return None
        blob = blob._replace(size=objects[0][0])
        # As young as its youngest object: a slow upload may go on for longer than a day.
        age = max(0.0, time.time() - max(stat.mtime for _, stat in objects))
        return BlobInfo(blob.encode(), None, age, sum(stat.size for _, stat in objects))

    async def place(self, blob: bytes) -> str:
        return f"rados://{self._pool.options.pool}"

    async def space(self) -> Space:
        return await self._in_thread(self._space)

    def _space(self) -> Space:
        command = json.dumps({"prefix": "df", "detail": "detail", "format": "json"})
        try:
            code, out, _ = self._pool.cluster.mon_command(command, b"")
        except self._failures as error:
            raise store_error(code_of(error), "statistics of the pool") from error
        if code:
            raise store_error(code, "statistics of the pool")
        for pool in json.loads(out)["pools"]:
            if pool["id"] == self._pool.number:
                stats = pool["stats"]
                used, free = int(stats["stored"]), int(stats["max_avail"])
                if quota := int(stats["quota_bytes"]):
                    free = max(0, min(free, quota - used))
                return Space(used + free, used, free)
        raise StoreUnavailable(f'pool "{self._pool.options.pool}" has gone')

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        while self._background:
            await asyncio.wait(self._background)
        await self._aio.close()
        await asyncio.to_thread(self._threads.shutdown)
        for listing in self._listings:
            listing.objects = None
        await asyncio.to_thread(self._pool.close)


def _exists(stat: Found, unique: bytes) -> bool:
    """Whether there is such an object. Raises `StoreError` if that is not known."""
    if stat.code < 0 and stat.code != -errno.ENOENT:
        raise store_error(stat.code, f"blob {unique.hex()}")
    return stat.code >= 0


def _disconnect(job: Future[OpenPool]) -> None:
    if not job.cancelled() and job.exception() is None:
        job.result().close()
